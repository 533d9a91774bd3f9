//! A keychain in memory, for tests and the demo: it can be told to fail in every way that a real one does.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use secrecy::{ExposeSecret, SecretString};

use super::{Vault, VaultError};

/// What the next calls meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Well,
    Absent,
    Locked,
    /// Blocks until the mood changes, as a prompt does.
    Slow,
    Refusing,
    /// Reads work, writes are refused.
    ReadOnly,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<String, SecretString>,
    mood: Mood,
    writes: Vec<String>,
}

#[derive(Default)]
pub struct MemoryVault {
    state: Mutex<State>,
    changed: Condvar,
    /// Longer values are refused (UTF-16 units).
    limit: Option<usize>,
}

/// Names, no values.
impl fmt::Debug for MemoryVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("MemoryVault")
            .field("entries", &state.entries.keys())
            .field("mood", &state.mood)
            .finish()
    }
}

impl MemoryVault {
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses values longer than this (UTF-16 units), as Windows does.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit: Some(limit),
            ..Self::default()
        }
    }

    pub fn set_mood(&self, mood: Mood) {
        self.lock().mood = mood;
        self.changed.notify_all();
    }

    pub fn entries(&self) -> Vec<String> {
        self.lock().entries.keys().cloned().collect()
    }

    /// Every successful change so far, in order: `set NAME` or `delete NAME`.
    pub fn writes(&self) -> Vec<String> {
        self.lock().writes.clone()
    }

    /// What stands there, whatever the mood.
    #[cfg(test)]
    pub(crate) fn state_of(&self, entry: &str) -> Option<String> {
        self.lock()
            .entries
            .get(entry)
            .map(|secret| secret.expose_secret().to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self, write: bool) -> Result<MutexGuard<'_, State>, VaultError> {
        let slow = |state: &mut State| state.mood == Mood::Slow;
        let state = self
            .changed
            .wait_while(self.lock(), slow)
            .unwrap_or_else(PoisonError::into_inner);
        match state.mood {
            Mood::Absent => Err(VaultError::Absent),
            Mood::Locked => Err(VaultError::Locked),
            Mood::Refusing => Err(VaultError::Refused("as told".to_owned())),
            Mood::ReadOnly if write => Err(VaultError::Refused("writes are refused".to_owned())),
            Mood::Well | Mood::Slow | Mood::ReadOnly => Ok(state),
        }
    }
}

impl Vault for MemoryVault {
    fn get(&self, entry: &str) -> Result<Option<SecretString>, VaultError> {
        Ok(self.ready(false)?.entries.get(entry).cloned())
    }

    fn set(&self, entry: &str, secret: &SecretString) -> Result<(), VaultError> {
        let mut state = self.ready(true)?;
        if self
            .limit
            .is_some_and(|limit| secret.expose_secret().encode_utf16().count() > limit)
        {
            return Err(VaultError::Refused("the value is too long".to_owned()));
        }
        state.entries.insert(entry.to_owned(), secret.clone());
        state.writes.push(format!("set {entry}"));
        Ok(())
    }

    fn delete(&self, entry: &str) -> Result<(), VaultError> {
        let mut state = self.ready(true)?;
        state.entries.remove(entry);
        state.writes.push(format!("delete {entry}"));
        Ok(())
    }
}
