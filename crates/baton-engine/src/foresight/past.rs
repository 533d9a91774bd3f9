//! What forecasts are made from, kept in memory and brought up to date from the ledger.

use std::{collections::BTreeSet, time::Duration};

use baton_core::{
    AccountId, LimitFamily, Pool, Sample, Series, Timestamp, WindowLength,
    forecast::{Asked, History},
    replay::weight,
};

use crate::{
    control::protocol::{RequestLine, TurnMark},
    store::{Store, StoreError, WindowHistory},
};

/// What a forecast looks back on.
const LOOKS_BACK: Duration = Duration::from_secs(28 * 86_400);
/// Finer than that doesn't matter to it.
const RESOLUTION: Duration = Duration::from_secs(300);
/// A request is written when it ends, under the time at which it came.
const LATE: Duration = Duration::from_secs(3600);

#[derive(Debug, Default)]
pub(super) struct Past {
    history: History,
    /// Before it nothing new comes.
    upto: Option<Timestamp>,
    /// The named limits that were known by then: what they meter isn't in it.
    named: BTreeSet<Box<str>>,
}

impl Past {
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    pub(super) fn catch_up(&mut self, store: &Store, pool: &Pool, now: Timestamp) -> Result<(), StoreError> {
        let named = named(pool);
        if self.named != named {
            *self = Self {
                named,
                ..Self::default()
            };
        }
        let oldest = now.before(LOOKS_BACK);
        // A clock that was set back begins anew.
        let from = self
            .upto
            .filter(|upto| *upto <= now)
            .map_or(oldest, |upto| upto.before(LATE).max(oldest));
        self.history
            .asked
            .retain(|asked| asked.at > oldest && asked.at < from);
        for series in &mut self.history.series {
            series
                .samples
                .retain(|sample| sample.at > oldest && sample.at < from);
        }
        for read in store.readings(from, now, RESOLUTION)? {
            if read.family != LimitFamily::General {
                continue;
            }
            let series = self.series(read.account, read.window);
            // The first is what held before.
            let known = series.samples.last().map(|sample| sample.at);
            let new = samples(&read).filter(|sample| known.is_none_or(|known| sample.at > known));
            series.samples.extend(new);
        }
        let mut lines = store.requests(from, now)?;
        lines.retain(|line| counts(line, pool));
        self.history.asked.extend(asked(&lines));
        self.upto = Some(now);
        Ok(())
    }

    fn series(&mut self, account: AccountId, length: WindowLength) -> &mut Series {
        let all = &mut self.history.series;
        let known = all
            .iter()
            .position(|series| (series.account, series.length) == (account, length));
        let index = known.unwrap_or_else(|| {
            all.push(Series {
                account,
                length,
                samples: Vec::new(),
            });
            all.len() - 1
        });
        &mut all[index]
    }
}

pub(super) fn samples(read: &WindowHistory) -> impl Iterator<Item = Sample> {
    read.samples.iter().map(|sample| Sample {
        at: sample.at,
        used: sample.used,
        resets_at: sample.resets_at,
    })
}

fn named(pool: &Pool) -> BTreeSet<Box<str>> {
    let limits = pool.accounts().iter().flat_map(|state| &state.quota.limits);
    let named = limits.filter(|limit| limit.family != LimitFamily::General);
    named.filter_map(|limit| limit.name.clone()).collect()
}

/// It is work, and the general limit meters it: a prewarm is nobody's work, and a named limit has a quota of its own.
pub(super) fn counts(line: &RequestLine, pool: &Pool) -> bool {
    let model = line.model.as_deref();
    line.turn != TurnMark::Prewarm && model.is_none_or(|model| pool.family_of(model) == LimitFamily::General)
}

/// How much it was; `None`: the answer didn't say.
pub(super) fn units(line: &RequestLine) -> Option<f64> {
    Some(weight(
        line.input_tokens?,
        line.cached_tokens.unwrap_or(0),
        line.output_tokens.unwrap_or(0),
    ))
}

/// Those that were served. One of unknown size counts as the usual one of these.
fn asked(lines: &[RequestLine]) -> impl Iterator<Item = Asked> {
    let mut known: Vec<f64> = lines.iter().filter_map(units).collect();
    known.sort_by(f64::total_cmp);
    let usual = known.get(known.len() / 2).copied().unwrap_or(1.0);
    lines.iter().filter_map(move |line| {
        Some(Asked {
            at: line.at,
            account: line.answered_by()?,
            weight: units(line).unwrap_or(usual),
        })
    })
}
