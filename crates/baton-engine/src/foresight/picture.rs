//! The timeline from the ledger, the pool and the forecast.

use std::time::Duration;

use baton_core::{
    AccountId, AccountState, Eligibility, Event, EventKind, Forecast, LimitFamily, Percent, Pool, Timestamp,
    WindowLength, explain,
    forecast::{Depletion, Outlook},
    timeline::{Blocked, Expected, Lane, Level, Look, Span, SwitchMark, Timeline, Track, stretches, svg},
};

use super::{Foresight, past::samples};
use crate::{
    store::{Served, Store, StoreError, WindowHistory},
    words::{PoolWords, ticks},
};

/// Resets of one window, as two sources tell it.
const A_LITTLE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// So many points a lane: more than that no screen shows apart.
const POINTS: u32 = 600;

impl Foresight {
    pub(super) fn picture(
        &self,
        days: u32,
        width: Option<u32>,
    ) -> Result<(Timeline, Option<String>), StoreError> {
        let forecast = self.look()?.forecast;
        let (pool, now) = self.desk.read(|pool, now| (pool.clone(), now));
        let timeline = gather(&self.store, &pool, &forecast, now, DAY * days)?;
        let picture = width.map(|width| {
            let look = Look {
                width: f64::from(width),
                standalone: false,
            };
            svg(&timeline, look, &PoolWords::new(&pool, now))
        });
        Ok((timeline, picture))
    }
}

fn gather(
    store: &Store,
    pool: &Pool,
    forecast: &Forecast,
    now: Timestamp,
    reach: Duration,
) -> Result<Timeline, StoreError> {
    let (from, to) = (now.before(reach), now + reach);
    let resolution = reach / POINTS;
    // A window that has begun before shows from its beginning.
    let readings = store.readings(from.before(longest(pool)), now, resolution)?;
    let served = store.served(from, now, resolution)?;
    let events = store.events(from.before(longest(pool)), now)?;
    let lanes = pool.accounts().iter().map(|state| Lane {
        account: state.account.id,
        label: state.account.label.to_string(),
        said: said(state, pool, now),
        served: spans(&served, state.account.id, resolution, now),
        tracks: {
            let mut tracks = tracks(state, &readings, forecast, pool.current(), from, now);
            for (at, until) in limits(&events, state.account.id) {
                tracks.iter_mut().for_each(|track| fill(track, at, until));
            }
            tracks
        },
    });
    let past = store.switches(from, now)?.into_iter();
    let past = past.filter_map(|(event, _)| mark(&event));
    let expected = forecast.changes.iter().filter_map(|change| {
        Some(SwitchMark {
            at: change.at,
            from: Some(change.from),
            to: change.to?,
            said: explain::cause(change.cause).to_owned(),
            expected: true,
        })
    });
    let blocked = store.blocked(from, now)?.into_iter().map(|time| Blocked {
        from: time.began,
        to: time.ended,
        said: time.why.said().to_owned(),
    });
    Ok(Timeline {
        from,
        now,
        to,
        ticks: ticks(from, to),
        lanes: lanes.collect(),
        switches: past.chain(expected).collect(),
        blocked: blocked.collect(),
        interruption: match forecast.pool {
            Outlook::Until(when) => Some(when),
            _ => None,
        },
    })
}

fn longest(pool: &Pool) -> Duration {
    let windows = pool.accounts().iter();
    let lengths = windows.flat_map(|state| state.quota.windows(&LimitFamily::General));
    lengths.map(|window| lasting(window.length)).max().unwrap_or(DAY)
}

fn lasting(length: WindowLength) -> Duration {
    Duration::from_secs(60 * u64::from(length.minutes()))
}

fn mark(event: &Event) -> Option<SwitchMark> {
    match &event.kind {
        EventKind::Switched(switch) => Some(SwitchMark {
            at: event.at,
            from: switch.from,
            to: switch.to,
            said: explain::cause(switch.cause).to_owned(),
            expected: false,
        }),
        _ => None,
    }
}

/// What is left of each window, or what is the matter.
fn said(state: &AccountState, pool: &Pool, now: Timestamp) -> String {
    let eligibility = state.eligibility(&LimitFamily::General, now);
    let windows = state.quota.windows(&LimitFamily::General);
    if eligibility != Eligibility::Eligible || windows.is_empty() {
        return explain::state(&eligibility, &PoolWords::new(pool, now));
    }
    let mut windows = windows.to_vec();
    windows.sort_by_key(|window| window.length);
    let left = windows.iter().map(|window| {
        let left = explain::percent(window.used_at(now).left());
        format!("{}: {left} % left", window.length)
    });
    left.collect::<Vec<_>>().join(" · ")
}

fn tracks(
    state: &AccountState,
    readings: &[WindowHistory],
    forecast: &Forecast,
    current: Option<AccountId>,
    from: Timestamp,
    now: Timestamp,
) -> Vec<Track> {
    let id = state.account.id;
    let own = readings
        .iter()
        .filter(|read| read.account == id && read.family == LimitFamily::General);
    let of_account = forecast.accounts.iter().find(|account| account.account == id);
    let mut tracks: Vec<Track> = own
        .map(|read| {
            let samples: Vec<_> = samples(read).collect();
            let mut stretches = stretches(read.window, &samples);
            stretches.retain(|stretch| stretch.resets_at.is_none_or(|reset| reset > from));
            let window = of_account
                .and_then(|account| account.windows.iter().find(|window| window.length == read.window));
            Track {
                length: read.window,
                stretches,
                expected: window.map(|window| Expected {
                    // What the others would come to, if they served, nobody asks.
                    depleted: match window.depletes {
                        Depletion::At(when) if current == Some(id) => Some(when),
                        _ => None,
                    },
                    recovers: window.recovers.filter(|at| *at > now),
                }),
            }
        })
        .collect();
    tracks.sort_by_key(|track| track.length);
    tracks
}

/// When the account's limit was reached, and until when.
fn limits(events: &[Event], id: AccountId) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    events.iter().filter_map(move |event| match &event.kind {
        EventKind::StateChanged {
            account,
            to: Eligibility::Exhausted {
                until: Some(until), ..
            },
            ..
        } if *account == id => Some((event.at, *until)),
        _ => None,
    })
}

/// The last reading was taken before the request that the limit refused: the window that resets then is used up.
fn fill(track: &mut Track, at: Timestamp, until: Timestamp) {
    let refused = track.stretches.iter_mut().find(|stretch| {
        stretch.from <= at
            && stretch
                .resets_at
                .is_some_and(|reset| reset.since(until).max(until.since(reset)) <= A_LITTLE)
    });
    if let Some(stretch) = refused {
        let later = stretch.levels.partition_point(|level| level.at <= at);
        let used = Percent::FULL;
        stretch.levels.insert(later, Level { at, used });
    }
}

/// Neighbouring stretches are one.
fn spans(served: &[Served], account: AccountId, resolution: Duration, now: Timestamp) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for stretch in served.iter().filter(|stretch| stretch.account == account) {
        let to = (stretch.from + resolution).min(now);
        match spans.last_mut() {
            Some(last) if last.to >= stretch.from => last.to = to,
            _ => spans.push(Span {
                from: stretch.from,
                to,
            }),
        }
    }
    spans
}
