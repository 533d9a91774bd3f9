//! The ledger after a year of heavy use: how large it is, and how long a view waits for what it asks.
//!
//! The year is routed by the real rules: what the requests point at, and how often that differs, is what people get.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use baton_core::{
    Account, AccountId, Event, Identity, LimitFamily, LimitReading, Percent, Policy, Pool, Reading, Request,
    Source, Timestamp, Turn, Window, WindowLength,
};
use baton_engine::{
    control::protocol::{BlockedTime, BlockedWhy, LogKind, ReadingLine, RequestLine, Transport, TurnMark},
    store::{EventRecord, Only, RequestRecord, Retention, Store, StoreError, Writer},
};

use crate::{
    Result,
    report::{Report, megabytes, micros},
};

const YEAR: u32 = 365;
const ACCOUNTS: u32 = 4;
const REQUESTS_A_DAY: u32 = 800;
/// They come within these hours of a day.
const DAY_BEGINS: Duration = Duration::from_secs(9 * 3600);
const BETWEEN: Duration = Duration::from_secs(45);
/// Usage of every account is read after so many requests.
const READ_EVERY: u32 = 7;
/// An account's five hours have so many requests in them, and its week.
const IN_FIVE_HOURS: f64 = 170.0;
const IN_A_WEEK: f64 = 1350.0;
const BEGINS: Timestamp = Timestamp::from_secs(1_760_000_000);

const LARGEST: f64 = 100e6;
const SLOWEST: Duration = Duration::from_millis(100);
const TIMES: usize = 5;

pub(crate) async fn section(report: &mut Report) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
    let store = fill(dir.path(), YEAR).await?;
    let stored = store.summary()?;
    #[allow(clippy::cast_precision_loss)] // For people.
    let size = stored.size as f64;
    report.heading("The ledger after a year", &["what", "value", "aim"]);
    let told = report.aim("ledger", size < LARGEST, "under 100 MB", &megabytes(size));
    let what = format!(
        "{} requests, {} events, and the readings of {ACCOUNTS} accounts",
        stored.requests, stored.events
    );
    report.row(&[what, megabytes(size), told]);
    for (view, ask) in VIEWS {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let begun = Instant::now();
            ask(&store, end(YEAR))?;
            times.push(begun.elapsed());
        }
        times.sort();
        let median = times[TIMES / 2];
        let told = report.aim(view, median <= SLOWEST, "100 ms", &micros(median));
        report.row(&[(*view).to_owned(), micros(median), told]);
    }
    Ok(())
}

type Ask = fn(&Store, Timestamp) -> std::result::Result<(), StoreError>;

/// What views ask for, with the most that they show.
const VIEWS: &[(&str, Ask)] = &[
    ("the latest 300 lines of the log", |store, _| {
        store.log(300, Only::default()).map(drop)
    }),
    ("of them those of one account", |store, _| {
        let account = Some(AccountId::new(ACCOUNTS));
        let only = Only {
            account,
            ..Only::default()
        };
        store.log(300, only).map(drop)
    }),
    ("of them the switches", |store, _| {
        let only = Only {
            kind: Some(LogKind::Switches),
            ..Only::default()
        };
        store.log(300, only).map(drop)
    }),
    ("what is stored", |store, _| store.summary().map(drop)),
    ("why a request went where it went", |store, _| {
        store.explained(100_000).map(drop)
    }),
    ("readings of the year, by 8 hours", |store, end| {
        store
            .readings(BEGINS, end, Duration::from_secs(8 * 3600))
            .map(drop)
    }),
    ("readings of a week, by 10 minutes", |store, end| {
        store
            .readings(before(end, 7), end, Duration::from_secs(600))
            .map(drop)
    }),
    ("requests of a week", |store, end| {
        store.requests(before(end, 7), end).map(drop)
    }),
    ("who served in the year, by day", |store, end| {
        store.served(BEGINS, end, Duration::from_secs(86_400)).map(drop)
    }),
    ("switches of the year", |store, end| {
        store.switches(BEGINS, end).map(drop)
    }),
    ("blocked time of the year", |store, end| {
        store.blocked(BEGINS, end).map(drop)
    }),
];

fn before(end: Timestamp, days: i64) -> Timestamp {
    Timestamp::from_millis(end.as_millis() - days * 86_400_000)
}

