//! Judging: the one table from what the upstream did to what Baton does. No other place decides that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Effect, LimitFamily, Timestamp,
    eligibility::{CoolingReason, ExhaustedReason},
};

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
    /// 401 of a linked account, whatever the code: whoever owns its auth.json may have renewed it since, or can.
    LinkRefused,
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

impl Outcome {
    /// The server's trouble, or the connection's: it may be over when it is asked again.
    pub fn is_trouble(&self) -> bool {
        matches!(self, Self::ServerTrouble(_) | Self::Broken)
    }
}

/// Which kind of exhaustion the upstream named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
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
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
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
    /// Linked: its auth.json is gone.
    LinkGone,
    /// Linked: its auth.json can't be read, or holds no sign-in.
    LinkUnreadable,
    /// Linked: its auth.json is another account's by now.
    LinkOfAnother,
    /// Linked: the token in its auth.json has expired or was refused, and only its owner can renew it.
    LinkStale,
}

impl Refusal {
    /// Said by the upstream, rather than found out by Baton: only that is a reason to stop trying others.
    pub(crate) fn by_upstream(self) -> bool {
        !matches!(self, Self::RefreshInterrupted | Self::UnsupportedBackend) && !self.of_link()
    }

    /// The state of a linked account's file, which heals by itself once the file is right again.
    pub fn of_link(self) -> bool {
        matches!(
            self,
            Self::LinkGone | Self::LinkUnreadable | Self::LinkOfAnother | Self::LinkStale
        )
    }
}

/// How far a request has come. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendState {
    /// Nothing has left Baton: trying elsewhere costs nothing.
    Unsent,
    /// The upstream may be working on it; no output has reached the client.
    Sent,
    /// Output has reached the client: only the client can ask again.
    Delivered,
}

/// What has happened to the request so far, as far as judging needs it.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    pub sent: SendState,
    /// The whole request is kept and can be sent again.
    pub replayable: bool,
    /// How often it has been tried again on this account.
    pub retries: u8,
    /// The account's access token was refreshed for this request already.
    pub refreshed: bool,
    /// Encrypted content was stripped already.
    pub stripped: bool,
    /// Another account gave the same verdict for this request.
    pub alike_elsewhere: bool,
    pub model: Option<&'a str>,
    /// On this account, for this request.
    pub first_failure: Timestamp,
}

/// What the request does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The answer goes to the client as it is.
    PassOn,
    /// The same account again, after this time (plus jitter).
    Retry { after: Duration },
    /// One refresh of the access token for all who wait (of a linked account: its file is read again), then the same
    /// account.
    Refresh,
    /// Without the encrypted content, on the same account.
    Strip,
    /// Choose again.
    FailOver,
    /// Baton can't replay it, but the client will: HTTP is cut (or told to come back at once), WebSocket gets the
    /// reconnect frame.
    Resend,
}

/// When the account is blamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    Now,
    /// The trouble may be everyone's: only if another account succeeds.
    IfAnotherSucceeds,
    /// The trouble may be the request's: unless another account says the same.
    UnlessAnotherAgrees,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub step: Step,
    pub effect: Option<(Blame, Effect)>,
}

/// Throttled without a Retry-After.
const THROTTLED_FOR: Duration = Duration::from_secs(30);
/// After server errors that another account didn't have.
const TROUBLED_FOR: Duration = Duration::from_secs(30);
const LONGEST_THROTTLE: Duration = Duration::from_secs(24 * 3600);
const SAME_ACCOUNT_RETRIES: u8 = 2;
const FIRST_BACKOFF: Duration = Duration::from_millis(250);

/// The table (docs/behaviour.md, "Judging").
pub fn judge(outcome: &Outcome, at: &Circumstances<'_>) -> Verdict {
    let plainly = |step| Verdict { step, effect: None };
    let fail_over = match at.sent {
        SendState::Unsent => Step::FailOver,
        SendState::Sent if at.replayable => Step::FailOver,
        SendState::Sent | SendState::Delivered => Step::Resend,
    };
    let blamed = |blame, effect| Verdict {
        step: fail_over,
        effect: Some((blame, effect)),
    };
    match outcome {
        Outcome::UsageLimit {
            family,
            resets_at,
            kind,
        } => blamed(
            Blame::Now,
            Effect::Exhausted {
                family: family.clone(),
                until: *resets_at,
                reason: ExhaustedReason::Limit(*kind),
            },
        ),
        // Throttles are never the request's: two throttled accounts both cool down, and Codex is kept waiting.
        Outcome::Throttled { retry_after } => blamed(
            Blame::Now,
            Effect::CoolingDown {
                lasting: retry_after
                    .unwrap_or(THROTTLED_FOR)
                    .clamp(Duration::from_millis(100), LONGEST_THROTTLE),
                reason: CoolingReason::Throttled,
                first_failure: at.first_failure,
            },
        ),
        // 401 is the credentials', never the request's.
        Outcome::Unauthorized { permanent } if *permanent || at.refreshed => blamed(
            Blame::Now,
            Effect::NeedsAttention {
                reason: Refusal::TokenInvalidated,
            },
        ),
        Outcome::LinkRefused if at.refreshed => blamed(
            Blame::Now,
            Effect::NeedsAttention {
                reason: Refusal::LinkStale,
            },
        ),
        Outcome::Unauthorized { .. } | Outcome::LinkRefused if fail_over == Step::Resend => {
            plainly(Step::Resend)
        }
        Outcome::Unauthorized { .. } | Outcome::LinkRefused => plainly(Step::Refresh),
        Outcome::ServerTrouble(_) | Outcome::Broken if fail_over == Step::Resend => plainly(Step::Resend),
        // Two accounts agree: it is the request.
        _ if at.alike_elsewhere => plainly(Step::PassOn),
        Outcome::ServerTrouble(_) | Outcome::Broken if at.retries < SAME_ACCOUNT_RETRIES => {
            plainly(Step::Retry {
                after: FIRST_BACKOFF * 2u32.pow(at.retries.into()),
            })
        }
        Outcome::ServerTrouble(_) | Outcome::Broken => blamed(
            Blame::IfAnotherSucceeds,
            Effect::CoolingDown {
                lasting: TROUBLED_FOR,
                reason: CoolingReason::ServerTrouble,
                first_failure: at.first_failure,
            },
        ),
        Outcome::AccountRefused(reason) => blamed(
            Blame::UnlessAnotherAgrees,
            Effect::NeedsAttention { reason: *reason },
        ),
        Outcome::CiphertextRefused if fail_over == Step::FailOver && at.replayable && !at.stripped => {
            plainly(Step::Strip)
        }
        Outcome::ModelUnavailable => match at.model {
            Some(model) => blamed(
                Blame::UnlessAnotherAgrees,
                Effect::LacksModel { model: model.into() },
            ),
            None => plainly(fail_over),
        },
        Outcome::EdgeRefused { .. }
        | Outcome::CiphertextRefused
        | Outcome::ClientError { .. }
        | Outcome::ReconnectAsked => plainly(Step::PassOn),
    }
}
