//! A socket's conversation: what each side says, and what becomes of it. Every `response.create` frame is a request of
//! its own (`serve`), held until the first output.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use baton_core::{Outcome, trial::Pick};
use baton_wire::{HeldKind, What, answers, ws};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use tokio_tungstenite::tungstenite::{
    self, Message, Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    super::{
        Shared,
        asked::{Asked, on_text},
        asker::Asker,
    },
    Handshake,
    in_flight::InFlight,
    inbox::{Inbox, Left},
    upstream::{Socket, Upstream},
};

/// `response.create` frames that wait for the one in flight. Codex sends one after the other.
const WAITING: usize = 4;
/// A side that doesn't take its close frame is left without.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

pub(super) struct Conversation {
    pub(super) shared: Arc<Shared>,
    pub(super) handshake: Handshake,
    client: SplitSink<Socket, Message>,
    pub(super) upstream: Option<Upstream>,
    pub(super) request: Option<InFlight>,
    waiting: VecDeque<(Utf8Bytes, Asked)>,
    /// The client has said what isn't understood here: what isn't asked for may be the answer.
    unread: bool,
    /// The number of the first request.
    first: Option<u64>,
}

/// The client is gone, or is told to go.
pub(super) struct Over(CloseFrame);

pub(super) type Flow = Result<(), Over>;

enum Said {
    Client(Message),
    Upstream(Option<Result<Message, tungstenite::Error>>),
    Waited(Utf8Bytes, Asked),
}

pub(super) async fn converse(
    shared: Arc<Shared>,
    handshake: Handshake,
    client: Socket,
    upstream: Option<Upstream>,
    first: Option<u64>,
) {
    let (client, stream) = client.split();
    let mut inbox = Inbox::new(stream);
    let cut = shared.cut.clone();
    let mut conversation = Conversation {
        shared,
        handshake,
        client,
        upstream,
        request: None,
        waiting: VecDeque::new(),
        unread: false,
        first,
    };
    tokio::select! {
        () = conversation.run(&mut inbox) => {}
        () = cut.cancelled() => {
            if let Some(request) = &mut conversation.request {
                request.entry.outcome("ended_with_baton");
            }
        }
    }
}

impl Conversation {
    /// Until one side is gone, or Baton goes.
    async fn run(&mut self, inbox: &mut Inbox) {
        match self.listen(inbox).await {
            Ok(Left(frame)) => {
                if let Some(upstream) = &mut self.upstream {
                    let _ = tokio::time::timeout(GOODBYE, upstream.socket.close(frame)).await;
                }
            }
            Err(Over(frame)) => {
                let goodbye = self.client.send(Message::Close(Some(frame)));
                let _ = tokio::time::timeout(GOODBYE, goodbye).await;
            }
        }
    }

    async fn listen(&mut self, inbox: &mut Inbox) -> Result<Left, Over> {
        let draining = self.shared.draining.clone();
        loop {
            let idle = self.request.is_none();
            let next = if idle && !draining.is_cancelled() {
                self.waiting.pop_front()
            } else {
                None
            };
            let said = match next {
                Some((frame, asked)) => Said::Waited(frame, asked),
                None => tokio::select! {
                    // A client that comes back finds the next Baton.
                    () = draining.cancelled(), if idle => return Err(Over(away())),
                    said = inbox.next(), if self.waiting.len() < WAITING => match said {
                        Ok(message) => Said::Client(message),
                        Err(left) => return Ok(left),
                    },
                    said = hear(&mut self.upstream) => Said::Upstream(said),
                },
            };
            // That may take its time: an account is waited for, or the client is slow.
            tokio::select! {
                biased;
                flow = self.take(said) => flow?,
                left = inbox.left() => return Ok(left),
            }
        }
    }

    async fn take(&mut self, said: Said) -> Flow {
        match said {
            Said::Client(message) => self.client_said(message).await,
            Said::Upstream(said) => self.upstream_said(said).await,
            Said::Waited(frame, asked) => self.begin(frame, asked).await,
        }
    }

    // === from the client ===

    async fn client_said(&mut self, message: Message) -> Flow {
        let Message::Text(frame) = message else {
            return self.forward(message).await;
        };
        match on_text(frame.clone().into(), Asked::read).await {
            Some(asked) if asked.creates && self.request.is_some() => {
                self.waiting.push_back((frame, asked));
                Ok(())
            }
            Some(asked) if asked.creates => self.begin(frame, asked).await,
            _ => self.forward(Message::Text(frame)).await,
        }
    }

    async fn begin(&mut self, frame: Utf8Bytes, asked: Asked) -> Flow {
        // The handshake names the session; its turn is that of the socket's first frame only.
        let connection = self.handshake.facts.clone().of_connection();
        let asker = Asker::of(&self.handshake.parts.headers);
        let first = self.first.take();
        self.request = Some(InFlight::new(
            &self.shared,
            frame,
            asked,
            connection,
            asker,
            first,
        ));
        if self.shared.desk.bypassed() {
            // Its next socket goes with its own sign-in.
            return self.reconnect("bypassed").await;
        }
        self.serve().await
    }

    /// What isn't a request is between the client and the upstream.
    async fn forward(&mut self, message: Message) -> Flow {
        self.unread = true;
        let Some(upstream) = &mut self.upstream else {
            // There is none that it could be about: the client comes back, and gets one.
            return Err(Over(away()));
        };
        if upstream.socket.send(message).await.is_err() {
            return self.upstream_left(None).await;
        }
        Ok(())
    }