fn end(days: u32) -> Timestamp {
    BEGINS + Duration::from_secs(u64::from(days) * 86_400)
}

/// One window of an account, as the service has it.
#[derive(Clone, Copy)]
struct Meter {
    length: WindowLength,
    cost: f64,
    used: f64,
    resets_at: Option<Timestamp>,
}

impl Meter {
    fn at(&mut self, now: Timestamp) {
        if self.resets_at.is_some_and(|reset| reset <= now) {
            (self.used, self.resets_at) = (0.0, None);
        }
    }

    fn serve(&mut self, now: Timestamp) {
        let length = Duration::from_secs(u64::from(self.length.minutes()) * 60);
        self.resets_at.get_or_insert(now + length);
        self.used = (self.used + self.cost).min(100.0);
    }
}

struct Service(Vec<[Meter; 2]>);

impl Service {
    fn new() -> Self {
        let meter = |length, requests: f64| Meter {
            length,
            cost: 100.0 / requests,
            used: 0.0,
            resets_at: None,
        };
        let meters = [
            meter(WindowLength::FIVE_HOURS, IN_FIVE_HOURS),
            meter(WindowLength::WEEK, IN_A_WEEK),
        ];
        Self(vec![meters; ACCOUNTS as usize])
    }

    fn of(&mut self, account: AccountId) -> &mut [Meter; 2] {
        &mut self.0[account.get() as usize - 1]
    }

    /// In tenths of a percent: finer than the service says it.
    fn reading(&mut self, account: AccountId, now: Timestamp) -> Reading {
        let meters = self.of(account);
        let windows = meters.iter_mut().map(|meter| {
            meter.at(now);
            Window {
                length: meter.length,
                used: Percent::clamped((meter.used * 10.0).floor() / 10.0).unwrap_or(Percent::ZERO),
                resets_at: meter.resets_at,
                observed_at: now,
                source: Source::Headers,
            }
        });
        Reading {
            observed_at: now,
            source: Source::Headers,
            plan: None,
            limits: vec![LimitReading {
                family: LimitFamily::General,
                name: None,
                windows: windows.collect(),
                reached: None,
            }],
            credits: None,
        }
    }
}

/// So many days of heavy use, by the way that everything takes into the ledger.
async fn fill(dir: &Path, days: u32) -> Result<Store> {
    let keep = Retention::of_days(*Retention::ALLOWED.end()).unwrap_or_default();
    let store = Arc::new(Store::open_keeping(dir, BEGINS, keep)?);
    let writer = Writer::start(Arc::clone(&store))?;
    let mut pool = pool()?;
    let mut service = Service::new();
    let mut blocked: Option<BlockedTime> = None;
    for day in 0..days {
        for number in 0..REQUESTS_A_DAY {
            let now = end(day) + DAY_BEGINS + BETWEEN * number;
            one(&writer, &mut pool, &mut service, &mut blocked, (day, number), now);
        }
        // More than a day's lines would find no room.
        writer.flush().await;
    }
    if let Some(problem) = writer.problem() {
        return Err(problem.into());
    }
    writer.close().await;
    drop(writer);
    Ok(Arc::try_unwrap(store).map_err(|_| "somebody still holds the ledger")?)
}

fn pool() -> Result<Pool> {
    let mut pool = Pool::new(Policy::default());
    for number in 1..=ACCOUNTS {
        let id = AccountId::new(number);
        let identity = Identity {
            user: format!("user-{number}").into(),
            account: format!("account-{number}").into(),
        };
        let account = Account::new(id, identity, format!("account {number}"));
        pool.add(account, BEGINS, &mut Vec::new())?;
        // Held back, an account's state says how much of it is used: explanations differ more often.
        pool.set_threshold(id, Some(WindowLength::WEEK), Percent::new(80.0)?, None)?;
    }
    Ok(pool)
}

