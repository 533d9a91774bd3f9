//! What stands in the keychain: per account one entry with the grant, written as a whole, and one with the access
//! token, which may be missing.

use baton_core::{AccountId, Identity, Refusal};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

pub(super) fn grant(id: AccountId) -> String {
    format!("grant-{id}")
}

pub(super) fn access(id: AccountId) -> String {
    format!("access-{id}")
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) refresh_token: SecretString,
    pub(super) identity: Identity,
    pub(super) email: Option<Box<str>>,
    /// Set before the token is sent, gone with the new one: found at a start, the token may be spent.
    pub(super) refreshing: bool,
    /// Refused for good: not sent again.
    pub(super) refused: Option<Refusal>,
}

#[derive(Serialize, Deserialize)]
struct Stored<S> {
    refresh_token: S,
    identity: Identity,
    email: Option<Box<str>>,
    #[serde(default)]
    refreshing: bool,
    #[serde(default)]
    refused: Option<Refusal>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("refreshing", &self.refreshing)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl Entry {
    pub(super) fn new(refresh_token: SecretString, identity: Identity, email: Option<Box<str>>) -> Self {
        Self {
            refresh_token,
            identity,
            email,
            refreshing: false,
            refused: None,
        }
    }

    /// `None`: not written by Baton.
    pub(super) fn read(stored: &SecretString) -> Option<Self> {
        let stored: Stored<SecretString> = serde_json::from_str(stored.expose_secret()).ok()?;
        let Stored {
            refresh_token,
            identity,
            email,
            refreshing,
            refused,
        } = stored;
        Some(Self {
            refresh_token,
            identity,
            email,
            refreshing,
            refused,
        })
    }

    pub(super) fn to_secret(&self) -> SecretString {
        let stored = Stored {
            refresh_token: self.refresh_token.expose_secret(),
            identity: self.identity.clone(),
            email: self.email.clone(),
            refreshing: self.refreshing,
            refused: self.refused,
        };
        // Strings, booleans and names of an enum: this can't fail.
        serde_json::to_string(&stored).unwrap_or_default().into()
    }
}
