//! The keychain for async code: each call on a blocking thread, one at a time, with a time limit.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::{
    sync::{Mutex, watch},
    task, time,
};

use super::{Vault, VaultError};

/// A locked collection blocks for as long as its prompt stands.
const TIME_LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct Keychain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    vault: Arc<dyn Vault>,
    /// Held by the blocking thread until the call has really ended, timed out or not: calls take effect in the order
    /// in which they were made, and a keychain that waits for a prompt gets no pile of threads.
    turn: Arc<Mutex<()>>,
    problem: watch::Sender<Option<VaultError>>,
}

impl Keychain {
    pub fn new(vault: Arc<dyn Vault>) -> Self {
        Self(Arc::new(Inner {
            vault,
            turn: Arc::default(),
            problem: watch::channel(None).0,
        }))
    }

    pub async fn get(&self, entry: impl Into<String>) -> Result<Option<SecretString>, VaultError> {
        let entry = entry.into();
        self.call(move |vault| vault.get(&entry)).await
    }

    /// After [`VaultError::Slow`] the value may still arrive; a later call never overtakes it.
    pub async fn set(&self, entry: impl Into<String>, secret: SecretString) -> Result<(), VaultError> {
        let entry = entry.into();
        self.call(move |vault| vault.set(&entry, &secret)).await
    }

    pub async fn delete(&self, entry: impl Into<String>) -> Result<(), VaultError> {
        let entry = entry.into();
        self.call(move |vault| vault.delete(&entry)).await
    }

    /// [`Vault::probe`].
    pub async fn probe(&self) -> Result<(), VaultError> {
        self.call(Vault::probe).await
    }

    /// What was wrong at the last call; gone as soon as one succeeds.
    pub fn problem(&self) -> Option<VaultError> {
        self.0.problem.borrow().clone()
    }

    /// [`Self::problem`] as it comes and goes.
    pub fn problems(&self) -> watch::Receiver<Option<VaultError>> {
        self.0.problem.subscribe()
    }

    async fn call<T: Send + 'static>(
        &self,
        run: impl FnOnce(&dyn Vault) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let inner = Arc::clone(&self.0);
        let call = async {
            let turn = Arc::clone(&inner.turn).lock_owned().await;
            let inner = Arc::clone(&inner);
            let call = task::spawn_blocking(move || {
                let result = run(&*inner.vault);
                inner.note(result.as_ref().err());
                drop(turn);
                result
            });
            call.await
                .unwrap_or_else(|_| Err(VaultError::Refused("the call ended in a bug".to_owned())))
        };
        match time::timeout(TIME_LIMIT, call).await {
            Ok(result) => result,
            Err(_) => {
                let slow = VaultError::Slow(TIME_LIMIT.as_secs());
                self.0.note(Some(&slow));
                Err(slow)
            }
        }
    }
}

impl Inner {
    fn note(&self, error: Option<&VaultError>) {
        self.problem.send_if_modified(|problem| {
            let changed = problem.as_ref() != error;
            if changed {
                match error {
                    Some(error) => tracing::warn!(%error, "keychain"),
                    None => tracing::info!("the keychain is back"),
                }
                *problem = error.cloned();
            }
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{MemoryVault, Mood};

    fn keychain() -> (Arc<MemoryVault>, Keychain) {
        let vault = Arc::new(MemoryVault::new());
        let keychain = Keychain::new(Arc::<MemoryVault>::clone(&vault));
        (vault, keychain)
    }

    #[tokio::test]
    async fn a_problem_is_shown_until_a_call_succeeds() {
        let (vault, keychain) = keychain();
        vault.set_mood(Mood::Locked);
        assert_eq!(keychain.get("a").await.unwrap_err(), VaultError::Locked);
        assert_eq!(keychain.problem(), Some(VaultError::Locked));
        vault.set_mood(Mood::Well);
        keychain.set("a", "1".into()).await.unwrap();
        assert_eq!(keychain.problem(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_prompt_nobody_answers_is_slow_and_its_call_keeps_its_place() {
        let (vault, keychain) = keychain();
        vault.set_mood(Mood::Slow);
        let set = |value: &'static str| {
            let keychain = keychain.clone();
            tokio::spawn(async move { keychain.set("a", value.into()).await })
        };
        let first = set("first");
        tokio::task::yield_now().await;
        time::advance(TIME_LIMIT).await;
        assert_eq!(first.await.unwrap(), Err(VaultError::Slow(10)));
        // The prompt is answered while a second call waits its turn: both take effect, in order.
        let second = set("second");
        tokio::task::yield_now().await;
        vault.set_mood(Mood::Well);
        second.await.unwrap().unwrap();
        assert_eq!(vault.writes(), ["set a", "set a"]);
        assert_eq!(keychain.problem(), None);
    }
}
