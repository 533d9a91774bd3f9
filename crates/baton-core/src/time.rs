//! Points in time, always handed in: nothing in this crate reads a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(type = "number"))]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Whole seconds since the Unix epoch, the unit of every reset on the wire. Absurd values saturate.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Rounded up, so that "come back at" is never too early.
    pub const fn as_secs_ceil(self) -> i64 {
        self.0.div_euclid(1000) + if self.0.rem_euclid(1000) > 0 { 1 } else { 0 }
    }

    /// Zero if `earlier` is in fact later: a clock set back never makes a duration huge.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    pub fn before(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// What has happened has happened by `now`: a mark that lies ahead was made by a clock that has been set back since.
    pub(crate) fn happened_by(&mut self, now: Self) {
        *self = (*self).min(now);
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_gives_no_huge_duration() {
        let later = Timestamp::from_secs(100);
        assert_eq!(Timestamp::from_secs(40).since(later), Duration::ZERO);
        assert_eq!(later.since(Timestamp::from_secs(40)), Duration::from_secs(60));
    }

    #[test]
    fn absurd_values_saturate() {
        let end = Timestamp::from_secs(i64::MAX);
        assert_eq!(end + Duration::from_secs(10), Timestamp::from_millis(i64::MAX));
    }

    #[test]
    fn seconds_round_up() {
        assert_eq!(Timestamp::from_millis(1001).as_secs_ceil(), 2);
        assert_eq!(Timestamp::from_millis(1000).as_secs_ceil(), 1);
    }
}
