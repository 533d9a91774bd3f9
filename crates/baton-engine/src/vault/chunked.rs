//! Large values in a keychain of small ones: chunks under names of their own, and a head with a checksum.
//!
//! Writing can't be made atomic there, so a new value goes to the chunk names that the old one doesn't use, the head
//! is switched last, and the old chunks are removed after that: a write torn by a crash leaves the old value. What
//! doesn't match its checksum counts as absent. A value that fits one entry is written as it is, hence atomic.

use std::ops::ControlFlow;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{Vault, VaultError};

/// Begins a head; a token never does. Then: generation, count, checksum.
const HEAD: &str = "baton-chunks:1:";
/// More is no head of ours.
const MOST_CHUNKS: usize = 1024;

#[derive(Debug)]
pub struct ChunkedVault<V> {
    inner: V,
    /// UTF-16 units per entry; `None`: any length.
    limit: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    generation: char,
    count: usize,
    checksum: String,
}

impl<V: Vault> ChunkedVault<V> {
    pub fn new(inner: V, limit: Option<usize>) -> Self {
        Self { inner, limit }
    }

    fn head(&self, entry: &str) -> Result<Option<Head>, VaultError> {
        let stored = self.inner.get(entry)?;
        Ok(stored.and_then(|stored| Head::parse(stored.expose_secret())))
    }

    /// Removes the chunks from `keep` on, whoever left them: they were written in order, so the first that is missing
    /// is the end. From there backwards, so that a torn sweep leaves no hole that would hide the rest.
    fn sweep(&self, entry: &str, generation: char, keep: usize) -> Result<(), VaultError> {
        let name = |index| chunk_name(entry, generation, index);
        let mut end = keep;
        while end < MOST_CHUNKS && self.inner.get(&name(end))?.is_some() {
            end += 1;
        }
        (keep..end)
            .rev()
            .try_for_each(|index| self.inner.delete(&name(index)))
    }
}

impl<V: Vault> Vault for ChunkedVault<V> {
    fn get(&self, entry: &str) -> Result<Option<SecretString>, VaultError> {
        let Some(stored) = self.inner.get(entry)? else {
            return Ok(None);
        };
        let Some(head) = Head::parse(stored.expose_secret()) else {
            return Ok(Some(stored));
        };
        let mut value = String::new();
        for index in 0..head.count {
            match self.inner.get(&chunk_name(entry, head.generation, index))? {
                Some(chunk) => value.push_str(chunk.expose_secret()),
                None => return Ok(None),
            }
        }
        let value = SecretString::from(value);
        Ok((checksum(value.expose_secret()) == head.checksum).then_some(value))
    }

    fn set(&self, entry: &str, secret: &SecretString) -> Result<(), VaultError> {
        let Some(limit) = self.limit else {
            return self.inner.set(entry, secret);
        };
        let old = self.head(entry)?;
        let value = secret.expose_secret();
        let generation = match &old {
            Some(Head { generation: 'a', .. }) => 'b',
            _ => 'a',
        };
        let mut count = 0;
        if value.encode_utf16().count() <= limit {
            self.inner.set(entry, secret)?;
        } else {
            let chunks = chunks(value, limit);
            count = chunks.len();
            for (index, chunk) in chunks.into_iter().enumerate() {
                self.inner
                    .set(&chunk_name(entry, generation, index), &SecretString::from(chunk))?;
            }
            let head = Head {
                generation,
                count,
                checksum: checksum(value),
            };
            self.inner.set(entry, &SecretString::from(head.text()))?;
        }
        let other = if generation == 'a' { 'b' } else { 'a' };
        // The new value is there; what can't be removed now is by a later write.
        let swept = self
            .sweep(entry, generation, count)
            .and_then(|()| self.sweep(entry, other, 0));
        if let Err(error) = swept {
            tracing::debug!(%error, "old keychain chunks stay");
        }
        Ok(())
    }

    fn delete(&self, entry: &str) -> Result<(), VaultError> {
        // The head first: chunks without one are nothing.
        self.inner.delete(entry)?;
        match self.limit {
            Some(_) => self.sweep(entry, 'a', 0).and_then(|()| self.sweep(entry, 'b', 0)),
            None => Ok(()),
        }
    }

    fn probe(&self) -> Result<(), VaultError> {
        self.inner.probe()
    }
}

impl Head {
    fn parse(stored: &str) -> Option<Self> {
        let mut parts = stored.strip_prefix(HEAD)?.split(':');
        let generation = parts.next()?.parse().ok()?;
        let count = parts.next()?.parse().ok().filter(|count| *count <= MOST_CHUNKS)?;
        let checksum = parts.next()?.to_owned();
        parts.next().is_none().then_some(Self {
            generation,
            count,
            checksum,
        })
    }

    fn text(&self) -> String {
        format!("{HEAD}{}:{}:{}", self.generation, self.count, self.checksum)
    }
}

