//! A finding as a value: what was looked at, how it is, and what to do.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Check {
    pub id: CheckId,
    pub subject: Subject,
    pub outcome: Outcome,
    /// How it is, in a sentence.
    pub said: String,
    pub to_do: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum CheckId {
    /// Baton itself: it runs, and can keep what it learns.
    Baton,
    /// There are accounts, and failover goes on.
    Pool,
    Ports,
    Keychain,
    Clock,
    Tray,
    /// Codex has come through.
    LastRequest,
    State,
    SignIn,
    Plan,
    Usage,
    /// Codex's configuration, and what else decides where it goes.
    Config,
    Profile,
    Project,
    Environment,
    CodexVersion,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Machine,
    /// By its label.
    Account(String),
    Codex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Fine,
    /// Worth knowing; nothing is broken.
    Note,
    Problem,
    NotChecked,
}

impl Check {
    pub fn new(id: CheckId, subject: Subject, outcome: Outcome, said: impl Into<String>) -> Self {
        Self {
            id,
            subject,
            outcome,
            said: said.into(),
            to_do: None,
        }
    }

    #[must_use]
    pub fn to_do(mut self, what: impl Into<String>) -> Self {
        self.to_do = Some(what.into());
        self
    }
}
