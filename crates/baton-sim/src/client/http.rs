//! Requests over HTTP: a zstd body out, server-sent events in.

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::report::Attempt;
use super::{Client, TurnReport};

/// Connections that stay open between requests.
pub(super) type Pool = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

pub(super) fn pool() -> Pool {
    hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http()
}

impl Client {
    /// Sends the whole conversation and follows the answer to its end.
    pub(super) async fn ask_on_http(&mut self, report: &mut TurnReport) -> Attempt {
        let body = self.body(&self.history, "turn").to_string();
        let body = zstd::encode_all(body.as_bytes(), 3).unwrap_or_default();
        let mut request = Request::post(format!("{}/codex/responses", self.base_url))
            .header("content-type", "application/json")
            .header("content-encoding", "zstd")
            .header("accept", "text/event-stream");
        for (name, value) in self.headers("turn") {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Full::new(body.into())) else {
            return Attempt::Fatal(super::TurnError::new(
                "bad_request",
                "The request can't be written",
            ));
        };
        let sent = tokio::time::timeout(self.idle_timeout, self.http.request(request)).await;
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => return Attempt::retry("no_response"),
            Err(_) => return Attempt::retry("idle"),
        };
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        if response.status() != 200 {
            let status = response.status().as_u16();
            let retry_after = header("retry-after").and_then(|text| text.parse().ok());
            let body = response
                .into_body()
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes);
            return Attempt::from_head(status, retry_after, &body.unwrap_or_default());
        }
        if let Some(state) = header("x-codex-turn-state") {
            self.turn_state = Some(state.to_owned());
        }
        self.read_events(response, report).await
    }

    async fn read_events(&mut self, response: Response<Incoming>, report: &mut TurnReport) -> Attempt {
        let mut body = response.into_body();
        let mut events = Events::default();
        loop {
            while let Some(event) = events.next() {
                if let Some(attempt) = self.take(&event, report) {
                    return attempt;
                }
            }
            match tokio::time::timeout(self.idle_timeout, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        events.buffer.extend_from_slice(&data);
                    }
                }
                Ok(_) => return Attempt::retry("stream_cut"),
                Err(_) => return Attempt::retry("idle"),
            }
        }
    }
}

/// Server-sent events, as they become whole.
#[derive(Debug, Default)]
struct Events {
    buffer: BytesMut,
    /// How far the buffer was searched for the end of an event.
    searched: usize,
}

impl Events {
    fn next(&mut self) -> Option<Value> {
        loop {
            let from = self.searched.saturating_sub(1);
            let Some(at) = self.buffer[from..].windows(2).position(|pair| pair == b"\n\n") else {
                self.searched = self.buffer.len();
                return None;
            };
            let block = self.buffer.split_to(from + at + 2);
            self.searched = 0;
            let data = block[..]
                .split(|byte| *byte == b'\n')
                .find_map(|line| line.strip_prefix(b"data: "));
            if let Some(event) = data.and_then(|data| serde_json::from_slice(data).ok()) {
                return Some(event);
            }
        }
    }
}
