//! The claims of a token, read without verifying: for display, and to know when it expires (PROTOCOL §6).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use baton_core::Timestamp;
use serde_json::Value;

use crate::lenient;

/// Longer tokens are not read (bytes).
const MAX_TOKEN: usize = 64 * 1024;

/// What a token claims. Nothing here may grant anything.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Claims {
    pub issued_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub email: Option<Box<str>>,
    pub account_id: Option<Box<str>>,
    pub user_id: Option<Box<str>>,
    pub plan: Option<Box<str>>,
}

/// Without the e-mail: it stays out of logs.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("email", &self.email.as_ref().map(|_| "…"))
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl Claims {
    /// When a token that was issued just `now` expires, by a clock that may be hours ahead of the issuer's: by that
    /// clock alone, every new token would have expired already, and be refreshed at every request. `None`: a 401 tells.
    pub fn expires_by(&self, now: Timestamp) -> Option<Timestamp> {
        let expires_at = self.expires_at?;
        match self.issued_at.filter(|issued_at| *issued_at < expires_at) {
            Some(issued_at) => Some(now + expires_at.since(issued_at)),
            None => Some(expires_at).filter(|expires_at| *expires_at > now),
        }
    }
}

/// The claims of a JWT; `None` if it isn't one. Claims that are missing or of another type are none.
pub fn claims(token: &str) -> Option<Claims> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let mut parts = token.trim().split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let payload = lenient::parse(&payload).filter(Value::is_object)?;
    let label = |value: Option<&Value>| value.and_then(Value::as_str).and_then(lenient::label);
    let auth = payload.get("https://api.openai.com/auth");
    let of_auth = |key| label(auth.and_then(|auth| auth.get(key)));
    let profile = payload.get("https://api.openai.com/profile");
    let time = |key| {
        let secs = payload.get(key).and_then(Value::as_i64);
        secs.filter(|secs| *secs > 0).map(Timestamp::from_secs)
    };
    Some(Claims {
        issued_at: time("iat"),
        expires_at: time("exp"),
        email: label(payload.get("email"))
            .or_else(|| label(profile.and_then(|profile| profile.get("email")))),
        account_id: of_auth("chatgpt_account_id"),
        user_id: of_auth("chatgpt_user_id").or_else(|| of_auth("user_id")),
        plan: of_auth("chatgpt_plan_type"),
    })
}
