//! The record of what the backend received and what became of it: what tests assert on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

/// How a request reached the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP, streaming or not.
    Http,
    /// A frame on a WebSocket, or the upgrade to one.
    WebSocket,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Generate an answer (or a compaction, by its trigger item).
    Generate,
    /// `generate: false`.
    Prewarm,
    /// `POST responses/compact`.
    Compact,
    /// The upgrade to a WebSocket.
    Upgrade,
    /// `GET codex/models`.
    Models,
    /// `GET wham/accounts/check`.
    AccountsCheck,
    /// `GET wham/usage`.
    Usage,
    /// `GET wham/rate-limit-reset-credits`.
    ResetCredits,
    /// `POST /oauth/token`.
    Token,
    /// `GET /oauth/authorize`: the page that a person signs in on.
    Authorize,
    /// `POST /api/accounts/deviceauth/usercode`.
    DeviceCode,
    /// `POST /api/accounts/deviceauth/token`.
    DevicePoll,
    /// A route that the backend doesn't know.
    Other,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Still running.
    Running,
    /// Answered in full.
    Completed,
    /// Refused before any output, by a status and a code.
    Refused {
        /// The HTTP status, or the one in the error frame.
        status: u16,
        /// The error's code, else its type.
        code: String,
    },
    /// Failed inside its stream.
    Failed {
        /// The error's code, else its type.
        code: String,
    },
    /// Broken off by a fault.
    Broken {
        /// The fault's name.
        how: String,
    },
    /// The client went away first.
    ClientGone,
}

/// Something that a client must not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The log entry.
    pub entry: u64,
    /// The account by whose token the request came.
    pub account: Option<String>,
    /// What was wrong.
    pub kind: ViolationKind,
}

/// The kinds of [`Violation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViolationKind {
    /// A turn state that another account made.
    ForeignTurnState {
        /// The account that made it.
        made_by: String,
    },
    /// The account header names another account than the token.
    AccountMismatch {
        /// What the header said.
        header: String,
    },
    /// The routing override of another account, or none where the account has one.
    WrongRoutingOverride {
        /// What the request carried.
        sent: Option<String>,
    },
    /// `previous_response_id` on HTTP.
    PreviousResponseOnHttp,
    /// A refresh token used a second time.
    RefreshTokenReused,
    /// A sign-in's code used a second time.
    CodeReused,
}

/// One request.
#[derive(Clone)]
pub struct Entry {
    /// Its number, from 1.
    pub id: u64,
    /// When it arrived, in simulated Unix milliseconds.
    pub at_millis: i64,
    /// When it ended.
    pub ended_millis: Option<i64>,
    /// The account that its bearer belongs to.
    pub account: Option<String>,
    /// `GET` or `POST`; frames count as `POST`.
    pub method: String,
    /// The path, with the query.
    pub path: String,
    /// HTTP or WebSocket.
    pub transport: Transport,
    /// What it asks for.
    pub kind: Kind,
    /// The connection it came on.
    pub connection: u64,
    /// Whether that connection is encrypted.
    pub tls: bool,
    /// The conversation.
    pub thread_id: Option<String>,
    /// The turn.
    pub turn_id: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The response it continues.
    pub previous_response_id: Option<String>,
    /// The last user text of its turn.
    pub user_text: Option<String>,
    /// Whether its input carries ciphertext of another account.
    pub foreign_ciphertext: bool,
    /// The response's id, once there is one.
    pub response_id: Option<String>,
    /// What its whole answer says of itself: tokens of input and output.
    pub tokens: Option<(usize, usize)>,
    /// How it ended.
    pub outcome: Outcome,
    /// The ids of the output items that were sent in full.
    pub items: Vec<String>,
    /// The fault that was applied.
    pub fault: Option<String>,
    /// Header names in lower case; the bearer is reduced to its token's `jti`. Empty when the scenario doesn't
    /// keep bodies.
    pub headers: BTreeMap<String, String>,
    /// Bytes of the body as received.
    pub bytes_received: usize,
    /// The body, decoded; empty when the scenario doesn't keep bodies.
    pub body: Bytes,
}

impl Entry {
    /// The body as JSON; null when there is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether it asked for output: an answer or a compaction, not a prewarm.
    #[must_use]
    pub fn generates(&self) -> bool {
        matches!(self.kind, Kind::Generate | Kind::Compact)
    }

    /// Whether it was answered in full.
    #[must_use]
    pub fn completed(&self) -> bool {
        self.outcome == Outcome::Completed
    }

