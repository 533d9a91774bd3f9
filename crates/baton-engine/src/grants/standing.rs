//! What is known of a sign-in without using it.

use baton_core::{AccountId, Refusal, Timestamp};

use super::{Grants, entry, entry::Entry};
use crate::vault::VaultError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// The keychain has none.
    Missing,
    /// For good: nothing is sent before a new one.
    Refused(Refusal),
    /// It can be renewed. `until`: how long its access token lasts, where one has been used.
    Renewable { until: Option<Timestamp> },
}

impl Grants {
    /// Asks the keychain, which shows that the entry can be read, and nobody else.
    pub(crate) async fn sign_in(&self, id: AccountId) -> Result<SignIn, VaultError> {
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
