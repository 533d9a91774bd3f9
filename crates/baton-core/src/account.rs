//! An account's public facts, and how the person wants it used.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Percent, WindowLength};

/// Ours, stable, never reused: survives rename, reorder and the removal of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct AccountId(u32);

impl AccountId {
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who the upstream says it is. Teammates share the account id, so it takes both to tell accounts apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    pub user: Box<str>,
    pub account: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    pub identity: Identity,
    /// Chosen by the person; unique, never an e-mail by default.
    pub label: Box<str>,
    pub plan: Option<Box<str>>,
    /// Left out by the person until they say otherwise.
    pub skipped: bool,
    pub thresholds: Thresholds,
    /// Purchased credits may be spent, after all included quota.
    pub use_credits: bool,
    /// The auth.json that it is read from. Who owns that file renews it; Baton only follows. `None`: a grant of its own.
    pub linked: Option<PathBuf>,
}

impl Account {
    pub fn new(id: AccountId, identity: Identity, label: impl Into<Box<str>>) -> Self {
        Self {
            id,
            identity,
            label: label.into(),
            plan: None,
            skipped: false,
            thresholds: Thresholds::default(),
            use_credits: false,
            linked: None,
        }
    }
}

/// Percent used at which an account is held back, per window; 100 is off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// For windows without a threshold of their own.
    pub every_window: Percent,
    pub windows: Vec<(WindowLength, Percent)>,
    /// Hard: the rest is kept, even when nobody else can serve.
    pub reserve: bool,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            every_window: Percent::FULL,
            windows: Vec::new(),
            reserve: false,
        }
    }
}

impl Thresholds {
    pub fn of(&self, length: WindowLength) -> Percent {
        self.windows
            .iter()
            .find(|(known, _)| *known == length)
            .map_or(self.every_window, |(_, at)| *at)
    }

    /// `None` sets the threshold of every window and forgets those of single ones.
    pub fn set(&mut self, length: Option<WindowLength>, at: Percent) {
        match length {
            None => {
                self.every_window = at;
                self.windows.clear();
            }
            Some(length) => {
                self.windows.retain(|(known, _)| *known != length);
                self.windows.push((length, at));
            }
        }
    }
}
