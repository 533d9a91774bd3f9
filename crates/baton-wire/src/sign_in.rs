//! Signing in: what is asked of the sign-in service, and what it answers (PROTOCOL §6).

use std::time::Duration;

use baton_core::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::{Url, form_urlencoded::Serializer};

use crate::{lenient, oauth::CLIENT_ID};

const SCOPE: &str = "openid profile email offline_access";

/// Between polls, where the service doesn't say; and what it may say.
const INTERVAL: Duration = Duration::from_secs(5);
const INTERVALS: std::ops::RangeInclusive<f64> = 1.0..=60.0;

/// A code for the person to enter on [`device_page`].
#[derive(Debug)]
pub struct DeviceCode {
    pub device_auth_id: SecretString,
    /// For the person.
    pub user_code: Box<str>,
    pub interval: Duration,
    pub expires_at: Option<Timestamp>,
}

/// What a device code becomes once the person has entered it.
#[derive(Debug)]
pub struct DeviceGrant {
    pub code: SecretString,
    pub verifier: SecretString,
}

/// The page that the browser opens.
pub fn authorize_url(issuer: &Url, redirect_uri: &str, challenge: &str, state: &SecretString) -> Url {
    let mut url = route(issuer, &["oauth", "authorize"]);
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", redirect_uri),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
        ("state", state.expose_secret()),
        ("scope", SCOPE),
        ("id_token_add_organizations", "true"),
        ("codex_cli_simplified_flow", "true"),
    ]);
    url
}

/// `POST` a form here for tokens.
pub fn token_url(issuer: &Url) -> Url {
    route(issuer, &["oauth", "token"])
}

/// The form that exchanges a code.
pub fn code_request(code: &SecretString, redirect_uri: &str, verifier: &SecretString) -> SecretString {
    let mut form = Serializer::new(String::new());
    form.extend_pairs([
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("code", code.expose_secret()),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier.expose_secret()),
    ]);
    form.finish().into()
}

/// `POST` [`device_code_request`] here.
pub fn device_code_url(issuer: &Url) -> Url {
    route(issuer, &["api", "accounts", "deviceauth", "usercode"])
}

/// `POST` [`device_poll`] here; 403 and 404 mean: not yet.
pub fn device_poll_url(issuer: &Url) -> Url {
    route(issuer, &["api", "accounts", "deviceauth", "token"])
}

/// Where the person enters the code.
pub fn device_page(issuer: &Url) -> Url {
    route(issuer, &["codex", "device"])
}

/// What the exchange of a device's code names as its redirect URI.
pub fn device_redirect_uri(issuer: &Url) -> Url {
    route(issuer, &["deviceauth", "callback"])
}

pub fn device_code_request() -> SecretString {
    json!({ "client_id": CLIENT_ID }).to_string().into()
}

/// Reads a 2xx answer. `None`: it holds no code.
pub fn device_code(body: &[u8]) -> Option<DeviceCode> {
    let body = lenient::parse(body)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let interval = body
        .get("interval")
        .and_then(lenient::number)
        .filter(|secs| INTERVALS.contains(secs));
    let expires_at = body.get("expires_at").and_then(|at| match at {
        Value::String(text) => lenient::rfc3339(text),
        at => at.as_i64().filter(|secs| *secs > 0).map(Timestamp::from_secs),
    });
    Some(DeviceCode {
        device_auth_id: secret(text("device_auth_id"))?,
        user_code: lenient::label(text("user_code").or_else(|| text("usercode"))?)?,
        interval: interval.map_or(INTERVAL, Duration::from_secs_f64),
        expires_at,
    })
}

pub fn device_poll(device: &DeviceCode) -> SecretString {
    let body = json!({
        "device_auth_id": device.device_auth_id.expose_secret(),
        "user_code": device.user_code,
    });
    body.to_string().into()
}

/// Reads a 2xx answer. `None`: it grants nothing.
pub fn device_grant(body: &[u8]) -> Option<DeviceGrant> {
    let body = lenient::parse(body)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    Some(DeviceGrant {
        code: secret(text("authorization_code"))?,
        verifier: secret(text("code_verifier"))?,
    })
}

fn secret(text: Option<&str>) -> Option<SecretString> {
    text.filter(|text| !text.is_empty()).map(Into::into)
}

fn route(issuer: &Url, path: &[&str]) -> Url {
    let mut url = issuer.clone();
    // Only a URL like `mailto:` has no segments; sign-in is at http or https.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}
