//! What is known of an account's quota: windows, limit families, credits.
//!
//! Windows are told apart by their duration, never by the slot they arrived in, and a window whose reset has passed
//! counts as unused: its timer starts again at the next use (PROTOCOL §3).

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Timestamp, polling::STALE_AFTER};

/// How long a reading of the usage route may lag behind what has just been used (PROTOCOL §3).
pub(crate) const USAGE_LAG: Duration = Duration::from_secs(60);

/// Percent *used*, 0 to 100, fractions kept: 99.6 is not 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(type = "number"))]
#[serde(try_from = "f64", into = "f64")]
pub struct Percent(f64);

/// A percentage that is not a number, below 0 or above 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidPercent(pub f64);

impl fmt::Display for InvalidPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a percentage between 0 and 100", self.0)
    }
}

impl std::error::Error for InvalidPercent {}

impl Percent {
    pub const ZERO: Self = Self(0.0);
    pub const FULL: Self = Self(100.0);

    /// What a person typed: anything outside 0 to 100 is an error.
    pub fn new(value: f64) -> Result<Self, InvalidPercent> {
        if (0.0..=100.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(InvalidPercent(value))
        }
    }

    /// What an upstream said: out of range is clamped, not-a-number is `None`.
    pub fn clamped(value: f64) -> Option<Self> {
        (!value.is_nan()).then(|| Self(value.clamp(0.0, 100.0)))
    }

    pub const fn used(self) -> f64 {
        self.0
    }

    /// Percent left, as every screen shows it.
    pub fn left(self) -> f64 {
        100.0 - self.0
    }

    pub fn is_full(self) -> bool {
        self.0 >= 100.0
    }
}

impl TryFrom<f64> for Percent {
    type Error = InvalidPercent;

    fn try_from(value: f64) -> Result<Self, InvalidPercent> {
        Self::new(value)
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> f64 {
        percent.0
    }
}

/// Which meter a limit belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LimitFamily {
    /// `codex`: meters everything that no named limit meters.
    General,
    /// A named limit by its metered feature without the `codex_` prefix, e.g. `bengalfox`.
    Named(Box<str>),
}

/// How long a window lasts, in minutes: 300 is five hours, 10,080 a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct WindowLength(u32);

impl WindowLength {
    pub const FIVE_HOURS: Self = Self(300);
    pub const WEEK: Self = Self(10_080);

    pub const fn from_minutes(minutes: u32) -> Self {
        Self(minutes)
    }

    pub const fn minutes(self) -> u32 {
        self.0
    }
}

impl fmt::Display for WindowLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            10_080 => f.write_str("week"),
            m if m >= 1440 && m % 1440 == 0 => write!(f, "{} d", m / 1440),
            m if m >= 60 && m % 60 == 0 => write!(f, "{} h", m / 60),
            m => write!(f, "{m} min"),
        }
    }
}

/// Where a reading came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Response headers (HTTP, or the WebSocket handshake).
    Headers,
    /// A `codex.rate_limits` frame.
    Frame,
    /// `GET wham/usage`: may lag behind what has just been used.
    UsageRoute,
}

/// One rolling window as last observed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub length: WindowLength,
    pub used: Percent,
    /// `None`: the timer hasn't started, or the upstream didn't say.
    pub resets_at: Option<Timestamp>,
    pub observed_at: Timestamp,
    pub source: Source,
}

impl Window {
    /// Percent used at `now`: nothing once the reset has passed.
    pub fn used_at(&self, now: Timestamp) -> Percent {
        match self.resets_at {
            Some(reset) if reset <= now => Percent::ZERO,
            _ => self.used,
        }
    }

    /// Too old to go by: seen long ago, or before a reset that has passed since.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let reset_since = self.resets_at.is_some_and(|reset| reset <= now);
        reset_since || now.since(self.observed_at) > STALE_AFTER
    }

    /// A usage route's reading that shows less of the same window than an answer of a moment ago did: it lags behind.
    fn lags(&self, known: &Self) -> bool {
        // The two sources may compute one reset a little apart.
        let same_window = match (self.resets_at, known.resets_at) {
            (Some(a), Some(b)) => a.since(b).max(b.since(a)) < USAGE_LAG,
            (a, b) => a == b,
        };
        self.source == Source::UsageRoute
            && known.source != Source::UsageRoute
            && self.used < known.used
            && same_window
            && self.observed_at.since(known.observed_at) < USAGE_LAG
    }

    /// The reset still to come, if there is one.
    pub fn next_reset(&self, now: Timestamp) -> Option<Timestamp> {
        self.resets_at.filter(|reset| *reset > now)
    }
}

/// Purchased credits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Credits {
    pub has_credits: bool,
    pub unlimited: bool,
    pub balance: Option<f64>,
}

impl Credits {
    pub fn available(&self) -> bool {
        self.unlimited || (self.has_credits && self.balance.is_none_or(|balance| balance > 0.0))
    }
}

/// Resets that a person has in the bank, to use up when they like. Baton shows them and never uses one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct BankedResets {
    pub count: u32,
    /// When they expire, as far as that is known; soonest first.
    pub expire: Vec<Timestamp>,
}

impl BankedResets {
    /// Without those that have expired.
    pub fn left(&self, now: Timestamp) -> Self {
        let expire: Vec<_> = self.expire.iter().copied().filter(|at| *at > now).collect();
        let expired = u32::try_from(self.expire.len() - expire.len()).unwrap_or(u32::MAX);
        Self {
            count: self.count.saturating_sub(expired),
            expire,
        }
    }
}

