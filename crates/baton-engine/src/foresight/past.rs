//! What forecasts are made from, kept in memory and brought up to date from the ledger.

use std::time::Duration;

use baton_core::{
    AccountId, LimitFamily, Sample, Series, Timestamp, WindowLength,
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
}

impl Past {
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    pub(super) fn catch_up(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
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
        let lines = store.requests(from, now)?;
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

/// How much it was; `None`: the answer didn't say.
pub(super) fn units(line: &RequestLine) -> Option<f64> {
    Some(weight(
        line.input_tokens?,
        line.cached_tokens.unwrap_or(0),
        line.output_tokens.unwrap_or(0),
    ))
}

/// Those that were served and cost something. One of unknown size counts as the usual one of these.
fn asked(lines: &[RequestLine]) -> impl Iterator<Item = Asked> {
    let served = |line: &&RequestLine| line.turn != TurnMark::Prewarm && line.account.is_some();
    let mut known: Vec<f64> = lines.iter().filter(served).filter_map(units).collect();
    known.sort_by(f64::total_cmp);
    let usual = known.get(known.len() / 2).copied().unwrap_or(1.0);
    lines.iter().filter(served).filter_map(move |line| {
        Some(Asked {
            at: line.at,
            account: line.account?,
            weight: units(line).unwrap_or(usual),
        })
    })
}
