//! A socket's conversation. Every `response.create` frame is a request of its own: chosen for, held until the first
//! output, and moved to another account while nothing has reached the client: here, if the frame holds the whole input;
//! else by the silent reconnect, after which the client sends its whole input (PROTOCOL §4).

use std::sync::Arc;

use baton_core::{Outcome, RefuseReason, SendState, Trial, trial::Pick};
use baton_wire::{
    What, answers,
    request::{Kind, Skim, strip_ciphertext, strip_turn_state},
    ws,
};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{
    self, Message, Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    super::{
        Running, Shared,
        ledger::Entry,
        serve::{self, After, Chosen, Next, Who},
    },
    Handshake, refusal,
    upstream::{Socket, Upstream, connect},
};
use crate::control::protocol::Transport;

/// Events without output are held up to this much, then committed.
const HELD: usize = 64 * 1024;

pub(super) struct Conversation {
    shared: Arc<Shared>,
    handshake: Handshake,
    client: Socket,
    upstream: Option<Upstream>,
    request: Option<InFlight>,
}

/// A frame that has not been answered whole.
struct InFlight {
    frame: Utf8Bytes,
    /// Refers to an earlier response of its connection: no other connection can serve it.
    tied: bool,
    /// What the frame brings of an account's turn state: every other account gets the frame without it.
    turn_state: Option<String>,
    who: Who,
    trial: Trial,
    held: Vec<Utf8Bytes>,
    held_size: usize,
    output: bool,
    /// The upstream's last word on it, if that was a failure.
    last: Option<Utf8Bytes>,
    entry: Entry,
    _running: Running,
}

/// The client is gone, or is told to go.
struct Over;

type Flow = Result<(), Over>;

impl Conversation {
    pub(super) fn new(
        shared: Arc<Shared>,
        handshake: Handshake,
        client: Socket,
        upstream: Option<Upstream>,
    ) -> Self {
        Self {
            shared,
            handshake,
            client,
            upstream,
            request: None,
        }
    }

    pub(super) async fn run(mut self) {
        let (draining, cut) = (self.shared.draining.clone(), self.shared.cut.clone());
        loop {
            let flow = tokio::select! {
                () = cut.cancelled() => Err(Over),
                // Idle: a client that comes back finds the next Baton.
                () = draining.cancelled(), if self.request.is_none() => Err(Over),
                message = self.client.next() => match message {
                    Some(Ok(message)) => self.client_said(message).await,
                    Some(Err(_)) | None => return,
                },
                message = hear(&mut self.upstream) => self.upstream_said(message).await,
            };
            if flow.is_err() {
                let frame = CloseFrame {
                    code: CloseCode::Away,
                    reason: Utf8Bytes::from_static(""),
                };
                let _ = self.client.close(Some(frame)).await;
                return;
            }
        }
    }

    // === from the client ===

    async fn client_said(&mut self, message: Message) -> Flow {
        match message {
            Message::Text(frame) => match Skim::read(frame.as_bytes()) {
                Ok(skim) if skim.kind == Kind::Create && self.request.is_none() => {
                    self.request = Some(self.in_flight(&frame, &skim));
                    self.serve().await
                }
                // Anything else is between the client and the upstream.
                _ => self.forward(Message::Text(frame)).await,
            },
            Message::Close(frame) => {
                if let Some(upstream) = &mut self.upstream {
                    let _ = upstream.socket.close(frame).await;
                }
                Err(Over)
            }
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            other => self.forward(other).await,
        }
    }

    fn in_flight(&self, frame: &Utf8Bytes, skim: &Skim<'_>) -> InFlight {
        // The handshake names the session; its turn is that of the socket's first frame only.
        let who = Who::new(
            &skim
                .facts
                .clone()
                .or(self.handshake.facts.clone().of_connection()),
            Some(skim),
        );
        InFlight {
            frame: frame.clone(),
            tied: skim.has_previous_response_id,
            turn_state: skim.turn_state.as_deref().map(str::to_owned),
            trial: Trial::new(who.model.as_deref()),
            held: Vec::new(),
            held_size: 0,
            output: false,
            last: None,
            entry: self
                .shared
                .ledger
                .open(Transport::WebSocket, &who, self.shared.desk.now()),
            who,
            _running: Running::new(&self.shared),
        }
    }

    async fn forward(&mut self, message: Message) -> Flow {
        if let Some(upstream) = &mut self.upstream
            && upstream.socket.send(message).await.is_err()
        {
            self.upstream = None;
        }
        Ok(())
    }

