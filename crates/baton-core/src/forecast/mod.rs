//! The forecast: how fast quota is used, when each window would be used up, when it comes back, and how long the pool goes
//! on without interruption under the active strategy, which is found by running the routing rules themselves forward.
//!
//! - [`history`]: what it is made from; `burn`: what went of a window, and when
//! - `demand`: what the person asks for, with its range; `costs`: what that costs each account
//! - `run`: the rules, run forward; `alone`: one account, if it serves everything
//!
//! What isn't known stays unknown, and says of whom.

mod alone;
mod burn;
mod costs;
mod demand;
mod history;
mod run;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use history::{Asked, History};

use crate::{
    AccountId, AccountState, Cause, LimitFamily, Pool, Timestamp, Window, WindowLength,
    model::{Limit, Meter, Metered},
};
use costs::{Cost, Past, costs, measure, past};
use demand::{Demand, PAUSE, Path, Sums};
use history::Grid;

/// Everything that can be foretold at one moment, of requests that the general limit meters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Forecast {
    pub at: Timestamp,
    /// The person works: something was used within three quarters of an hour.
    pub in_use: bool,
    pub pool: Outlook,
    /// How many minutes of work are left at the usual pace, recoveries included; `None` where that isn't known, or where
    /// it is more than a week of uninterrupted work.
    #[cfg_attr(feature = "ts", ts(type = "number | null"))]
    pub work_left: Option<u64>,
    /// As [`Pool::next`] has it.
    pub next: Option<AccountId>,
    /// Who ends when, and who serves then, up to the interruption or the horizon; at most [`MOST_CHANGES`].
    pub changes: Vec<Change>,
    /// In the person's order.
    pub accounts: Vec<AccountForecast>,
    pub basis: Basis,
}

pub const MOST_CHANGES: usize = 12;

/// Until when somebody serves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outlook {
    Until(When),
    /// Nobody serves now; `until` the first known return.
    Interrupted {
        until: Option<Timestamp>,
    },
    /// No interruption in sight, nor in the early end of the range, up to then.
    Beyond {
        horizon: Timestamp,
    },
    /// What will come depends on an account of which too little is known; what comes before that is certain.
    Unknown {
        account: Option<AccountId>,
        from: Timestamp,
    },
    /// Nobody works, and too little is known of the person's days to say when they will.
    Resting,
}

/// A moment, with the range in which it lies four times of five.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct When {
    pub earliest: Timestamp,
    /// `None`: beyond what can be foretold.
    pub likely: Option<Timestamp>,
    pub latest: Option<Timestamp>,
}

/// An account that ends, for a limit or a threshold, in the likely course.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Change {
    pub at: Timestamp,
    pub from: AccountId,
    /// `None`: nobody serves then.
    pub to: Option<AccountId>,
    pub cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AccountForecast {
    pub account: AccountId,
    pub windows: Vec<WindowForecast>,
}

/// One window, if the account serves everything from now on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct WindowForecast {
    pub length: WindowLength,
    /// Percent used by an hour of work: at the pace of now, or the usual one when nobody works.
    pub pace: Option<f64>,
    pub depletes: Depletion,
    /// When it starts anew, if its timer runs.
    pub recovers: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Depletion {
    At(When),
    /// Used up already.
    UsedUp,
    /// It is reset before it is used up, in the early end of the range too.
    Lasts,
    Resting,
    Unknown,
}

/// What the forecast rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Basis {
    /// Days of readings, at most 28.
    pub days: f64,
    /// The person's usual hours count: there are three days of readings or more.
    pub usual_hours: bool,
    /// Nothing was used of these yet: they are taken to last as long as others of their plan.
    pub assumed: Vec<AccountId>,
    /// Of these nothing is known.
    pub unknown: Vec<AccountId>,
}

/// Pure, and cheap enough to be made anew whenever somebody looks.
pub fn forecast(pool: &Pool, history: &History, now: Timestamp) -> Forecast {
    let grid = Grid::ending(now);
    let past = past(history, &grid);
    let costs = costs(pool, &past, history, &grid);
    let demand = demand(&past, &costs, history, &grid);
    let path = demand
        .as_ref()
        .filter(|demand| demand.says_when())
        .map(|demand| demand.path(&grid));
    let view = View {
        pool,
        past: &past,
        costs: &costs,
        demand: demand.as_ref(),
        path: path.as_ref(),
        grid,
    };
    let accounts = pool.accounts().iter().map(|state| view.account(state)).collect();
    let first = past.iter().map(|past| past.burn.first).min_by(f64::total_cmp);
    let unknown = pool.accounts().iter().map(|state| state.account.id);
    let basis = Basis {
        days: first.map_or(0.0, |first| {
            (Grid::BINS as f64 - first) / Grid::BINS_AN_HOUR / 24.0
        }),
        usual_hours: demand.as_ref().is_some_and(Demand::knows_the_hours),
        assumed: costs
            .iter()
            .filter(|cost| cost.assumed)
            .map(|cost| cost.account)
            .collect(),
        unknown: unknown
            .filter(|id| costs.iter().all(|cost| cost.account != *id))
            .collect(),
    };
    let run::Course {
        pool: outlook,
        work_left,
        next,
        changes,
    } = run::forward(&view);
    Forecast {
        at: now,
        in_use: demand.is_some_and(|demand| demand.pace.is_some()),
        pool: outlook,
        work_left,
        next,
        changes,
        accounts,
        basis,
    }
}

