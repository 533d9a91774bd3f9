//! A frame that has not been answered whole.

use baton_core::{SendState, Trial};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::{
    Running, Shared,
    asked::Asked,
    asker::Asker,
    ledger::Entry,
    serve::{Chosen, Who},
};
use crate::control::protocol::Transport;
use baton_wire::Facts;

/// Events without output are held up to this much, then committed.
const HELD: usize = 64 * 1024;

pub(super) struct InFlight {
    pub frame: Utf8Bytes,
    /// Refers to an earlier response of its connection: no other connection can serve it.
    pub tied: bool,
    /// What the frame brings of an account's turn state: every other account gets the frame without it.
    turn_state: Option<String>,
    pub who: Who,
    pub trial: Trial,
    held: Vec<Utf8Bytes>,
    held_size: usize,
    /// The upstream has begun this frame's own answer.
    pub begun: bool,
    /// Something has reached the client: nothing can be taken back any more.
    pub delivered: bool,
    /// The upstream's last word on it that may be passed on, should nobody do better.
    pub last: Option<Utf8Bytes>,
    pub entry: Entry,
    _running: Running,
}

impl InFlight {
    /// `connection`: what the handshake says of every frame. `number`: what the ledger calls it already.
    pub(super) fn new(
        shared: &Shared,
        frame: Utf8Bytes,
        asked: Asked,
        connection: Facts,
        asker: Asker,
        number: Option<u64>,
    ) -> Self {
        let who = Who::new(asked.facts.or(connection), asked.answers_tool, asker);
        let handed_over = shared.handed_over.take(&who);
        Self {
            frame,
            tied: asked.tied,
            turn_state: asked.turn_state,
            trial: handed_over.unwrap_or_else(|| Trial::new(who.model.as_deref())),
            held: Vec::new(),
            held_size: 0,
            begun: false,
            delivered: false,
            last: None,
            entry: shared
                .ledger
                .open(Transport::WebSocket, &who, shared.desk.now(), number),
            who,
            _running: Running::new(shared),
        }
    }

    pub(super) fn sent(&self) -> SendState {
        if self.delivered {
            SendState::Delivered
        } else {
            SendState::Sent
        }
    }

    /// Brings a turn state that another account gave.
    pub(super) fn foreign_turn_state(&self, shared: &Shared, chosen: &Chosen) -> bool {
        let belongs = |state: &String| shared.turn_states.belongs(state.as_bytes(), chosen.pick.account);
        self.turn_state.as_ref().is_some_and(|state| !belongs(state))
    }

    /// Holds an event without output back; false if that is as much as can be held.
    pub(super) fn hold(&mut self, frame: Utf8Bytes) -> bool {
        self.held_size += frame.len();
        self.held.push(frame);
        self.held_size <= HELD
    }

    pub(super) fn release(&mut self) -> Vec<Utf8Bytes> {
        self.held_size = 0;
        std::mem::take(&mut self.held)
    }
}
