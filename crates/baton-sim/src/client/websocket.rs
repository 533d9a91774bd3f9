//! Requests over a WebSocket: a prewarm, then turns that continue the response before.

use std::fmt;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::report::Attempt;
use super::{Client, TurnError, TurnReport};

/// An open WebSocket, and what its other end already knows.
pub(super) struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// The last response on this connection.
    previous: Option<String>,
    /// How many items of the history that response includes.
    covered: usize,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("previous", &self.previous)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Sends what the other end doesn't know yet and follows the answer to its end.
    pub(super) async fn ask_on_websocket(&mut self, report: &mut TurnReport) -> Attempt {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => match self.connect().await {
                Ok(socket) => socket,
                Err(attempt) => return attempt,
            },
        };
        if !self.prewarmed {
            let frame = self.frame(&[], "prewarm", None);
            // A prewarm that fails is no more than a cold start.
            match self
                .exchange(&mut socket, frame, &mut TurnReport::default())
                .await
            {
                Attempt::Completed => self.prewarmed = true,
                Attempt::Retry(retry) => return Attempt::Retry(retry),
                Attempt::Fatal(error) => return Attempt::Fatal(error),
                Attempt::UseHttp => return Attempt::UseHttp,
            }
        }
        let covered = if socket.previous.is_some() {
            socket.covered
        } else {
            0
        };
        let frame = self.frame(&self.history[covered..], "turn", socket.previous.as_deref());
        let attempt = self.exchange(&mut socket, frame, report).await;
        if matches!(attempt, Attempt::Completed) {
            socket.covered = self.history.len();
            self.socket = Some(socket);
        }
        attempt
    }

    fn frame(&self, input: &[Value], kind: &str, previous: Option<&str>) -> String {
        let mut body = self.body(input, kind);
        body["type"] = json!("response.create");
        if kind == "prewarm" {
            body["generate"] = json!(false);
        }
        if let Some(previous) = previous {
            body["previous_response_id"] = json!(previous);
        }
        body.to_string()
    }

    async fn connect(&mut self) -> Result<Socket, Attempt> {
        let fatal = |what: &str| Attempt::Fatal(TurnError::new("bad_url", what));
        let url = url::Url::parse(&self.base_url).map_err(|_| fatal("The base URL can't be read"))?;
        let address = url
            .socket_addrs(|| None)
            .map_err(|_| fatal("The base URL's host is unknown"))?;
        let target = format!("{}/codex/responses", self.base_url).replacen("http", "ws", 1);
        let mut request = target
            .into_client_request()
            .map_err(|_| fatal("The base URL can't be used"))?;
        let kind = if self.prewarmed { "turn" } else { "prewarm" };
        let headers = request.headers_mut();
        for (name, value) in self.headers(kind) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        headers.insert(
            "openai-beta",
            HeaderValue::from_static("responses_websockets=2026-02-06"),
        );
        headers.insert(
            "sec-websocket-extensions",
            HeaderValue::from_static("permessage-deflate; client_max_window_bits"),
        );
        let stream = TcpStream::connect(address.as_slice())
            .await
            .map_err(|_| Attempt::retry("connect_refused"))?;
        let _ = stream.set_nodelay(true);
        let config = WebSocketConfig::default()
            .max_message_size(Some(1 << 30))
            .max_frame_size(Some(1 << 30));
        let handshake = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        match tokio::time::timeout(self.idle_timeout, handshake).await {
            Ok(Ok((stream, _))) => Ok(Socket {
                stream,
                previous: None,
                covered: 0,
            }),
            Ok(Err(Error::Http(response))) => {
                if response.status() == StatusCode::UPGRADE_REQUIRED {
                    return Err(Attempt::UseHttp);
                }
                let body = response.body().as_deref().unwrap_or_default();
                // The Retry-After of a refused upgrade is ignored.
                Err(match Attempt::from_head(response.status().as_u16(), None, body) {
                    Attempt::Fatal(error) if response.status() == StatusCode::TOO_MANY_REQUESTS => {
                        Attempt::Fatal(error)
                    }
                    _ => Attempt::retry(format!("upgrade_{}", response.status().as_u16())),
                })
            }
            Ok(Err(_)) => Err(Attempt::retry("upgrade_failed")),
            Err(_) => Err(Attempt::retry("upgrade_idle")),
        }
    }

    async fn exchange(&mut self, socket: &mut Socket, frame: String, report: &mut TurnReport) -> Attempt {
        if socket.stream.send(Message::text(frame)).await.is_err() {
            return Attempt::retry("socket_closed");
        }
        loop {
            let message = match tokio::time::timeout(self.idle_timeout, socket.stream.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(_) => return Attempt::retry("socket_closed"),
                Err(_) => return Attempt::retry("idle"),
            };
            let text = match message {
                Message::Text(text) => text,
                Message::Close(_) => return Attempt::retry("socket_closed"),
                _ => continue,
            };
            let Ok(event) = serde_json::from_str::<Value>(text.as_str()) else {
                continue;
            };
            if let Some(attempt) = self.take(&event, report) {
                if matches!(attempt, Attempt::Completed) {
                    socket.previous = event["response"]["id"].as_str().map(str::to_owned);
                    socket.covered = 0;
                }
                return attempt;
            }
        }
    }
}