    // === choosing ===

    /// Sends the request's frame to the account that is chosen for it, or says why not.
    async fn serve(&mut self) -> Flow {
        loop {
            let Some(request) = &mut self.request else {
                return Ok(());
            };
            let mut chosen = match serve::next(&self.shared, &request.who, &mut request.trial).await {
                Next::Serve(chosen) => chosen,
                Next::Wait { secs, message, .. } => {
                    return self
                        .answer(answers::wait_frame(secs, &message), "asked_to_wait")
                        .await;
                }
                Next::Refuse(RefuseReason::AllTried) => return self.pass_on().await,
                Next::Refuse(reason) => {
                    let frame = refusal(&self.shared, &reason);
                    return self.answer(frame, "refused").await;
                }
                Next::Unreachable(why) => {
                    let message = format!("Baton: the upstream can't be reached ({why}).");
                    return self.answer(answers::wait_frame(1, &message), "unreachable").await;
                }
            };
            request.entry.served_by(chosen.pick.account);
            if !self.same_connection(&chosen) {
                if self.request.as_ref().is_some_and(|request| request.tied) {
                    return self.reconnect("handed_over").await;
                }
                match self.move_to(&mut chosen).await {
                    Moved::Yes => {}
                    Moved::TryAgain => continue,
                    Moved::No => return self.pass_on().await,
                }
            }
            let Some(request) = &mut self.request else {
                return Ok(());
            };
            let foreign = request.turn_state.as_deref().is_some_and(|state| {
                !self
                    .shared
                    .turn_states
                    .belongs(state.as_bytes(), chosen.pick.account)
            });
            let stripped = foreign
                .then(|| strip_turn_state(request.frame.as_bytes()))
                .flatten();
            let frame = stripped.and_then(|bytes| Utf8Bytes::try_from(bytes).ok());
            let frame = frame.unwrap_or_else(|| request.frame.clone());
            let Some(upstream) = &mut self.upstream else {
                continue;
            };
            upstream.chosen.pick = chosen.pick;
            if upstream.socket.send(Message::Text(frame)).await.is_ok() {
                return Ok(());
            }
            self.upstream = None;
            match self.judge(&chosen, &Outcome::Broken).await {
                After::Again => {}
                After::PassOn | After::Strip => return self.pass_on().await,
                After::Resend => return self.reconnect("handed_over").await,
            }
        }
    }

    /// The socket is open, the account's, and opened with its current token.
    fn same_connection(&self, chosen: &Chosen) -> bool {
        self.upstream
            .as_ref()
            .is_some_and(|upstream| upstream.chosen.pick.account == chosen.pick.account)
    }

    async fn move_to(&mut self, chosen: &mut Chosen) -> Moved {
        self.upstream = None;
        match connect(&self.shared, &self.handshake, chosen).await {
            Ok((upstream, _)) => {
                self.upstream = Some(upstream);
                Moved::Yes
            }
            Err(failed) => match self.judge(chosen, &failed.outcome).await {
                After::Again => Moved::TryAgain,
                After::PassOn | After::Strip | After::Resend => Moved::No,
            },
        }
    }

    async fn judge(&mut self, chosen: &Chosen, outcome: &Outcome) -> After {
        let Some(request) = &mut self.request else {
            return After::PassOn;
        };
        let sent = if request.output {
            SendState::Delivered
        } else {
            SendState::Sent
        };
        serve::judge(&self.shared, &mut request.trial, chosen, outcome, sent, true).await
    }

    // === from the upstream ===

