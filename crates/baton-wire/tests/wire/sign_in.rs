//! Sign-in payloads: what they say, and that nothing secret shows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use baton_core::Timestamp;
use baton_wire::auth_json::{self, AuthFileError};
use baton_wire::jwt;
use baton_wire::oauth::{self, RefreshFailure};
use secrecy::{ExposeSecret, SecretString};

fn token(payload: &str) -> String {
    format!("eyJhbGciOiAibm9uZSJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

#[test]
fn claims_are_read_from_either_place() {
    let claims = jwt::claims(&token(
        r#"{"exp":1795332915,"https://api.openai.com/profile":{"email":"a@example.invalid"},"https://api.openai.com/auth":{"chatgpt_account_id":"acct-1","chatgpt_plan_type":"plus","chatgpt_user_id":"user-1"}}"#,
    ))
    .unwrap();
    assert_eq!(claims.expires_at, Some(Timestamp::from_secs(1_795_332_915)));
    assert_eq!(claims.email.as_deref(), Some("a@example.invalid"));
    assert_eq!(claims.account_id.as_deref(), Some("acct-1"));
    assert_eq!(
        (claims.plan.as_deref(), claims.user_id.as_deref()),
        (Some("plus"), Some("user-1"))
    );
    assert!(!format!("{claims:?}").contains("example"));
    let partial = jwt::claims(&token(
        r#"{"email":"b@example.invalid","exp":"soon","https://api.openai.com/auth":7}"#,
    ))
    .unwrap();
    assert_eq!(
        (partial.email.as_deref(), partial.expires_at, partial.account_id),
        (Some("b@example.invalid"), None, None)
    );
    for none in ["", "a.b", "a.b.c", "a.b.c.d", "..", &token("[]"), &token("")] {
        assert_eq!(jwt::claims(none), None, "{none}");
    }
}

/// PROTOCOL §6, with contents.
const AUTH: &str = r#"{"auth_mode":"chatgpt","OPENAI_API_KEY":null,"tokens":{"id_token":"id-secret","access_token":"access-secret","refresh_token":"refresh-secret","account_id":"acct-1"},"last_refresh":"2026-11-22T06:49:33.709276612Z"}"#;

#[test]
fn a_chatgpt_login_is_read_and_never_shown() {
    let file = auth_json::parse(AUTH.as_bytes()).unwrap();
    assert_eq!(file.tokens.refresh_token.expose_secret(), "refresh-secret");
    assert_eq!(file.tokens.account_id.as_deref(), Some("acct-1"));
    assert_eq!(file.last_refresh, Some(Timestamp::from_millis(1_795_330_173_709)));
    assert!(!format!("{file:?}").contains("secret\""));
    assert!(!format!("{file:?}").contains("-secret"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_without_quoting_it() {
    let error = |file: &str| auth_json::parse(file.as_bytes()).unwrap_err();
    assert_eq!(error(""), AuthFileError::Empty);
    assert_eq!(error(" \n"), AuthFileError::Empty);
    assert_eq!(
        error(r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1","tokens":null}"#),
        AuthFileError::ApiKeyLogin
    );
    assert_eq!(error("{}"), AuthFileError::NoTokens);
    assert_eq!(
        error(r#"{"tokens":{"id_token":"","access_token":"","refresh_token":"","account_id":""}}"#),
        AuthFileError::NoTokens
    );
    assert_eq!(
        error(&AUTH.replace("refresh-secret", "")),
        AuthFileError::NoRefreshToken
    );
    for broken in [
        "refresh-secret",
        "{\"tokens\":\"refresh-secret\"}",
        "{\"tokens\":{\"refresh_token\":[\"refresh-secret\"]}}",
    ] {
        let error = error(broken);
        assert!(
            matches!(error, AuthFileError::Unreadable { line: 1, .. }),
            "{error:?}"
        );
        assert!(!error.to_string().contains("refresh-secret"));
    }
    assert_eq!(
        error(&" ".repeat(auth_json::MAX_FILE + 1)),
        AuthFileError::TooLarge
    );
}

#[test]
fn a_refresh_asks_and_reads_as_the_cli_does() {
    let asked = oauth::refresh_request(oauth::CLIENT_ID, &SecretString::from("r\"1"));
    let asked: serde_json::Value = serde_json::from_str(asked.expose_secret()).unwrap();
    assert_eq!(
        asked,
        serde_json::json!({"client_id": "app_EMoamEEZ73f0CkXaXp7hrann", "grant_type": "refresh_token", "refresh_token": "r\"1"})
    );
    let new = oauth::new_tokens(br#"{"id_token":null,"access_token":"a-secret","expires_in":1}"#).unwrap();
    assert_eq!(new.access_token.expose_secret(), "a-secret");
    assert!(new.refresh_token.is_none() && !format!("{new:?}").contains("a-secret"));
    for none in ["", "{}", r#"{"access_token":""}"#, "<html>"] {
        assert!(oauth::new_tokens(none.as_bytes()).is_err(), "{none}");
    }
}

#[test]
fn only_a_refused_grant_is_permanent() {
    let permanent = |code: &str| RefreshFailure::Permanent(code.into());
    for (status, body, expected) in [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"m"}"#,
            permanent("invalid_grant"),
        ),
        (
            401,
            r#"{"error":{"code":"refresh_token_reused","message":"m"}}"#,
            permanent("refresh_token_reused"),
        ),
        (
            400,
            r#"{"error":{"code":"refresh_token_expired"}}"#,
            permanent("refresh_token_expired"),
        ),
        (401, "<html>", permanent("unauthorized")),
        (
            401,
            r#"{"error":"look, a token: eyJhbGciOi"}"#,
            permanent("unauthorized"),
        ),
        (400, r#"{"error":"invalid_request"}"#, RefreshFailure::Transient),
        (403, "<html>", RefreshFailure::Transient),
        (429, "", RefreshFailure::Transient),
        (500, r#"{"error":"invalid_grant"}"#, RefreshFailure::Transient),
    ] {
        assert_eq!(
            oauth::refresh_failure(status, body.as_bytes()),
            expected,
            "{status} {body}"
        );
    }
}