    // === from the upstream ===

    async fn upstream_said(&mut self, said: Option<Result<Message, tungstenite::Error>>) -> Flow {
        match said {
            Some(Ok(Message::Text(frame))) => self.event(frame).await,
            Some(Ok(Message::Binary(bytes))) => {
                self.release().await?;
                self.say(Message::Binary(bytes)).await
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Close(frame))) => self.upstream_left(frame).await,
            Some(Err(_)) | None => self.upstream_left(None).await,
        }
    }

    async fn upstream_left(&mut self, frame: Option<CloseFrame>) -> Flow {
        let upstream = self.upstream.take();
        match upstream.filter(|_| self.request.is_some()) {
            Some(upstream) => self.failed(upstream.chosen, &Outcome::Broken, None).await,
            // Idle: the client finds out at once rather than with its next frame.
            None => Err(Over(frame.unwrap_or_else(away))),
        }
    }

    async fn event(&mut self, frame: Utf8Bytes) -> Flow {
        let Some(Upstream {
            chosen, announces, ..
        }) = &mut self.upstream
        else {
            return Ok(());
        };
        if let Some(request) = &mut self.request {
            request.entry.first_byte();
        }
        let what = ws::server(frame.as_str(), self.shared.desk.now());
        match &what {
            What::RateLimits(reading) => self.shared.desk.learn(&mut chosen.pick, reading),
            What::TurnState(state) => self
                .shared
                .turn_states
                .remember(state.as_bytes(), chosen.pick.account),
            _ => {}
        }
        let Pick { account, .. } = chosen.pick;
        let Some(request) = &mut self.request else {
            return self.unasked(frame, &what).await;
        };
        if what == What::Held(HeldKind::Created) {
            request.begun = true;
            *announces = true;
        } else if what.is_output() && *announces && !request.begun {
            tracing::debug!("the rest of an earlier answer was dropped");
            return Ok(());
        }
        match what {
            What::Failed(outcome) => {
                let chosen = chosen.clone();
                return self.failed(chosen, &outcome, Some(frame)).await;
            }
            What::Held(_) | What::RateLimits(_) | What::TurnState(_) if !request.delivered => {
                if !request.hold(frame) {
                    self.release().await?;
                }
                return Ok(());
            }
            What::Compaction => {
                if let Some(thread) = request.who.thread {
                    self.shared.desk.compacted(thread, account);
                }
            }
            _ => {}
        }
        self.release().await?;
        self.say(Message::Text(frame)).await?;
        if let What::Completed { usage, .. } = what
            && let Some(mut request) = self.request.take()
        {
            request.entry.completed(usage);
        }
        Ok(())
    }

    /// The rest of an answer that is over would be taken for the start of the next one.
    async fn unasked(&mut self, frame: Utf8Bytes, what: &What) -> Flow {
        match what {
            // The client heals this by itself, whenever it reads it.
            What::Failed(Outcome::ReconnectAsked) => self.say(Message::Text(frame)).await,
            What::Output | What::Completed { .. } | What::Compaction | What::Held(_) | What::Failed(_)
                if !self.unread =>
            {
                tracing::debug!("an event that belongs to no request was dropped");
                Ok(())
            }
            _ => self.say(Message::Text(frame)).await,
        }
    }

    /// The first output: what was held goes out, and from now on nothing can be taken back.
    async fn release(&mut self) -> Flow {
        let Some(request) = self.request.as_mut().filter(|request| !request.delivered) else {
            return Ok(());
        };
        request.delivered = true;
        request.entry.first_output();
        if let Some(Upstream { chosen, .. }) = &mut self.upstream {
            let reports = request.trial.succeeded(chosen.pick);
            self.shared.desk.report_success(&mut chosen.pick, &reports);
        }
        let held = request.release();
        self.say_all(held).await
    }

    // === to the client ===

    /// The request is over with this word of ours.
    pub(super) async fn answer(&mut self, frame: String, outcome: &str) -> Flow {
        if let Some(mut request) = self.request.take() {
            request.entry.outcome(outcome);
        }
        self.say(Message::text(frame)).await
    }

    /// The silent hand-over.
    pub(super) async fn reconnect(&mut self, outcome: &str) -> Flow {
        self.upstream = None;
        self.answer(answers::reconnect_frame().to_owned(), outcome).await
    }

    async fn say(&mut self, message: Message) -> Flow {
        self.client.send(message).await.map_err(|_| Over(away()))
    }

    /// All at once, sent with whatever is said next.
    async fn say_all(&mut self, frames: Vec<Utf8Bytes>) -> Flow {
        for frame in frames {
            self.client
                .feed(Message::Text(frame))
                .await
                .map_err(|_| Over(away()))?;
        }
        Ok(())
    }

    pub(super) async fn say_last(&mut self, frames: Vec<Utf8Bytes>, last: Utf8Bytes) -> Flow {
        self.say_all(frames).await?;
        self.say(Message::Text(last)).await
    }
}

fn away() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Away,
        reason: Utf8Bytes::from_static(""),
    }
}

/// The upstream's next message; never, while there is none.
async fn hear(upstream: &mut Option<Upstream>) -> Option<Result<Message, tungstenite::Error>> {
    match upstream {
        Some(upstream) => upstream.socket.next().await,
        None => std::future::pending().await,
    }
}
