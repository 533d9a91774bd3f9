//! A small Codex-like client: it speaks as the CLI does and reacts as the CLI does, without running anything.
//!
//! One [`Client`] is one conversation. Each [`Client::turn`] sends a user text, answers tool calls, follows every
//! retry that the CLI would make, and reports what was delivered. It speaks plain http, as the CLI does to a
//! local proxy.

mod http;
mod report;
mod request;
mod websocket;

use std::time::Duration;

use serde_json::{Value, json};

pub use report::{Delivered, Login, TurnError, TurnReport};

use crate::clock::Clock;
use crate::ids::Ids;
use report::{Attempt, Retry};

/// Which transport a client begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// WebSocket, with HTTP as the last resort.
    WebSocket,
    /// HTTP from the start.
    Http,
}

/// How often a turn is retried visibly before it gives up, as the CLI does.
const RETRIES: u32 = 5;

/// A conversation.
#[derive(Debug)]
pub struct Client {
    base_url: String,
    login: Login,
    mode: Mode,
    model: String,
    clock: Clock,
    ids: Ids,
    padding: usize,
    idle_timeout: Duration,
    thread_id: String,
    turn_id: String,
    /// Everything said so far, as input items.
    history: Vec<Value>,
    turn_state: Option<String>,
    socket: Option<websocket::Socket>,
    prewarmed: bool,
    http: http::Pool,
}

impl Client {
    /// A client of a base URL such as `http://127.0.0.1:4455/<secret>/backend-api` (or a simulation's
    /// [`base_url`](crate::Sim::base_url)), on WebSocket, in real time.
    #[must_use]
    pub fn new(base_url: impl Into<String>, login: Login) -> Self {
        let mut client = Self {
            base_url: base_url.into().trim_end_matches('/').to_owned(),
            login,
            mode: Mode::WebSocket,
            model: "gpt-6.1-sol".to_owned(),
            clock: Clock::new(1.0),
            ids: Ids::new(7),
            padding: 0,
            idle_timeout: Duration::from_secs(300),
            thread_id: String::new(),
            turn_id: String::new(),
            history: Vec::new(),
            turn_state: None,
            socket: None,
            prewarmed: false,
            http: http::pool(),
        };
        client.thread_id = client.uuid();
        client
    }

    /// WebSocket or HTTP.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The seed of its ids; give each client its own.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.ids = Ids::new(seed);
        self.thread_id = self.uuid();
        self
    }

    /// The clock that its waits follow, so that they shrink with a compressed simulation.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The model it asks for.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// Bytes of tool descriptions in front of every full input; the CLI sends about 70,000.
    #[must_use]
    pub fn padding(mut self, bytes: usize) -> Self {
        self.padding = bytes;
        self
    }

    /// Real time of silence after which it takes a stream for dead (300 s).
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// The conversation's id.
    #[must_use]
    pub fn thread_id(&self) -> &str {
        &self.thread_id
    }

    /// The transport of the next request: a WebSocket conversation may have fallen back to HTTP.
    #[must_use]
    pub fn current_mode(&self) -> Mode {
        self.mode
    }

    /// Closes the WebSocket, as between two runs of the CLI.
    pub fn disconnect(&mut self) {
        self.socket = None;
    }

    /// Sends a user text and follows the turn to its end.
    pub async fn turn(&mut self, text: &str) -> TurnReport {
        if self.history.is_empty() && self.padding > 0 {
            let description = "x".repeat(self.padding);
            self.history.push(json!({"type": "additional_tools", "id": format!("at_{}", self.uuid()),
                "role": "developer", "tools": [{"type": "namespace", "name": "functions", "description": description}]}));
        }
        self.history.push(json!({"type": "message", "role": "user",
            "content": [{"type": "input_text", "text": text}]}));
        self.turn_id = self.uuid();
        self.turn_state = None;
        let mut report = TurnReport::new(self.turn_id.clone());
        let mut failures = 0;
        loop {
            report.requests += 1;
            let delivered = report.items.len();
            let attempt = match self.mode {
                Mode::WebSocket => self.ask_on_websocket(&mut report).await,
                Mode::Http => self.ask_on_http(&mut report).await,
            };
            let tools = self.run_tools(&report.items[delivered..]);
            match attempt {
                Attempt::Completed => {
                    failures = 0;
                    if tools == 0 {
                        report.completed = true;
                        return report;
                    }
                }
                Attempt::Fatal(error) => {
                    report.error = Some(error);
                    self.socket = None;
                    return report;
                }
                Attempt::UseHttp => {
                    self.mode = Mode::Http;
                    report.fell_back = true;
                    failures = 0;
                }
                Attempt::Retry(retry) => {
                    self.socket = None;
                    if retry.counted {
                        failures += 1;
                    }
                    if failures > RETRIES {
                        if self.mode == Mode::Http {
                            report.error = Some(TurnError::new("retries_exhausted", &retry.reason));
                            return report;
                        }
                        self.mode = Mode::Http;
                        report.fell_back = true;
                        failures = 0;
                    }
                    self.pause(retry, failures, &mut report).await;
                }
            }
        }
    }

    /// Waits as long as the other side asked, else a short backoff.
    async fn pause(&self, retry: Retry, failures: u32, report: &mut TurnReport) {
        report.reconnects += 1;
        report.retried.push(retry.reason);
        match retry.after {
            Some(wait) => {
                report.waits.push(wait);
                self.clock.sleep(wait).await;
            }
            None => {
                let backoff = Duration::from_millis(100 << failures.min(RETRIES));
                // A frozen clock has no short waits.
                tokio::time::sleep(self.clock.real(backoff).unwrap_or_default()).await;
            }
        }
    }

    /// Adds the delivered items to the conversation and answers the tool calls among them.
    fn run_tools(&mut self, delivered: &[Delivered]) -> usize {
        let calls: Vec<&Value> = delivered
            .iter()
            .filter(|item| item.kind == "function_call")
            .map(|item| &item.json)
            .collect();
        for call in &calls {
            let arguments = call["arguments"].as_str().unwrap_or_default();
            let command = serde_json::from_str::<Value>(arguments).unwrap_or_default()["cmd"].to_string();
            self.history.push(json!({
                "type": "function_call_output",
                "id": format!("fco_{}", self.uuid()),
                "call_id": call["call_id"],
                "output": format!("Wall time: 0.0000 seconds\nProcess exited with code 0\nOutput:\nran {command}\n"),
            }));
        }
        calls.len()
    }

    fn uuid(&self) -> String {
        self.ids.uuid(self.clock.now_unix_millis())
    }
}
