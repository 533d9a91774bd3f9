//! A choice and its explanation: for every account one line on why it is or isn't the one. Tray, window, log and
//! `baton why` all show this.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Eligibility, Strategy, Timestamp};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Decision {
    pub at: Timestamp,
    pub strategy: Strategy,
    pub choice: Choice,
    /// The change of the active account that this choice brings with it.
    pub switch: Option<Switch>,
    /// In the person's order.
    pub lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Choice {
    Use {
        account: AccountId,
        generation: u64,
        because: Because,
    },
    /// Soon enough: Codex is kept waiting.
    Wait {
        until: Timestamp,
        account: AccountId,
    },
    Refuse {
        reason: RefuseReason,
    },
}

impl Choice {
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Use { account, .. } => Some(*account),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RefuseReason {
    NoAccounts,
    /// Nobody is usable; `earliest` is the first known return.
    NobodyUsable {
        earliest: Option<Timestamp>,
    },
    /// Only this one was wanted, and it can't serve.
    PinnedUnusable {
        account: AccountId,
        state: Eligibility,
    },
    /// Automatic failover is stopped until the person decides.
    Braked,
    /// Everyone usable has failed for this request: the last answer stands.
    AllTried,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Line {
    pub account: AccountId,
    /// For requests of this model.
    pub state: Eligibility,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", content = "why", rename_all = "snake_case")]
pub enum Standing {
    Chosen(Because),
    PassedOver(PassedOver),
}

/// Why an account is the one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Because {
    Pinned,
    /// A running turn stays.
    TurnStays,
    /// `sequential`: it is the active account.
    Active,
    /// `sequential`: it has become the active account with this request.
    BecameActive {
        cause: Cause,
    },
    /// Serves for another until the end of the turn; the active account stays what it is.
    TemporaryFailover {
        instead_of: AccountId,
    },
    /// The thread's compacted history was made by it.
    MadeCompaction,
    /// The person switched to it, under a strategy without an active account: it gets the next turn.
    ChosenByPerson,
    MostHeadroom,
    SessionStays,
    UsedLongestAgo,
    ResetsSoonest,
    /// One real request, to see whether an account of unknown return is back.
    Probe,
}

/// Why an account isn't the one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PassedOver {
    /// See its state.
    NotUsable,
    /// It has failed for this very request.
    Tried,
    LacksModel,
    /// Its answers broke off again and again in this turn, after output.
    BreaksOff,
    /// `sequential`: eligible, waits its turn in the order.
    WaitsItsTurn,
    /// Held back (or on credits) while somebody below the threshold can serve.
    LaterTier,
    OtherPinned,
    OtherChosenByPerson,
    TurnElsewhere,
    CompactionElsewhere,
    SessionElsewhere,
    LessHeadroom,
    UsedMoreRecently,
    ResetsLater,
    Braked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Switch {
    pub from: Option<AccountId>,
    pub to: AccountId,
    pub cause: Cause,
}

/// The only things that change the active account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// There was none yet.
    FirstUse,
    LimitReached,
    ThresholdReached,
    /// For more than a minute.
    CoolingDown,
    NeedsAttention,
    Skipped,
    Removed,
    ReturnedToPrimary,
    SwitchedByPerson,
    StrategyChanged,
}
