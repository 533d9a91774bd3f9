//! Bytes that no well-behaved backend sends, in front of a simulated one: the first answers are the row's own, everything
//! after that is the simulation's.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

/// What the answer is.
#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    /// In place of an HTTP answer, or of the answer to an upgrade.
    Answer(Vec<u8>),
    /// On a WebSocket, in place of the frames of an answer.
    Frames(Vec<u8>),
}

pub(crate) const CREATED: &str = r#"{"type":"response.created","response":{"id":"r"}}"#;
pub(crate) const OUTPUT: &str = r#"{"type":"response.output_text.delta","delta":"hi"}"#;
pub(crate) const COMPLETED: &str = r#"{"type":"response.completed","response":{"id":"r"}}"#;
pub(crate) const LIMIT: &str = r#"{"type":"response.failed","response":{"id":"r","error":{"code":"usage_limit_reached","message":"The usage limit has been reached"}}}"#;

/// These bytes, and nothing else.
pub(crate) fn answer(bytes: impl Into<Vec<u8>>) -> Bytes {
    Bytes::Answer(bytes.into())
}

/// A head with these headers in it, and these events as one chunk after another.
pub(crate) fn stream(headers: &str, events: &[&str]) -> String {
    let chunks: String = events
        .iter()
        .map(|event| chunk(&format!("data: {event}\n\n")))
        .collect();
    format!("HTTP/1.1 200 OK\r\n{headers}transfer-encoding: chunked\r\n\r\n{chunks}")
}

pub(crate) const SSE: &str = "content-type: text/event-stream\r\n";
pub(crate) const END: &str = "0\r\n\r\n";

pub(crate) fn whole(headers: &str) -> String {
    stream(headers, &[CREATED, OUTPUT, COMPLETED]) + END
}

pub(crate) fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// An answer with this length in its head, right or wrong.
pub(crate) fn sized(status: &str, content_type: &str, length: usize, body: &str) -> Bytes {
    answer(format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

/// Frames as bytes: `first` is the first byte of each, with the opcode.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()).ok().filter(|length| *length < 126) {
        Some(length) => frame.push(length),
        None => {
            frame.push(126);
            frame.extend(u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

pub(crate) const TEXT: u8 = 0x81;

/// These frames after `response.created`.
pub(crate) fn frames(bytes: impl AsRef<[u8]>) -> Bytes {
    let mut frames = frame(TEXT, CREATED.as_bytes());
    frames.extend(bytes.as_ref());
    Bytes::Frames(frames)
}

/// The base URL of an upstream that answers so the first `times` times.
pub(crate) async fn in_front_of(sim: &str, bytes: Bytes, times: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let behind: url::Url = sim.parse().expect("a URL");
    let port = behind.port().expect("a port");
    let left = Arc::new(AtomicU64::new(if times == u64::MAX { 1 } else { times }));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (left, bytes) = (Arc::clone(&left), bytes.clone());
            tokio::spawn(async move {
                // A side that leaves early ends it.
                let _ = meet(stream, port, &bytes, &left).await;
            });
        }
    });
    format!("http://{address}{}", behind.path())
}

async fn meet(mut client: TcpStream, port: u16, bytes: &Bytes, left: &AtomicU64) -> std::io::Result<()> {
    let head = head(&mut client).await?;
    let asks = head.contains("/codex/responses");
    let mine = asks
        && left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1))
            .is_ok();
    if !mine {
        let mut sim = TcpStream::connect(("127.0.0.1", port)).await?;
        sim.write_all(alone(&head).as_bytes()).await?;
        copy_bidirectional(&mut client, &mut sim).await?;
        return Ok(());
    }
    match bytes {
        Bytes::Answer(answer) => {
            let mut body = vec![0; content_length(&head)];
            client.read_exact(&mut body).await?;
            client.write_all(answer).await?;
            client.shutdown().await
        }
        Bytes::Frames(frames) => on_a_socket(client, &head, frames).await,
    }
}

/// One request a connection: each comes by here.
fn alone(head: &str) -> String {
    if head.to_ascii_lowercase().contains("\r\nupgrade:") {
        return head.to_owned();
    }
    let head = head.trim_end_matches("\r\n");
    format!("{head}\r\nconnection: close\r\n\r\n")
}

async fn on_a_socket(mut client: TcpStream, head: &str, frames: &[u8]) -> std::io::Result<()> {
    let accept = derive_accept_key(header(head, "sec-websocket-key").as_bytes());
    let switching = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    client.write_all(switching.as_bytes()).await?;
    let mut socket = WebSocketStream::from_raw_socket(client, Role::Server, None).await;
    while let Some(Ok(said)) = socket.next().await {
        let Message::Text(asked) = said else { continue };
        if asked.contains(r#""generate":false"#) {
            for event in [CREATED, COMPLETED] {
                if socket.send(Message::text(event)).await.is_err() {
                    return Ok(());
                }
            }
            continue;
        }
        let client = socket.get_mut();
        client.write_all(frames).await?;
        client.shutdown().await?;
        // Whoever says something wrong first must not be the one who resets the connection.
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await?;
        return Ok(());
    }
    Ok(())
}

/// Up to the empty line, and no byte further.
async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    values.next().map_or("", |(_, value)| value)
}

fn content_length(head: &str) -> usize {
    header(head, "content-length").parse().unwrap_or(0)
}
