//! Codex's own auth.json (PROTOCOL §6). Tokens go straight into secrets, and neither they nor any part of the file are in
//! errors or `Debug` outputs.

use std::fmt;

use baton_core::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::lenient;

/// A larger file is no auth.json (bytes).
pub const MAX_FILE: usize = 1024 * 1024;

/// A ChatGPT login.
#[derive(Debug)]
pub struct AuthFile {
    pub auth_mode: Option<Box<str>>,
    pub tokens: Tokens,
    pub last_refresh: Option<Timestamp>,
}

#[derive(Debug)]
pub struct Tokens {
    pub id_token: Option<SecretString>,
    pub access_token: Option<SecretString>,
    pub refresh_token: SecretString,
    pub account_id: Option<Box<str>>,
}

/// Why a file can't be used, in words for the person who named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFileError {
    Empty,
    TooLarge,
    /// Not JSON, or a field of another type than Codex writes. Where: line and column, from 1.
    Unreadable {
        line: usize,
        column: usize,
    },
    /// An API key is no ChatGPT login.
    ApiKeyLogin,
    NoTokens,
    NoRefreshToken,
}

impl fmt::Display for AuthFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty: sign in with `codex login` first"),
            Self::TooLarge => f.write_str("the file is larger than 1 MiB: not an auth.json"),
            Self::Unreadable { line, column } => {
                write!(
                    f,
                    "not the JSON that Codex writes (line {line}, column {column}): sign in again with `codex login`"
                )
            }
            Self::ApiKeyLogin => f.write_str("an API key login: only ChatGPT logins have a plan's quota"),
            Self::NoTokens => f.write_str("no tokens in it: sign in with `codex login` first"),
            Self::NoRefreshToken => f.write_str("no refresh token in it: sign in again with `codex login`"),
        }
    }
}

impl std::error::Error for AuthFileError {}

#[derive(Deserialize)]
struct File {
    auth_mode: Option<Box<str>>,
    #[serde(rename = "OPENAI_API_KEY")]
    api_key: Option<SecretString>,
    tokens: Option<FileTokens>,
    last_refresh: Option<Box<str>>,
}

#[derive(Deserialize)]
struct FileTokens {
    id_token: Option<SecretString>,
    access_token: Option<SecretString>,
    refresh_token: Option<SecretString>,
    account_id: Option<Box<str>>,
}

/// Reads the file's bytes.
pub fn parse(file: &[u8]) -> Result<AuthFile, AuthFileError> {
    if file.len() > MAX_FILE {
        return Err(AuthFileError::TooLarge);
    }
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    if file.trim_ascii().is_empty() {
        return Err(AuthFileError::Empty);
    }
    // serde_json's message may quote the value that it trips over, which may be a token: only the place is kept.
    let file: File = serde_json::from_slice(file).map_err(|error| AuthFileError::Unreadable {
        line: error.line(),
        column: error.column(),
    })?;
    let present = |secret: &SecretString| !secret.expose_secret().is_empty();
    let has_key = file.api_key.as_ref().is_some_and(present)
        || file
            .auth_mode
            .as_deref()
            .is_some_and(|mode| mode.eq_ignore_ascii_case("apikey"));
    let Some(tokens) = file.tokens else {
        return Err(if has_key {
            AuthFileError::ApiKeyLogin
        } else {
            AuthFileError::NoTokens
        });
    };
    let (id_token, access_token) = (
        tokens.id_token.filter(present),
        tokens.access_token.filter(present),
    );
    let Some(refresh_token) = tokens.refresh_token.filter(present) else {
        let nothing = id_token.is_none() && access_token.is_none();
        return Err(match (nothing, has_key) {
            (true, true) => AuthFileError::ApiKeyLogin,
            (true, false) => AuthFileError::NoTokens,
            (false, _) => AuthFileError::NoRefreshToken,
        });
    };
    Ok(AuthFile {
        auth_mode: file.auth_mode,
        tokens: Tokens {
            id_token,
            access_token,
            refresh_token,
            account_id: tokens.account_id.filter(|id| !id.is_empty()),
        },
        last_refresh: file.last_refresh.as_deref().and_then(lenient::rfc3339),
    })
}
