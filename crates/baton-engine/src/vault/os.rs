//! The OS's keychain: Secret Service, macOS Keychain, Windows Credential Manager.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::{ChunkedVault, Vault, VaultError};
use crate::instance;

/// UTF-16 units that one Windows credential holds (CRED_MAX_CREDENTIAL_BLOB_SIZE, 5 * 512 bytes).
pub(crate) const WINDOWS_UNITS: usize = 1280;

/// Baton's entries in the OS keychain, apart from those of a Baton with another data directory.
#[derive(Debug)]
pub struct KeyringVault(ChunkedVault<Entries>);

impl KeyringVault {
    pub fn new(data_dir: &Path) -> Self {
        let entries = Entries {
            service: format!("baton-{}", instance::tag(data_dir)),
        };
        Self(ChunkedVault::new(entries, cfg!(windows).then_some(WINDOWS_UNITS)))
    }
}

impl Vault for KeyringVault {
    fn get(&self, entry: &str) -> Result<Option<SecretString>, VaultError> {
        self.0.get(entry)
    }

    fn set(&self, entry: &str, secret: &SecretString) -> Result<(), VaultError> {
        self.0.set(entry, secret)
    }

    fn delete(&self, entry: &str) -> Result<(), VaultError> {
        self.0.delete(entry)
    }

    fn probe(&self) -> Result<(), VaultError> {
        self.0.probe()
    }
}

#[derive(Debug)]
struct Entries {
    service: String,
}

impl Entries {
    // Made anew for each call: keyring connects per call, so a service that comes back is found again.
    fn entry(&self, user: &str) -> Result<keyring::Entry, VaultError> {
        keyring::Entry::new(&self.service, user).map_err(|error| mapped(&error))
    }
}

impl Vault for Entries {
    fn get(&self, entry: &str) -> Result<Option<SecretString>, VaultError> {
        match self.entry(entry)?.get_password() {
            Ok(secret) => Ok(Some(secret.into())),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(mapped(&error)),
        }
    }

    /// Updates in place: a removed and newly made entry would lose what the person allowed it.
    fn set(&self, entry: &str, secret: &SecretString) -> Result<(), VaultError> {
        self.entry(entry)?
            .set_password(secret.expose_secret())
            .map_err(|error| mapped(&error))
    }

    fn delete(&self, entry: &str) -> Result<(), VaultError> {
        match self.entry(entry)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(mapped(&error)),
        }
    }

    fn probe(&self) -> Result<(), VaultError> {
        self.get("probe")?;
        platform::unlocked()
    }
}

fn mapped(error: &keyring::Error) -> VaultError {
    match error {
        keyring::Error::PlatformFailure(cause) => platform::failure(&**cause),
        keyring::Error::NoStorageAccess(cause) => platform::no_access(&**cause),
        // `BadEncoding` and `Ambiguous` hold the secret or whole credentials: their text says nothing of them.
        keyring::Error::BadEncoding(_) => VaultError::Refused("the entry is not text".to_owned()),
        keyring::Error::Ambiguous(_) => {
            VaultError::Refused("there is more than one entry of this name: remove one".to_owned())
        }
        other => VaultError::Refused(other.to_string()),
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::error::Error;

    use dbus_secret_service::{EncryptionType, Error as Cause, SecretService};

    use super::VaultError;

    /// An entry that isn't there is found missing in a locked collection too.
    pub(super) fn unlocked() -> Result<(), VaultError> {
        let service = SecretService::connect(EncryptionType::Plain).map_err(|error| failure(&error))?;
        let collection = service
            .get_default_collection()
            .map_err(|error| no_access(&error))?;
        match collection.is_locked() {
            Ok(true) => collection.unlock().map_err(|error| no_access(&error)),
            Ok(false) => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }

    pub(super) fn failure(cause: &(dyn Error + 'static)) -> VaultError {
        match cause.downcast_ref() {
            // No session bus, or nobody on it who owns the service's name.
            Some(Cause::Unavailable | Cause::Dbus(_)) => VaultError::Absent,
            _ => VaultError::Refused(cause.to_string()),
        }
    }

    pub(super) fn no_access(cause: &(dyn Error + 'static)) -> VaultError {
        match cause.downcast_ref() {
            Some(Cause::NoResult) => VaultError::Refused(
                "it has no default collection yet: log in to the desktop once, or make one (in `seahorse`: New, \
                 Password Keyring, Set as default)"
                    .to_owned(),
            ),
            _ => VaultError::Locked,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::error::Error;

    use super::VaultError;

    pub(super) fn unlocked() -> Result<(), VaultError> {
        Ok(())
    }

    pub(super) fn failure(cause: &(dyn Error + 'static)) -> VaultError {
        VaultError::Refused(cause.to_string())
    }

    pub(super) fn no_access(_: &(dyn Error + 'static)) -> VaultError {
        VaultError::Locked
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use dbus_secret_service::Error as Cause;
    use keyring::Error;

    use super::*;

    #[test]
    fn what_a_secret_service_lacks_is_told_apart() {
        let failure = |cause: Cause| mapped(&Error::PlatformFailure(Box::new(cause)));
        let no_access = |cause: Cause| mapped(&Error::NoStorageAccess(Box::new(cause)));
        assert_eq!(failure(Cause::Unavailable), VaultError::Absent);
        assert_eq!(no_access(Cause::Locked), VaultError::Locked);
        assert_eq!(
            no_access(Cause::Prompt),
            VaultError::Locked,
            "its prompt was closed"
        );
        for (refused, why) in [
            (failure(Cause::Parse), "Parse"),
            (no_access(Cause::NoResult), "default collection"),
            (mapped(&Error::TooLong("password".to_owned(), 2560)), "2560"),
        ] {
            assert!(
                matches!(&refused, VaultError::Refused(said) if said.contains(why)),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_secret_that_an_error_holds_is_not_told() {
        let error = mapped(&Error::BadEncoding(b"rt_secret".to_vec()));
        let said = format!("{error} {error:?}");
        assert!(!said.contains("secret") && !said.contains("114"), "{said}");
    }
}
