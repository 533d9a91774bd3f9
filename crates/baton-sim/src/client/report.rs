//! What a turn came to, and how each answer of the other side is taken: the table of what the CLI does.

use std::time::Duration;

use serde_json::Value;

/// The login that a client presents.
#[derive(Clone)]
pub struct Login {
    pub(super) access_token: String,
    pub(super) account_id: String,
}

impl Login {
    /// From its parts.
    #[must_use]
    pub fn new(access_token: impl Into<String>, account_id: impl Into<String>) -> Self {
        Self {
            access_token: access_token.into(),
            account_id: account_id.into(),
        }
    }

    /// From the text of an `auth.json`; `None` if it is none.
    #[must_use]
    pub fn from_auth_json(text: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(text).ok()?;
        let token = |name: &str| json["tokens"][name].as_str().map(str::to_owned);
        Some(Self {
            access_token: token("access_token")?,
            account_id: token("account_id")?,
        })
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("account_id", &self.account_id)
            .finish_non_exhaustive()
    }
}

/// An output item that arrived in full.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Its id.
    pub id: String,
    /// Its type: `message`, `reasoning`, `function_call`, …
    pub kind: String,
    /// The item.
    pub json: Value,
}

impl Delivered {
    /// The text of a message.
    #[must_use]
    pub fn text(&self) -> &str {
        self.json["content"][0]["text"].as_str().unwrap_or_default()
    }
}

/// Why a turn failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct TurnError {
    /// The error's code, else its type, else `http_<status>`.
    pub code: String,
    /// Its message.
    pub message: String,
    /// When the limit resets, in Unix seconds, if it says so.
    pub resets_at: Option<i64>,
}

impl TurnError {
    pub(super) fn new(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            resets_at: None,
        }
    }

    fn from_json(error: &Value, status: Option<u16>) -> Self {
        let text = |name: &str| error[name].as_str().filter(|text| !text.is_empty());
        let code = text("code").or(text("type")).map(str::to_owned);
        let unnamed = || status.map_or_else(|| "error".to_owned(), |status| format!("http_{status}"));
        Self {
            code: code.unwrap_or_else(unnamed),
            message: text("message").unwrap_or_default().to_owned(),
            resets_at: error["resets_at"].as_i64(),
        }
    }
}

/// What a turn came to.
#[derive(Clone, Debug, Default)]
pub struct TurnReport {
    /// Its id.
    pub turn_id: String,
    /// Whether the last response completed. If not, the turn is lost.
    pub completed: bool,
    /// Every item delivered, in order.
    pub items: Vec<Delivered>,
    /// Ids of items that were delivered more than once.
    pub repeated: Vec<String>,
    /// Requests made, prewarms not counted.
    pub requests: u32,
    /// How often it connected or sent again.
    pub reconnects: u32,
    /// Why, each time.
    pub retried: Vec<String>,
    /// The waits that the other side asked for, in simulated time.
    pub waits: Vec<Duration>,
    /// Whether it gave the WebSocket up for HTTP.
    pub fell_back: bool,
    /// Why it failed.
    pub error: Option<TurnError>,
}

impl TurnReport {
    pub(super) fn new(turn_id: String) -> Self {
        Self {
            turn_id,
            ..Self::default()
        }
    }

    /// The texts of the messages, in order; a turn that went well has one.
    #[must_use]
    pub fn messages(&self) -> Vec<&str> {
        self.items
            .iter()
            .filter(|item| item.kind == "message")
            .map(Delivered::text)
            .collect()
    }

    /// The last message.
    #[must_use]
    pub fn answer(&self) -> &str {
        self.messages().last().copied().unwrap_or_default()
    }

    /// How many tool calls were made.
    #[must_use]
    pub fn tool_calls(&self) -> usize {
        self.items
            .iter()
            .filter(|item| item.kind == "function_call")
            .count()
    }

    pub(super) fn deliver(&mut self, item: &Value) {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let id = text("id");
        if self.items.iter().any(|known| known.id == id) {
            self.repeated.push(id.clone());
        }
        self.items.push(Delivered {
            id,
            kind: text("type"),
            json: item.clone(),
        });
    }
}

/// How one request ended.
#[derive(Debug)]
pub(super) enum Attempt {
    Completed,
    Retry(Retry),
    /// The WebSocket was refused for good.
    UseHttp,
    Fatal(TurnError),
}

#[derive(Debug)]
pub(super) struct Retry {
    pub(super) reason: String,
    pub(super) after: Option<Duration>,
    /// Whether it counts towards giving up.
    pub(super) counted: bool,
}

impl Attempt {
    pub(super) fn retry(reason: impl Into<String>) -> Self {
        Self::Retry(Retry {
            reason: reason.into(),
            after: None,
            counted: true,
        })
    }

    fn wait(reason: String, after: Duration, counted: bool) -> Self {
        Self::Retry(Retry {
            reason,
            after: Some(after),
            counted,
        })
    }

    /// A refusal by an HTTP head: of a request, or of an upgrade.
    pub(super) fn from_head(status: u16, retry_after: Option<u64>, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = TurnError::from_json(&json["error"], Some(status));
        let reason = format!("{status} {}", error.code);
        let after = retry_after.map(Duration::from_secs);
        match (status, after) {
            (429, _) if matches!(error.code.as_str(), "usage_limit_reached" | "usage_not_included") => {
                Self::Fatal(error)
            }
            (503, _) if error.code == "server_is_overloaded" => Self::Fatal(error),
            (429, Some(after)) => Self::wait(reason, after, true),
            (503, Some(after)) => Self::wait(reason, after, false),
            (402 | 403 | 500..=599, _) => Self::retry(reason),
            _ => Self::Fatal(error),
        }
    }

    /// A WebSocket error frame, or an `error` event of a stream.
    pub(super) fn from_error_frame(frame: &Value) -> Self {
        let error = TurnError::from_json(&frame["error"], None);
        let status = frame["status"].as_u64().unwrap_or(0);
        let after = frame["headers"]["retry-after"]
            .as_str()
            .and_then(|text| text.parse().ok());
        let after = after.map(Duration::from_secs);
        match (error.code.as_str(), status, after) {
            ("usage_limit_reached" | "usage_not_included", 429, _) => Self::Fatal(error),
            ("websocket_connection_limit_reached" | "previous_response_not_found", _, _) => {
                Self::retry(error.code)
            }
            (_, 429 | 503, Some(after)) => Self::wait(error.code, after, false),
            (_, 401 | 403 | 500..=599, _) => Self::retry(error.code),
            (_, 0, _) => Self::from_failed(&frame["error"]),
            _ => Self::Fatal(error),
        }
    }

    /// The error of a `response.failed`.
    pub(super) fn from_failed(error: &Value) -> Self {
        let error = TurnError::from_json(error, None);
        match error.code.as_str() {
            "server_is_overloaded"
            | "insufficient_quota"
            | "usage_not_included"
            | "context_length_exceeded" => Self::Fatal(error),
            "rate_limit_exceeded" => match seconds_in(&error.message) {
                Some(after) => Self::wait(error.code, after, true),
                None => Self::retry(error.code),
            },
            _ => Self::retry(error.code),
        }
    }
}

/// The `3s` of "Please try again in 3s."
fn seconds_in(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("try again in ")?;
    let number: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let unit = rest.get(number.len()..)?;
    let value: f64 = number.trim_end_matches('.').parse().ok()?;
    let seconds = if unit.starts_with("ms") {
        value / 1000.0
    } else {
        value
    };
    Duration::try_from_secs_f64(seconds).ok()
}
