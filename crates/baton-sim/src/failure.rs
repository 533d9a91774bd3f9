//! The backend's refusals: every error body of the protocol, written once, in each of its disguises.

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// A refusal: as an HTTP head, as a WebSocket error frame, or as an event inside a stream.
#[derive(Clone, Debug)]
pub struct Failure {
    pub(crate) status: u16,
    /// The `error` object.
    pub(crate) error: Value,
    /// A body that is not `{"error":…}`: `detail` objects, HTML pages of an edge.
    pub(crate) body: Option<(String, Bytes)>,
    pub(crate) headers: Vec<(String, String)>,
}

/// `name => (status, type, code, message)`, one line for each refusal.
macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident => ($status:expr, $kind:expr, $code:expr, $message:expr);)*) => {
        impl Failure {
            $($(#[$doc])* #[must_use] pub fn $name() -> Self { Self::new($status, $kind, $code, $message) })*
        }
    };
}

failures! {
    /// The included quota is used up. Add [`Failure::resets_at`].
    usage_limit_reached => (429, "usage_limit_reached", "", "The usage limit has been reached");
    /// The plan doesn't include Codex.
    usage_not_included => (429, "usage_not_included", "", "To use Codex with your ChatGPT plan, upgrade to Plus");
    /// A throttle. Add [`Failure::retry_after`], or the seconds in the message.
    rate_limit_exceeded => (429, "rate_limit_exceeded", "rate_limit_exceeded", "Rate limit reached for requests. Please try again in 3s.");
    /// A throttle of another name.
    slow_down => (503, "server_error", "slow_down", "Please slow down your requests.");
    /// Overload.
    server_is_overloaded => (503, "server_error", "server_is_overloaded", "Our servers are currently overloaded. Please try again later.");
    /// The account's money is gone.
    insufficient_quota => (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan and billing details.");
    /// A workspace ran out of credits.
    workspace_owner_credits_depleted => (429, "workspace_owner_credits_depleted", "workspace_owner_credits_depleted", "Your workspace is out of credits");
    /// A member's share of a workspace ran out.
    workspace_member_usage_limit_reached => (429, "workspace_member_usage_limit_reached", "workspace_member_usage_limit_reached", "You have reached your workspace usage limit");
    /// The workspace was closed.
    deactivated_workspace => (402, "invalid_request_error", "deactivated_workspace", "This workspace has been deactivated");
    /// The access token was taken back.
    token_invalidated => (401, "invalid_request_error", "token_invalidated", "Your authentication token has been invalidated. Please try signing in again.");
    /// The access token has expired.
    token_expired => (401, "invalid_request_error", "token_expired", "Provided authentication token is expired. Please try signing in again.");
    /// No access token that the backend knows.
    invalid_token => (401, "invalid_request_error", "invalid_token", "Could not parse your authentication token. Please try signing in again.");
    /// The token belongs to another account than the account header says.
    account_mismatch => (403, "invalid_request_error", "account_mismatch", "The account does not belong to this token");
    /// Ciphertext that another organisation made.
    invalid_encrypted_content => (400, "invalid_request_error", "invalid_encrypted_content", "The encrypted content could not be verified. Reason: Encrypted content organization_id did not match the target organization.");
    /// Too long a conversation.
    context_length_exceeded => (400, "invalid_request_error", "context_length_exceeded", "Your input exceeds the context window of this model. Please adjust your input and try again.");
    /// A payload that is the client's own fault.
    invalid_request => (400, "invalid_request_error", "invalid_value", "Invalid value: 'input'.");
    /// HTTP knows no previous response.
    previous_response_unsupported => (400, "invalid_request_error", "unsupported_parameter", "Unsupported parameter: previous_response_id");
    /// The previous response belongs to another connection.
    previous_response_not_found => (400, "invalid_request_error", "previous_response_not_found", "Previous response not found.");
    /// The WebSocket has lived for its 60 minutes.
    websocket_connection_limit_reached => (400, "invalid_request_error", "websocket_connection_limit_reached", "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue.");
    /// A bug on the other side.
    internal => (500, "server_error", "server_error", "The server had an error while processing your request. Sorry about that!");
    /// A gateway's trouble.
    bad_gateway => (502, "server_error", "bad_gateway", "Bad gateway");
    /// Out of service.
    unavailable => (503, "server_error", "service_unavailable", "Service temporarily unavailable");
    /// An id that was switched off by the organisation; not a known code.
    forbidden => (403, "invalid_request_error", "forbidden", "You do not have access to this resource");
}

impl Failure {
    /// Any refusal. An empty code is left out, as `usage_limit_reached` has only a type.
    #[must_use]
    pub fn new(status: u16, kind: &str, code: &str, message: &str) -> Self {
        let mut error = Map::new();
        error.insert("type".into(), json!(kind));
        if !code.is_empty() {
            error.insert("code".into(), json!(code));
        }
        error.insert("message".into(), json!(message));
        Self {
            status,
            error: Value::Object(error),
            body: None,
            headers: Vec::new(),
        }
    }

    /// `{"detail":…}` with a status.
    #[must_use]
    pub fn detail(status: u16, detail: &str) -> Self {
        let body = json!({"detail": detail}).to_string();
        Self::new(status, "invalid_request_error", "", detail).body("application/json", body)
    }

    /// An edge's HTML page, with no JSON code in it.
    #[must_use]
    pub fn html(status: u16) -> Self {
        Self::new(status, "edge", "", "Attention required").body(
            "text/html; charset=UTF-8",
            "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>",
        )
    }

    /// The model that the plan lacks.
    #[must_use]
    pub fn model_not_supported(model: &str) -> Self {
        Self::detail(
            400,
            &format!("The '{model}' model is not supported when using Codex with a ChatGPT account."),
        )
    }

    /// Replaces the body of the HTTP form.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Some((content_type.to_owned(), body.into()));
        self
    }

    /// Replaces the status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Replaces the message.
    #[must_use]
    pub fn message(self, message: &str) -> Self {
        self.field("message", json!(message))
    }

    /// Sets a field of the error object.
    #[must_use]
    pub fn field(mut self, name: &str, value: Value) -> Self {
        self.error[name] = value;
        self
    }

    /// `resets_at`, in Unix seconds.
    #[must_use]
    pub fn resets_at(self, unix_seconds: i64) -> Self {
        self.field("resets_at", json!(unix_seconds))
    }

    /// A header; on WebSocket it stands in the frame's `headers`.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// `retry-after`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", seconds.to_string())
    }

    /// The code by which the log names it: the error's code, else its type.
    pub(crate) fn code(&self) -> String {
        let text = |name: &str| self.error.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("code").is_empty() {
            text("type").to_owned()
        } else {
            text("code").to_owned()
        }
    }

    pub(crate) fn http_body(&self) -> (String, Bytes) {
        self.body.clone().unwrap_or_else(|| {
            (
                "application/json".to_owned(),
                format!(r#"{{"error":{}}}"#, self.error).into(),
            )
        })
    }

    pub(crate) fn frame(&self) -> String {
        let headers: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let headers = if headers.is_empty() {
            String::new()
        } else {
            format!(r#","headers":{}"#, Value::Object(headers))
        };
        format!(
            r#"{{"type":"error","status":{},"error":{}{headers}}}"#,
            self.status, self.error
        )
    }

    pub(crate) fn failed_event(&self, response: &str) -> String {
        let mut error = self.error.clone();
        error["code"] = json!(self.code());
        format!(
            r#"{{"type":"response.failed","response":{{"id":"{response}","object":"response","status":"failed","error":{error},"output":[]}}}}"#
        )
    }
}
