//! Token refresh: what is asked and what comes back (PROTOCOL §6).

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::lenient;

/// The public client id of the Codex CLI.
pub const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";

/// A larger answer is none (bytes).
const MAX_ANSWER: usize = 1024 * 1024;

/// Longer codes are cut off as unknown (bytes).
const MAX_CODE: usize = 64;

/// What a refresh or a code exchange gave. Without a new refresh token the old one stays valid.
#[derive(Debug, Deserialize)]
pub struct NewTokens {
    pub id_token: Option<SecretString>,
    pub access_token: SecretString,
    pub refresh_token: Option<SecretString>,
}

/// A 2xx answer that holds no access token. Whether the grant was used up is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTokens;

impl fmt::Display for NoTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sign-in service answered without tokens")
    }
}

impl std::error::Error for NoTokens {}

/// Whether a refused refresh is worth another try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshFailure {
    /// The person must sign in again. The code is safe to show.
    Permanent(Box<str>),
    Transient,
}

/// JSON body of `POST /oauth/token`.
pub fn refresh_request(client_id: &str, refresh_token: &SecretString) -> SecretString {
    let body = json!({
        "client_id": client_id,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token.expose_secret(),
    });
    body.to_string().into()
}

/// Reads a 2xx answer. Empty tokens are none.
pub fn new_tokens(body: &[u8]) -> Result<NewTokens, NoTokens> {
    if body.len() > MAX_ANSWER {
        return Err(NoTokens);
    }
    let mut tokens: NewTokens = serde_json::from_slice(body).map_err(|_| NoTokens)?;
    let present = |secret: &SecretString| !secret.expose_secret().is_empty();
    if !present(&tokens.access_token) {
        return Err(NoTokens);
    }
    tokens.id_token = tokens.id_token.filter(present);
    tokens.refresh_token = tokens.refresh_token.filter(present);
    Ok(tokens)
}

/// What an answer other than 2xx means: 401, `invalid_grant` and `refresh_token_*` are permanent, all else is worth
/// another try.
pub fn refresh_failure(status: u16, body: &[u8]) -> RefreshFailure {
    let body = lenient::parse(body);
    let code = body.as_ref().and_then(code);
    match code {
        Some(code) if is_permanent(code) && (400..500).contains(&status) => {
            RefreshFailure::Permanent(code.into())
        }
        code if status == 401 => RefreshFailure::Permanent(code.unwrap_or("unauthorized").into()),
        _ => RefreshFailure::Transient,
    }
}

fn is_permanent(code: &str) -> bool {
    matches!(
        code,
        "invalid_grant" | "refresh_token_expired" | "refresh_token_reused" | "refresh_token_invalidated"
    )
}

/// Why an answer other than 2xx refuses, as a code that is safe to show.
pub fn refusal_code(body: &[u8]) -> Option<Box<str>> {
    lenient::parse(body).as_ref().and_then(code).map(Into::into)
}

/// `{"error":"code"}`, `{"error":{"code":…}}`, `{"detail":{"code":…}}` or `{"code":…}`.
fn code(body: &Value) -> Option<&str> {
    let error = body.get("error").or_else(|| body.get("detail"));
    let code = match error {
        Some(Value::String(code)) => Some(code.as_str()),
        Some(error) => error
            .get("code")
            .and_then(Value::as_str)
            .or_else(|| error.get("type")?.as_str()),
        None => body.get("code").and_then(Value::as_str),
    };
    code.filter(|code| {
        !code.is_empty()
            && code.len() <= MAX_CODE
            && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}
