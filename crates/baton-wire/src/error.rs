//! Judging's eyes: every status, error body, event and frame becomes one [`Outcome`] here (PROTOCOL §4), and nowhere else.
//!
//! A code that is known decides whatever the status is: exhaustion comes as 429, inside a 200 stream, and as frames.
//! Texts are looked at last, and only for what has no code: unavailable models, refused ciphertext, "try again in 3s".

use std::time::Duration;

use baton_core::{LimitKind, Outcome, Refusal, Timestamp, Trouble};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::headers;
use crate::lenient::{self, MAX_WAIT};

/// Headers taken from one error frame, at most.
const MAX_FRAME_HEADERS: usize = 128;

/// Of a longer message only so many bytes are looked at.
const MAX_MESSAGE: usize = 4096;

/// The status of a refusal that came inside a stream without one.
const IN_STREAM_REFUSAL: u16 = 400;
const IN_STREAM_FAILURE: u16 = 500;

/// What an HTTP answer other than 2xx means. Bodies may be of any shape, HTML included, or empty.
pub fn http(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Outcome {
    let body = lenient::parse(body);
    let said = body.as_ref().map(Said::read).unwrap_or_default();
    said.outcome(Some(status), headers, now)
}

/// What an SSE event's data or a WebSocket frame means if it reports a failure: `error`, `response.failed`,
/// `response.incomplete`. Other events are `None`.
pub fn event(json: &[u8], now: Timestamp) -> Option<Outcome> {
    let event = lenient::parse(json)?;
    let kind = event.get("type").and_then(Value::as_str)?;
    of_kind(kind, &event, now)
}

/// A WebSocket error frame: `{"type":"error","status":…,"error":{…},"headers":{…}}`. Other frames are `None`.
pub fn frame(json: &[u8], now: Timestamp) -> Option<Outcome> {
    let event = lenient::parse(json)?;
    (event.get("type").and_then(Value::as_str) == Some("error")).then(|| of_frame(&event, now))
}

/// The same for a failure whose JSON can't be read or is larger than 1 MiB: judged by the event's type alone.
pub(crate) fn unread(kind: &str) -> Outcome {
    if kind == "response.incomplete" {
        Outcome::ClientError {
            status: IN_STREAM_REFUSAL,
        }
    } else {
        Outcome::ServerTrouble(Trouble::Status(IN_STREAM_FAILURE))
    }
}

/// [`event`] of a parsed event whose type is known, perhaps from an `event:` line.
pub(crate) fn of_kind(kind: &str, event: &Value, now: Timestamp) -> Option<Outcome> {
    match kind {
        "error" => Some(of_frame(event, now)),
        "response.failed" => {
            let response = event.get("response").unwrap_or(event);
            Some(Said::read(response).outcome(None, &HeaderMap::new(), now))
        }
        "response.incomplete" => Some(Outcome::ClientError {
            status: IN_STREAM_REFUSAL,
        }),
        _ => None,
    }
}

fn of_frame(event: &Value, now: Timestamp) -> Outcome {
    let status = ["status", "status_code"]
        .into_iter()
        .find_map(|key| lenient::number(event.get(key)?))
        .filter(|status| (300.0..600.0).contains(status))
        .map(|status| status as u16);
    Said::read(event).outcome(status, &frame_headers(event), now)
}

fn frame_headers(event: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in event
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .take(MAX_FRAME_HEADERS)
    {
        let text = match value {
            Value::String(text) => HeaderValue::from_str(text).ok(),
            Value::Number(number) => HeaderValue::from_str(&number.to_string()).ok(),
            Value::Array(values) => values
                .first()
                .and_then(Value::as_str)
                .and_then(|text| HeaderValue::from_str(text).ok()),
            _ => None,
        };
        if let (Ok(name), Some(text)) = (HeaderName::from_bytes(name.as_bytes()), text) {
            headers.insert(name, text);
        }
    }
    headers
}

/// What an error body says of itself, in whichever shape.
#[derive(Debug, Default)]
struct Said<'v> {
    kind: Option<&'v str>,
    code: Option<&'v str>,
    message: &'v str,
    resets_at: Option<f64>,
    resets_in: Option<f64>,
}

// === impl Said ===

