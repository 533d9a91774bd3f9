//! `private.json`: what must survive a restart and is nobody else's business. The secret in the path of the base URL
//! keeps other local users and web pages out; it is no token of an account.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::files;
use crate::control::protocol::BaseUrls;

const FILE: &str = "private.json";
const SECRET_BYTES: usize = 32;

#[derive(Debug)]
pub struct Private {
    path: PathBuf,
    path_secret: SecretString,
    port: Option<u16>,
}

#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    #[error("{} can't be used: {}", .path.display(), files::advice(.source))]
    Io { path: PathBuf, source: io::Error },
    /// A new secret would break a connected Codex, so none is made up.
    #[error("{} is damaged ({reason}); remove it, then connect Codex again", .path.display())]
    Damaged { path: PathBuf, reason: Damage },
    #[error("the operating system gives no randomness: {0}")]
    Randomness(getrandom::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Line and column: the text itself may hold the secret.
    NotJson(usize, usize),
    Secret,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(line, column) => write!(f, "line {line}, column {column}"),
            Self::Secret => f.write_str("its secret is none of Baton's"),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored<S> {
    path_secret: S,
    port: Option<u16>,
}

impl Private {
    /// Makes the file, with a new secret, where it isn't there yet.
    pub fn open(data_dir: &Path) -> Result<Self, PrivateError> {
        let path = data_dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let new = Self {
                    path,
                    path_secret: new_secret()?,
                    port: None,
                };
                files::private_dir(data_dir).map_err(|source| new.failed(source))?;
                new.save()?;
                return Ok(new);
            }
            Err(source) => return Err(PrivateError::Io { path, source }),
        };
        let known = Self::parse(path, &text)?;
        files::restrict(&known.path, 0o600).map_err(|source| known.failed(source))?;
        Ok(known)
    }

    /// What Codex was given by the last Baton with this data directory, if one has served.
    pub fn last_base_urls(data_dir: &Path) -> Result<Option<BaseUrls>, PrivateError> {
        let path = data_dir.join(FILE);
        let known = match fs::read(&path) {
            Ok(text) => Self::parse(path, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PrivateError::Io { path, source }),
        };
        Ok(known.port.map(|port| BaseUrls::new(port, &known.path_secret)))
    }

    /// The file's bytes; `path` is where they stand, and what errors name.
    pub fn parse(path: PathBuf, text: &[u8]) -> Result<Self, PrivateError> {
        let parsed = serde_json::from_slice(text)
            .map_err(|error| Damage::NotJson(error.line(), error.column()))
            .and_then(|Stored::<String> { path_secret, port }| {
                let bytes = BASE64_URL_SAFE_NO_PAD.decode(&path_secret);
                let whole = bytes.is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
                whole.then_some((path_secret, port)).ok_or(Damage::Secret)
            });
        match parsed {
            Ok((path_secret, port)) => Ok(Self {
                path,
                path_secret: path_secret.into(),
                port,
            }),
            Err(reason) => Err(PrivateError::Damaged { path, reason }),
        }
    }

    /// 43 characters that need no escaping in a URL.
    pub fn path_secret(&self) -> &SecretString {
        &self.path_secret
    }

    /// The port last served on.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    pub fn remember_port(&mut self, port: u16) -> Result<(), PrivateError> {
        if self.port.replace(port) != Some(port) {
            self.save()?;
        }
        Ok(())
    }

    /// Makes a new secret: whoever knew the old one is locked out, Codex included until it is connected again.
    pub fn renew(&mut self) -> Result<(), PrivateError> {
        let old = std::mem::replace(&mut self.path_secret, new_secret()?);
        // What isn't kept doesn't hold.
        self.save().inspect_err(|_| self.path_secret = old)
    }

    fn save(&self) -> Result<(), PrivateError> {
        let stored = Stored {
            path_secret: self.path_secret.expose_secret(),
            port: self.port,
        };
        let text = serde_json::to_vec_pretty(&stored).map_err(|error| self.failed(error.into()))?;
        files::replace(&self.path, &text).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> PrivateError {
        PrivateError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

fn new_secret() -> Result<SecretString, PrivateError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(PrivateError::Randomness)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_and_port_survive_and_renewing_changes_the_secret_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Private::open(dir.path()).unwrap();
        first.remember_port(27_460).unwrap();
        let again = Private::open(dir.path()).unwrap();
        assert_eq!(
            again.path_secret().expose_secret(),
            first.path_secret().expose_secret()
        );
        assert_eq!(again.path_secret().expose_secret().len(), 43);
        first.renew().unwrap();
        let renewed = Private::open(dir.path()).unwrap();
        assert_ne!(
            renewed.path_secret().expose_secret(),
            again.path_secret().expose_secret()
        );
        assert_eq!(renewed.port(), Some(27_460));
        assert!(!format!("{renewed:?}").contains(renewed.path_secret().expose_secret()));
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for text in [
            "",
            "{",
            r#"{"path_secret":"short","port":null}"#,
            r#"{"path_secret":7}"#,
        ] {
            fs::write(&path, text).unwrap();
            let error = Private::open(dir.path()).unwrap_err();
            assert!(matches!(error, PrivateError::Damaged { .. }), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn others_can_not_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        Private::open(dir.path()).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        Private::open(dir.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