fn chunk_name(entry: &str, generation: char, index: usize) -> String {
    format!("{entry}.{generation}{index}")
}

fn checksum(value: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(value).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Pieces of at most `limit` UTF-16 units, never through a character.
fn chunks(value: &str, limit: usize) -> Vec<&str> {
    let mut rest = value;
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let fits = rest.char_indices().try_fold(0, |units, (at, character)| {
            let units = units + character.len_utf16();
            // At least one character each, or it would never end.
            if units > limit && at > 0 {
                ControlFlow::Break(at)
            } else {
                ControlFlow::Continue(units)
            }
        });
        let at = match fits {
            ControlFlow::Break(at) => at,
            ControlFlow::Continue(_) => rest.len(),
        };
        let (chunk, tail) = rest.split_at(at);
        chunks.push(chunk);
        rest = tail;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use super::*;
    use crate::vault::MemoryVault;

    const LIMIT: usize = 100;

    fn vault() -> ChunkedVault<MemoryVault> {
        ChunkedVault::new(MemoryVault::with_limit(LIMIT), Some(LIMIT))
    }

    fn long(seed: char) -> SecretString {
        seed.to_string().repeat(LIMIT * 3 + 7).into()
    }

    fn read(vault: &ChunkedVault<MemoryVault>) -> Option<String> {
        vault
            .get("token")
            .unwrap()
            .map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn values_of_every_length_come_back_and_leave_nothing_behind() {
        let vault = vault();
        for value in [
            "",
            "short",
            &"x".repeat(LIMIT),
            &"x".repeat(LIMIT + 1),
            &"𝄞é".repeat(4 * LIMIT),
            "short",
        ] {
            vault.set("token", &SecretString::from(value)).unwrap();
            assert_eq!(read(&vault).as_deref(), Some(value));
        }
        assert_eq!(vault.inner.entries(), ["token"]);
        vault.set("token", &long('a')).unwrap();
        vault.delete("token").unwrap();
        assert_eq!(vault.inner.entries(), [""; 0]);
        assert_eq!(read(&vault), None);
    }

    /// Ends every write after `allowed` of its steps, as a crash does.
    #[derive(Debug)]
    struct Torn {
        inner: Arc<MemoryVault>,
        allowed: AtomicUsize,
    }

    impl Torn {
        fn step(&self) -> Result<(), VaultError> {
            self.allowed
                .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
                .map_or(Err(VaultError::Absent), |_| Ok(()))
        }
    }

    impl Vault for Torn {
        fn get(&self, entry: &str) -> Result<Option<SecretString>, VaultError> {
            self.inner.get(entry)
        }

        fn set(&self, entry: &str, secret: &SecretString) -> Result<(), VaultError> {
            self.step()?;
            self.inner.set(entry, secret)
        }

        fn delete(&self, entry: &str) -> Result<(), VaultError> {
            self.step()?;
            self.inner.delete(entry)
        }
    }

    #[test]
    fn a_write_torn_at_any_step_leaves_the_old_value_or_the_new_one() {
        for old in [long('o'), "old".into()] {
            for allowed in 0..12 {
                let store = Arc::new(MemoryVault::with_limit(LIMIT));
                let after = |allowed: usize| {
                    let inner = Torn {
                        inner: Arc::clone(&store),
                        allowed: allowed.into(),
                    };
                    ChunkedVault::new(inner, Some(LIMIT))
                };
                let (whole, torn) = (after(1000), after(allowed));
                whole.set("token", &old).unwrap();
                let _ = torn.set("token", &long('n'));
                let found = whole.get("token").unwrap().unwrap();
                let found = found.expose_secret();
                assert!(
                    found == old.expose_secret() || found == long('n').expose_secret(),
                    "after {allowed} steps"
                );
                // And the next write puts all in order.
                whole.set("token", &long('z')).unwrap();
                assert_eq!(
                    whole.get("token").unwrap().unwrap().expose_secret(),
                    long('z').expose_secret()
                );
                whole.delete("token").unwrap();
                assert_eq!(store.entries(), [""; 0], "after {allowed} steps");
            }
        }
    }

    #[test]
    fn what_does_not_match_its_checksum_is_absent() {
        let vault = vault();
        vault.set("token", &long('a')).unwrap();
        let chunk = |index| chunk_name("token", 'a', index);
        vault.inner.set(&chunk(1), &"tampered".into()).unwrap();
        assert_eq!(read(&vault), None);
        vault.inner.delete(&chunk(1)).unwrap();
        assert_eq!(read(&vault), None);
    }

    #[test]
    fn a_value_that_looks_like_no_head_is_a_value() {
        for stored in [
            "baton-chunks:1:a:9999999:00",
            "baton-chunks:1:a:1",
            "baton-chunks:2:a:1:00",
        ] {
            assert_eq!(Head::parse(stored), None);
        }
    }
}
