//! The pure parts that run for every request or every byte, timed by themselves.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use baton_core::{
    Account, AccountId, AccountState, Identity, LimitFamily, LimitReading, Outcome, Percent, Policy, Pool,
    Reading, Request, SendState, Source, Timestamp, Turn, Window, WindowLength, choose,
    judge::{Circumstances, LimitKind, judge},
};
use baton_wire::{Scanner, request::Skim};
use serde_json::json;

use crate::{Result, wire};

/// A part is timed for this long, five times; the fastest counts, for nothing makes a computation faster than it is.
const SLICE: Duration = Duration::from_millis(80);
const SLICES: usize = 5;

pub(crate) struct Micro {
    /// Accounts, and nanoseconds a call.
    pub(crate) choose: Vec<(u32, f64)>,
    pub(crate) judge: f64,
    /// Gigabytes a second.
    pub(crate) scanner: f64,
    /// Nanoseconds for a frame of 70 KB.
    pub(crate) skim: f64,
}

pub(crate) fn measure() -> Result<Micro> {
    let mut choices = Vec::new();
    for count in [2, 20, 200] {
        let pool = pool(count)?;
        let request = Request {
            session: Some(1),
            thread: Some(2),
            turn: Turn::Id(3),
            model: Some("gpt-5.4-codex"),
            tried: &[],
        };
        let nanos = time(|| choose(black_box(&pool), black_box(&request), NOW));
        choices.push((count, nanos));
    }
    Ok(Micro {
        choose: choices,
        judge: time_judge(),
        scanner: scanner_speed(),
        skim: time_skim()?,
    })
}

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

/// Accounts with both windows read, the first of them in use.
fn pool(count: u32) -> Result<Pool> {
    let mut pool = Pool::new(Policy::default());
    let mut events = Vec::new();
    for number in 1..=count {
        let id = AccountId::new(number);
        let identity = Identity {
            user: format!("user-{number}").into(),
            account: format!("account-{number}").into(),
        };
        pool.add(
            Account::new(id, identity, format!("account {number}")),
            NOW,
            &mut events,
        )?;
        let window = |length, used| {
            Some(Window {
                length,
                used: Percent::clamped(used)?,
                resets_at: Some(NOW + Duration::from_secs(7_200)),
                observed_at: NOW,
                source: Source::Headers,
            })
        };
        let windows = [
            window(WindowLength::FIVE_HOURS, 20.0),
            window(WindowLength::WEEK, f64::from(number % 90)),
        ];
        let reading = Reading {
            observed_at: NOW,
            source: Source::Headers,
            plan: None,
            limits: vec![LimitReading {
                family: LimitFamily::General,
                name: None,
                windows: windows.into_iter().flatten().collect(),
                reached: Some(false),
            }],
            credits: None,
        };
        let generation = pool.account(id).map_or(0, AccountState::generation);
        pool.learn(id, generation, &reading, NOW, &mut events);
    }
    pool.route(&Request::default(), NOW, &mut events);
    Ok(pool)
}

fn time_judge() -> f64 {
    let outcome = Outcome::UsageLimit {
        family: Some(LimitFamily::General),
        resets_at: Some(NOW + Duration::from_secs(60)),
        kind: LimitKind::UsageLimit,
    };
    let at = Circumstances {
        sent: SendState::Sent,
        replayable: true,
        retries: 0,
        refreshed: false,
        stripped: false,
        alike_elsewhere: false,
        model: Some("gpt-5.4-codex"),
        first_failure: NOW,
    };
    time(|| judge(black_box(&outcome), black_box(&at)))
}

/// A stream of small events, in the parts in which a socket gives them.
fn scanner_speed() -> f64 {
    let mut stream = wire::sse("response.created", &wire::created()).to_vec();
    let delta = wire::sse("response.output_text.delta", &wire::delta());
    while stream.len() < 1_000_000 {
        stream.extend_from_slice(&delta);
    }
    let nanos = time(|| {
        let mut scanner = Scanner::new();
        let mut found = 0;
        for part in black_box(&stream).chunks(16 * 1024) {
            scanner.feed(part, NOW, &mut |_| found += 1);
        }
        found
    });
    stream.len() as f64 / nanos
}

fn time_skim() -> Result<f64> {
    let frame = wire::body(70_000, &json!({}));
    Skim::read(frame.as_bytes()).map_err(|_| "a frame isn't understood")?;
    Ok(time(|| {
        Skim::read(black_box(frame.as_bytes())).map(|skim| skim.facts.turn)
    }))
}

/// Nanoseconds a call.
pub(crate) fn time<R>(mut call: impl FnMut() -> R) -> f64 {
    let mut batch = 1_u32;
    // So many that reading the clock doesn't show.
    while timed(batch, &mut call) < Duration::from_millis(1) {
        batch = batch.saturating_mul(2);
    }
    let mut fastest = f64::MAX;
    for _ in 0..SLICES {
        let (started, mut spent, mut calls) = (Instant::now(), Duration::ZERO, 0_u32);
        while started.elapsed() < SLICE {
            spent += timed(batch, &mut call);
            calls += batch;
        }
        fastest = fastest.min(spent.as_secs_f64() * 1e9 / f64::from(calls));
    }
    fastest
}

fn timed<R>(count: u32, call: &mut impl FnMut() -> R) -> Duration {
    let started = Instant::now();
    for _ in 0..count {
        black_box(call());
    }
    started.elapsed()
}
