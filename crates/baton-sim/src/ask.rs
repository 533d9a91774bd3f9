//! What a request asks for: its input read as the model would, and the directives of a scripted user text.

use serde_json::Value;

use crate::token::unseal;

/// The prefix of ciphertext; what follows is bound to the account that made it.
pub(crate) const CIPHERTEXT: &str = "gAAAAAB";

/// What is known of a conversation at a response: enough to continue it by `previous_response_id`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// The last user text.
    pub(crate) user_text: String,
    /// Tool outputs since that text.
    pub(crate) tool_outputs: usize,
    /// The input ends in a compaction trigger.
    pub(crate) compaction: bool,
    /// Accounts whose ciphertext the input carries.
    pub(crate) ciphertext_of: Vec<String>,
}

impl Context {
    /// Reads further input items.
    pub(crate) fn absorb(&mut self, input: &Value) {
        self.compaction = false;
        if let Some(text) = input.as_str() {
            text.clone_into(&mut self.user_text);
            self.tool_outputs = 0;
        }
        for item in input.as_array().into_iter().flatten() {
            let kind = item["type"].as_str().unwrap_or("message");
            if let Some(made_by) = item["encrypted_content"]
                .as_str()
                .and_then(|text| unseal(CIPHERTEXT, text))
                && !self.ciphertext_of.contains(&made_by)
            {
                self.ciphertext_of.push(made_by);
            }
            match kind {
                "message" if item["role"] == "user" => {
                    let text = message_text(&item["content"]);
                    // What the CLI tells the model about the machine is not what the person said.
                    if !text.starts_with('<') && !text.starts_with("# AGENTS.md") && !text.is_empty() {
                        self.user_text = text;
                        self.tool_outputs = 0;
                    }
                }
                "function_call_output" | "custom_tool_call_output" => self.tool_outputs += 1,
                "compaction_trigger" => self.compaction = true,
                _ => {}
            }
        }
    }

    /// The directives in the last user text.
    pub(crate) fn directives(&self) -> Directives {
        Directives::parse(&self.user_text)
    }
}

fn message_text(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let parts: Vec<&str> = content
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|part| part["text"].as_str())
        .collect();
    parts.join("\n")
}

/// `[tool: cmd]`, `[tools: N cmd]`, `[words: N]` in a user text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// How many tool calls come before the message, and which.
    pub(crate) tools: usize,
    pub(crate) command: String,
    /// The length of the message.
    pub(crate) words: Option<usize>,
    /// The text without its directives.
    pub(crate) text: String,
}

impl Directives {
    pub(crate) fn parse(text: &str) -> Self {
        let mut out = Self::default();
        let mut rest = text;
        while let Some(start) = rest.find('[') {
            let Some(end) = rest[start..].find(']').map(|at| start + at) else {
                break;
            };
            let inside = &rest[start + 1..end];
            let known = match inside.split_once(':') {
                Some(("tool", command)) => {
                    out.tools = 1;
                    command.trim().clone_into(&mut out.command);
                    true
                }
                Some(("tools", spec)) => {
                    let (count, command) = spec.trim().split_once(' ').unwrap_or((spec.trim(), "true"));
                    out.tools = count.parse().unwrap_or(1);
                    command.trim().clone_into(&mut out.command);
                    true
                }
                Some(("words", count)) => {
                    out.words = count.trim().parse().ok();
                    true
                }
                _ => false,
            };
            out.text
                .push_str(if known { &rest[..start] } else { &rest[..=end] });
            rest = &rest[end + 1..];
        }
        out.text.push_str(rest);
        out.text = out.text.trim().to_owned();
        out
    }
}

/// The conversation and the turn, from `client_metadata` or from the `x-codex-turn-metadata` header.
pub(crate) fn thread_and_turn(
    body: &Value,
    header: impl Fn(&str) -> Option<String>,
) -> (Option<String>, Option<String>) {
    let metadata = &body["client_metadata"];
    let parse = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let inner = parse(metadata["x-codex-turn-metadata"].as_str().map(str::to_owned));
    // On a WebSocket the header belongs to the upgrade, so that a frame's own metadata comes first.
    let outer = parse(header("x-codex-turn-metadata"));
    let find = |name: &str| {
        [Some(metadata), inner.as_ref(), outer.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|source| source[name].as_str().filter(|text| !text.is_empty()))
            .map(str::to_owned)
    };
    (find("thread_id").or_else(|| header("thread-id")), find("turn_id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn directives_are_read_and_removed() {
        let d = Directives::parse("look [tools: 3 echo hi] at [words: 20] this [1]");
        assert_eq!((d.tools, d.command.as_str(), d.words), (3, "echo hi", Some(20)));
        assert_eq!(d.text, "look  at  this [1]");
        assert_eq!(Directives::parse("[tool: echo hello]").command, "echo hello");
    }

    #[test]
    fn the_environment_is_not_the_person() {
        let mut context = Context::default();
        context.absorb(&json!([
            {"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},
            {"type":"message","role":"user","content":[{"type":"input_text","text":"<environment_context>x"}]},
            {"type":"function_call_output","call_id":"c","output":"o"},
        ]));
        assert_eq!((context.user_text.as_str(), context.tool_outputs), ("hi", 1));
    }
}
