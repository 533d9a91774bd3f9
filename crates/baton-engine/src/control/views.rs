//! What a window shows beside the accounts: Codex's connection, a person's preferences, what is stored.

use std::path::PathBuf;

use baton_core::{Forecast, Timestamp, forecast::Outlook, replay::Comparison};
use serde::{Deserialize, Serialize};

use crate::codex::Mode;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct CodexView {
    /// Which of Codex's folders are connected.
    pub homes: Vec<CodexHome>,
    /// Which are to be, and aren't: another program has changed their config.toml.
    #[serde(default)]
    pub lost: Vec<PathBuf>,
    /// Whether Codex's requests come this way, by Baton's doing or by hand.
    #[serde(default)]
    pub comes_through: bool,
    /// When a request of Codex's last came through, across restarts.
    pub last_request: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct CodexHome {
    pub home: PathBuf,
    pub mode: Mode,
}

/// What a person chose for how Baton looks and speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Preferences {
    pub notifications: Notifications,
    pub appearance: Appearance,
    pub terms_accepted: bool,
}

/// What is told by a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Notifications {
    pub switched: bool,
    pub temporary_failover: bool,
    pub recovered: bool,
    pub low: bool,
    pub all_exhausted: bool,
    pub needs_attention: bool,
    pub codex_disconnected: bool,
    pub pin_stopped: bool,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            switched: true,
            // They pass by themselves, and the tray shows them meanwhile.
            temporary_failover: false,
            recovered: true,
            low: true,
            all_exhausted: true,
            needs_attention: true,
            codex_disconnected: true,
            pin_stopped: true,
        }
    }
}

/// A kind of notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Another account is active.
    Switched,
    /// A turn went elsewhere, while the active account stays.
    TemporaryFailover,
    /// An account can serve again.
    Recovered,
    /// Little is left of the active account.
    Low,
    AllExhausted,
    /// An account needs a person: sign in again, a closed workspace, the brake.
    NeedsAttention,
    CodexDisconnected,
    /// The only account that may be used can't be.
    PinStopped,
}

impl About {
    pub const ALL: [Self; 8] = [
        Self::Switched,
        Self::TemporaryFailover,
        Self::Recovered,
        Self::Low,
        Self::AllExhausted,
        Self::NeedsAttention,
        Self::CodexDisconnected,
        Self::PinStopped,
    ];

    /// As written in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Switched => "switched",
            Self::TemporaryFailover => "temporary_failover",
            Self::Recovered => "recovered",
            Self::Low => "low",
            Self::AllExhausted => "all_exhausted",
            Self::NeedsAttention => "needs_attention",
            Self::CodexDisconnected => "codex_disconnected",
            Self::PinStopped => "pin_stopped",
        }
    }
}

impl Notifications {
    pub fn wants(&self, about: About) -> bool {
        let mut all = *self;
        *all.switch(about)
    }

    pub fn set(&mut self, about: About, on: bool) {
        *self.switch(about) = on;
    }

    fn switch(&mut self, about: About) -> &mut bool {
        match about {
            About::Switched => &mut self.switched,
            About::TemporaryFailover => &mut self.temporary_failover,
            About::Recovered => &mut self.recovered,
            About::Low => &mut self.low,
            About::AllExhausted => &mut self.all_exhausted,
            About::NeedsAttention => &mut self.needs_attention,
            About::CodexDisconnected => &mut self.codex_disconnected,
            About::PinStopped => &mut self.pin_stopped,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    /// As the desktop is.
    #[default]
    System,
    Light,
    Dark,
}

impl Appearance {
    /// As written in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark]
            .into_iter()
            .find(|appearance| appearance.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DataView {
    pub folder: PathBuf,
    /// Of the database, in bytes.
    pub size: u64,
    pub requests: u64,
    pub events: u64,
    pub oldest: Option<Timestamp>,
    pub retention_days: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    Csv,
    Json,
}

/// A forecast, and the same in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ForecastView {
    pub forecast: Forecast,
    /// In one sentence.
    pub said: String,
    /// The changes that are expected, one sentence each.
    pub expected: Vec<String>,
    /// What it goes by.
    pub rests_on: String,
}

impl ForecastView {
    /// There is something to say, be it only that nobody serves.
    pub fn is_known(&self) -> bool {
        let Forecast { at, pool, .. } = &self.forecast;
        !matches!(pool, Outlook::Unknown { from, .. } if from <= at)
    }
}

/// The past under every strategy, and what follows from it in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ReplayView {
    pub comparison: Option<Comparison>,
    pub said: String,
}
