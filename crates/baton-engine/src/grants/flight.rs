//! One refresh (or first load) of one account's tokens, in a task of its own.

use std::{sync::Arc, time::Duration};

use baton_core::{AccountId, Effect, Eligibility, LimitFamily, Refusal, Report};
use secrecy::SecretString;
use tokio::{sync::watch, time};

use super::{
    Access, Cached, Flight, GrantError, Inner, Keeper, Slot,
    entry::{self, Entry},
    issuer::{self, FailedKind},
};

/// How long a token that isn't expired is used after refreshing it has failed.
const HOLD_OFF: Duration = Duration::from_secs(30);
const FIRST_REWRITE: Duration = Duration::from_secs(5);
const SLOWEST_REWRITE: Duration = Duration::from_secs(60);

/// What the one who begins a flight wants.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    /// Any token that isn't about to expire.
    Usable,
    NewerThan(u64),
}

/// Tokens issued, but not in the keychain yet.
#[derive(Clone, Debug)]
pub(super) struct Unwritten {
    entry: Entry,
    access_token: SecretString,
}

/// Counts a task for as long as it lives, however it ends.
struct Running(Arc<Inner>);

impl Running {
    fn begin(inner: &Arc<Inner>) -> Self {
        inner.running.send_modify(|running| *running += 1);
        Self(Arc::clone(inner))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

impl Inner {
    /// Joins the flight under way, or begins one.
    pub(super) async fn fly(self: &Arc<Self>, slot: &Arc<Slot>, need: Need) -> Result<Access, GrantError> {
        let mut flight = self.join(slot, need);
        match flight.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(interrupted())),
            Err(_) => Err(interrupted()),
        }
    }

