//! One line a request, written however it ends. No content, and none of Codex's ids.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use baton_core::{AccountId, Decision, Timestamp, Turn};
use baton_wire::TokenUsage;

use super::serve::Who;
use crate::{
    control::protocol::{RequestLine, Transport, TurnMark},
    store::{RequestRecord, Writer},
};

/// Until something better is known.
const CLIENT_LEFT: &str = "client_left";

#[derive(Clone, Debug)]
pub(super) struct Ledger(Arc<Writer>);

impl Ledger {
    pub(super) fn new(writer: Arc<Writer>) -> Self {
        Self(writer)
    }

    /// `reserved`: a number that is the request's already.
    pub(super) fn open(
        &self,
        transport: Transport,
        who: &Who,
        at: Timestamp,
        reserved: Option<u64>,
    ) -> Entry {
        let hashed = |id: u64| format!("{id:016x}");
        let number = reserved.unwrap_or_else(|| self.0.next_request());
        let line = RequestLine {
            id: number,
            at,
            account: None,
            session: who.session.map(hashed),
            thread: who.thread.map(hashed),
            turn: match who.turn {
                Turn::Id(turn) => TurnMark::Id(hashed(turn)),
                Turn::Continues => TurnMark::Continues,
                Turn::New => TurnMark::New,
                Turn::Prewarm => TurnMark::Prewarm,
            },
            model: who.model.as_deref().map(str::to_owned),
            transport,
            outcome: CLIENT_LEFT.to_owned(),
            first_byte_ms: None,
            first_output_ms: None,
            waited_ms: 0,
            failovers: 0,
            input_tokens: None,
            cached_tokens: None,
            output_tokens: None,
        };
        self.entry(Some(number), Some(line))
    }

    /// Of what is no request of its own (a refused upgrade).
    pub(super) fn none(&self) -> Entry {
        self.entry(None, None)
    }

    /// Of an upgrade: what it brings is its first request's, which gets the number that this has.
    pub(super) fn upgrade(&self) -> Entry {
        self.entry(Some(self.0.next_request()), None)
    }

    fn entry(&self, number: Option<u64>, line: Option<RequestLine>) -> Entry {
        Entry {
            ledger: self.clone(),
            number,
            started: Instant::now(),
            waited: Duration::ZERO,
            line,
            decision: None,
        }
    }
}

/// A request's line in the making; dropping it writes it.
#[derive(Debug)]
pub(super) struct Entry {
    ledger: Ledger,
    number: Option<u64>,
    started: Instant,
    waited: Duration,
    line: Option<RequestLine>,
    decision: Option<Decision>,
}

impl Entry {
    /// The request's in the ledger.
    pub(super) fn number(&self) -> Option<u64> {
        self.number
    }

    /// The latest one counts: it says who failed before.
    pub(super) fn decided(&mut self, decision: Decision) {
        self.decision = Some(decision);
    }

    /// Held here, for want of an account.
    pub(super) fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    pub(super) fn served_by(&mut self, account: AccountId) {
        if let Some(line) = &mut self.line {
            if line.account.is_some_and(|before| before != account) {
                line.failovers += 1;
            }
            line.account = Some(account);
            // Of an earlier try, nothing reached the client.
            line.first_byte_ms = None;
            line.first_output_ms = None;
        }
    }

    /// Who was asked last.
    pub(super) fn account(&self) -> Option<AccountId> {
        self.line.as_ref()?.account
    }

    /// The answer of the account that is asked has begun.
    pub(super) fn first_byte(&mut self) {
        let elapsed = millis(self.started.elapsed());
        if let Some(line) = &mut self.line {
            line.first_byte_ms.get_or_insert(elapsed);
        }
    }

    pub(super) fn first_output(&mut self) {
        let elapsed = millis(self.started.elapsed());
        if let Some(line) = &mut self.line {
            line.first_output_ms.get_or_insert(elapsed);
        }
    }

    pub(super) fn completed(&mut self, usage: Option<TokenUsage>) {
        if let Some(line) = &mut self.line {
            line.input_tokens = usage.map(|usage| usage.input);
            line.cached_tokens = usage.map(|usage| usage.cached);
            line.output_tokens = usage.map(|usage| usage.output);
        }
        self.outcome("completed");
    }

    /// The answer is over, and nothing in it said how.
    pub(super) fn ended(&mut self, broken: bool) {
        if self.line.as_ref().is_some_and(|line| line.outcome == CLIENT_LEFT) {
            self.outcome(if broken { "cut_after_output" } else { "completed" });
        }
    }

    pub(super) fn outcome(&mut self, outcome: &str) {
        if let Some(line) = &mut self.line {
            outcome.clone_into(&mut line.outcome);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(mut line) = self.line.take() {
            line.waited_ms = millis(self.waited);
            self.ledger.0.request(RequestRecord {
                line,
                decision: self.decision.take(),
            });
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
