//! Access tokens of the pooled accounts: cached in memory, refreshed once for all who wait.
//!
//! Refresh tokens are single-use, so losing one loses the sign-in. Hence the order of a refresh: the entry is marked,
//! the old token is sent, the new one is written to the keychain, and only then is the new access token used. The
//! whole runs in a task of its own that neither a request's end nor a shutdown cancels. A Baton killed before sending
//! or after writing has lost nothing; one killed in between finds the mark, and tries the old token once more.
//!
//! - [`Grants`]: who asks, who waits, who is served from memory
//! - [`mod@import`]: a sign-in made by `codex login`, moved into the keychain
//! - `linked`: one that stays where it is, and is only followed

mod entry;
mod flight;
pub mod import;
mod issuer;
mod linked;
mod standing;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use baton_core::{AccountId, Identity, Refusal, Timestamp, explain};
use baton_wire::jwt;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex as AsyncMutex, watch};
use url::Url;

use crate::{
    clock::Clock,
    desk::Desk,
    net::Net,
    vault::{Keychain, VaultError},
};
pub(crate) use linked::OwnerAsks;

use entry::Entry;
use flight::{Need, Unwritten};
use issuer::{HttpIssuer, Issuer};
pub(crate) use standing::SignIn;

/// An access token that expires sooner is refreshed first.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// What a request is sent with.
#[derive(Clone, Debug)]
pub struct Access {
    pub token: Arc<SecretString>,
    /// For `chatgpt-account-id`.
    pub account_header: Arc<str>,
    /// Grows with every new token: what to hand to [`Grants::refresh`] when this one is refused.
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error("{}", explain::refusal(*.0))]
    NeedsAttention(Refusal),
    #[error(transparent)]
    Keychain(#[from] VaultError),
    #[error("the sign-in service can't be asked for a new access token now: {0}")]
    Transient(String),
}

/// A whole sign-in.
pub struct Tokens {
    /// Without one, the first use refreshes.
    pub access_token: Option<SecretString>,
    pub refresh_token: SecretString,
    pub identity: Identity,
    pub email: Option<Box<str>>,
}

/// Neither tokens nor the e-mail.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub struct Grants(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keychain: Keychain,
    issuer: Arc<dyn Issuer>,
    clock: Arc<dyn Clock>,
    desk: Arc<Desk>,
    slots: Mutex<HashMap<AccountId, Arc<Slot>>>,
    followed: Mutex<linked::Followed>,
    last_version: AtomicU64,
    /// Refreshes under way.
    running: watch::Sender<usize>,
}

#[derive(Debug)]
struct Slot {
    id: AccountId,
    state: Mutex<State>,
    /// Held by whoever reads and writes the account's entries: a refresh, [`Grants::store`], [`Grants::remove`].
    keeper: AsyncMutex<Keeper>,
}

#[derive(Debug, Default)]
struct State {
    cached: Option<Cached>,
    /// Known to be void: nothing is sent before a new sign-in.
    refused: Option<Refusal>,
    flight: Option<Flight>,
}

#[derive(Debug, Default)]
struct Keeper {
    /// New tokens that the keychain didn't take yet. They are used by nobody before it has.
    unwritten: Option<Unwritten>,
}

/// `None` until the outcome is known; closed without one if the task has panicked.
type Flight = watch::Receiver<Option<Result<Access, GrantError>>>;

#[derive(Clone, Debug)]
struct Cached {
    access: Access,
    expires_at: Option<Timestamp>,
    margin: Duration,
    /// Refreshing has just failed: what isn't expired is used until then without asking again.
    not_again_before: Timestamp,
}

// === impl Grants ===

impl Grants {
    pub fn new(
        keychain: Keychain,
        net: Arc<Net>,
        issuer: &Url,
        clock: Arc<dyn Clock>,
        desk: Arc<Desk>,
    ) -> Self {
        Self::with_issuer(keychain, Arc::new(HttpIssuer::new(net, issuer)), clock, desk)
    }

    fn with_issuer(
        keychain: Keychain,
        issuer: Arc<dyn Issuer>,
        clock: Arc<dyn Clock>,
        desk: Arc<Desk>,
    ) -> Self {
        Self(Arc::new(Inner {
            keychain,
            issuer,
            clock,
            desk,
            slots: Mutex::default(),
            followed: Mutex::default(),
            last_version: AtomicU64::default(),
            running: watch::channel(0).0,
        }))
    }

    /// From memory, unless the token is unknown yet or about to expire.
    pub async fn access(&self, id: AccountId) -> Result<Access, GrantError> {
        if let Some(path) = self.linked(id) {
            return self.0.follow(id, path, None).await;
        }
        let slot = self.0.slot(id);
        {
            let state = slot.lock();
            if let Some(refusal) = state.refused {
                return Err(GrantError::NeedsAttention(refusal));
            }
            if let Some(cached) = &state.cached
                && !cached.due(self.0.clock.now())
            {
                return Ok(cached.access.clone());
            }
        }
        self.0.fly(&slot, Need::Usable).await
    }

    /// After a 401 with the token of version `stale`: one refresh for all who ask. A linked account's file is read again.
    pub async fn refresh(&self, id: AccountId, stale: u64) -> Result<Access, GrantError> {
        if let Some(path) = self.linked(id) {
            return self.0.follow(id, path, Some(stale)).await;
        }
        let slot = self.0.slot(id);
        loop {
            {
                let state = slot.lock();
                if let Some(refusal) = state.refused {
                    return Err(GrantError::NeedsAttention(refusal));
                }
                if let Some(cached) = &state.cached
                    && cached.access.version > stale
                {
                    return Ok(cached.access.clone());
                }
            }
            let access = self.0.fly(&slot, Need::NewerThan(stale)).await?;
            // One that somebody else had begun may have had no reason to ask for a new token.
            if access.version > stale {
                return Ok(access);
            }
        }
    }

