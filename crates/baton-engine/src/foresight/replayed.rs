//! The person's own past under every strategy.

use std::time::Duration;

use baton_core::{
    Account, LimitFamily, Series, Timestamp, Turn,
    replay::{Attempt, Comparison, History, Stretch, Trace, compare, week, words},
};

use super::{
    Foresight, MOST_DAYS,
    past::{samples, units},
};
use crate::{
    control::protocol::{ReplayView, RequestLine, TurnMark},
    store::{Store, StoreError},
    words::PoolWords,
};

const RESOLUTION: Duration = Duration::from_secs(300);

impl Foresight {
    pub(super) fn replayed(&self, days: Option<u32>) -> Result<ReplayView, StoreError> {
        let (accounts, policy, now) = self.desk.read(|pool, now| {
            let accounts: Vec<Account> = pool
                .accounts()
                .iter()
                .map(|state| state.account.clone())
                .collect();
            (accounts, *pool.policy(), now)
        });
        let from = now.before(Duration::from_secs(86_400 * u64::from(days.unwrap_or(MOST_DAYS))));
        let history = recorded(&self.store, from, now)?;
        let own = Trace::recorded(&history, &accounts).and_then(|trace| compare(&trace, policy));
        let comparison = own.or_else(|| compare(&week::working_week(), policy));
        let said = |comparison: &Comparison| {
            self.desk
                .read(|pool, now| words::sentence(comparison, &PoolWords::new(pool, now)))
        };
        Ok(ReplayView {
            said: comparison.as_ref().map_or_else(String::new, said),
            comparison,
        })
    }
}

fn recorded(store: &Store, from: Timestamp, now: Timestamp) -> Result<History, StoreError> {
    let general = store.readings(from, now, RESOLUTION)?.into_iter();
    let series = general
        .filter(|read| read.family == LimitFamily::General)
        .map(|read| Series {
            account: read.account,
            length: read.window,
            samples: samples(&read).collect(),
        });
    let blocked = store.blocked(from, now)?.into_iter().map(|time| Stretch {
        began: time.began,
        ended: time.ended.unwrap_or(now),
    });
    Ok(History {
        attempts: store.requests(from, now)?.iter().filter_map(attempt).collect(),
        blocked: blocked.collect(),
        series: series.collect(),
        events: store.events(from, now)?,
    })
}

/// `None` for what opens a connection ahead of a turn: nobody asked for it.
fn attempt(line: &RequestLine) -> Option<Attempt> {
    let hash = |text: &Option<String>| u64::from_str_radix(text.as_deref()?, 16).ok();
    let turn = match &line.turn {
        TurnMark::Prewarm => return None,
        TurnMark::New => Turn::New,
        TurnMark::Continues => Turn::Continues,
        TurnMark::Id(id) => u64::from_str_radix(id, 16).map_or(Turn::New, Turn::Id),
    };
    Some(Attempt {
        at: line.at,
        session: hash(&line.session),
        thread: hash(&line.thread),
        turn,
        model: line.model.as_deref().map(Into::into),
        account: line.account,
        units: units(line),
    })
}
