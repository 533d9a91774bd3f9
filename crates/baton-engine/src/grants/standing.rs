//! What is known of a sign-in without using it.

use std::path::PathBuf;

use baton_core::{AccountId, Refusal, Timestamp};

use super::{Grants, entry, entry::Entry};
use crate::vault::VaultError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// The keychain has none.
    Missing,
    /// For good: nothing is sent before a new one.
    Refused(Refusal),
    /// It can be renewed. `until`: how long its access token lasts, where one has been used.
    Renewable { until: Option<Timestamp> },
    /// In an auth.json of another's. `found`: how long the access token in it lasts, or what is wrong with it.
    Linked {
        path: PathBuf,
        found: Result<Option<Timestamp>, Refusal>,
    },
}

impl Grants {
    /// Asks the keychain, which shows that the entry can be read, and nobody else; of a linked account, its file.
    pub(crate) async fn sign_in(&self, id: AccountId) -> Result<SignIn, VaultError> {
        if let Some(path) = self.linked(id) {
            let found = self.look(id, path.clone()).await;
            return Ok(SignIn::Linked { path, found });
        }
        let stored = self.0.keychain.get(entry::grant(id)).await?;
        let Some(entry) = stored.and_then(|stored| Entry::read(&stored)) else {
            return Ok(SignIn::Missing);
        };
        let slot = self.0.slot(id);
        let state = slot.lock();
        Ok(match entry.refused.or(state.refused) {
            Some(refusal) => SignIn::Refused(refusal),
            None => SignIn::Renewable {
                until: state.cached.as_ref().and_then(|cached| cached.expires_at),
            },
        })
    }

    /// Whether the keychain answers now, whatever it has.
    pub(crate) async fn keychain_answers(&self) -> Result<(), VaultError> {
        self.0.keychain.get(PROBE).await.map(drop)
    }
}

/// An entry that is never there.
const PROBE: &str = "probe";
