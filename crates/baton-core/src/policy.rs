//! What the person decided for the whole pool.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// The longest that Codex may be kept waiting for an account to recover.
pub const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Drain first: one active account serves everything until it is spent.
    #[default]
    Sequential,
    /// Most headroom.
    Balanced,
    /// A session keeps its account.
    Affinity,
    /// The account used longest ago, per turn.
    RoundRobin,
    /// The account whose quota would be lost soonest.
    SoonestReset,
}

impl Strategy {
    pub const ALL: [Self; 5] = [
        Self::Sequential,
        Self::Balanced,
        Self::Affinity,
        Self::RoundRobin,
        Self::SoonestReset,
    ];

    /// As written in settings and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Balanced => "balanced",
            Self::Affinity => "affinity",
            Self::RoundRobin => "round_robin",
            Self::SoonestReset => "soonest_reset",
        }
    }

    /// As shown to people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Sequential => "Sequential (drain first)",
            Self::Balanced => "Balanced",
            Self::Affinity => "Affinity",
            Self::RoundRobin => "Round robin",
            Self::SoonestReset => "Soonest reset",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownStrategy(pub String);

impl fmt::Display for UnknownStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Strategy::ALL.map(Strategy::name).join(", ");
        write!(f, "unknown strategy `{}`: choose one of {names}", self.0)
    }
}

impl std::error::Error for UnknownStrategy {}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        let wanted = name.trim().to_ascii_lowercase().replace('-', "_");
        match wanted.as_str() {
            "drain_first" => Ok(Self::Sequential),
            wanted => Self::ALL
                .into_iter()
                .find(|strategy| strategy.name() == wanted)
                .ok_or_else(|| UnknownStrategy(name.to_owned())),
        }
    }
}

/// What `sequential` does when an earlier account of the order is eligible again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum OnRecovery {
    /// The active account stays so until exhausted.
    #[default]
    Stay,
    /// Between turns, the earliest eligible account of the order becomes active again.
    Return,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub strategy: Strategy,
    pub on_recovery: OnRecovery,
    wait_for_recovery: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            on_recovery: OnRecovery::default(),
            wait_for_recovery: Duration::from_secs(60),
        }
    }
}

impl Policy {
    pub fn wait_for_recovery(&self) -> Duration {
        self.wait_for_recovery
    }

    /// At most [`LONGEST_WAIT`].
    pub fn set_wait_for_recovery(&mut self, wait: Duration) {
        self.wait_for_recovery = wait.min(LONGEST_WAIT);
    }
}
