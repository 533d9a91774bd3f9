//! Judging: the one table from what the upstream did to what Baton does. No other place decides that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{LimitFamily, Timestamp};

/// What the upstream did to one attempt, as baton-wire read it.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Proof of exhaustion, in any disguise (HTTP 429, in a 200 stream, WebSocket frame or upgrade).
    UsageLimit {
        family: Option<LimitFamily>,
        resets_at: Option<Timestamp>,
        kind: LimitKind,
    },
    /// Any other 429, `rate_limit_exceeded`, `slow_down`.
    Throttled { retry_after: Option<Duration> },
    /// 5xx, overloaded, or no connection.
    ServerTrouble(Trouble),
    /// 401. `permanent`: a code says that no refresh will help (`token_invalidated`, …).
    Unauthorized { permanent: bool },
    /// 402 or 403 with a known code, or `usage_not_included`: the account needs a person.
    AccountRefused(Refusal),
    /// 402 or 403 without a known code: an edge's page. Nobody is blamed.
    EdgeRefused { status: u16 },
    /// 400: encrypted content of another account.
    CiphertextRefused,
    /// The account's plan lacks the model.
    ModelUnavailable,
    /// Any other refusal of the request itself, context length and incomplete answers included.
    ClientError { status: u16 },
    /// The connection or stream ended before the answer was complete.
    Broken,
    /// The upstream asks for a new WebSocket (`websocket_connection_limit_reached`) or lost a response id:
    /// the client heals both by itself.
    ReconnectAsked,
}

/// Which kind of exhaustion the upstream named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    UsageLimit,
    InsufficientQuota,
    WorkspaceCredits,
    WorkspaceLimit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    Status(u16),
    Overloaded,
    Connect,
    ConnectTimeout,
}

/// Why an account needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    DeactivatedWorkspace,
    UsageNotIncluded,
    TokenInvalidated,
    /// `refresh_token_{expired,reused,invalidated}`, `invalid_grant`: sign in again.
    GrantRefused,
    /// Killed while refreshing: the new token is lost.
    RefreshInterrupted,
    /// Bound to a backend that Baton doesn't route to.
    UnsupportedBackend,
    /// Any other known refusal of the account.
    AccountBlocked,
}