/// What one answer said of one limit family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitReading {
    pub family: LimitFamily,
    /// The name people see, e.g. `GPT-5.3-Codex-Spark`.
    pub name: Option<Box<str>>,
    /// One, two or more; empty when the upstream sent null windows.
    pub windows: Vec<Window>,
    /// `limit_reached`, where it was said. It doesn't prove that the next request fails.
    pub reached: Option<bool>,
}

/// Everything one answer said of an account's quota.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub observed_at: Timestamp,
    pub source: Source,
    pub plan: Option<Box<str>>,
    pub limits: Vec<LimitReading>,
    pub credits: Option<Credits>,
}

/// An account's quota as known so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    pub limits: Vec<LimitReading>,
    pub credits: Option<Credits>,
    #[serde(default)]
    pub banked: BankedResets,
}

impl Quota {
    /// Takes in what is newer, window by window; an answer that was overtaken changes nothing.
    pub fn apply(&mut self, reading: &Reading) {
        for new in &reading.limits {
            let Some(known) = self.limits.iter_mut().find(|known| known.family == new.family) else {
                self.limits.push(new.clone());
                continue;
            };
            if new.name.is_some() {
                known.name.clone_from(&new.name);
            }
            known.reached = new.reached.or(known.reached);
            for window in &new.windows {
                match known.windows.iter_mut().find(|w| w.length == window.length) {
                    Some(old) if old.observed_at > window.observed_at || window.lags(old) => {}
                    Some(old) => *old = *window,
                    None => known.windows.push(*window),
                }
            }
        }
        if reading.credits.is_some() {
            self.credits = reading.credits;
        }
    }

    pub fn windows(&self, family: &LimitFamily) -> &[Window] {
        self.limits
            .iter()
            .find(|limit| limit.family == *family)
            .map_or(&[], |limit| &limit.windows)
    }

    pub fn window(&self, family: &LimitFamily, length: WindowLength) -> Option<&Window> {
        self.windows(family).iter().find(|window| window.length == length)
    }

    /// The family that meters `model`, by the limit's name (`GPT-5.3-Codex-Spark` meters `gpt-5.3-codex-spark`).
    pub fn family_of(&self, model: &str) -> LimitFamily {
        self.limits
            .iter()
            .find(|limit| {
                limit
                    .name
                    .as_deref()
                    .is_some_and(|name| name.eq_ignore_ascii_case(model))
            })
            .map_or(LimitFamily::General, |limit| limit.family.clone())
    }

    /// The latest reset among the family's full windows: the family serves again no earlier.
    pub fn full_until(&self, family: &LimitFamily, now: Timestamp) -> Option<Timestamp> {
        self.windows(family)
            .iter()
            .filter(|window| window.used_at(now).is_full())
            .filter_map(|window| window.next_reset(now))
            .max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(length: WindowLength, used: f64, resets: i64, observed: i64) -> Window {
        Window {
            length,
            used: Percent::new(used).unwrap(),
            resets_at: Some(Timestamp::from_secs(resets)),
            observed_at: Timestamp::from_secs(observed),
            source: Source::Headers,
        }
    }

    fn reading(windows: Vec<Window>) -> Reading {
        Reading {
            observed_at: windows[0].observed_at,
            source: Source::Headers,
            plan: None,
            limits: vec![LimitReading {
                family: LimitFamily::General,
                name: None,
                windows,
                reached: None,
            }],
            credits: None,
        }
    }

    #[test]
    fn a_window_is_unused_once_its_reset_has_passed() {
        let window = window(WindowLength::FIVE_HOURS, 99.6, 100, 0);
        assert!(!window.used_at(Timestamp::from_secs(99)).is_full());
        assert_eq!(window.used_at(Timestamp::from_secs(100)), Percent::ZERO);
        assert_eq!(window.next_reset(Timestamp::from_secs(100)), None);
    }

    #[test]
    fn a_reading_is_stale_after_a_quarter_of_an_hour_or_its_reset() {
        let window = window(WindowLength::FIVE_HOURS, 40.0, 1200, 0);
        let stale = |secs| window.is_stale(Timestamp::from_secs(secs));
        assert!(!stale(900));
        assert!(stale(901));
        let early = Window {
            resets_at: Some(Timestamp::from_secs(60)),
            ..window
        };
        assert!(!early.is_stale(Timestamp::from_secs(59)));
        assert!(early.is_stale(Timestamp::from_secs(60)));
    }

    #[test]
    fn an_answer_that_was_overtaken_changes_nothing() {
        let mut quota = Quota::default();
        quota.apply(&reading(vec![window(WindowLength::WEEK, 50.0, 1000, 20)]));
        quota.apply(&reading(vec![window(WindowLength::WEEK, 49.0, 1000, 10)]));
        let known = quota.window(&LimitFamily::General, WindowLength::WEEK).unwrap();
        assert_eq!(known.used, Percent::new(50.0).unwrap());
    }

    #[test]
    fn full_until_is_the_latest_reset_of_a_full_window() {
        let mut quota = Quota::default();
        quota.apply(&reading(vec![
            window(WindowLength::FIVE_HOURS, 100.0, 300, 0),
            window(WindowLength::WEEK, 100.0, 9000, 0),
        ]));
        let at = |secs| quota.full_until(&LimitFamily::General, Timestamp::from_secs(secs));
        assert_eq!(at(1), Some(Timestamp::from_secs(9000)));
        assert_eq!(at(9000), None);
    }

    #[test]
    fn percentages_of_people_are_checked_and_those_of_upstreams_clamped() {
        assert!(Percent::new(101.0).is_err());
        assert!(Percent::new(f64::NAN).is_err());
        assert_eq!(Percent::clamped(104.0), Some(Percent::FULL));
        assert_eq!(Percent::clamped(f64::NAN), None);
        assert!(!Percent::new(99.6).unwrap().is_full());
    }
}
