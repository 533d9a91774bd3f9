//! One strategy's outcome. The person keeps the hours that they worked: where nobody can serve, they wait for the first
//! return and go on at their own pace; what no longer fits into that day's hours is left undone.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{demand::Day, trace::Trace};
use crate::{
    AccountId, Cause, Event, EventKind, Policy, Pool, Strategy, Switch, Timestamp, WindowLength,
    model::Answer,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(rename = "ReplayOutcome"))]
pub struct Outcome {
    pub strategy: Strategy,
    /// How often the person had to stop because nobody could serve, once for each day that this went on.
    pub interruptions: u32,
    /// Of the hours that the person worked.
    pub blocked_minutes: f64,
    /// The most work hours in a row without an interruption, in minutes.
    pub longest_stretch_minutes: f64,
    /// Requests that no longer fitted into their day.
    pub undone: u32,
    pub served: u32,
    /// Shortest window first.
    pub expired: Vec<Expired>,
    /// Of the active account; none under a strategy without one.
    pub switches: Vec<Switched>,
    /// Requests of a thread that another account had served before: their caches are cold.
    pub moves: u32,
}

/// Quota that was unused when its window was reset, of all accounts: 100 is one whole window of one account.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Expired {
    pub window: WindowLength,
    pub percent: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Switched {
    pub at: Timestamp,
    pub from: Option<AccountId>,
    pub to: AccountId,
    pub cause: Cause,
}

/// What happens on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// The work of this index is served.
    Served {
        at: Timestamp,
        work: usize,
        by: AccountId,
    },
    /// It is asked for, and nobody can serve: the person waits until then, or to the end of the day's hours.
    Blocked {
        at: Timestamp,
        work: usize,
        until: Timestamp,
    },
}

/// Blocked time and interruptions of one day, by which strategies are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct OfDay {
    pub(super) blocked: Duration,
    pub(super) interruptions: u32,
}

pub fn run(trace: &Trace, policy: Policy) -> Outcome {
    run_told(trace, policy, &mut |_| {})
}

/// Tells each step on the way.
pub fn run_told(trace: &Trace, policy: Policy, told: &mut dyn FnMut(Step)) -> Outcome {
    run_by_day(trace, policy, told).0
}

pub(super) fn run_by_day(trace: &Trace, policy: Policy, told: &mut dyn FnMut(Step)) -> (Outcome, Vec<OfDay>) {
    let mut running = Running::new(trace, policy, told);
    for day in &trace.demand.days {
        running.day(day);
    }
    running.finish()
}

struct Running<'a> {
    trace: &'a Trace,
    told: &'a mut dyn FnMut(Step),
    pool: Pool,
    upstream: crate::model::Upstream,
    /// Of the changes of the trace.
    changed: usize,
    threads: HashMap<u64, AccountId>,
    outcome: Outcome,
    days: Vec<OfDay>,
    /// Work hours since the last interruption, and the most there were.
    stretch: Duration,
    longest: Duration,
    events: Vec<Event>,
}

impl<'a> Running<'a> {
    fn new(trace: &'a Trace, policy: Policy, told: &'a mut dyn FnMut(Step)) -> Self {
        let mut running = Self {
            trace,
            told,
            pool: Pool::new(policy),
            upstream: trace.upstream.clone(),
            changed: 0,
            threads: HashMap::new(),
            outcome: Outcome {
                strategy: policy.strategy,
                interruptions: 0,
                blocked_minutes: 0.0,
                longest_stretch_minutes: 0.0,
                undone: 0,
                served: 0,
                expired: Vec::new(),
                switches: Vec::new(),
                moves: 0,
            },
            days: Vec::with_capacity(trace.demand.days.len()),
            stretch: Duration::ZERO,
            longest: Duration::ZERO,
            events: Vec::new(),
        };
        if let Some((begins, _)) = trace.demand.span() {
            for account in &trace.accounts {
                // Two of one label are two accounts all the same.
                let _taken = running.pool.add(account.clone(), begins, &mut running.events);
            }
            running
                .upstream
                .tell(&mut running.pool, begins, &mut running.events);
        }
        running
    }