    /// A new sign-in, of a new account or a known one. The old one's tokens are gone then.
    pub async fn store(&self, id: AccountId, tokens: Tokens) -> Result<(), GrantError> {
        let slot = self.0.slot(id);
        let mut keeper = slot.keeper.lock().await;
        let entry = Entry::new(tokens.refresh_token, tokens.identity, tokens.email);
        self.0.keychain.set(entry::grant(id), entry.to_secret()).await?;
        keeper.unwritten = None;
        let cached = match tokens.access_token {
            Some(token) => {
                self.0.keep_access(id, &token).await;
                Some(self.0.cached(token, &entry.identity.account, None))
            }
            None => {
                self.0.told(self.0.keychain.delete(entry::access(id)).await);
                None
            }
        };
        let mut state = slot.lock();
        state.refused = None;
        state.cached = cached;
        Ok(())
    }

    /// Forgets the sign-in, here and in the keychain. A refresh under way is waited for.
    pub async fn remove(&self, id: AccountId) -> Result<(), GrantError> {
        let slot = self.0.slot(id);
        let mut keeper = slot.keeper.lock().await;
        self.0.keychain.delete(entry::grant(id)).await?;
        keeper.unwritten = None;
        self.0.keychain.delete(entry::access(id)).await?;
        *slot.lock() = State::default();
        self.0.slots().remove(&id);
        Ok(())
    }

    /// For display, when the person asks for it.
    pub async fn email(&self, id: AccountId) -> Result<Option<String>, GrantError> {
        let entry = self.0.keychain.get(entry::grant(id)).await?;
        Ok(entry.and_then(|entry| Entry::read(&entry)?.email).map(Into::into))
    }

    /// Before a person signs in: whether the keychain is there and open.
    pub async fn can_store(&self) -> Result<(), GrantError> {
        Ok(self.0.keychain.probe().await?)
    }

    /// What is wrong with the keychain, until a call succeeds.
    pub fn keychain_problem(&self) -> Option<VaultError> {
        self.0.keychain.problem()
    }

    /// [`Self::keychain_problem`] as it comes and goes.
    pub fn keychain_problems(&self) -> watch::Receiver<Option<VaultError>> {
        self.0.keychain.problems()
    }

    /// Waits for the refreshes under way, and tries once more to write what the keychain didn't take.
    pub async fn drain(&self) {
        let mut running = self.0.running.subscribe();
        // The sender lives in `self`: this can't fail.
        let _ = running.wait_for(|running| *running == 0).await;
        let slots: Vec<_> = self.0.slots().values().cloned().collect();
        for slot in slots {
            let mut keeper = slot.keeper.lock().await;
            if let Some(unwritten) = keeper.unwritten.take()
                && let Err(error) = self.0.settle(&slot, &mut keeper, unwritten).await
            {
                tracing::error!(account = %slot.id, %error, "a new sign-in could not be kept: it must be renewed");
            }
        }
    }
}

// === impl Inner ===

impl Inner {
    fn slots(&self) -> MutexGuard<'_, HashMap<AccountId, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, id: AccountId) -> Arc<Slot> {
        let mut slots = self.slots();
        Arc::clone(slots.entry(id).or_insert_with(|| {
            Arc::new(Slot {
                id,
                state: Mutex::default(),
                keeper: AsyncMutex::default(),
            })
        }))
    }

    /// `since`: when it was issued, if it was just now; a token of unknown age gets the whole margin.
    fn cached(&self, token: SecretString, account: &str, since: Option<Timestamp>) -> Cached {
        let claims = jwt::claims(token.expose_secret()).unwrap_or_default();
        let expires_at = match since {
            Some(since) => claims.expires_by(since),
            None => claims.expires_at,
        };
        let lifetime = expires_at
            .zip(since)
            .map(|(expires_at, since)| expires_at.since(since));
        Cached {
            access: self.access_of(token, account),
            expires_at,
            // A token that lives for minutes only would otherwise be refreshed at every request.
            margin: lifetime.map_or(MARGIN, |lifetime| MARGIN.min(lifetime / 2)),
            not_again_before: Timestamp::from_millis(i64::MIN),
        }
    }

    fn access_of(&self, token: SecretString, account: &str) -> Access {
        Access {
            token: Arc::new(token),
            account_header: account.into(),
            version: self.last_version.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// The access token is a mere cache: without it the next start refreshes.
    async fn keep_access(&self, id: AccountId, token: &SecretString) {
        self.told(self.keychain.set(entry::access(id), token.clone()).await);
    }

    fn told(&self, result: Result<(), VaultError>) {
        if let Err(error) = result {
            tracing::warn!(%error, "the access token's cache can't be changed");
        }
    }
}

// === impl Slot ===

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Cached ===

impl Cached {
    /// Whether it is time to refresh before using it.
    fn due(&self, now: Timestamp) -> bool {
        match self.expires_at {
            None => false,
            Some(expires_at) => {
                self.expired(now) || (expires_at.since(now) <= self.margin && self.not_again_before <= now)
            }
        }
    }

    fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}