fn one(
    writer: &Writer,
    pool: &mut Pool,
    service: &mut Service,
    blocked: &mut Option<BlockedTime>,
    (day, number): (u32, u32),
    now: Timestamp,
) {
    // Turns of ten requests, threads of a hundred, spread as hashes are.
    let spread = |of: u32| u64::from(day * REQUESTS_A_DAY + of + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (thread, turn) = (spread(number / 100 * 100), spread(number / 10 * 10) ^ 1);
    let request = Request {
        session: Some(thread ^ 2),
        thread: Some(thread),
        turn: Turn::Id(turn),
        model: Some("gpt-5.5-codex"),
        tried: &[],
    };
    let mut events = Vec::new();
    let decision = pool.route(&request, now, &mut events);
    let account = decision.choice.account();
    let id = writer.next_request();
    tell(writer, events, Some((id, &decision)));
    if let Some(account) = account {
        service.of(account).iter_mut().for_each(|meter| meter.serve(now));
        learn(writer, pool, service, account, now);
        if let Some(time) = blocked.take() {
            writer.blocked(BlockedTime {
                ended: Some(now),
                ..time
            });
        }
    } else {
        let time = blocked.get_or_insert(BlockedTime {
            began: now,
            ended: None,
            until: None,
            why: BlockedWhy::NobodyUsable,
            request: Some(id),
            requests: 0,
            asked_last: now,
        });
        time.requests += 1;
        time.asked_last = now;
        writer.blocked(time.clone());
    }
    if number % READ_EVERY == 0 {
        for account in 1..=ACCOUNTS {
            learn(writer, pool, service, AccountId::new(account), now);
        }
    }
    let hashed = |hash: u64| format!("{hash:016x}");
    writer.request(RequestRecord {
        line: RequestLine {
            id,
            at: now,
            account,
            session: Some(hashed(thread ^ 2)),
            thread: Some(hashed(thread)),
            turn: TurnMark::Id(hashed(turn)),
            model: Some("gpt-5.5-codex".to_owned()),
            transport: Transport::WebSocket,
            outcome: if account.is_some() { "completed" } else { "refused" }.to_owned(),
            first_byte_ms: account.map(|_| 300 + thread % 900),
            first_output_ms: account.map(|_| 1300 + turn % 9000),
            waited_ms: 0,
            failovers: 0,
            input_tokens: account.map(|_| 20_000 + turn % 90_000),
            cached_tokens: account.map(|_| 10_000 + thread % 10_000),
            output_tokens: account.map(|_| 100 + turn % 3000),
        },
        decision: Some(decision),
    });
}

fn learn(writer: &Writer, pool: &mut Pool, service: &mut Service, account: AccountId, now: Timestamp) {
    let reading = service.reading(account, now);
    let Some(generation) = pool.account(account).map(baton_core::AccountState::generation) else {
        return;
    };
    let mut events = Vec::new();
    pool.learn(account, generation, &reading, now, &mut events);
    tell(writer, events, None);
    let windows = reading.limits.iter().flat_map(|limit| &limit.windows);
    let lines = windows.map(|window| ReadingLine {
        at: window.observed_at,
        account,
        family: LimitFamily::General,
        window: window.length,
        used: window.used,
        resets_at: window.resets_at,
        source: window.source,
    });
    writer.readings(lines.collect());
}

fn tell(writer: &Writer, events: Vec<Event>, brought: Option<(u64, &baton_core::Decision)>) {
    for event in events {
        writer.event(EventRecord {
            event,
            request: brought.map(|(id, _)| id),
            decision: brought.map(|(_, decision)| decision.clone()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A year in an unoptimised build takes a minute; it grows no faster than its days.
    #[tokio::test]
    async fn a_year_of_heavy_use_stays_under_100_mb() {
        let days = 30;
        let dir = tempfile::tempdir().unwrap();
        let store = fill(dir.path(), days).await.unwrap();
        let stored = store.summary().unwrap();
        assert_eq!(stored.requests, u64::from(days * REQUESTS_A_DAY));
        // It is the year that is meant: accounts are spent and come back, and sometimes nobody is left.
        let (from, to) = (BEGINS, end(days));
        assert!(store.switches(from, to).unwrap().len() > 60);
        assert!(!store.blocked(from, to).unwrap().is_empty());
        let samples: usize = store
            .readings(from, to, Duration::from_millis(1))
            .unwrap()
            .iter()
            .map(|window| window.samples.len())
            .sum();
        assert!(samples > 20_000, "{samples}");
        #[allow(clippy::cast_precision_loss)]
        let a_year = stored.size as f64 * f64::from(YEAR) / f64::from(days);
        assert!(a_year < LARGEST, "{a_year}");
        for (_, ask) in VIEWS {
            ask(&store, to).unwrap();
        }
    }
}
