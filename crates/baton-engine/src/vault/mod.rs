//! The only home of tokens: the OS keychain behind one trait.
//!
//! - [`KeyringVault`]: the OS's own; [`MemoryVault`]: for tests and the demo
//! - [`ChunkedVault`]: large values in a store of small ones
//! - [`Keychain`]: the async side, with a time limit, which everybody else uses

mod chunked;
mod keychain;
mod memory;
mod os;

use std::fmt::Debug;

use secrecy::SecretString;

pub use chunked::ChunkedVault;
pub use keychain::Keychain;
pub use memory::{MemoryVault, Mood};
pub use os::KeyringVault;
#[cfg(test)]
pub(crate) use os::WINDOWS_UNITS;

/// A keychain as Baton needs it. Calls may block (a locked keychain prompts): they run on a blocking thread with a
/// time limit.
pub trait Vault: Debug + Send + Sync + 'static {
    fn get(&self, entry: &str) -> Result<Option<SecretString>, VaultError>;
    fn set(&self, entry: &str, secret: &SecretString) -> Result<(), VaultError>;
    /// Nothing there is no error.
    fn delete(&self, entry: &str) -> Result<(), VaultError>;

    /// Whether it is there and open, as far as can be told without a write. One that is locked asks to be unlocked.
    fn probe(&self) -> Result<(), VaultError> {
        self.get("probe").map(drop)
    }
}

/// Each is a state that heals by itself, never a reason for a plain file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error(
        "there is no keychain service; start one (on Linux a Secret Service such as gnome-keyring), then try again"
    )]
    Absent,
    #[error("the keychain is locked: unlock it, and Baton goes on by itself")]
    Locked,
    #[error("the keychain has not answered for {0} s: it may be waiting for a prompt to be answered")]
    Slow(u64),
    #[error("the keychain refused: {0}")]
    Refused(String),
}