    /// The code of a refusal or failure.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Refused { code, .. } | Outcome::Failed { code } => Some(code),
            _ => None,
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account.as_deref().unwrap_or("-");
        write!(
            f,
            "#{} {account} {:?} {:?} {} {}",
            self.id, self.transport, self.kind, self.method, self.path
        )?;
        if let Some(turn) = &self.turn_id {
            write!(f, " turn={turn}")?;
        }
        if let Some(fault) = &self.fault {
            write!(f, " fault={fault}")?;
        }
        write!(f, " {:?}", self.outcome)
    }
}

#[derive(Default)]
struct Records {
    entries: Vec<Entry>,
    /// How many entries before these were let go of.
    forgotten: usize,
    violations: Vec<Violation>,
}

/// A handle to the log. Queries copy what they return.
#[derive(Clone)]
pub struct Log {
    records: Arc<Mutex<Records>>,
    changed: Arc<watch::Sender<u64>>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            records: Arc::default(),
            changed: Arc::new(watch::channel(0).0),
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        self.changed.send_modify(|n| *n += 1);
    }

    pub(crate) fn open(&self, mut entry: Entry) -> u64 {
        let id = {
            let mut records = self.records();
            entry.id = (records.forgotten + records.entries.len()) as u64 + 1;
            let id = entry.id;
            records.entries.push(entry);
            id
        };
        self.notify();
        id
    }

    pub(crate) fn edit(&self, id: u64, edit: impl FnOnce(&mut Entry)) {
        {
            let mut records = self.records();
            let at = (id as usize - 1).checked_sub(records.forgotten);
            let Some(entry) = at.and_then(|at| records.entries.get_mut(at)) else {
                return;
            };
            edit(entry);
        }
        self.notify();
    }

    pub(crate) fn violate(&self, entry: u64, account: Option<String>, kind: ViolationKind) {
        self.records().violations.push(Violation { entry, account, kind });
        self.notify();
    }

    /// Everything, in the order of arrival.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.records().entries.clone()
    }

    /// The entries that satisfy a condition.
    #[must_use]
    pub fn find(&self, mut condition: impl FnMut(&Entry) -> bool) -> Vec<Entry> {
        self.records()
            .entries
            .iter()
            .filter(|entry| condition(entry))
            .cloned()
            .collect()
    }

    /// How many entries satisfy a condition.
    #[must_use]
    pub fn count(&self, mut condition: impl FnMut(&Entry) -> bool) -> usize {
        self.records()
            .entries
            .iter()
            .filter(|entry| condition(entry))
            .count()
    }

    /// The requests for output that came with an account's token, however they ended.
    #[must_use]
    pub fn requests(&self, account: &str) -> Vec<Entry> {
        self.find(|entry| entry.generates() && entry.account.as_deref() == Some(account))
    }

    /// The requests for output that an account answered in full.
    #[must_use]
    pub fn served_by(&self, account: &str) -> Vec<Entry> {
        self.find(|entry| entry.generates() && entry.completed() && entry.account.as_deref() == Some(account))
    }

    /// What clients did that they must not do.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.records().violations.clone()
    }

    /// Returns once the condition holds on all entries so far; it is asked whenever something changes.
    pub async fn wait_for(&self, mut condition: impl FnMut(&[Entry]) -> bool) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if condition(&self.records().entries) {
                return;
            }
            // `self` keeps the sender alive.
            let _ = changed.changed().await;
        }
    }

    /// Lets go of the oldest entries, up to the first that still runs; violations stay. For runs so long that the log
    /// would be most of what they keep.
    pub fn forget_ended(&self) {
        let mut records = self.records();
        let ended = records
            .entries
            .iter()
            .take_while(|entry| entry.outcome != Outcome::Running)
            .count();
        records.entries.drain(..ended);
        records.forgotten += ended;
    }

    /// Lets go of the bodies kept so far; for long runs between two readings.
    pub fn forget_bodies(&self) {
        for entry in &mut self.records().entries {
            entry.body = Bytes::new();
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.records().entries).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountScript, Client, Login, Scenario, Sim};

    #[tokio::test]
    async fn what_has_ended_is_forgotten_and_numbers_go_on() {
        let sim = Sim::start(Scenario::new().account(AccountScript::new("a"))).await;
        let login = Login::from_auth_json(&sim.account("a").auth_json()).expect("a login");
        let mut client = Client::new(sim.base_url(), login).mode(crate::Mode::Http);
        assert!(client.turn("one").await.completed);
        sim.log()
            .wait_for(|entries| entries.iter().all(Entry::completed))
            .await;
        sim.log().forget_ended();
        assert!(sim.log().entries().is_empty());
        assert!(client.turn("two").await.completed);
        sim.log()
            .wait_for(|entries| entries.iter().all(Entry::completed))
            .await;
        let entries = sim.log().entries();
        assert_eq!((entries.len(), entries[0].id), (1, 2), "{entries:?}");
        assert!(!entries[0].items.is_empty());
    }
}
