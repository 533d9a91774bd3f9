//! Tokens and what holds them.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use baton_core::Timestamp;
use baton_engine::{
    grants::import::SignIn,
    signin::{self, Callback, NoCallback, Secrets},
};
use baton_wire::{
    auth_json::{self as wire_auth, AuthFileError},
    jwt as wire_jwt, oauth as wire_oauth, sign_in as wire_sign_in,
};
use secrecy::ExposeSecret;

use url::{Url, form_urlencoded};

use crate::{http_text, json::unambiguous};

pub(crate) fn auth_json(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n').count();
    match wire_auth::parse(data) {
        Ok(file) => {
            assert!(!file.tokens.refresh_token.expose_secret().is_empty());
            let in_range = |at: Timestamp| (0..253_402_300_800_000).contains(&at.as_millis());
            // Offsets of a day and more are read, and may lead a little out of the years 1970 to 9999.
            let a_month = 31 * 86_400_000;
            assert!(file.last_refresh.is_none_or(
                |at| in_range(at) || (-a_month..253_402_300_800_000 + a_month).contains(&at.as_millis())
            ));
            if let Some(sign_in) = SignIn::new(file.tokens) {
                assert!(
                    !sign_in.tokens.identity.account.is_empty() && !sign_in.tokens.identity.user.is_empty()
                );
            }
        }
        Err(AuthFileError::Unreadable { line, column }) => {
            assert!(
                line <= lines && column <= data.len() + 1,
                "line {line}, column {column}"
            );
        }
        Err(AuthFileError::Empty) => assert!(!data.contains(&b'{')),
        Err(AuthFileError::TooLarge) => assert!(data.len() > wire_auth::MAX_FILE),
        Err(AuthFileError::ApiKeyLogin | AuthFileError::NoTokens | AuthFileError::NoRefreshToken) => {
            if let Some(tree) = unambiguous(data) {
                assert!(tree["tokens"]["refresh_token"].as_str().is_none_or(str::is_empty));
            }
        }
    }
}

pub(crate) fn jwt(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(claims) = wire_jwt::claims(text)
    {
        check_claims(&claims);
    }
    // The same bytes as what a token claims.
    let token = format!("e30.{}.signature", BASE64_URL_SAFE_NO_PAD.encode(data));
    let claims = wire_jwt::claims(&token);
    if let Some(claims) = &claims {
        check_claims(claims);
    }
    if let Some(tree) = unambiguous(data).filter(|tree| tree.is_object() && token.len() <= 64 * 1024) {
        let claims = claims.expect("an object is claims");
        let expires_at = tree["exp"]
            .as_i64()
            .filter(|exp| *exp > 0)
            .map(Timestamp::from_secs);
        assert_eq!(claims.expires_at, expires_at);
        let auth = &tree["https://api.openai.com/auth"];
        if let Some(account) = claims.account_id {
            assert_eq!(
                auth["chatgpt_account_id"].as_str().map(str::trim),
                Some(&*account)
            );
        }
    }
}

fn check_claims(claims: &wire_jwt::Claims) {
    assert!(claims.expires_at.is_none_or(|at| at.as_millis() > 0));
    for text in [&claims.email, &claims.account_id, &claims.user_id, &claims.plan]
        .into_iter()
        .flatten()
    {
        assert!(!text.is_empty() && text.len() <= 128 && !text.chars().any(char::is_control));
    }
}

