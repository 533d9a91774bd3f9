//! What one unit of demand costs each account, in percent of each of its windows.

use super::{
    burn::Burn,
    history::{Grid, History},
};
use crate::{AccountId, Pool, Series, WindowLength};

/// So much must have been used of a window, and by so many requests, for it to say what a unit costs.
const ENOUGH_PERCENT: f64 = 2.0;
const ENOUGH_STEPS: usize = 2;
const ENOUGH_REQUESTS: usize = 10;

/// One window's past.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) account: AccountId,
    pub(super) length: WindowLength,
    pub(super) burn: Burn,
}

#[derive(Debug)]
pub(super) struct Cost {
    pub(super) account: AccountId,
    /// Percent of each window for a unit of demand.
    pub(super) windows: Vec<(WindowLength, f64)>,
    /// Taken from another account of the same plan.
    pub(super) assumed: bool,
}

impl Cost {
    pub(super) fn of(&self, length: WindowLength) -> Option<f64> {
        let known = self.windows.iter().find(|(known, _)| *known == length);
        known.map(|(_, cost)| *cost)
    }
}

/// Requests of an account, as [`Burn`] wants them.
pub(super) fn requests(history: &History, account: AccountId, grid: &Grid) -> Vec<(f64, f64)> {
    let from = history
        .asked
        .partition_point(|asked| grid.position(asked.at) < 0.0);
    let own = history.asked[from..]
        .iter()
        .filter(|asked| asked.account == account && asked.at <= grid.now);
    own.map(|asked| (grid.position(asked.at), asked.weight.max(0.0)))
        .collect()
}

pub(super) fn past(history: &History, grid: &Grid) -> Vec<Past> {
    let mut known: Option<(AccountId, Vec<(f64, f64)>)> = None;
    let mut past = Vec::new();
    for Series {
        account,
        length,
        samples,
    } in &history.series
    {
        if known.as_ref().is_none_or(|(of, _)| of != account) {
            known = Some((*account, requests(history, *account, grid)));
        }
        let requests = known.as_ref().map_or(&[][..], |(_, requests)| requests);
        if let Some(burn) = Burn::of(samples, *length, requests, grid) {
            past.push(Past {
                account: *account,
                length: *length,
                burn,
            });
        }
    }
    past
}

/// The window by which an account's use is measured: the shortest one of which enough was used.
pub(super) fn measure(past: &[Past], account: AccountId) -> Option<&Past> {
    let enough = |past: &&Past| past.burn.total >= ENOUGH_PERCENT && past.burn.steps >= ENOUGH_STEPS;
    let own = past.iter().filter(|past| past.account == account);
    own.filter(enough).min_by_key(|past| past.length)
}

/// Of accounts of which it is known. Where requests were recorded, a unit is one of their weight; else it is a percent of
/// the account that was used most, and only accounts of its plan compare.
pub(super) fn costs(pool: &Pool, past: &[Past], history: &History, grid: &Grid) -> Vec<Cost> {
    let accounts = pool.accounts().iter().map(|state| state.account.id);
    let mut known: Vec<Cost> = accounts
        .clone()
        .filter_map(|account| {
            let measure = measure(past, account)?;
            let requests = requests(history, account, grid);
            let since = requests.partition_point(|(at, _)| *at < measure.burn.first);
            let weight: f64 = requests[since..].iter().map(|(_, weight)| weight).sum();
            let enough = requests.len() - since >= ENOUGH_REQUESTS && weight > 0.0;
            enough.then(|| of_measured(past, measure, measure.burn.total / weight))
        })
        .collect();
    if known.is_empty() {
        let used_most = accounts
            .clone()
            .filter_map(|account| measure(past, account))
            .max_by(|a, b| a.burn.total.total_cmp(&b.burn.total));
        known.extend(used_most.map(|measure| of_measured(past, measure, 1.0)));
    }
    let plan = |account| {
        pool.account(account)
            .and_then(|state| state.account.plan.as_deref())
    };
    let alike: Vec<Cost> = accounts
        .filter(|account| known.iter().all(|cost| cost.account != *account))
        .filter_map(|account| {
            let of_plan = |cost: &&Cost| plan(account).is_some() && plan(cost.account) == plan(account);
            let other = known.iter().find(of_plan)?;
            Some(Cost {
                account,
                windows: other.windows.clone(),
                assumed: true,
            })
        })
        .collect();
    known.extend(alike);
    known
}

/// Of longer windows, by how much went of them while so much went of the measured one.
fn of_measured(past: &[Past], measure: &Past, cost: f64) -> Cost {
    let own = past.iter().filter(|past| past.account == measure.account);
    let windows = own.map(|past| {
        // Half a step is on its way.
        let went = if past.length == measure.length {
            measure.burn.total
        } else {
            past.burn.total + past.burn.step / 4.0
        };
        (past.length, cost * went / measure.burn.total)
    });
    Cost {
        account: measure.account,
        windows: windows.collect(),
        assumed: false,
    }
}
