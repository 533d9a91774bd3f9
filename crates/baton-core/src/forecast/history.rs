//! What a forecast is made from: readings and requests of the past.

use crate::{AccountId, Series, Timestamp};

/// What was recorded of the general limit, oldest first. Four weeks suffice; what is older isn't looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub series: Vec<Series>,
    /// Requests that went through Baton. Without them the forecast knows when something was used from readings alone, and
    /// how accounts compare from their plans alone.
    pub asked: Vec<Asked>,
}

/// One request that an account served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    pub at: Timestamp,
    pub account: AccountId,
    /// How much it was, in whatever unit all have in common: tokens, or 1 each.
    pub weight: f64,
}

/// The time looked back on, in equal bins of which the last ends now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    start: Timestamp,
    pub(super) now: Timestamp,
}

impl Grid {
    pub(super) const BINS: usize = 28 * 24 * 12;
    pub(super) const BINS_AN_HOUR: f64 = 12.0;
    const BIN_MILLIS: i64 = 300_000;

    #[expect(clippy::cast_possible_wrap, reason = "a constant of some thousands")]
    pub(super) fn ending(now: Timestamp) -> Self {
        let span = Self::BINS as i64 * Self::BIN_MILLIS;
        let start = Timestamp::from_millis(now.as_millis().saturating_sub(span));
        Self { start, now }
    }

    /// In bins from the start; negative before it.
    pub(super) fn position(&self, at: Timestamp) -> f64 {
        let millis = at.as_millis().saturating_sub(self.start.as_millis());
        millis as f64 / Self::BIN_MILLIS as f64
    }

    /// Of a week that begins with some half hour of the epoch: which weekday that is doesn't matter, for weeks repeat.
    pub(super) fn half_hour_of_week(&self, position: f64) -> usize {
        let since_start = (position * Self::BIN_MILLIS as f64) as i64;
        let millis = self.start.as_millis().saturating_add(since_start);
        usize::try_from(millis.div_euclid(1_800_000).rem_euclid(336)).unwrap_or(0)
    }
}