impl<'v> Said<'v> {
    /// `{"error":{…}}`, `{"error":"code"}`, `{"detail":{"code":…}}`, `{"detail":"…"}`, or the fields on top.
    fn read(body: &'v Value) -> Self {
        let inside = ["error", "detail"]
            .into_iter()
            .find_map(|key| body.get(key).filter(|value| !value.is_null()));
        match inside {
            Some(Value::String(text)) => {
                let described = body.get("error_description").or_else(|| body.get("message"));
                let message = described.and_then(Value::as_str).unwrap_or(text);
                Self {
                    code: Some(text),
                    message,
                    ..Self::default()
                }
            }
            Some(object @ Value::Object(_)) => Self::fields(object, object.get("type")),
            // On top, `type` is the event's own name.
            _ => Self::fields(body, body.get("type").filter(|kind| *kind != "error")),
        }
    }

    fn fields(object: &'v Value, kind: Option<&'v Value>) -> Self {
        let text = |key| object.get(key).and_then(Value::as_str);
        let number = |key| object.get(key).and_then(lenient::number);
        Self {
            kind: kind.and_then(Value::as_str),
            code: text("code"),
            message: text("message").unwrap_or_default(),
            resets_at: number("resets_at"),
            resets_in: number("resets_in_seconds"),
        }
    }

    fn outcome(&self, status: Option<u16>, headers: &HeaderMap, now: Timestamp) -> Outcome {
        let known = [self.kind, self.code].map(|code| self.by_code(code?, status, headers, now));
        // Proof of exhaustion counts wherever it stands.
        let limit = known
            .iter()
            .flatten()
            .find(|outcome| matches!(outcome, Outcome::UsageLimit { .. }));
        let by_code = limit.or_else(|| known.iter().flatten().next()).cloned();
        by_code
            .or_else(|| self.by_message(status))
            .unwrap_or_else(|| self.by_status(status, headers, now))
    }

