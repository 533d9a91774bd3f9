//! Whether an account may serve, and if not, why and until when.

use serde::{Deserialize, Serialize};

use crate::{LimitKind, Percent, Refusal, Timestamp, WindowLength};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Eligibility {
    Eligible,
    /// A threshold is reached: serves only when nobody below theirs can, and not at all with a reserve.
    HeldBack {
        window: WindowLength,
        used: Percent,
        threshold: Percent,
        until: Option<Timestamp>,
        reserve: bool,
    },
    /// Throttled or failing; `since` is the first failure without a success after it.
    CoolingDown {
        since: Timestamp,
        until: Timestamp,
        reason: CoolingReason,
    },
    Exhausted {
        until: Option<Timestamp>,
        reason: ExhaustedReason,
        on_credits: bool,
    },
    NeedsAttention {
        reason: Refusal,
    },
    /// By the person.
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum CoolingReason {
    Throttled,
    ServerTrouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ExhaustedReason {
    /// The upstream refused a request for it.
    Limit(LimitKind),
    /// A reading says 100 %.
    UsedUp,
}

/// The order in which usable accounts serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Included,
    HeldBack,
    Credits,
}

impl Eligibility {
    /// `None`: may not serve.
    pub fn tier(&self) -> Option<Tier> {
        match self {
            Self::Eligible => Some(Tier::Included),
            Self::HeldBack { reserve: false, .. } => Some(Tier::HeldBack),
            Self::Exhausted { on_credits: true, .. } => Some(Tier::Credits),
            Self::HeldBack { .. }
            | Self::CoolingDown { .. }
            | Self::Exhausted { .. }
            | Self::NeedsAttention { .. }
            | Self::Skipped => None,
        }
    }

    pub fn usable(&self) -> bool {
        self.tier().is_some()
    }

    /// When time alone brings it back; `None` where it takes a person, or where nobody knows.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::HeldBack { until, .. } | Self::Exhausted { until, .. } => *until,
            Self::CoolingDown { until, .. } => Some(*until),
            Self::Eligible | Self::NeedsAttention { .. } | Self::Skipped => None,
        }
    }

    /// The same state whatever its details: what counts as a transition.
    pub fn same_state(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