    async fn upstream_said(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Flow {
        match message {
            Some(Ok(Message::Text(frame))) => self.event(frame).await,
            Some(Ok(Message::Binary(bytes))) => self.say(Message::Binary(bytes)).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => {
                let upstream = self.upstream.take();
                match upstream.filter(|_| self.request.is_some()) {
                    Some(upstream) => self.failed(&upstream.chosen, &Outcome::Broken, None).await,
                    // Idle: the client finds out at once rather than with its next frame.
                    None => Err(Over),
                }
            }
        }
    }

    async fn event(&mut self, frame: Utf8Bytes) -> Flow {
        let Some(Upstream { chosen, .. }) = &mut self.upstream else {
            return Ok(());
        };
        let what = ws::server(frame.as_str(), self.shared.desk.now());
        match &what {
            What::RateLimits(reading) => self.shared.desk.learn(&mut chosen.pick, reading),
            What::TurnState(state) => self
                .shared
                .turn_states
                .remember(state.as_bytes(), chosen.pick.account),
            _ => {}
        }
        let pick = chosen.pick;
        let Some(request) = &mut self.request else {
            return self.say(Message::Text(frame)).await;
        };
        match what {
            What::Failed(outcome) => {
                let chosen = chosen.clone();
                return self.failed(&chosen, &outcome, Some(frame)).await;
            }
            What::Held(_) | What::RateLimits(_) | What::TurnState(_) if !request.output => {
                request.held_size += frame.len();
                request.held.push(frame);
                if request.held_size > HELD {
                    self.release(pick).await?;
                }
                return Ok(());
            }
            What::Compaction => {
                if let Some(thread) = request.who.thread {
                    self.shared.desk.compacted(thread, pick.account);
                }
            }
            _ => {}
        }
        self.release(pick).await?;
        self.say(Message::Text(frame)).await?;
        if let What::Completed { usage, .. } = what
            && let Some(mut request) = self.request.take()
        {
            request.entry.completed(usage);
        }
        Ok(())
    }

    /// The first output: what was held goes out, and from now on nothing can be taken back.
    async fn release(&mut self, pick: Pick) -> Flow {
        let Some(request) = self.request.as_mut().filter(|request| !request.output) else {
            return Ok(());
        };
        request.output = true;
        request.entry.first_output();
        self.shared.desk.report(&request.trial.succeeded(pick));
        for frame in std::mem::take(&mut request.held) {
            self.client.feed(Message::Text(frame)).await.map_err(|_| Over)?;
        }
        Ok(())
    }

    async fn failed(&mut self, chosen: &Chosen, outcome: &Outcome, frame: Option<Utf8Bytes>) -> Flow {
        let after = self.judge(chosen, outcome).await;
        if matches!(outcome, Outcome::Unauthorized { .. }) {
            // This connection was opened with the refused token.
            self.upstream = None;
        }
        let Some(request) = &mut self.request else {
            return Ok(());
        };
        if let Some(frame) = frame {
            request.last = Some(frame);
        }
        match after {
            After::Again => {
                request.held.clear();
                request.held_size = 0;
                Box::pin(self.serve()).await
            }
            After::Strip => {
                let stripped = strip_ciphertext(request.frame.as_bytes());
                match stripped.and_then(|bytes| Utf8Bytes::try_from(bytes).ok()) {
                    Some(frame) => {
                        request.frame = frame;
                        request.held.clear();
                        request.held_size = 0;
                        Box::pin(self.serve()).await
                    }
                    None => self.pass_on().await,
                }
            }
            After::PassOn => self.pass_on().await,
            After::Resend => self.reconnect("cut_after_output").await,
        }
    }

    // === to the client ===

    /// The upstream's own word stands.
    async fn pass_on(&mut self) -> Flow {
        let Some(mut request) = self.request.take() else {
            return Ok(());
        };
        self.shared.desk.report(&request.trial.given_up());
        request.entry.outcome("passed_on");
        match request.last.take() {
            Some(last) => {
                for frame in request.held.drain(..).chain([last]) {
                    self.client.feed(Message::Text(frame)).await.map_err(|_| Over)?;
                }
                self.client.flush().await.map_err(|_| Over)
            }
            // There is no word: the client asks again, and counts.
            None => self.say(Message::text(answers::reconnect_frame())).await,
        }
    }

    /// The silent hand-over.
    async fn reconnect(&mut self, outcome: &str) -> Flow {
        self.upstream = None;
        self.answer(answers::reconnect_frame().to_owned(), outcome).await
    }

    async fn answer(&mut self, frame: String, outcome: &str) -> Flow {
        if let Some(mut request) = self.request.take() {
            request.entry.outcome(outcome);
        }
        self.say(Message::text(frame)).await
    }

    async fn say(&mut self, message: Message) -> Flow {
        self.client.send(message).await.map_err(|_| Over)
    }
}

enum Moved {
    Yes,
    TryAgain,
    /// The failure stands.
    No,
}

/// The upstream's next message; never, while there is none.
async fn hear(upstream: &mut Option<Upstream>) -> Option<Result<Message, tungstenite::Error>> {
    match upstream {
        Some(upstream) => upstream.socket.next().await,
        None => std::future::pending().await,
    }
}
