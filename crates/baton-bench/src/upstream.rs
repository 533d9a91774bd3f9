//! A service that answers as fast as it can, so that what is measured is what lies before it.

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

use crate::{
    Result,
    process::announce,
    wire::{self, HOLD, LIMIT, LONG},
};

/// Frames of a long answer over WebSocket.
pub(crate) const FRAMES: usize = 20_000;
/// Events of a long stream are written in parts of about this size.
const PART: usize = 4096;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Made once.
struct Answers {
    small: Vec<Bytes>,
    part: Bytes,
    created: String,
    delta: String,
    completed: String,
    /// What has met its usage limit.
    limited: Mutex<HashSet<String>>,
}

pub(crate) async fn run() -> Result<()> {
    let delta = wire::sse("response.output_text.delta", &wire::delta());
    let answers = Arc::new(Answers {
        small: wire::small_answer(),
        part: delta.repeat(PART / delta.len()).into(),
        created: wire::created(),
        delta: wire::delta(),
        completed: wire::completed(),
        limited: Mutex::default(),
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(&format!("127.0.0.1:{}", listener.local_addr()?.port()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = Arc::clone(&answers);
        let service = service_fn(move |request| {
            let answers = Arc::clone(&answers);
            async move { Ok::<_, Infallible>(answers.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::spawn(connection);
    }
}

impl Answers {
    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Body> {
        if request.uri().path().ends_with("/wham/accounts/check") {
            return accounts_check(&request);
        }
        if request.method() == Method::GET {
            return self.upgrade(&mut request);
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        let limit = request.headers().get(LIMIT).cloned();
        // The whole request, as a service has to.
        let _ = request.into_body().collect().await;
        if let Some(limit) = limit.as_ref().and_then(|limit| limit.to_str().ok())
            && self.meets_limit(limit)
        {
            let body = json!({"error": wire::limit_reached()}).to_string();
            let mut response = Response::new(full(body));
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            return response;
        }
        let first = self.small[0].clone();
        let last = self.small[self.small.len() - 1].clone();
        let body = match query.split_once('=') {
            Some((LONG, megabytes)) => {
                let parts = megabytes.parse::<usize>().unwrap_or(0) * 1_000_000 / self.part.len();
                let middle = std::iter::repeat_n(self.part.clone(), parts);
                parts_of(stream::iter(std::iter::once(first).chain(middle).chain([last])))
            }
            _ if query == HOLD => {
                let begun = stream::iter([first, self.small[1].clone()]);
                parts_of(begun.chain(stream::pending()))
            }
            _ => parts_of(stream::iter(self.small.clone())),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        );
        wire::quota_headers(headers);
        response
    }

    /// True the first time.
    fn meets_limit(&self, name: &str) -> bool {
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        limited.insert(name.to_owned())
    }

    // === WebSocket ===

    fn upgrade(self: Arc<Self>, request: &mut Request<Incoming>) -> Response<Body> {
        let mut response = Response::new(full(Bytes::new()));
        let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY) else {
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        };
        let accept = derive_accept_key(key.as_bytes());
        let upgrade = hyper::upgrade::on(request);
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                let socket = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
                // Until the other side leaves.
                let _ = Box::pin(self.talk(socket)).await;
            }
        });
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = accept.parse() {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }

    async fn talk(&self, mut socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>) -> Result<()> {
        while let Some(message) = socket.next().await {
            let Message::Text(frame) = message? else { continue };
            if let Some(name) = mark(&frame)
                && self.meets_limit(name)
            {
                let error = json!({"type": "error", "status": 429, "error": wire::limit_reached()});
                socket.send(Message::text(error.to_string())).await?;
                continue;
            }
            socket.send(Message::text(self.created.clone())).await?;
            let frames = if frame.contains("\"bench-frames\"") {
                FRAMES
            } else {
                1
            };
            for _ in 0..frames {
                socket.send(Message::text(self.delta.clone())).await?;
            }
            socket.send(Message::text(self.completed.clone())).await?;
        }
        Ok(())
    }
}

/// The name of a frame that shall meet a usage limit.
fn mark(frame: &str) -> Option<&str> {
    let at = frame.find("\"bench-limit-")? + 1;
    frame[at..].split('"').next()
}

fn accounts_check(request: &Request<Incoming>) -> Response<Body> {
    let id = request.headers().get("chatgpt-account-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let account =
        json!({"id": id, "workspace_backend_origin": null, "account_routing_override": "NO_CONSTRAINT"});
    Response::new(full(json!({"accounts": [account]}).to_string()))
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

fn parts_of(parts: impl stream::Stream<Item = Bytes> + Send + 'static) -> Body {
    StreamBody::new(parts.map(|part| Ok(Frame::data(part)))).boxed_unsync()
}
