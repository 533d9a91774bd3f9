//! What the ledger lets foresee, and look back on: the forecast, the timeline, the replay.

mod past;
mod picture;
mod replayed;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use baton_core::{
    Account, AccountId, Eligibility, Forecast, LimitFamily, Percent, Policy, Pool, Timestamp, explain,
    forecast,
};

use self::past::Past;
use crate::{
    commands::{Answer, Commands, failed, invalid},
    control::protocol::{ForecastView, Reply},
    desk::Desk,
    store::{Store, StoreError},
    words::PoolWords,
};

/// Nothing that a person sees changes faster.
const FRESH: Duration = Duration::from_secs(10);
/// What was foretold longer ago than that isn't shown: it may long be untrue.
const HOLDS: Duration = Duration::from_secs(20 * 60);
/// Pictures and replays of more make no sense.
const MOST_DAYS: u32 = 90;

#[derive(Debug)]
pub(crate) struct Foresight {
    desk: Arc<Desk>,
    store: Arc<Store>,
    past: Mutex<Past>,
    latest: Mutex<Option<Made>>,
}

/// A forecast, and what it was made for.
#[derive(Clone, Debug)]
struct Made {
    at: Timestamp,
    rules: Rules,
    view: ForecastView,
}

/// All by which requests are routed, of the quota what it comes to: once it is another one, a forecast is none.
#[derive(Clone, Debug, PartialEq)]
struct Rules {
    policy: Policy,
    serving: [Option<AccountId>; 5],
    braked: bool,
    accounts: Vec<(Account, Eligibility)>,
}

impl Rules {
    fn of(pool: &Pool, now: Timestamp) -> Self {
        let accounts = pool.accounts().iter().map(|state| {
            let mut eligibility = state.eligibility(&LimitFamily::General, now);
            // How much is used of it by now changes nothing.
            if let Eligibility::HeldBack { used, .. } = &mut eligibility {
                *used = Percent::ZERO;
            }
            (state.account.clone(), eligibility)
        });
        Self {
            policy: *pool.policy(),
            serving: [
                pool.active(),
                pool.pinned(),
                pool.chosen_by_person(),
                pool.current(),
                pool.next(now),
            ],
            braked: pool.brake().engaged(),
            accounts: accounts.collect(),
        }
    }
}

impl Foresight {
    pub(crate) fn new(desk: Arc<Desk>, store: Arc<Store>) -> Self {
        Self {
            desk,
            store,
            past: Mutex::default(),
            latest: Mutex::default(),
        }
    }

    /// The last one made, if the pool still routes as it did then, and it isn't old. Takes no time.
    pub(crate) fn known(&self) -> Option<ForecastView> {
        let now = self.desk.now();
        let made = self
            .made()
            .filter(|made| now.since(made.at).max(made.at.since(now)) < HOLDS);
        made.map(|made| made.view)
    }

    fn made(&self) -> Option<Made> {
        let made = self
            .latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let rules = self.desk.read(Rules::of);
        (made.rules == rules).then_some(made)
    }

    /// As of now, within some seconds. Blocks for some milliseconds.
    pub(crate) fn look(&self) -> Result<ForecastView, StoreError> {
        let fresh = || {
            let now = self.desk.now();
            let made = self.made()?;
            (now.since(made.at) < FRESH && made.at <= now).then_some(made.view)
        };
        if let Some(view) = fresh() {
            return Ok(view);
        }
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever held it may just have made one.
        if let Some(view) = fresh() {
            return Ok(view);
        }
        let (pool, now) = self.desk.read(|pool, now| (pool.clone(), now));
        past.catch_up(&self.store, &pool, now)?;
        let forecast = forecast(&pool, past.history(), now);
        let view = worded(forecast, &pool, now);
        let made = Made {
            at: now,
            rules: Rules::of(&pool, now),
            view: view.clone(),
        };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        Ok(view)
    }

    /// After the history is deleted.
    pub(crate) fn forget(&self) {
        *self.past.lock().unwrap_or_else(PoisonError::into_inner) = Past::default();
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn worded(forecast: Forecast, pool: &Pool, now: Timestamp) -> ForecastView {
    let words = PoolWords::new(pool, now);
    ForecastView {
        said: explain::forecast(&forecast, &words),
        expected: forecast
            .changes
            .iter()
            .map(|change| explain::expected(change, &words))
            .collect(),
        rests_on: explain::rests_on(&forecast.basis, &words),
        forecast,
    }
}

impl Commands {
    /// Lets `act` look, off the event loop, once the store has all that has happened.
    async fn foresee<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Foresight) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, crate::control::protocol::ControlError> {
        self.writer.flush().await;
        let foresight = Arc::clone(&self.foresight);
        let looked = tokio::task::spawn_blocking(move || act(&foresight)).await;
        looked.map_err(failed)?.map_err(failed)
    }

    pub(crate) async fn forecast(&self) -> Answer {
        let forecast = self.foresee(Foresight::look).await?;
        Ok(Reply::Forecast { forecast })
    }

    pub(crate) async fn timeline(&self, days: u32, width: Option<u32>) -> Answer {
        let days = checked(days)?;
        let (timeline, svg) = self
            .foresee(move |foresight| foresight.picture(days, width))
            .await?;
        Ok(Reply::Timeline {
            timeline: Box::new(timeline),
            svg,
        })
    }

    pub(crate) async fn replay(&self, days: Option<u32>) -> Answer {
        let days = days.map(checked).transpose()?;
        let replay = self.foresee(move |foresight| foresight.replayed(days)).await?;
        Ok(Reply::Replay {
            replay: Box::new(replay),
        })
    }
}

fn checked(days: u32) -> Result<u32, crate::control::protocol::ControlError> {
    if (1..=MOST_DAYS).contains(&days) {
        Ok(days)
    } else {
        Err(invalid(format!(
            "between 1 and {MOST_DAYS} days can be looked at"
        )))
    }
}