    fn day(&mut self, day: &Day) {
        self.days.push(OfDay::default());
        // What came later so far, and since when nobody has been blocked.
        let (mut delay, mut since) = (Duration::ZERO, day.begins);
        for index in day.work.clone() {
            let mut now = self.trace.demand.work[index].at + delay;
            let mut waits = false;
            while now <= day.ends {
                self.presences(now);
                let Some(until) = self.asked(index, now) else {
                    break;
                };
                let back = until.filter(|until| *until > now && *until <= day.ends);
                if !waits {
                    self.interrupted(now.since(since));
                    waits = true;
                }
                let until = back.unwrap_or(day.ends);
                self.blocked(index, now, until);
                delay += until.since(now);
                since = until;
                if back.is_none() {
                    return self.undone(day.work.end - index);
                }
                now = until;
            }
            if now > day.ends {
                self.worked(day.ends.since(since));
                return self.undone(day.work.end - index);
            }
        }
        self.worked(day.ends.since(since));
    }

    /// Until when nobody can serve, if so: `Some(None)` where that isn't known.
    fn asked(&mut self, index: usize, now: Timestamp) -> Option<Option<Timestamp>> {
        let work = &self.trace.demand.work[index];
        let answer = self
            .upstream
            .ask(&mut self.pool, &work.request(), work.units, now, &mut self.events);
        for event in self.events.drain(..) {
            if let EventKind::Switched(Switch { from, to, cause }) = event.kind {
                let at = event.at;
                self.outcome.switches.push(Switched { at, from, to, cause });
            }
        }
        match answer {
            Answer::Served { by } => {
                (self.told)(Step::Served {
                    at: now,
                    work: index,
                    by,
                });
                self.outcome.served += 1;
                if let Some(thread) = work.thread {
                    let before = self.threads.insert(thread, by);
                    self.outcome.moves += u32::from(before.is_some_and(|before| before != by));
                }
                None
            }
            Answer::Blocked { until } => {
                let change = self.trace.presences.get(self.changed).map(|change| change.at);
                Some(until.into_iter().chain(change).min())
            }
        }
    }

    /// Who comes and who goes by now.
    fn presences(&mut self, now: Timestamp) {
        while let Some(change) = self.trace.presences.get(self.changed)
            && change.at <= now
        {
            let skipped = !change.present;
            // Who is no longer known needn't be skipped.
            let _gone = self
                .pool
                .skip(change.account, skipped, change.at, &mut self.events);
            self.changed += 1;
        }
    }

    fn interrupted(&mut self, after: Duration) {
        self.worked(after);
        self.stretch = Duration::ZERO;
        self.outcome.interruptions += 1;
        if let Some(day) = self.days.last_mut() {
            day.interruptions += 1;
        }
    }

    fn blocked(&mut self, work: usize, at: Timestamp, until: Timestamp) {
        (self.told)(Step::Blocked { at, work, until });
        if let Some(day) = self.days.last_mut() {
            day.blocked += until.since(at);
        }
    }

    fn undone(&mut self, requests: usize) {
        self.outcome.undone += u32::try_from(requests).unwrap_or(u32::MAX);
    }

    fn worked(&mut self, time: Duration) {
        self.stretch += time;
        self.longest = self.longest.max(self.stretch);
    }

    fn finish(mut self) -> (Outcome, Vec<OfDay>) {
        let end = self.trace.demand.span().map(|(_, end)| end);
        if let Some(end) = end {
            self.upstream.settle(end);
        }
        let limits = self
            .upstream
            .accounts()
            .iter()
            .flat_map(|account| &account.limits);
        for meter in limits.flat_map(|limit| &limit.meters) {
            let expired = &mut self.outcome.expired;
            let index = expired
                .iter()
                .position(|known| known.window == meter.length)
                .unwrap_or_else(|| {
                    expired.push(Expired {
                        window: meter.length,
                        percent: 0.0,
                    });
                    expired.len() - 1
                });
            expired[index].percent += meter.tally().expired;
        }
        self.outcome.expired.sort_by_key(|expired| expired.window);
        let blocked: Duration = self.days.iter().map(|day| day.blocked).sum();
        self.outcome.blocked_minutes = minutes(blocked);
        self.outcome.longest_stretch_minutes = minutes(self.longest);
        (self.outcome, self.days)
    }
}

pub(super) fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}
