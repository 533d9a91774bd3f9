//! An upstream of which a test writes every byte, where the simulated one is too well behaved. Sign-in stays simulated.

use std::future::Future;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::stage::{Stage, account, scenario};

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// A connection that carries a model request, or an upgrade, whose head hasn't been answered.
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) stream: TcpStream,
}

/// A stage whose upstream is the test, and what reaches it. Side routes are answered 404.
pub(crate) async fn stage(accounts: &[&str]) -> (Stage, mpsc::UnboundedReceiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let upstream = format!(
        "http://{}/backend-api",
        listener.local_addr().expect("an address")
    );
    let asked = listen(listener);
    (before(accounts, &upstream).await, asked)
}

/// A stage with this upstream.
pub(crate) async fn before(accounts: &[&str], upstream: &str) -> Stage {
    let scripts = accounts.iter().map(|name| account(name, 100.0));
    Stage::behind(scenario(scripts), accounts, upstream).await
}

/// What reaches the upstream that listens here.
pub(crate) fn listen(listener: TcpListener) -> mpsc::UnboundedReceiver<Asked> {
    let (send, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(greet(stream, send.clone()));
        }
    });
    asked
}

async fn greet(mut stream: TcpStream, asked: mpsc::UnboundedSender<Asked>) {
    loop {
        let Some(head) = head(&mut stream).await else {
            return;
        };
        if head.contains("/codex/responses") {
            let _ = asked.send(Asked { head, stream });
            return;
        }
        let none = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(none).await.is_err() {
            return;
        }
    }
}

/// Up to the empty line, and no byte further.
pub(crate) async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

impl Asked {
    /// Reads the body, and answers with the head of an endless stream of events.
    pub(crate) async fn stream(self) -> Chunks {
        self.stream_with("").await
    }

    pub(crate) async fn stream_with(mut self, headers: &str) -> Chunks {
        let mut body = vec![0; content_length(&self.head)];
        self.stream.read_exact(&mut body).await.expect("a body");
        let head = format!(
            "HTTP/1.1 200 OK\r\n{headers}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        self.stream.write_all(head.as_bytes()).await.expect("it is read");
        Chunks(self.stream)
    }

    pub(crate) async fn accept(self) -> Socket {
        let key = self
            .head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("sec-websocket-key"))
            .and_then(|line| line.split_once(": "))
            .expect("a key")
            .1;
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let mut stream = self.stream;
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("it is read");
        let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
        WebSocketStream::from_raw_socket(stream, role, None).await
    }
}

pub(crate) fn content_length(head: &str) -> usize {
    let head = head.to_ascii_lowercase();
    let (_, rest) = head.split_once("content-length: ").expect("a length");
    rest.lines()
        .next()
        .and_then(|length| length.parse().ok())
        .expect("a number")
}

/// An answer's body in the making.
pub(crate) struct Chunks(pub(crate) TcpStream);

impl Chunks {
    pub(crate) async fn chunk(&mut self, data: &str) {
        let chunk = format!("{:x}\r\n{data}\r\n", data.len());
        self.0.write_all(chunk.as_bytes()).await.expect("it is read");
    }

    pub(crate) async fn end(&mut self) {
        self.0.write_all(b"0\r\n\r\n").await.expect("it is read");
    }

    /// Returns once the other side has left.
    pub(crate) async fn left(mut self) {
        let mut byte = [0];
        while matches!(self.0.read(&mut byte).await, Ok(1)) {}
    }
}

/// A client's request, sent; its answer is read by the test.
pub(crate) async fn post(stage: &Stage, headers: &str, body: &[u8]) -> TcpStream {
    post_to(stage, "/codex/responses", headers, body).await
}

pub(crate) async fn post_to(stage: &Stage, path: &str, headers: &str, body: &[u8]) -> TcpStream {
    let url: url::Url = stage.base_url().parse().expect("a URL");
    let mut stream = TcpStream::connect(("127.0.0.1", url.port().expect("a port")))
        .await
        .expect("Baton listens");
    let head = format!(
        "POST {}{path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n{headers}\r\n",
        url.path(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("it is read");
    stream.write_all(body).await.expect("it is read");
    stream
}

pub(crate) async fn socket(stage: &Stage) -> Socket {
    socket_with(stage, |_| {}).await
}

pub(crate) async fn socket_with(stage: &Stage, change: impl FnOnce(&mut http::Request<()>)) -> Socket {
    let url: url::Url = stage.base_url().parse().expect("a URL");
    let mut request = format!("{}/codex/responses", stage.base_url())
        .replacen("http", "ws", 1)
        .into_client_request()
        .expect("a request");
    change(&mut request);
    let stream = TcpStream::connect(("127.0.0.1", url.port().expect("a port")))
        .await
        .expect("Baton listens");
    tokio_tungstenite::client_async(request, stream)
        .await
        .expect("101")
        .0
}

pub(crate) async fn text(socket: &mut Socket) -> String {
    loop {
        match socket.next().await.expect("it is open").expect("a message") {
            Message::Text(text) => return text.as_str().to_owned(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn say(socket: &mut Socket, text: impl Into<String>) {
    socket.send(Message::text(text.into())).await.expect("it is read");
}

/// Waits until the condition holds, while everything else goes on.
pub(crate) async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    while !condition().await {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn event(json: &str) -> String {
    format!("data: {json}\n\n")
}

pub(crate) const CREATED: &str = r#"{"type":"response.created","response":{"id":"r"}}"#;
pub(crate) const OUTPUT: &str = r#"{"type":"response.output_text.delta","delta":"hi"}"#;
pub(crate) const COMPLETED: &str = r#"{"type":"response.completed","response":{"id":"r"}}"#;
pub(crate) const LIMIT: &str = r#"{"type":"response.failed","response":{"id":"r","error":{"code":"usage_limit_reached","message":"The usage limit has been reached"}}}"#;
pub(crate) const CREATE: &str = r#"{"type":"response.create","model":"m","input":[]}"#;
