//! The bytes of a request: headers and body as the CLI writes them.

use serde_json::{Value, json};

use super::{Attempt, Client, TurnReport};

/// What a client says about itself.
const USER_AGENT: &str = "codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.169.0)";

impl Client {
    /// The headers of a request or an upgrade.
    pub(super) fn headers(&self, kind: &str) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("authorization", format!("Bearer {}", self.login.access_token)),
            ("chatgpt-account-id", self.login.account_id.clone()),
            ("user-agent", USER_AGENT.to_owned()),
            ("originator", "codex_exec".to_owned()),
            ("version", "0.169.0".to_owned()),
            ("x-codex-beta-features", "remote_compaction_v2".to_owned()),
            ("x-client-request-id", self.thread_id.clone()),
            ("session-id", self.thread_id.clone()),
            ("thread-id", self.thread_id.clone()),
            ("x-codex-window-id", format!("{}:0", self.thread_id)),
            ("x-codex-turn-metadata", self.turn_metadata(kind)),
            ("x-codex-routing-hint", format!("model={}", self.model)),
        ];
        if let Some(state) = &self.turn_state
            && kind == "turn"
        {
            headers.push(("x-codex-turn-state", state.clone()));
        }
        headers
    }

    fn turn_metadata(&self, kind: &str) -> String {
        let turn_id = if kind == "prewarm" { "" } else { &self.turn_id };
        json!({
            "session_id": self.thread_id,
            "thread_id": self.thread_id,
            "turn_id": turn_id,
            "window_id": format!("{}:0", self.thread_id),
            "request_kind": kind,
            "model": self.model,
            "reasoning_effort": "low",
        })
        .to_string()
    }

    /// The body of a request with this input.
    pub(super) fn body(&self, input: &[Value], kind: &str) -> Value {
        let turn_id = if kind == "prewarm" { "" } else { &self.turn_id };
        let mut metadata = json!({
            "thread_id": self.thread_id,
            "session_id": self.thread_id,
            "turn_id": turn_id,
            "x-codex-window-id": format!("{}:0", self.thread_id),
            "x-codex-turn-metadata": self.turn_metadata(kind),
        });
        if let Some(state) = &self.turn_state {
            metadata["x-codex-turn-state"] = json!(state);
        }
        json!({
            "model": self.model,
            "stream": true,
            "input": input,
            "tool_choice": "auto",
            "parallel_tool_calls": false,
            "reasoning": {"effort": "low", "context": "all_turns"},
            "store": false,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": self.thread_id,
            "text": {"verbosity": "low"},
            "client_metadata": metadata,
        })
    }

    /// Takes an event of an answer; `Some` once the answer has ended.
    pub(super) fn take(&mut self, event: &Value, report: &mut TurnReport) -> Option<Attempt> {
        match event["type"].as_str().unwrap_or_default() {
            "response.output_item.done" => {
                report.deliver(&event["item"]);
                self.history.push(event["item"].clone());
                None
            }
            "response.metadata" => {
                if let Some(state) = event["headers"]["x-codex-turn-state"].as_str() {
                    self.turn_state = Some(state.to_owned());
                }
                None
            }
            "response.completed" => Some(Attempt::Completed),
            "response.failed" => Some(Attempt::from_failed(&event["response"]["error"])),
            "response.incomplete" => Some(Attempt::Fatal(super::TurnError::new(
                "response_incomplete",
                "The response is incomplete",
            ))),
            "error" => Some(Attempt::from_error_frame(event)),
            _ => None,
        }
    }
}
