//! What one server event means for the proxy: may it be held back, is it output, did it fail.

use baton_core::{Outcome, Reading, Timestamp};
use serde_json::Value;

use crate::{error, lenient, quota};

/// Turn states longer than this are ignored (bytes).
const MAX_TURN_STATE: usize = 64 * 1024;

/// Response ids longer than this are ignored (bytes).
const MAX_RESPONSE_ID: usize = 256;

/// An event's meaning. Whatever isn't known is output: what has reached the client can't be taken back.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Carries no output; held until the first output.
    Held(HeldKind),
    /// Carries output. In a stream it is said as soon as the type is known.
    Output,
    /// `error`, `response.failed`, `response.incomplete`.
    Failed(Outcome),
    /// `response.completed`: the answer is whole.
    Completed {
        usage: Option<TokenUsage>,
        response_id: Option<Box<str>>,
    },
    /// A finished compaction item, which only this account can read later. Output too.
    Compaction,
    /// `codex.rate_limits`: held like [`HeldKind::RateLimits`].
    RateLimits(Reading),
    /// `response.metadata` with a turn state, which belongs to this account. Held like [`HeldKind::Metadata`].
    TurnState(Box<str>),
}

/// The events that carry no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldKind {
    Created,
    Queued,
    InProgress,
    Metadata,
    RateLimits,
    /// A comment, or an event without data.
    Comment,
    /// `[DONE]`
    Done,
}

/// Tokens as the upstream counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    pub input: u64,
    /// Of the input, read from the prompt cache.
    pub cached: u64,
    pub output: u64,
    /// Of the output, reasoning.
    pub reasoning: u64,
    pub total: u64,
}

/// What an event's type alone says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Held(HeldKind),
    Metadata,
    RateLimits,
    Completed,
    Failed(&'static str),
    /// Output, perhaps a compaction: `item.type` tells.
    ItemDone,
    Output,
}

// === impl What ===

impl What {
    /// Whether the client may no longer be moved to another account once this was delivered.
    pub fn is_output(&self) -> bool {
        matches!(self, Self::Output | Self::Completed { .. } | Self::Compaction)
    }
}

// === impl Class ===

impl Class {
    pub(crate) fn of(kind: &str) -> Self {
        match kind {
            "response.created" => Self::Held(HeldKind::Created),
            "response.queued" => Self::Held(HeldKind::Queued),
            "response.in_progress" => Self::Held(HeldKind::InProgress),
            "response.metadata" => Self::Metadata,
            "codex.rate_limits" => Self::RateLimits,
            "response.completed" | "response.done" => Self::Completed,
            "response.failed" => Self::Failed("response.failed"),
            "response.incomplete" => Self::Failed("response.incomplete"),
            "error" => Self::Failed("error"),
            "response.output_item.done" => Self::ItemDone,
            _ => Self::Output,
        }
    }

    /// Whether the event's data must be read to its end.
    pub(crate) fn needs_data(self) -> bool {
        matches!(
            self,
            Self::Metadata | Self::RateLimits | Self::Completed | Self::Failed(_)
        )
    }

    /// The meaning, with the event's JSON; `None` where that was too large to keep.
    pub(crate) fn read(self, json: Option<&[u8]>, now: Timestamp) -> What {
        let event = json.filter(|_| self.needs_data()).and_then(lenient::parse);
        match self {
            Self::Held(kind) => What::Held(kind),
            Self::Metadata => match event.as_ref().and_then(turn_state) {
                Some(state) => What::TurnState(state),
                None => What::Held(HeldKind::Metadata),
            },
            Self::RateLimits => match event {
                Some(event) => What::RateLimits(quota::frame(&event, now)),
                None => What::Held(HeldKind::RateLimits),
            },
            Self::Completed => {
                let response = event.as_ref().and_then(|event| event.get("response"));
                What::Completed {
                    usage: response.and_then(token_usage),
                    response_id: response
                        .and_then(|response| response.get("id")?.as_str())
                        .filter(|id| id.len() <= MAX_RESPONSE_ID)
                        .map(Into::into),
                }
            }
            Self::Failed(kind) => {
                let outcome = event.and_then(|event| error::of_kind(kind, &event, now));
                What::Failed(outcome.unwrap_or_else(|| error::unread(kind)))
            }
            Self::ItemDone | Self::Output => What::Output,
        }
    }
}

pub(crate) fn is_compaction(item_type: &str) -> bool {
    matches!(item_type, "compaction" | "compaction_summary")
}

fn turn_state(event: &Value) -> Option<Box<str>> {
    let headers = event.get("headers")?.as_object()?;
    let (_, state) = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("x-codex-turn-state"))?;
    let state = match state {
        Value::Array(values) => values.first()?.as_str()?,
        other => other.as_str()?,
    };
    (!state.is_empty() && state.len() <= MAX_TURN_STATE).then(|| state.into())
}

fn token_usage(response: &Value) -> Option<TokenUsage> {
    let usage = response.get("usage")?.as_object()?;
    let count = |key| usage.get(key).and_then(Value::as_u64);
    let detail = |key, inner| {
        usage
            .get(key)
            .and_then(|details| details.get(inner)?.as_u64())
            .unwrap_or(0)
    };
    let (input, output) = (count("input_tokens")?, count("output_tokens")?);
    Some(TokenUsage {
        input,
        cached: detail("input_tokens_details", "cached_tokens"),
        output,
        reasoning: detail("output_tokens_details", "reasoning_tokens"),
        total: count("total_tokens").unwrap_or_else(|| input.saturating_add(output)),
    })
}
