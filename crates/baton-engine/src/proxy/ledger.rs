//! One line a request, written however it ends. No content, and none of Codex's ids.

use std::{sync::Arc, time::Instant};

use baton_core::{AccountId, Timestamp};
use baton_wire::TokenUsage;

use super::serve::Who;
use crate::{
    control::protocol::{RequestLine, Transport},
    store::Writer,
};

/// Until something better is known.
const CLIENT_LEFT: &str = "client_left";

#[derive(Clone, Debug)]
pub(super) struct Ledger(Arc<Writer>);

impl Ledger {
    pub(super) fn new(writer: Arc<Writer>) -> Self {
        Self(writer)
    }

    pub(super) fn open(&self, transport: Transport, who: &Who, at: Timestamp) -> Entry {
        Entry {
            ledger: self.clone(),
            started: Instant::now(),
            line: Some(RequestLine {
                at,
                account: None,
                thread: who.thread.map(|thread| format!("{thread:016x}")),
                model: who.model.as_deref().map(str::to_owned),
                transport,
                outcome: CLIENT_LEFT.to_owned(),
                first_output_ms: None,
                failovers: 0,
                input_tokens: None,
                output_tokens: None,
            }),
        }
    }

    /// Of what is no request of its own (a refused upgrade).
    pub(super) fn none(&self) -> Entry {
        Entry {
            ledger: self.clone(),
            started: Instant::now(),
            line: None,
        }
    }
}

/// A request's line in the making; dropping it writes it.
#[derive(Debug)]
pub(super) struct Entry {
    ledger: Ledger,
    started: Instant,
    line: Option<RequestLine>,
}

impl Entry {
    pub(super) fn served_by(&mut self, account: AccountId) {
        if let Some(line) = &mut self.line {
            if line.account.is_some_and(|before| before != account) {
                line.failovers += 1;
            }
            line.account = Some(account);
            // Of an earlier try, nothing reached the client.
            line.first_output_ms = None;
        }
    }

    /// Who was asked last.
    pub(super) fn account(&self) -> Option<AccountId> {
        self.line.as_ref()?.account
    }

    pub(super) fn first_output(&mut self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(line) = &mut self.line {
            line.first_output_ms.get_or_insert(elapsed);
        }
    }

    pub(super) fn completed(&mut self, usage: Option<TokenUsage>) {
        if let Some(line) = &mut self.line {
            line.input_tokens = usage.map(|usage| usage.input);
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
        if let Some(line) = self.line.take() {
            self.ledger.0.request(line);
        }
    }
}
