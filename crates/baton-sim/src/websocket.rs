//! `GET codex/responses` with an upgrade: a WebSocket whose frames are requests, one after the other.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use crate::answer::{Event, Step};
use crate::ask::{Context, thread_and_turn};
use crate::backend::{Ask, Backend};
use crate::clock::{Clock, millis};
use crate::failure::Failure;
use crate::fault::{At, Facts, Fault};
use crate::http::{Body, Connection, Dropped, Guard, HeadFault, facts, head_fault, refused, respond};
use crate::log::{Kind, Outcome, Transport};
use crate::strike::{Played, Stage, play};
use crate::wire::Control;

/// Answers the upgrade.
pub(crate) async fn upgrade(
    guard: Guard,
    connection: Arc<Connection>,
    facts: Facts,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Dropped> {
    let (backend, entry) = (guard.backend.clone(), guard.entry);
    let account = match backend.authorise(entry, request.headers()) {
        Ok(account) => account,
        Err(failure) => return Ok(refused(&backend, entry, &failure)),
    };
    if let Some(fault) = backend.fault_at(entry, &facts, |at| at == At::Upgrade)
        && let HeadFault::Answer(answer) = head_fault(&backend, entry, &connection, &fault).await?
    {
        return Ok(answer);
    }
    if let Some(failure) = backend.refuse_upgrade(account) {
        return Ok(refused(&backend, entry, &failure));
    }
    let Some(key) = request.headers().get("sec-websocket-key") else {
        return Ok(refused(
            &backend,
            entry,
            &Failure::invalid_request().message("No WebSocket key."),
        ));
    };
    backend.check_bindings(entry, account, request.headers(), &Value::Null);
    let mut headers = backend.quota_headers(account);
    headers.push(("connection".to_owned(), "Upgrade".to_owned()));
    headers.push(("upgrade".to_owned(), "websocket".to_owned()));
    headers.push((
        "sec-websocket-accept".to_owned(),
        derive_accept_key(key.as_bytes()),
    ));
    let on_upgrade = hyper::upgrade::on(&mut request);
    let session = Session {
        backend: backend.clone(),
        connection: connection.clone(),
        account,
        path: request.uri().path().to_owned(),
        headers: request.headers().clone(),
        opened_millis: backend.clock.now_unix_millis(),
        known: HashMap::new(),
    };
    tokio::spawn(async move {
        tokio::select! {
            () = session.run(on_upgrade) => {}
            () = connection.closing.cancelled() => {}
        }
    });
    backend.end(entry, Outcome::Completed);
    Ok(respond(101, &headers, Bytes::new()))
}

struct Session {
    backend: Arc<Backend>,
    connection: Arc<Connection>,
    account: usize,
    path: String,
    headers: HeaderMap,
    opened_millis: i64,
    /// The responses of this connection, which a later frame can continue.
    known: HashMap<String, Context>,
}

impl Session {
    async fn run(mut self, on_upgrade: OnUpgrade) {
        let Ok(upgraded) = on_upgrade.await else { return };
        let config = WebSocketConfig::default()
            .max_message_size(Some(1 << 30))
            .max_frame_size(Some(1 << 30));
        let ws = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        let mut socket = Socket {
            ws,
            waiting: VecDeque::new(),
            control: self.connection.control.clone(),
            clock: self.backend.clock.clone(),
            drip: None,
        };
        while let Some(text) = socket.next_text().await {
            socket.drip = None;
            if self.frame(&text, &mut socket).await == Played::Over {
                return;
            }
        }
    }

    /// Answers one frame.
    async fn frame(&mut self, text: &str, socket: &mut Socket) -> Played {
        let body: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        if body["type"] != "response.create" {
            return Played::Whole;
        }
        let backend = self.backend.clone();
        let previous = body["previous_response_id"].as_str();
        let mut context = previous
            .and_then(|id| self.known.get(id))
            .cloned()
            .unwrap_or_default();
        context.absorb(&body["input"]);
        let (entry, facts) = self.open(&body, text, &context);
        let _guard = Guard {
            backend: backend.clone(),
            entry,
        };
        let mut first = None;
        if let Some(fault) = backend.fault_at(entry, &facts, |at| at == At::Head) {
            match fault {
                Fault::Refuse(failure) => return self.refuse(entry, &failure, socket).await,
                Fault::Respond { status, body, .. } => {
                    let failure = Failure::new(status, "server_error", "", &body);
                    return self.refuse(entry, &failure, socket).await;
                }
                other => first = Some(other),
            }
        }
        if let Some(failure) = self.refusal(&body, &backend) {
            return self.refuse(entry, &failure, socket).await;
        }
        backend.check_bindings(entry, self.account, &self.headers, &body);
        let kind = facts.kind;
        let ask = Ask {
            entry,
            account: self.account,
            facts,
            context,
            bytes: text.len(),
        };
        let script = if kind == Kind::Prewarm {
            backend.prewarm(&ask)
        } else {
            backend.generate(&ask)
        };
        let mut script = match script {
            Ok(script) => script,
            Err(failure) => return self.refuse(entry, &failure, socket).await,
        };
        if let Some(fault) = first {
            script.steps.insert(0, Step::Fault(fault));
        }
        self.known.insert(script.response_id.clone(), ask.context);
        play(&backend, entry, script, socket).await
    }

    fn refusal(&self, body: &Value, backend: &Backend) -> Option<Failure> {
        let age = backend.clock.now_unix_millis() - self.opened_millis;
        if age >= millis(backend.scenario.websocket_lifetime) {
            return Some(Failure::websocket_connection_limit_reached());
        }
        let previous = body["previous_response_id"].as_str()?;
        if self.known.contains_key(previous) {
            return None;
        }
        let message = format!("Previous response with id '{previous}' not found.");
        Some(
            Failure::previous_response_not_found()
                .message(&message)
                .field("param", "previous_response_id".into()),
        )
    }

    async fn refuse(&self, entry: u64, failure: &Failure, socket: &mut Socket) -> Played {
        self.backend.refuse(entry, failure);
        if socket.error(failure).await {
            Played::Whole
        } else {
            Played::Over
        }
    }

    fn open(&self, body: &Value, text: &str, context: &Context) -> (u64, Facts) {
        let backend = &self.backend;
        let mut entry = backend.entry("POST", &self.path, &self.headers);
        let header = |name: &str| {
            self.headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        (entry.thread_id, entry.turn_id) = thread_and_turn(body, header);
        // A socket stays with the account that opened it, even when its token has expired since.
        entry.account = Some(backend.name_of(self.account));
        entry.transport = Transport::WebSocket;
        entry.kind = if body["generate"] == Value::Bool(false) {
            Kind::Prewarm
        } else {
            Kind::Generate
        };
        entry.connection = self.connection.id;
        entry.tls = self.connection.tls;
        entry.model = body["model"].as_str().map(str::to_owned);
        entry.previous_response_id = body["previous_response_id"].as_str().map(str::to_owned);
        entry.user_text = Some(context.user_text.clone());
        entry.bytes_received = text.len();
        if backend.scenario.keep_bodies {
            entry.body = Bytes::copy_from_slice(text.as_bytes());
        }
        let facts = facts(&entry);
        (backend.log.open(entry), facts)
    }
}

/// The server's side of a WebSocket.
struct Socket {
    ws: WebSocketStream<TokioIo<Upgraded>>,
    /// Frames that came while an answer was being played.
    waiting: VecDeque<String>,
    control: Arc<Control>,
    clock: Clock,
    drip: Option<(usize, Duration)>,
}

impl Socket {
    /// The next frame of text; none once the client is gone.
    async fn next_text(&mut self) -> Option<String> {
        if let Some(text) = self.waiting.pop_front() {
            return Some(text);
        }
        self.receive().await
    }

    async fn receive(&mut self) -> Option<String> {
        loop {
            match self.ws.next().await? {
                Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
                Ok(Message::Close(_)) | Err(_) => {
                    let _ = self.ws.flush().await;
                    return None;
                }
                Ok(_) => {}
            }
        }
    }

    async fn send(&mut self, bytes: Bytes) -> bool {
        let Some((size, pause)) = self.drip else {
            let frame = Frame::message(bytes, OpCode::Data(Data::Text), true);
            return self.ws.send(Message::Frame(frame)).await.is_ok();
        };
        let mut rest = bytes;
        let mut code = OpCode::Data(Data::Text);
        while !rest.is_empty() {
            let piece = rest.split_to(size.min(rest.len()));
            let frame = Frame::message(piece, code, rest.is_empty());
            code = OpCode::Data(Data::Continue);
            if self.ws.send(Message::Frame(frame)).await.is_err() || !self.pause(pause).await {
                return false;
            }
        }
        true
    }
}

impl Stage for Socket {
    const ERROR_FRAMES: bool = true;

    async fn event(&mut self, event: &Event) -> bool {
        self.send(event.json.clone()).await
    }

    async fn garbage(&mut self, bytes: Bytes) -> bool {
        self.send(bytes).await
    }

    async fn error(&mut self, failure: &Failure) -> bool {
        self.send(failure.frame().into()).await
    }

    fn drip(&mut self, bytes: usize, pause: Duration) {
        self.drip = Some((bytes, pause));
    }

    async fn pause(&mut self, simulated: Duration) -> bool {
        let clock = self.clock.clone();
        let sleep = clock.sleep(simulated);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                () = &mut sleep => return true,
                text = self.receive() => match text {
                    Some(text) => self.waiting.push_back(text),
                    None => return false,
                },
            }
        }
    }

    async fn gone(&mut self) {
        while self.receive().await.is_some() {}
    }

    async fn truncate(&mut self, event: &Event) {
        self.control.truncate(event.json.len() / 2);
        let _ = self.event(event).await;
    }

    async fn cut(&mut self, reset: bool, close: Option<u16>) {
        if reset {
            self.control.reset();
        }
        if let Some(code) = close {
            let frame = CloseFrame {
                code: code.into(),
                reason: "".into(),
            };
            let _ = self.ws.close(Some(frame)).await;
            self.gone().await;
        }
    }
}
