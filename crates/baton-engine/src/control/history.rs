//! What the ledger tells: requests, events, readings, and the times when nobody could serve. No content, and of Codex's
//! ids hashes only.

use baton_core::{AccountId, Event, LimitFamily, Percent, Source, Strategy, Timestamp, WindowLength};
use serde::{Deserialize, Serialize};

use super::protocol::Selector;

/// A line of `baton log`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum LogEntry {
    Event {
        event: Event,
        /// The request that brought it, whose explanation is this one's.
        request: Option<u64>,
    },
    Request(RequestLine),
    Blocked(BlockedTime),
    Reading(ReadingLine),
}

impl LogEntry {
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Event { event, .. } => event.at,
            Self::Request(line) => line.at,
            Self::Blocked(time) => time.began,
            Self::Reading(line) => line.at,
        }
    }
}

/// Which lines of the log; by default all but readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LogFilter {
    pub account: Option<Selector>,
    pub kind: Option<LogKind>,
    pub since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// Changes of the active account, and temporary failovers.
    Switches,
    Requests,
    Events,
    Blocked,
    Readings,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RequestLine {
    /// By which a person names it; they go up in the order of arrival.
    pub id: u64,
    pub at: Timestamp,
    /// `None`: nobody could serve.
    pub account: Option<AccountId>,
    /// A hash, as are thread and turn.
    pub session: Option<String>,
    pub thread: Option<String>,
    pub turn: TurnMark,
    pub model: Option<String>,
    pub transport: Transport,
    pub outcome: String,
    /// To the first byte of the answer, milliseconds of real time.
    pub first_byte_ms: Option<u64>,
    /// To the first byte of output.
    pub first_output_ms: Option<u64>,
    /// Held here until an account was back, milliseconds of real time.
    pub waited_ms: u64,
    /// Accounts tried before this one.
    pub failovers: u32,
    pub input_tokens: Option<u64>,
    /// Of the input, read from the prompt cache.
    pub cached_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
}

impl RequestLine {
    /// Whose answer the client had, be it in part. What was handed over, or refused by the last account too, had none.
    pub fn answered_by(&self) -> Option<AccountId> {
        let answered = self.outcome == "completed" || self.first_output_ms.is_some();
        self.account.filter(|_| answered)
    }
}

/// What a request is to its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TurnMark {
    /// One of those with this hash.
    Id(String),
    /// Without an id, but it answers a tool: what ran goes on.
    Continues,
    New,
    /// Opens a connection ahead of a turn.
    Prewarm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Http,
    WebSocket,
}

/// What was read of one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ReadingLine {
    pub at: Timestamp,
    pub account: AccountId,
    pub family: LimitFamily,
    pub window: WindowLength,
    /// Percent *used*, as the service says it.
    pub used: Percent,
    /// Absent while the timer isn't running.
    pub resets_at: Option<Timestamp>,
    pub source: Source,
}

/// A stretch in which somebody asked and nobody could serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct BlockedTime {
    /// When the first request met it.
    pub began: Timestamp,
    /// When somebody could serve again; `None`: it lasts.
    pub ended: Option<Timestamp>,
    /// The return that was expected, if one was known.
    pub until: Option<Timestamp>,
    pub why: BlockedWhy,
    /// The first of them; its explanation says why of every account.
    pub request: Option<u64>,
    /// How many requests were refused, or asked to wait.
    pub requests: u64,
    /// The last of them.
    pub asked_last: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum BlockedWhy {
    NoAccounts,
    /// Somebody is back soon enough to be waited for.
    Waits,
    NobodyUsable,
    PinnedUnusable,
    Braked,
}

impl BlockedWhy {
    pub const ALL: [Self; 5] = [
        Self::NoAccounts,
        Self::Waits,
        Self::NobodyUsable,
        Self::PinnedUnusable,
        Self::Braked,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAccounts => "no_accounts",
            Self::Waits => "waits",
            Self::NobodyUsable => "nobody_usable",
            Self::PinnedUnusable => "pinned_unusable",
            Self::Braked => "braked",
        }
    }

    /// As a person reads it.
    pub const fn said(self) -> &'static str {
        match self {
            Self::NoAccounts => "there was no account",
            Self::Waits => "Codex was kept waiting for an account",
            Self::NobodyUsable => "no account could serve",
            Self::PinnedUnusable => "the only account that was used couldn't serve",
            Self::Braked => "automatic failover had stopped",
        }
    }
}

/// Why a past request went where it went, in the words of that day's decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Explanation {
    pub at: Timestamp,
    pub strategy: Strategy,
    /// In one sentence.
    pub text: String,
    /// In the order that the person had then.
    pub lines: Vec<ExplanationLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ExplanationLine {
    pub account: AccountId,
    pub label: String,
    pub chosen: bool,
    pub text: String,
}