    fn join(self: &Arc<Self>, slot: &Arc<Slot>, need: Need) -> Flight {
        let mut state = slot.lock();
        if let Some(flight) = &state.flight
            // Closed without an outcome, its task has panicked.
            && flight.has_changed().is_ok()
        {
            return flight.clone();
        }
        let (outcome, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        let running = Running::begin(self);
        let (inner, slot) = (Arc::clone(self), Arc::clone(slot));
        tokio::spawn(async move {
            let result = inner.run(&slot, need).await;
            // In this order: whoever finds no flight finds its tokens.
            slot.lock().flight = None;
            outcome.send_replace(Some(result));
            drop(running);
        });
        flight
    }

    async fn run(self: &Arc<Self>, slot: &Arc<Slot>, need: Need) -> Result<Access, GrantError> {
        let mut keeper = slot.keeper.lock().await;
        if let Some(unwritten) = keeper.unwritten.take() {
            return self.settle(slot, &mut keeper, unwritten).await;
        }
        // Stored, or refused, while this one waited for its turn.
        let known = {
            let state = slot.lock();
            if let Some(refusal) = state.refused {
                return Err(GrantError::NeedsAttention(refusal));
            }
            state.cached.clone()
        };
        if let Some(cached) = &known
            && self.meets(need, cached)
        {
            return Ok(cached.access.clone());
        }
        let stored = self.keychain.get(entry::grant(slot.id)).await?;
        let Some(entry) = stored.as_ref().and_then(Entry::read) else {
            return Err(self.refuse(slot, Refusal::GrantRefused));
        };
        if let Some(refusal) = entry.refused {
            return Err(self.refuse(slot, refusal));
        }
        if known.is_none() {
            let token = self.keychain.get(entry::access(slot.id)).await?;
            let loaded = token.map(|token| self.cached(token, &entry.identity.account, None));
            // A refresh that was interrupted is tried again at once: the sooner, the likelier it works.
            let usable = loaded
                .as_ref()
                .filter(|loaded| !entry.refreshing && self.meets(need, loaded));
            let usable = usable.map(|loaded| loaded.access.clone());
            slot.lock().cached = loaded;
            if let Some(access) = usable {
                return Ok(access);
            }
        }
        let renewed = self.renew(slot, &mut keeper, entry).await;
        match (renewed, need) {
            (Err(GrantError::Transient(_) | GrantError::Keychain(_)), Need::Usable)
                if let Some(access) = self.still_usable(slot) =>
            {
                Ok(access)
            }
            (renewed, _) => renewed,
        }
    }

    fn meets(&self, need: Need, cached: &Cached) -> bool {
        match need {
            Need::Usable => !cached.due(self.clock.now()),
            Need::NewerThan(stale) => cached.access.version > stale,
        }
    }

    /// A token that should be refreshed but can't be now serves until it expires.
    fn still_usable(&self, slot: &Slot) -> Option<Access> {
        let now = self.clock.now();
        let mut state = slot.lock();
        let cached = state.cached.as_mut().filter(|cached| !cached.expired(now))?;
        cached.not_again_before = now + HOLD_OFF;
        Some(cached.access.clone())
    }

    /// The order matters: see the module.
    async fn renew(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        keeper: &mut Keeper,
        mut entry: Entry,
    ) -> Result<Access, GrantError> {
        let interrupted = entry.refreshing;
        if !interrupted {
            entry.refreshing = true;
            self.keychain
                .set(entry::grant(slot.id), entry.to_secret())
                .await?;
        }
        let failed = match issuer::exchange(&*self.issuer, &entry.refresh_token, &*self.clock).await {
            Ok(tokens) => {
                let refresh_token = tokens.refresh_token.unwrap_or(entry.refresh_token);
                let entry = Entry::new(refresh_token, entry.identity, entry.email);
                let unwritten = Unwritten {
                    entry,
                    access_token: tokens.access_token,
                };
                return self.settle(slot, keeper, unwritten).await;
            }
            Err(failed) => failed,
        };
        match failed.kind {
            FailedKind::Refused => {
                // Of a token that may be spent, "refused" says only that it is: the new one is lost.
                let lost = interrupted || failed.maybe_spent;
                let refusal = if lost {
                    Refusal::RefreshInterrupted
                } else {
                    Refusal::GrantRefused
                };
                entry.refused = Some(refusal);
                self.told(self.keychain.set(entry::grant(slot.id), entry.to_secret()).await);
                Err(self.refuse(slot, refusal))
            }
            FailedKind::Transient(reason) => {
                if !interrupted && !failed.maybe_spent {
                    entry.refreshing = false;
                    self.told(self.keychain.set(entry::grant(slot.id), entry.to_secret()).await);
                }
                Err(GrantError::Transient(reason))
            }
        }
    }

    /// Writes new tokens to the keychain, and only then lets them be used.
    pub(super) async fn settle(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        keeper: &mut Keeper,
        unwritten: Unwritten,
    ) -> Result<Access, GrantError> {
        if let Err(error) = self
            .keychain
            .set(entry::grant(slot.id), unwritten.entry.to_secret())
            .await
        {
            keeper.unwritten = Some(unwritten);
            self.write_later(slot);
            return Err(error.into());
        }
        let Unwritten { entry, access_token } = unwritten;
        self.keep_access(slot.id, &access_token).await;
        let cached = self.cached(access_token, &entry.identity.account, Some(self.clock.now()));
        let access = cached.access.clone();
        slot.lock().cached = Some(cached);
        Ok(access)
    }

    /// Until the keychain takes them, however long nobody asks for this account.
    fn write_later(self: &Arc<Self>, slot: &Arc<Slot>) {
        let (inner, slot) = (Arc::clone(self), Arc::clone(slot));
        tokio::spawn(async move {
            let mut pause = FIRST_REWRITE;
            loop {
                time::sleep(pause).await;
                pause = (pause * 2).min(SLOWEST_REWRITE);
                let mut keeper = slot.keeper.lock().await;
                let Some(unwritten) = &keeper.unwritten else {
                    return;
                };
                let secret = unwritten.entry.to_secret();
                if inner.keychain.set(entry::grant(slot.id), secret).await.is_ok()
                    && let Some(unwritten) = keeper.unwritten.take()
                {
                    // Once more, with the rest: it takes them now, and if not, this begins anew.
                    let _ = inner.settle(&slot, &mut keeper, unwritten).await;
                    return;
                }
            }
        });
    }

    /// No refresh helps any more: told to the pool once, and kept in mind until a new sign-in.
    fn refuse(&self, slot: &Slot, refusal: Refusal) -> GrantError {
        {
            let mut state = slot.lock();
            state.refused = Some(refusal);
            state.cached = None;
        }
        if let Some(report) = self.report(slot.id, refusal) {
            self.desk.report(&[report]);
        }
        GrantError::NeedsAttention(refusal)
    }

    /// `None` if the pool knows: telling it again would count as another refusal.
    fn report(&self, account: AccountId, reason: Refusal) -> Option<Report> {
        self.desk.read(|pool, now| {
            let state = pool.account(account)?;
            let known = state.eligibility(&LimitFamily::General, now);
            let effect = Effect::NeedsAttention { reason };
            (!matches!(known, Eligibility::NeedsAttention { .. })).then(|| Report {
                account,
                generation: state.generation(),
                effect,
            })
        })
    }
}

fn interrupted() -> GrantError {
    GrantError::Transient("the refresh ended in a bug".to_owned())
}
