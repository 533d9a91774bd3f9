//! All strategies on one trace: which is best for this person, and how sure that is.
//!
//! How sure is found out by drawing the recorded days anew, in blocks of neighbouring days (a moving-block bootstrap: what
//! a week's window did on one day shows on the next), and counting how often the same strategy wins.

use serde::{Deserialize, Serialize};

use super::{
    run::{OfDay, Outcome, minutes, run_by_day},
    trace::{Basis, Trace},
};
use crate::{Policy, Strategy, Timestamp, random::Random};

/// Working days that must be recorded before anything is said.
const ENOUGH_DAYS: usize = 5;
/// Less in all isn't worth a word.
const WORTH_MINUTES: f64 = 1.0;
const DRAWS: u32 = 1000;
/// So many of the draws must agree.
const SURE: f64 = 0.9;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(rename = "ReplayComparison"))]
pub struct Comparison {
    pub from: Timestamp,
    pub to: Timestamp,
    /// On which anything was asked for.
    pub working_days: u32,
    pub basis: Basis,
    /// The person's strategy.
    pub present: Strategy,
    pub verdict: Verdict,
    /// In the order of [`Strategy::ALL`], with the person's thresholds.
    pub outcomes: Vec<Outcome>,
    /// The same with no account held back; empty where no threshold is set.
    pub without_thresholds: Vec<Outcome>,
}

/// `sure`: the share of draws of the recorded days in which the same comes out; `None` for the made-up week.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(rename = "ReplayVerdict"))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// Too few working days are recorded.
    TooLittle,
    /// Nobody would have been blocked under any strategy.
    NeverBlocked,
    Better {
        strategy: Strategy,
        /// Blocked less than under the present one.
        minutes_less: f64,
        /// Negative: more.
        interruptions_fewer: i32,
        sure: Option<f64>,
    },
    /// None would have blocked the person less.
    PresentIsBest { sure: Option<f64> },
    /// This one came out best, which may be chance.
    CannotTell {
        strategy: Strategy,
        /// 0 for the present one.
        minutes_less: f64,
        sure: f64,
    },
}

/// `policy`: the person's; each strategy is run with the rest of it. `None`: nothing was asked for.
pub fn compare(trace: &Trace, policy: Policy) -> Option<Comparison> {
    let (from, to) = trace.demand.span()?;
    let (outcomes, days) = all(trace, policy);
    let without_thresholds = trace.without_thresholds();
    Some(Comparison {
        from,
        to,
        working_days: u32::try_from(trace.demand.days.len()).unwrap_or(u32::MAX),
        basis: trace.basis.clone(),
        present: policy.strategy,
        verdict: verdict(&trace.basis, policy.strategy, &outcomes, &days),
        outcomes,
        without_thresholds: without_thresholds.map_or(Vec::new(), |trace| all(&trace, policy).0),
    })
}

fn all(trace: &Trace, policy: Policy) -> (Vec<Outcome>, Vec<Vec<OfDay>>) {
    let run = |strategy| {
        let mut policy = policy;
        policy.strategy = strategy;
        run_by_day(trace, policy, &mut |_| {})
    };
    Strategy::ALL.into_iter().map(run).unzip()
}

fn verdict(basis: &Basis, present: Strategy, outcomes: &[Outcome], days: &[Vec<OfDay>]) -> Verdict {
    let made_up = *basis == Basis::BuiltIn;
    let count = days.first().map_or(0, Vec::len);
    if !made_up && count < ENOUGH_DAYS {
        return Verdict::TooLittle;
    }
    if outcomes.iter().all(|outcome| outcome.interruptions == 0) {
        return Verdict::NeverBlocked;
    }
    let blocked: Vec<f64> = outcomes.iter().map(|outcome| outcome.blocked_minutes).collect();
    let own = outcomes
        .iter()
        .position(|outcome| outcome.strategy == present)
        .unwrap_or(0);
    let best = best(&blocked, own);
    let strategy = outcomes[best].strategy;
    let minutes_less = blocked[own] - blocked[best];
    let again = |blocked: &[f64]| match best == own {
        true => self::best(blocked, own) == own,
        false => blocked[own] - blocked[best] >= WORTH_MINUTES,
    };
    match (!made_up).then(|| agreeing(days, again)) {
        Some(sure) if sure < SURE => Verdict::CannotTell {
            strategy,
            minutes_less,
            sure,
        },
        sure if best == own => Verdict::PresentIsBest { sure },
        sure => Verdict::Better {
            strategy,
            minutes_less,
            interruptions_fewer: fewer(&outcomes[own], &outcomes[best]),
            sure,
        },
    }
}

/// The least blocked; the person's own unless another is worth a word.
fn best(blocked: &[f64], own: usize) -> usize {
    let least = (0..blocked.len()).min_by(|a, b| blocked[*a].total_cmp(&blocked[*b]));
    let better = least.filter(|least| blocked[own] - blocked[*least] >= WORTH_MINUTES);
    better.unwrap_or(own)
}

fn fewer(than: &Outcome, outcome: &Outcome) -> i32 {
    let count = |outcome: &Outcome| i32::try_from(outcome.interruptions).unwrap_or(i32::MAX);
    count(than) - count(outcome)
}

/// In which share of draws, of as many days as there are, `holds` is true of the strategies' blocked minutes.
fn agreeing(days: &[Vec<OfDay>], holds: impl Fn(&[f64]) -> bool) -> f64 {
    let count = days.first().map_or(0, Vec::len);
    let block = (count as f64).cbrt().ceil() as usize;
    let mut random = Random::new(1);
    let mut agree = 0;
    for _ in 0..DRAWS {
        let mut blocked = vec![0.0; days.len()];
        let mut drawn = 0;
        while drawn < count {
            let first = random.below(count);
            for step in 0..block.min(count - drawn) {
                for (sum, days) in blocked.iter_mut().zip(days) {
                    *sum += minutes(days[(first + step) % count].blocked);
                }
            }
            drawn += block;
        }
        agree += u32::from(holds(&blocked));
    }
    f64::from(agree) / f64::from(DRAWS)
}
