//! What happened to the pool: one typed stream for tray, window, notifications, log and ledger.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Eligibility, Strategy, Switch, Timestamp};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Event {
    pub at: Timestamp,
    pub kind: EventKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    Switched(Switch),
    /// A turn was given to another account while the active one stays.
    TemporaryFailover {
        from: AccountId,
        to: AccountId,
    },
    /// An account's state changed (for the requests that the general limit meters).
    StateChanged {
        account: AccountId,
        from: Eligibility,
        to: Eligibility,
    },
    Added {
        account: AccountId,
    },
    Removed {
        account: AccountId,
        label: Box<str>,
    },
    Pinned {
        account: AccountId,
    },
    Unpinned {
        account: AccountId,
    },
    StrategyChanged {
        from: Strategy,
        to: Strategy,
    },
    /// Permanent refusals on two accounts: automatic failover has stopped.
    BrakeEngaged,
    BrakeReleased,
    /// Nobody can serve; `earliest` is the first known return.
    AllExhausted {
        earliest: Option<Timestamp>,
    },
    /// Somebody can serve again after [`EventKind::AllExhausted`].
    Serving,
}
