//! Demand and accounts together, ready to run under any strategy.
//!
//! What stood in the way whatever the strategy is replayed: an account that was skipped, or needed its person, or wasn't
//! there yet, can't serve meanwhile. What answered the strategy of then isn't: switches and pins by the person, changes
//! of strategy and thresholds. Nor are limits lifted early, cooling down, credits, and what other clients used.

use serde::{Deserialize, Serialize};

use super::{
    capacity::{Spent, at_start, others_used, per_unit},
    demand::{Demand, usual_units},
    history::History,
};
use crate::{
    Account, AccountId, Eligibility, Event, EventKind, Series, Timestamp, WindowLength,
    model::{Limit, Meter, Metered, Upstream},
};

/// What the replay goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(rename = "ReplayBasis"))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Basis {
    /// A made-up working week: too little is recorded yet to tell what a request costs.
    BuiltIn,
    Recorded {
        /// What a request costs them isn't known: taken to be as on the others, as if on equal plans.
        assumed: Vec<AccountId>,
        /// Other clients used them as well, which isn't replayed.
        used_elsewhere: Vec<AccountId>,
    },
}

/// From then on an account can serve, or can't, whatever the strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    pub at: Timestamp,
    pub account: AccountId,
    pub present: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// In the person's order, with their thresholds.
    pub accounts: Vec<Account>,
    /// As it stood when the demand began.
    pub upstream: Upstream,
    pub demand: Demand,
    /// Oldest first.
    pub presences: Vec<Presence>,
    pub basis: Basis,
}

impl Trace {
    /// `None`: nothing was asked for, or what requests cost isn't known of any account.
    pub fn recorded(history: &History, accounts: &[Account]) -> Option<Self> {
        let demand = Demand::recorded(&history.attempts, &history.blocked);
        let (start, _) = demand.span()?;
        let usual = usual_units(&history.attempts);
        let own = |series: &Series| accounts.iter().any(|account| account.id == series.account);
        let learned: Vec<_> = history
            .series
            .iter()
            .filter(|series| own(series))
            .map(|series| {
                let spent = Spent::of(&history.attempts, series.account, usual);
                (series, per_unit(series, &spent), spent)
            })
            .collect();
        // Of each length, the median of those that are known.
        let usual_cost = |length: WindowLength| {
            let of_length = learned.iter().filter(|(series, ..)| series.length == length);
            let mut known: Vec<f64> = of_length.filter_map(|(_, cost, _)| *cost).collect();
            known.sort_by(f64::total_cmp);
            known.get(known.len() / 2).copied()
        };
        let mut lengths: Vec<_> = learned.iter().map(|(series, ..)| series.length).collect();
        lengths.sort();
        lengths.dedup();
        let used_elsewhere = accounts.iter().map(|account| account.id).filter(|id| {
            let mut own = learned.iter().filter(|(series, ..)| series.account == *id);
            own.any(|(series, cost, spent)| cost.is_some_and(|cost| others_used(series, cost, spent)))
        });
        let used_elsewhere = used_elsewhere.collect();
        let mut assumed = Vec::new();
        let mut upstream = Vec::new();
        for account in accounts {
            let mut meters = Vec::new();
            for length in &lengths {
                let own = learned
                    .iter()
                    .find(|(series, ..)| (series.account, series.length) == (account.id, *length));
                let cost = own.and_then(|(_, cost, _)| *cost);
                let Some(likely) = cost.or_else(|| usual_cost(*length)) else {
                    continue;
                };
                if cost.is_none() && !assumed.contains(&account.id) {
                    assumed.push(account.id);
                }
                meters.push(match own {
                    Some((series, _, spent)) => at_start(series, likely, spent, start),
                    None => Meter::new(*length, likely),
                });
            }
            upstream.push(Metered {
                id: account.id,
                limits: vec![Limit::general(meters)],
            });
        }
        let known = |account: &Metered| account.limits.iter().any(|limit| !limit.meters.is_empty());
        if !upstream.iter().any(known) {
            return None;
        }
        let presences = presences(&history.events, accounts);
        Some(Self {
            accounts: at_beginning(accounts, &presences),
            upstream: Upstream::new(upstream),
            demand,
            presences,
            basis: Basis::Recorded {
                assumed,
                used_elsewhere,
            },
        })
    }

    /// The same, with no account held back by a threshold.
    pub(super) fn without_thresholds(&self) -> Option<Self> {
        let free = |account: &Account| Account {
            thresholds: crate::Thresholds::default(),
            ..account.clone()
        };
        let accounts: Vec<_> = self.accounts.iter().map(free).collect();
        (accounts != self.accounts).then(|| Self {
            accounts,
            ..self.clone()
        })
    }
}

fn presences(events: &[Event], accounts: &[Account]) -> Vec<Presence> {
    let gone =
        |state: &Eligibility| matches!(state, Eligibility::Skipped | Eligibility::NeedsAttention { .. });
    let changes = events.iter().filter_map(|event| {
        let (account, present) = match &event.kind {
            EventKind::StateChanged { account, from, to } if gone(from) != gone(to) => (*account, !gone(to)),
            EventKind::Added { account } => (*account, true),
            _ => return None,
        };
        let at = event.at;
        Some(Presence { at, account, present })
    });
    changes
        .filter(|change| accounts.iter().any(|account| account.id == change.account))
        .collect()
}

/// Who came only later wasn't there before.
fn at_beginning(accounts: &[Account], presences: &[Presence]) -> Vec<Account> {
    let mut accounts = accounts.to_vec();
    for account in &mut accounts {
        let first = presences.iter().find(|change| change.account == account.id);
        account.skipped = first.map_or(account.skipped, |change| change.present);
    }
    accounts
}
