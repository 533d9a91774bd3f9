//! The recorded demand under each strategy.

mod comparing;
mod learning;
mod reproducing;
mod running;

use std::time::Duration;

use baton_core::{
    AccountId, Policy, Strategy, Timestamp, Turn, WindowLength,
    model::{Limit, Meter, Metered, Upstream},
    replay::{Attempt, Basis, Demand, History, Step, Stretch, Trace, Work},
};

use crate::pools::{HOUR, account};

const DAY: u64 = 24 * HOUR;
const MINUTE: u64 = 60;

fn basis(assumed: Vec<AccountId>) -> Basis {
    Basis::Recorded {
        assumed,
        used_elsewhere: Vec::new(),
    }
}

/// A midnight.
fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 / 86_400 * 86_400) + Duration::from_secs(secs)
}

fn policy(strategy: Strategy) -> Policy {
    let mut policy = Policy::default();
    policy.strategy = strategy;
    policy
}

fn work(secs: u64, units: f64) -> Work {
    Work {
        at: at(secs),
        session: None,
        thread: None,
        turn: Turn::New,
        model: None,
        units,
    }
}

/// One unit is a percent of the five hours, and a tenth of one of the week.
fn metered(id: AccountId) -> Metered {
    let meters = vec![
        Meter::new(WindowLength::FIVE_HOURS, 1.0),
        Meter::new(WindowLength::WEEK, 0.1),
    ];
    Metered {
        id,
        limits: vec![Limit::general(meters)],
    }
}

fn trace(accounts: u32, work: Vec<Work>) -> Trace {
    let accounts: Vec<_> = (1..=accounts).map(account).collect();
    Trace {
        upstream: Upstream::new(accounts.iter().map(|account| metered(account.id)).collect()),
        accounts,
        demand: Demand::unblocked(work),
        presences: Vec::new(),
        basis: basis(Vec::new()),
    }
}

/// What a ledger would hold of a run, but for readings: requests at the times at which they came, and blocked stretches.
fn ledger(trace: &Trace, steps: &[Step]) -> History {
    let mut history = History::default();
    for step in steps {
        let (at, work, account) = match *step {
            Step::Served { at, work, by } => (at, work, Some(by)),
            Step::Blocked { at, work, until } => {
                history.blocked.push(Stretch {
                    began: at,
                    ended: until,
                });
                (at, work, None)
            }
        };
        let work = &trace.demand.work()[work];
        history.attempts.push(Attempt {
            at,
            session: work.session,
            thread: work.thread,
            turn: work.turn,
            model: work.model.clone(),
            account,
            // Of what wasn't served nobody knows how much it was.
            units: account.map(|_| work.units),
        });
    }
    history
}
