//! What the desktop shows, as plain values: no toolkit, no engine, no clock.

use std::time::Duration;

use jiff::Timestamp;

/// Everything on screen is a function of this.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum View {
    /// The engine has not said anything yet.
    Starting,
    /// The engine could not start. Nothing is routed.
    Failed { reason: String },
    /// Attached, and no Baton answers on the control socket.
    Away,
    /// The accounts, in the person's order.
    Pool(Vec<Account>),
    /// Quit was asked for; running requests are being finished.
    Quitting,
}

impl View {
    pub(crate) fn active(&self) -> Option<&Account> {
        match self {
            Self::Pool(accounts) => accounts.iter().find(|account| account.active),
            Self::Starting | Self::Failed { .. } | Self::Away | Self::Quitting => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Account {
    pub(crate) label: String,
    pub(crate) active: bool,
    pub(crate) standing: Standing,
    /// Shortest first. There may be one, two or more, and none before the first reading.
    pub(crate) windows: Vec<Window>,
}

/// Whether an account can be used, as the person would say it. Times are hints from the provider, hence optional.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    Eligible,
    HeldBack,
    CoolingDown { until: Option<Timestamp> },
    Exhausted { until: Option<Timestamp> },
    NeedsAttention { reason: String },
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) length: Duration,
    pub(crate) left: Left,
}

/// Percent left of a window, always within 0 to 100.
///
/// The provider speaks of percent *used*; the screen never does. The turn is made here, once.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Left(f64);

impl Left {
    /// What is left when this much is used. Not a number counts as nothing used: unknown is not exhausted.
    pub(crate) fn from_used(used: f64) -> Self {
        if used.is_nan() {
            Self(100.0)
        } else {
            Self((100.0 - used).clamp(0.0, 100.0))
        }
    }

    pub(crate) fn percent(self) -> f64 {
        self.0
    }
}