/// A status, and an answer of the sign-in service.
pub(crate) fn oauth(data: &[u8]) {
    let (status, body) = http_text::first_line(data);
    let status = std::str::from_utf8(status)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let status = status.unwrap_or(400);
    if let wire_oauth::RefreshFailure::Permanent(code) = wire_oauth::refresh_failure(status, body) {
        assert!((400..500).contains(&status));
        assert!((1..=64).contains(&code.len()));
        assert!(
            code.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        );
        assert!(status == 401 || code.starts_with("refresh_token_") || &*code == "invalid_grant");
    }
    if let Some(device) = wire_sign_in::device_code(body) {
        assert!((1..=60).contains(&device.interval.as_secs()));
        assert!(!device.device_auth_id.expose_secret().is_empty());
        let code = &device.user_code;
        assert!(!code.is_empty() && code.len() <= 128 && !code.chars().any(char::is_control));
    }
    if let Some(grant) = wire_sign_in::device_grant(body) {
        assert!(!grant.code.expose_secret().is_empty() && !grant.verifier.expose_secret().is_empty());
    }
    let tree = unambiguous(body);
    match wire_oauth::new_tokens(body) {
        Ok(tokens) => {
            for secret in [
                Some(&tokens.access_token),
                tokens.id_token.as_ref(),
                tokens.refresh_token.as_ref(),
            ]
            .into_iter()
            .flatten()
            {
                assert!(!secret.expose_secret().is_empty());
            }
            if let Some(tree) = tree.filter(serde_json::Value::is_object) {
                assert_eq!(tree["access_token"], tokens.access_token.expose_secret());
            }
        }
        Err(wire_oauth::NoTokens) => {
            let whole = tree.is_some_and(|tree| {
                let fine = |key: &str| {
                    tree.get(key)
                        .is_none_or(|token| token.is_null() || token.is_string())
                };
                let access = tree["access_token"]
                    .as_str()
                    .is_some_and(|token| !token.is_empty());
                access && fine("id_token") && fine("refresh_token")
            });
            assert!(!whole, "tokens that aren't read");
        }
    }
}

/// What the browser comes back with, as a query and as an address that was pasted. It ends a sign-in only with that one's
/// state, once, and with either a code or a reason; nothing is shown of it that could be markup.
pub(crate) fn callback(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let secrets = Secrets {
        verifier: "verifier".into(),
        state: "mine".into(),
    };
    let asked = signin::read(text, &secrets);
    let named = |wanted: &str| -> Vec<String> {
        form_urlencoded::parse(text.as_bytes())
            .filter(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
            .collect()
    };
    let (states, codes, errors) = (named("state"), named("code"), named("error"));
    let of_this = states == ["mine"];
    match &asked {
        Ok(Callback::Code(code)) => {
            assert!(of_this && !code.expose_secret().is_empty());
            assert_eq!(codes, [code.expose_secret()]);
            assert!(errors.iter().all(String::is_empty));
        }
        Ok(Callback::Refused(reason)) => {
            assert!(of_this && errors.len() == 1 && codes.iter().all(String::is_empty));
            assert!((1..=64).contains(&reason.len()));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            assert!(reason.bytes().all(plain), "{reason}");
        }
        Err(NoCallback::OtherSignIn) => assert!(states.len() == 1 && !of_this),
        Err(NoCallback::Unreadable) => {
            let one = |values: &[String]| values.len() == 1 && !values[0].is_empty();
            let whole = of_this && ((one(&codes) && errors.is_empty()) || (one(&errors) && codes.is_empty()));
            assert!(!whole || text.len() > 16 * 1024, "{text}");
        }
        Err(NoCallback::Twice) => panic!("a parser remembers nothing"),
    }

    match signin::pasted(text, &secrets) {
        Ok(_) | Err(NoCallback::OtherSignIn) => {
            let url = Url::parse(text.trim()).expect("an address");
            assert_eq!(url.path(), "/auth/callback");
        }
        Err(NoCallback::Unreadable) => {}
        Err(NoCallback::Twice) => panic!("a parser remembers nothing"),
    }
    // An address is read as its query is, but for what can't be in one: a URL loses its control characters.
    if text.trim() == text && !text.contains('#') && !text.contains(char::is_control) {
        let address = format!("http://localhost:1455/auth/callback?{text}");
        assert_eq!(told(signin::pasted(&address, &secrets)), told(asked));
    }
}

fn told(came: Result<Callback, NoCallback>) -> Result<(bool, String), NoCallback> {
    came.map(|callback| match callback {
        Callback::Code(code) => (true, code.expose_secret().to_owned()),
        Callback::Refused(reason) => (false, reason.into()),
    })
}