fn demand(past: &[Past], costs: &[Cost], history: &History, grid: &Grid) -> Option<Demand> {
    let end = Grid::BINS;
    let mut bins = vec![0.0; end];
    let (mut first, mut last_step, mut unseen) = (end, 0.0, false);
    // How many of the accounts couldn't be used.
    let (mut measured, mut full) = (0_u32, vec![0_u32; end]);
    for cost in costs {
        let Some(measure) = measure(past, cost.account) else {
            continue;
        };
        let Some(of_measure) = cost.of(measure.length).filter(|cost| *cost > 0.0) else {
            continue;
        };
        let burn = &measure.burn;
        for (sum, used) in bins.iter_mut().zip(&burn.bins) {
            *sum += used / of_measure;
        }
        first = first.min(burn.first as usize);
        // What another account has gone on to use is seen.
        if burn.last_step > last_step {
            last_step = burn.last_step;
            unseen = burn.seen_until() < end as f64;
        }
        measured += 1;
        let mut own_full = vec![false; end];
        let own = past.iter().filter(|past| past.account == cost.account);
        for (from, to) in own.flat_map(|past| &past.burn.full) {
            let (from, to) = (from.ceil() as usize, (to.ceil() as usize).min(end));
            own_full[from.min(to)..to].fill(true);
        }
        for (count, own) in full.iter_mut().zip(own_full) {
            *count += u32::from(own);
        }
    }
    for (index, demand) in bins.iter_mut().enumerate() {
        if index < first || (full[index] >= measured && *demand <= 0.0) {
            *demand = f64::NAN;
        }
    }
    let seen = if unseen {
        (last_step.ceil() as usize).min(end)
    } else {
        end
    };
    let last_request = history.asked.iter().rfind(|asked| asked.at <= grid.now);
    let busy = last_request.is_some_and(|asked| grid.position(asked.at) > (end - PAUSE) as f64);
    Demand::of(&bins, seen, busy, grid)
}

/// All that one forecast is made of.
#[derive(Clone, Copy)]
struct View<'a> {
    pool: &'a Pool,
    past: &'a [Past],
    costs: &'a [Cost],
    demand: Option<&'a Demand>,
    /// `None`: nothing can be said of clock times.
    path: Option<&'a Path>,
    grid: Grid,
}

impl View<'_> {
    fn cost(&self, account: AccountId) -> Option<&Cost> {
        self.costs.iter().find(|cost| cost.account == account)
    }

    /// An hour's demand: at the pace of now, or the usual one.
    fn pace(&self) -> Option<f64> {
        self.demand
            .map(|demand| demand.pace.unwrap_or(demand.working_pace))
    }

    /// Percent used by now, as far as that can be told: what was read, and what has gone unseen since the last step.
    fn used(&self, account: AccountId, window: &Window) -> f64 {
        let now = self.grid.now;
        let used = window.used_at(now).used();
        let own = |past: &&Past| past.account == account && past.length == window.length;
        let burn = self.past.iter().find(own).map(|past| &past.burn);
        let cost = self.cost(account).and_then(|cost| cost.of(window.length));
        let pace = self.demand.and_then(|demand| demand.pace);
        let (Some(burn), Some(cost), Some(pace)) = (burn, cost, pace) else {
            return used;
        };
        if used >= 100.0 || window.next_reset(now).is_none() || burn.seen_until() >= Grid::BINS as f64 {
            return used;
        }
        let hours = (Grid::BINS as f64 - burn.last_step) / Grid::BINS_AN_HOUR;
        (used + (cost * pace * hours).min(burn.step)).min(99.9)
    }

    /// Everything that is known of an account's windows, if that is all that counts: each window, how much of it is used,
    /// and what a unit of demand costs.
    fn metered(&self, state: &AccountState) -> Option<Metered> {
        let (id, now) = (state.account.id, self.grid.now);
        let cost = self.cost(id)?;
        let windows = state.quota.windows(&LimitFamily::General).iter();
        let meters = windows.map(|window| {
            let meter = Meter::new(window.length, cost.of(window.length)?);
            Some(meter.begun(self.used(id, window), window.next_reset(now), now))
        });
        let meters: Vec<_> = meters.collect::<Option<_>>()?;
        let limits = vec![Limit::general(meters)];
        (!limits[0].meters.is_empty()).then_some(Metered { id, limits })
    }

    fn account(&self, state: &AccountState) -> AccountForecast {
        let (id, now) = (state.account.id, self.grid.now);
        let cost = self.cost(id);
        let times = self.metered(state).zip(self.path).map(|(metered, path)| {
            let full = |which: fn(&Sums) -> f64| alone::full(&metered, path, which, now);
            [
                full(|sums| sums.much),
                full(|sums| sums.likely),
                full(|sums| sums.little),
            ]
        });
        let windows = state.quota.windows(&LimitFamily::General).iter().enumerate();
        let windows = windows.map(|(index, window)| {
            let depletes = match &times {
                _ if window.used_at(now).is_full() => Depletion::UsedUp,
                Some([much, likely, little]) => match much[index].or(likely[index]) {
                    None => Depletion::Lasts,
                    Some(earliest) => Depletion::At(When {
                        earliest: likely[index].map_or(earliest, |likely| earliest.min(likely)),
                        likely: likely[index],
                        latest: likely[index].and_then(|likely| Some(little[index]?.max(likely))),
                    }),
                },
                None if cost.is_some() && self.demand.is_some() && self.path.is_none() => Depletion::Resting,
                None => Depletion::Unknown,
            };
            let cost = cost.and_then(|cost| cost.of(window.length));
            WindowForecast {
                length: window.length,
                pace: cost.zip(self.pace()).map(|(cost, pace)| cost * pace),
                depletes,
                recovers: window.next_reset(now),
            }
        });
        AccountForecast {
            account: id,
            windows: windows.collect(),
        }
    }
}

fn after(now: Timestamp, hours: f64) -> Timestamp {
    now + Duration::from_secs_f64(hours.max(0.0) * 3600.0)
}
