//! The person's own past under every strategy.

use std::time::Duration;

use baton_core::{
    Account, LimitFamily, Pool, Series, Timestamp, Turn,
    replay::{Attempt, Comparison, History, Stretch, Trace, compare, week, words},
};

use super::{
    Foresight, MOST_DAYS,
    past::{counts, samples, units},
};
use crate::{
    control::protocol::{ReplayView, RequestLine, TurnMark},
    store::{Store, StoreError},
    words::PoolWords,
};

const RESOLUTION: Duration = Duration::from_secs(300);

impl Foresight {
    pub(super) fn replayed(&self, days: Option<u32>) -> Result<ReplayView, StoreError> {
        let (pool, now) = self.desk.read(|pool, now| (pool.clone(), now));
        let accounts = pool.accounts().iter().map(|state| state.account.clone());
        let (accounts, policy): (Vec<Account>, _) = (accounts.collect(), *pool.policy());
        let from = now.before(Duration::from_secs(86_400 * u64::from(days.unwrap_or(MOST_DAYS))));
        let history = recorded(&self.store, &pool, from, now)?;
        let own = Trace::recorded(&history, &accounts).and_then(|trace| compare(&trace, policy));
        let comparison = own.or_else(|| compare(&week::working_week(), policy));
        let said = |comparison: &Comparison| words::sentence(comparison, &PoolWords::new(&pool, now));
        Ok(ReplayView {
            said: comparison.as_ref().map_or_else(String::new, said),
            comparison,
        })
    }
}

fn recorded(store: &Store, pool: &Pool, from: Timestamp, now: Timestamp) -> Result<History, StoreError> {
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
    let lines = store.requests(from, now)?;
    let attempts = lines.iter().filter(|line| counts(line, pool)).map(attempt);
    Ok(History {
        attempts: attempts.collect(),
        blocked: blocked.collect(),
        series: series.collect(),
        events: store.events(from, now)?,
    })
}

fn attempt(line: &RequestLine) -> Attempt {
    let hash = |text: &Option<String>| u64::from_str_radix(text.as_deref()?, 16).ok();
    let turn = match &line.turn {
        TurnMark::Prewarm => Turn::Prewarm,
        TurnMark::New => Turn::New,
        TurnMark::Continues => Turn::Continues,
        TurnMark::Id(id) => u64::from_str_radix(id, 16).map_or(Turn::New, Turn::Id),
    };
    Attempt {
        at: line.at,
        session: hash(&line.session),
        thread: hash(&line.thread),
        turn,
        model: line.model.as_deref().map(Into::into),
        account: line.answered_by(),
        units: units(line),
    }
}
