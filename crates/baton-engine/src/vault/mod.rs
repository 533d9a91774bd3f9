//! The only home of tokens: the OS keychain behind one trait.

use std::fmt::Debug;

use secrecy::SecretString;

/// A keychain as Baton needs it. Calls may block (a locked keychain prompts): they run on a blocking thread with a
/// time limit.
pub trait Vault: Debug + Send + Sync + 'static {
    fn get(&self, entry: &str) -> Result<Option<SecretString>, VaultError>;
    fn set(&self, entry: &str, secret: &SecretString) -> Result<(), VaultError>;
    fn delete(&self, entry: &str) -> Result<(), VaultError>;
}

/// Each is a state that heals by itself, never a reason for a plain file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("there is no keychain service; start one (on Linux a Secret Service such as gnome-keyring), then try again")]
    Absent,
    #[error("the keychain is locked: unlock it, and Baton goes on by itself")]
    Locked,
    #[error("the keychain has not answered for {0} s: it may be waiting for a prompt to be answered")]
    Slow(u64),
    #[error("the keychain refused: {0}")]
    Refused(String),
}