    fn by_code(
        &self,
        code: &str,
        status: Option<u16>,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<Outcome> {
        let limit = |kind| {
            // The header is finer than the code: `usage_limit_reached` with `workspace_owner_credits_depleted`.
            let kind = match kind {
                LimitKind::UsageLimit => headers::reached_type(headers)
                    .filter(|reached| reached.starts_with("workspace_"))
                    .and_then(|reached| workspace_limit(reached, status))
                    .unwrap_or(kind),
                finer => finer,
            };
            let resets_at = lenient::reset(self.resets_at, self.resets_in, now).filter(|at| *at > now);
            Outcome::UsageLimit {
                family: headers::limited_family(headers),
                resets_at,
                kind,
            }
        };
        let refused = |refusal| Outcome::AccountRefused(refusal);
        Some(match code {
            "usage_limit_reached" | "usage_limit_exceeded" => limit(LimitKind::UsageLimit),
            "insufficient_quota" => limit(LimitKind::InsufficientQuota),
            "usage_not_included" => refused(Refusal::UsageNotIncluded),
            "rate_limit_exceeded" | "slow_down" | "too_many_requests" => self.throttled(headers, now),
            "server_is_overloaded" | "overloaded_error" => Outcome::ServerTrouble(Trouble::Overloaded),
            "token_expired" | "invalid_token" if status == Some(401) => {
                Outcome::Unauthorized { permanent: false }
            }
            "token_invalidated" | "token_revoked" | "account_deactivated" | "user_deactivated"
                if status == Some(401) =>
            {
                Outcome::Unauthorized { permanent: true }
            }
            "token_invalidated" | "token_revoked" => refused(Refusal::TokenInvalidated),
            "deactivated_workspace" | "workspace_deactivated" => refused(Refusal::DeactivatedWorkspace),
            "refresh_token_expired"
            | "refresh_token_reused"
            | "refresh_token_invalidated"
            | "invalid_grant" => refused(Refusal::GrantRefused),
            "account_deactivated"
            | "account_suspended"
            | "account_disabled"
            | "user_deactivated"
            | "user_suspended"
            | "organization_deactivated"
            | "billing_not_active" => refused(Refusal::AccountBlocked),
            "websocket_connection_limit_reached" | "previous_response_not_found" => Outcome::ReconnectAsked,
            "context_length_exceeded" => Outcome::ClientError {
                status: client_status(status),
            },
            "invalid_encrypted_content" => Outcome::CiphertextRefused,
            "model_not_found" | "model_not_available" | "model_not_supported" | "unsupported_model" => {
                Outcome::ModelUnavailable
            }
            workspace if workspace.starts_with("workspace_") => limit(workspace_limit(workspace, status)?),
            _ => return None,
        })
    }

    /// The few refusals that have no code of their own. Never for a 429 or a 5xx, whose texts may quote anything.
    fn by_message(&self, status: Option<u16>) -> Option<Outcome> {
        if status.is_some_and(|status| !(400..500).contains(&status) || status == 429) {
            return None;
        }
        let text = clip(self.message).to_ascii_lowercase();
        let says = |part: &str| text.contains(part);
        let cipher = says("could not be decrypted or parsed") || says("organization_id did not match");
        if cipher && status.is_none_or(|status| status == 400) {
            return Some(Outcome::CiphertextRefused);
        }
        let model = says("model")
            && (says("not supported when using codex with a chatgpt account")
                || says("not available on your plan")
                || says("not available for your plan")
                || says("does not have access to model")
                || says("do not have access to it"));
        model.then_some(Outcome::ModelUnavailable)
    }

    fn by_status(&self, status: Option<u16>, headers: &HeaderMap, now: Timestamp) -> Outcome {
        match status {
            Some(401) => Outcome::Unauthorized { permanent: false },
            Some(status @ (402 | 403)) => Outcome::EdgeRefused { status },
            Some(429) => self.throttled(headers, now),
            // Not an answer: to a request that asked for no upgrade, 101 promises nothing.
            Some(status) if status < 200 => Outcome::Broken,
            Some(status) if status >= 500 => Outcome::ServerTrouble(Trouble::Status(status)),
            Some(status) => Outcome::ClientError { status },
            None if self.is_refusal() => Outcome::ClientError {
                status: IN_STREAM_REFUSAL,
            },
            None => Outcome::ServerTrouble(Trouble::Status(IN_STREAM_FAILURE)),
        }
    }

    /// Whether an error without status blames the request (`invalid_request_error`, `invalid_prompt`, policies).
    fn is_refusal(&self) -> bool {
        [self.kind, self.code].into_iter().flatten().any(|code| {
            code.starts_with("invalid_") || code.contains("policy") || code.contains("content_filter")
        })
    }

    fn throttled(&self, headers: &HeaderMap, now: Timestamp) -> Outcome {
        Outcome::Throttled {
            retry_after: headers::retry_after(headers, now).or_else(|| try_again_in(self.message)),
        }
    }
}

fn client_status(status: Option<u16>) -> u16 {
    status
        .filter(|status| (400..500).contains(status))
        .unwrap_or(IN_STREAM_REFUSAL)
}

/// `workspace_{owner,member}_{credits_depleted,usage_limit_reached}`, and kin that comes as a 429.
fn workspace_limit(code: &str, status: Option<u16>) -> Option<LimitKind> {
    if code.contains("credits") {
        Some(LimitKind::WorkspaceCredits)
    } else if code.contains("limit") || status == Some(429) {
        Some(LimitKind::WorkspaceLimit)
    } else {
        None
    }
}

fn clip(message: &str) -> &str {
    let mut end = message.len().min(MAX_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// The wait in "Please try again in 3s" (also `1.5s`, `200ms`, `2 minutes`, `1m30s`), at most 24 h.
fn try_again_in(message: &str) -> Option<Duration> {
    let text = clip(message).to_ascii_lowercase();
    let at = text.find("try again in")? + "try again in".len();
    let mut rest = text[at..].trim_start();
    let mut total = None;
    loop {
        let digits = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let Ok(amount) = rest[..digits].trim_end_matches('.').parse::<f64>() else {
            break;
        };
        rest = rest[digits..].trim_start();
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let unit = match &rest[..letters] {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => break,
        };
        let wait = lenient::wait(amount * unit)?;
        total = Some(total.unwrap_or(Duration::ZERO).saturating_add(wait).min(MAX_WAIT));
        rest = rest[letters..].trim_start();
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_from_the_words() {
        let secs = |text| try_again_in(text).map(|wait| wait.as_secs_f64());
        assert_eq!(secs("Rate limit reached. Please try again in 3s."), Some(3.0));
        assert_eq!(secs("Please try again in 1.5s. Visit …"), Some(1.5));
        assert_eq!(secs("try again in 200ms"), Some(0.2));
        assert_eq!(secs("Try again in 1m30s"), Some(90.0));
        assert_eq!(secs("try again in 2 minutes"), Some(120.0));
        assert_eq!(secs("try again in 99999999 days"), Some(86_400.0));
        for none in [
            "try again in a while",
            "try again in 3 parsecs",
            "try again in",
            "try again later",
            "try again in …",
        ] {
            assert_eq!(secs(none), None, "{none}");
        }
    }
}
