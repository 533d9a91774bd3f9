//! What Baton itself says to the client, in the shapes that Codex understands (PROTOCOL §4).

use baton_core::Timestamp;
use serde_json::{Value, json};

/// Body of an HTTP 429: the whole pool is exhausted. The CLI shows it as its usage limit, with the reset if there is one.
pub fn usage_limit_reached(resets_at: Option<Timestamp>, plan: Option<&str>, message: &str) -> Vec<u8> {
    json!({ "error": usage_limit(resets_at, plan, message) })
        .to_string()
        .into_bytes()
}

/// The same as a WebSocket frame: fatal at once, as on HTTP.
pub fn limit_frame(resets_at: Option<Timestamp>, plan: Option<&str>, message: &str) -> String {
    json!({"type": "error", "status": 429, "error": usage_limit(resets_at, plan, message)}).to_string()
}

/// The silent hand-over: the CLI reconnects within about 200 ms and sends its full input.
pub const fn reconnect_frame() -> &'static str {
    r#"{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"websocket_connection_limit_reached","message":"Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue."}}"#
}

/// Keeps a WebSocket client waiting: it reconnects after just that many seconds, with its full input.
pub fn wait_frame(retry_after_secs: u64, message: &str) -> String {
    json!({
        "type": "error",
        "status": 503,
        "error": {"type": "server_error", "code": "service_unavailable", "message": message},
        "headers": {"retry-after": retry_after_secs.to_string()},
    })
    .to_string()
}

/// Body of an HTTP 503, to be sent with `retry-after`: the CLI waits and asks again, silently.
pub fn service_unavailable(message: &str) -> Vec<u8> {
    json!({"error": {"type": "server_error", "code": "service_unavailable", "message": message}})
        .to_string()
        .into_bytes()
}

/// Body of an HTTP 400 (the only status that the CLI neither retries nor takes for its own login's trouble): the pinned
/// account can't serve, or automatic failover has stopped and a person is asked.
pub fn account_error(message: &str) -> Vec<u8> {
    json!({ "error": refusal(message) }).to_string().into_bytes()
}

/// The same as a WebSocket frame.
pub fn account_error_frame(message: &str) -> String {
    json!({"type": "error", "status": 400, "error": refusal(message)}).to_string()
}

/// Body of an HTTP 401, for a CLI that is to renew its own sign-in: it reads its auth.json again, then refreshes.
pub fn token_expired() -> Vec<u8> {
    json!({"error": {
        "type": "invalid_request_error",
        "code": "token_expired",
        "message": "Baton: this sign-in was refused by the service; whoever owns it renews it.",
    }})
    .to_string()
    .into_bytes()
}

fn usage_limit(resets_at: Option<Timestamp>, plan: Option<&str>, message: &str) -> Value {
    let mut error = json!({"type": "usage_limit_reached", "message": message});
    if let Some(plan) = plan {
        error["plan_type"] = plan.into();
    }
    if let Some(at) = resets_at {
        error["resets_at"] = at.as_secs_ceil().into();
    }
    error
}

fn refusal(message: &str) -> Value {
    json!({"type": "invalid_request_error", "code": "baton_account_unavailable", "message": message})
}
