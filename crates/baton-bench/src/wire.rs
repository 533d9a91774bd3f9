//! The bytes that go over the wire, as Codex and its service write them (docs/protocol.md), made once and sent often.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;

/// What the upstream shall do, below the base URL.
pub(crate) const RESPONSES: &str = "/backend-api/codex/responses";
/// Asks for a long stream of this many megabytes.
pub(crate) const LONG: &str = "long";
/// Asks for a stream that begins and then says nothing.
pub(crate) const HOLD: &str = "hold";
/// Names a request that meets a usage limit the first time it is seen.
pub(crate) const LIMIT: &str = "x-bench-limit";

pub(crate) const THREAD: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";
const MODEL: &str = "gpt-5.4-codex";

/// The headers of a request as the CLI writes them.
pub(crate) fn headers(turn: &str) -> Vec<(&'static str, String)> {
    let metadata = json!({
        "session_id": THREAD, "thread_id": THREAD, "turn_id": turn, "window_id": format!("{THREAD}:0"),
        "request_kind": "turn", "model": MODEL, "reasoning_effort": "low",
    });
    vec![
        ("authorization", format!("Bearer {}", token("cli", 0))),
        ("chatgpt-account-id", "account-cli".to_owned()),
        (
            "user-agent",
            "codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm".to_owned(),
        ),
        ("originator", "codex_exec".to_owned()),
        ("version", "0.169.0".to_owned()),
        ("session-id", THREAD.to_owned()),
        ("thread-id", THREAD.to_owned()),
        ("x-codex-window-id", format!("{THREAD}:0")),
        ("x-codex-turn-metadata", metadata.to_string()),
        ("x-codex-routing-hint", format!("model={MODEL}")),
    ]
}

/// A request's JSON of about `size` bytes; `marks` are added to it, or replace what is there.
pub(crate) fn body(size: usize, marks: &serde_json::Value) -> String {
    let mut body = json!({
        "type": "response.create",
        "model": MODEL,
        "stream": true,
        "input": [],
        "tool_choice": "auto",
        "parallel_tool_calls": false,
        "reasoning": {"effort": "low"},
        "store": false,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": THREAD,
        "client_metadata": {"thread_id": THREAD, "session_id": THREAD, "turn_id": "turn-1"},
    });
    if let Some(marks) = marks.as_object() {
        for (key, value) in marks {
            body[key] = value.clone();
        }
    }
    let mut seed = 1;
    let mut input = Vec::new();
    let mut len = body.to_string().len();
    while len < size {
        let item = json!({
            "type": "message", "role": "user",
            "content": [{"type": "input_text", "text": prose(&mut seed, 900.min(size - len))}],
        });
        len += item.to_string().len() + 1;
        input.push(item);
    }
    body["input"] = input.into();
    body.to_string()
}

pub(crate) fn zstd(body: &str) -> std::io::Result<Bytes> {
    Ok(zstd::encode_all(body.as_bytes(), 3)?.into())
}

/// Words with about the entropy of source code.
fn prose(seed: &mut u64, len: usize) -> String {
    const WORDS: [&str; 16] = [
        "fn ", "let ", "self.", "return ", "if ", "match ", "value", "index", "\n    ", " = ", "();", "path",
        "Some(", "\"text\"", "-> ", "x",
    ];
    let mut text = String::with_capacity(len + 8);
    while text.len() < len {
        // An LCG (Knuth's MMIX): the same text in every run.
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(*seed >> 60) as usize]);
        if *seed >> 57 & 1 == 1 {
            text.push_str(&format!("{:x}", *seed >> 48 & 0xfff));
        }
    }
    text
}

// === the service's side ===

pub(crate) fn created() -> String {
    json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}).to_string()
}

/// About 300 bytes, as one token's event is; its type comes first, as in the service's own events.
pub(crate) fn delta() -> String {
    r#"{"type":"response.output_text.delta","sequence_number":17,"item_id":"msg_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b","output_index":0,"content_index":0,"delta":" quota","logprobs":[],"obfuscation":"k3Jd82hGq0ZpTn5VwXy7LsMa"}"#.to_owned()
}

pub(crate) fn completed() -> String {
    json!({
        "type": "response.completed",
        "response": {
            "id": "resp_1", "status": "completed",
            "usage": {"input_tokens": 8000, "output_tokens": 40, "total_tokens": 8040},
        },
    })
    .to_string()
}

pub(crate) fn sse(event: &str, json: &str) -> Bytes {
    format!("event: {event}\ndata: {json}\n\n").into()
}

/// A small answer, one part an event.
pub(crate) fn small_answer() -> Vec<Bytes> {
    let delta = sse("response.output_text.delta", &delta());
    vec![
        sse("response.created", &created()),
        delta.clone(),
        delta.clone(),
        delta,
        sse("response.completed", &completed()),
    ]
}

/// The quota headers of every answer.
pub(crate) fn quota_headers(headers: &mut HeaderMap) {
    let now = unix_now();
    let values = [
        ("x-codex-plan-type", "plus".to_owned()),
        ("x-codex-primary-used-percent", "17.5".to_owned()),
        ("x-codex-primary-window-minutes", "300".to_owned()),
        ("x-codex-primary-reset-at", (now + 9_000).to_string()),
        ("x-codex-secondary-used-percent", "41".to_owned()),
        ("x-codex-secondary-window-minutes", "10080".to_owned()),
        ("x-codex-secondary-reset-at", (now + 300_000).to_string()),
    ];
    for (name, value) in values {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
}

/// The error object of a usage limit.
pub(crate) fn limit_reached() -> serde_json::Value {
    json!({
        "type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus",
        "resets_at": unix_now() + 9_000, "resets_in_seconds": 9_000,
    })
}

fn unix_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

// === sign-ins ===

fn token(user: &str, number: usize) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "exp": unix_now() + 86_400,
        "email": format!("{user}-{number}@example.invalid"),
        "https://api.openai.com/auth": {
            "chatgpt_account_id": format!("account-{number}"),
            "chatgpt_user_id": format!("user-{number}"),
            "chatgpt_plan_type": "plus",
        },
    });
    format!(
        "{}.{}.{}",
        part(json!({"alg": "RS256", "typ": "JWT"})),
        part(claims),
        // As long as a real signature.
        "s".repeat(342)
    )
}

/// An auth.json as `codex login` writes it.
pub(crate) fn auth_json(number: usize) -> String {
    json!({
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": token("id", number), "access_token": token("access", number),
            "refresh_token": format!("refresh-{number}"), "account_id": format!("account-{number}"),
        },
        "last_refresh": "2026-01-01T00:00:00Z",
    })
    .to_string()
}
