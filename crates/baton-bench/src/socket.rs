//! A client over WebSocket.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, header};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, Utf8Bytes, client::IntoClientRequest},
};
use url::Url;

use crate::{Result, load::authority, upstream::FRAMES, wire};

const FRAME: usize = 32 * 1024;
/// A small frame, as that of a turn which continues another.
const SMALL: usize = 2 * 1024;

#[derive(Debug)]
struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn connect(url: &Url) -> Result<Self> {
        let mut request = url.as_str().replacen("http", "ws", 1).into_client_request()?;
        let headers = request.headers_mut();
        for (name, value) in wire::headers("turn-1") {
            headers.insert(name, value.parse()?);
        }
        headers.insert(
            "openai-beta",
            HeaderValue::from_static("responses_websockets=2026-02-06"),
        );
        headers.insert(header::HOST, authority(url).parse()?);
        let stream = TcpStream::connect(authority(url)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(client_async(request, stream).await?.0))
    }

    async fn send(&mut self, frame: &Utf8Bytes) -> Result<()> {
        Ok(self.0.send(Message::Text(frame.clone())).await?)
    }

    async fn hear(&mut self) -> Result<Utf8Bytes> {
        loop {
            match self.0.next().await.ok_or("the socket closed")?? {
                Message::Text(text) => return Ok(text),
                Message::Close(frame) => return Err(format!("the socket closed: {frame:?}").into()),
                _ => {}
            }
        }
    }

    /// To the end of an answer.
    async fn finish(&mut self) -> Result<()> {
        loop {
            let said = self.hear().await?;
            if is(&said, "response.completed") {
                return Ok(());
            }
            if is(&said, "error") {
                return Err(format!("answered with {said}").into());
            }
        }
    }

    async fn close(mut self) {
        let _ = self.0.close(None).await;
    }
}

fn is(said: &str, kind: &str) -> bool {
    // Which member of an event comes first is the writer's choice.
    said.contains(&format!("\"type\":\"{kind}\""))
}

/// From a frame to the end of its small answer, in order.
pub(crate) async fn round_trips(url: &Url, time: Duration) -> Result<Vec<Duration>> {
    let mut socket = Socket::connect(url).await?;
    let frame: Utf8Bytes = wire::body(SMALL, &json!({})).into();
    let mut taken = Vec::new();
    socket.send(&frame).await?;
    socket.finish().await?;
    let started = Instant::now();
    while started.elapsed() < time {
        let before = Instant::now();
        socket.send(&frame).await?;
        socket.finish().await?;
        taken.push(before.elapsed());
    }
    socket.close().await;
    Ok(taken)
}

/// Frames a second of one long answer.
pub(crate) async fn frames_per_second(url: &Url) -> Result<f64> {
    let mut socket = Socket::connect(url).await?;
    let frame: Utf8Bytes = wire::body(SMALL, &json!({"model": "bench-frames"})).into();
    let started = Instant::now();
    socket.send(&frame).await?;
    let mut heard = 0;
    loop {
        let said = socket.hear().await?;
        heard += 1;
        // Looking for it in every frame would measure the client.
        if heard > FRAMES && is(&said, "response.completed") {
            break;
        }
    }
    let taken = started.elapsed();
    socket.close().await;
    Ok(f64::from(u32::try_from(heard)?) / taken.as_secs_f64())
}

/// From a frame that meets a usage limit to the first output, as a client sees it that reconnects at once when it is
/// told to. The second value: how often it was told to.
pub(crate) async fn failover(url: &Url, name: &str) -> Result<(Duration, u32)> {
    let mut socket = Socket::connect(url).await?;
    socket.send(&wire::body(SMALL, &json!({})).into()).await?;
    socket.finish().await?;
    // As a turn that goes on: what the service remembers of this connection, no other account knows.
    let limit = format!("bench-limit-{name}");
    let marks = json!({"prompt_cache_key": limit.clone(), "previous_response_id": "resp_1"});
    let mut frame: Utf8Bytes = wire::body(SMALL, &marks).into();
    let whole: Utf8Bytes = wire::body(FRAME, &json!({"prompt_cache_key": limit})).into();
    let mut reconnects = 0;
    let started = Instant::now();
    loop {
        socket.send(&frame).await?;
        let told = loop {
            let said = socket.hear().await?;
            if is(&said, "response.output_text.delta") {
                let taken = started.elapsed();
                socket.finish().await?;
                socket.close().await;
                return Ok((taken, reconnects));
            }
            if is(&said, "error") {
                break said;
            }
        };
        if reconnects == 3 || !told.contains("websocket_connection_limit_reached") {
            return Err(format!("no failover: {told}").into());
        }
        reconnects += 1;
        socket = Socket::connect(url).await?;
        frame = whole.clone();
    }
}
