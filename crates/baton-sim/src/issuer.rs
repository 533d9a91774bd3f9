//! The issuer of tokens: `POST /oauth/token`, for refresh tokens and the codes of [`crate::sign_in`].

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::failure::Failure;
use crate::fault::{At, Facts};
use crate::http::{Body, Connection, Dropped, Guard, HeadFault, head_fault, json_answer, refused};
use crate::log::{Outcome, ViolationKind};
use crate::sign_in::CodeError;
use crate::token::Tokens;

/// Exchanges a refresh token or a sign-in's code, once.
pub(crate) async fn token(
    guard: Guard,
    connection: &Connection,
    mut facts: Facts,
    request: Request<Incoming>,
) -> Result<Response<Body>, Dropped> {
    let (backend, entry) = (&guard.backend, guard.entry);
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let is_form = head
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    let form = if is_form {
        url::form_urlencoded::parse(&body)
            .map(|(name, value)| (name.into_owned(), json!(value)))
            .collect()
    } else {
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    };
    let refresh_token = form["refresh_token"].as_str().unwrap_or_default();
    let account = backend.state().grants.account_of_refresh(refresh_token);
    facts.account = account.map(|account| backend.name_of(account));
    backend.log.edit(entry, |entry| {
        entry.account.clone_from(&facts.account);
        entry.bytes_received = body.len();
        if backend.scenario.keep_bodies {
            entry.body = body.clone();
        }
    });
    if let Some(fault) = backend.fault_at(entry, &facts, |at| at == At::Route(facts.kind))
        && let HeadFault::Answer(answer) = head_fault(backend, entry, connection, &fault).await?
    {
        return Ok(answer);
    }
    let exchanged = match form["grant_type"].as_str() {
        Some("refresh_token") => exchange(backend, refresh_token),
        Some("authorization_code") if is_form => redeem(backend, entry, &form),
        _ => Err("unsupported_grant_type"),
    };
    match exchanged {
        Ok(tokens) => {
            if let Some(fault) = backend.fault_at(entry, &facts, |at| at == At::AfterRoute(facts.kind))
                && let HeadFault::Answer(answer) = head_fault(backend, entry, connection, &fault).await?
            {
                return Ok(answer);
            }
            backend.end(entry, Outcome::Completed);
            let body = json!({
                "id_token": tokens.id,
                "access_token": tokens.access,
                "refresh_token": tokens.refresh,
                "token_type": "Bearer",
                "expires_in": 864_000,
            });
            Ok(json_answer(200, body.to_string()))
        }
        Err(code) => {
            if code == "refresh_token_reused" {
                backend
                    .log
                    .violate(entry, facts.account.clone(), ViolationKind::RefreshTokenReused);
            }
            Ok(refused(backend, entry, &refresh_failure(code)))
        }
    }
}

/// A new sign-in for a code.
fn redeem(backend: &Backend, entry: u64, form: &Value) -> Result<Tokens, &'static str> {
    let now = backend.clock.now_unix_millis();
    let mut state = backend.state();
    let state = &mut *state;
    let account = state.sign_ins.redeem(form, now).map_err(|error| {
        if error == CodeError::Used {
            backend.log.violate(entry, None, ViolationKind::CodeReused);
        }
        "invalid_grant"
    })?;
    let script = &state.accounts[account].script;
    backend
        .log
        .edit(entry, |entry| entry.account = Some(script.name.clone()));
    Ok(state.grants.sign_in(account, script, &backend.ids, now))
}

fn exchange(backend: &Backend, refresh_token: &str) -> Result<Tokens, &'static str> {
    let now = backend.clock.now_unix_millis();
    let mut state = backend.state();
    let state = &mut *state;
    let script = |account: usize| state.accounts[account].script.clone();
    state.grants.refresh(refresh_token, script, &backend.ids, now)
}

/// `invalid_grant` in OAuth's own form, the others as the service writes them.
fn refresh_failure(code: &'static str) -> Failure {
    if code == "invalid_grant" {
        let body = r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#;
        return Failure::new(400, "invalid_grant", code, "Unknown or invalid refresh token.")
            .body("application/json", body);
    }
    if code == "unsupported_grant_type" {
        return Failure::new(400, "invalid_request_error", code, "Unknown grant type");
    }
    let message = match code {
        "refresh_token_reused" => {
            "Your refresh token has already been used to generate a new access token. Please try signing in again."
        }
        "refresh_token_expired" => "Your refresh token has expired. Please try signing in again.",
        _ => "Your refresh token has been invalidated. Please try signing in again.",
    };
    Failure::new(401, "invalid_request_error", code, message)
}
