//! What the model says, as the events of a stream: written literally, in the order of the captures.

use std::time::Duration;

use bytes::Bytes;

use crate::ask::{CIPHERTEXT, Context};
use crate::fault::Fault;
use crate::quota::quote;
use crate::scenario::Output;
use crate::token::seal;

/// What an event means to whoever plays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Not output: rate limits, metadata, created, in progress.
    Held,
    /// Output.
    Output,
    /// Output inside a tool call item that isn't done.
    ToolCall,
    /// `response.completed`.
    Completed,
    /// The end by an error of this code.
    Failed(String),
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) class: Class,
    /// The item that it delivers in full.
    pub(crate) item: Option<String>,
    pub(crate) json: Bytes,
}

impl Event {
    pub(crate) fn new(class: Class, json: impl Into<Bytes>) -> Self {
        Self {
            class,
            item: None,
            json: json.into(),
        }
    }

    fn done(item: &str, json: String) -> Self {
        Self {
            class: Class::Output,
            item: Some(item.to_owned()),
            json: json.into(),
        }
    }

    /// The event's type, for SSE's `event:` line.
    pub(crate) fn name(&self) -> &str {
        let rest = self.json.strip_prefix(br#"{"type":""#).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'"').unwrap_or(0);
        std::str::from_utf8(&rest[..end]).unwrap_or_default()
    }
}

/// A step of an answer being played.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Event(Event),
    /// Simulated time passes.
    Pause(Duration),
    /// A fault; what follows it is played only if it lets the stream go on.
    Fault(Fault),
}

/// What goes into an answer.
#[derive(Debug)]
pub(crate) struct Composer<'a> {
    pub(crate) output: &'a Output,
    pub(crate) bulk: Option<&'a Bytes>,
    pub(crate) context: &'a Context,
    pub(crate) account: &'a str,
    pub(crate) model: &'a str,
    /// The response's number, and the unique part of every id in it.
    pub(crate) number: u64,
    pub(crate) unique: &'a str,
    pub(crate) input_tokens: usize,
}

/// An answer, and how many output tokens it takes.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response_id: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) output_tokens: usize,
}

impl Composer<'_> {
    pub(crate) fn response_id(&self) -> String {
        format!("resp_{}", self.unique)
    }

    /// `response.created` and `response.completed`: the whole answer to a prewarm.
    pub(crate) fn prewarm(&self) -> Answer {
        let id = self.response_id();
        let steps = vec![
            Step::Event(Event::new(
                Class::Held,
                format!(r#"{{"type":"response.created","response":{{"id":"{id}"}}}}"#),
            )),
            Step::Event(Event::new(
                Class::Completed,
                format!(
                    r#"{{"type":"response.completed","response":{{"id":"{id}","usage":{{"input_tokens":0,"output_tokens":0,"total_tokens":0}}}}}}"#
                ),
            )),
        ];
        Answer {
            response_id: id,
            steps,
            output_tokens: 0,
        }
    }

    /// The text of the message.
    fn text(&self) -> String {
        let directives = self.context.directives();
        let text = self
            .output
            .template
            .replace("{n}", &self.number.to_string())
            .replace("{id}", self.unique)
            .replace("{account}", self.account)
            .replace("{model}", self.model)
            .replace("{user}", &directives.text);
        match directives.words {
            Some(words) => {
                let have = text.split_whitespace().count();
                (have..words).fold(text, |text, n| format!("{text} w{n}"))
            }
            None => text,
        }
    }

    /// The item of a compaction.
    pub(crate) fn compaction_item(&self) -> (String, String) {
        let id = format!("cmp_{}", self.unique);
        let sealed = seal(CIPHERTEXT, self.account, &format!("compaction {}", self.unique));
        let json = format!(r#"{{"type":"compaction","id":"{id}","encrypted_content":"{sealed}"}}"#);
        (id, json)
    }

    /// The whole answer, without quota frames.
    pub(crate) fn compose(&self) -> Answer {
        let id = self.response_id();
        let model = quote(self.model);
        let mut steps = Vec::with_capacity(16);
        for name in ["created", "in_progress"] {
            steps.push(Step::Event(Event::new(
                Class::Held,
                format!(
                    r#"{{"type":"response.{name}","response":{{"id":"{id}","model":{model},"status":"in_progress"}}}}"#
                ),
            )));
        }
        if !self.output.latency.is_zero() {
            steps.push(Step::Pause(self.output.latency));
        }
        let mut index = 0;
        let mut reasoning_tokens = 0;
        if self.output.reasoning && !self.context.compaction {
            self.reasoning(index, &mut steps);
            index += 1;
            reasoning_tokens = 16;
        }
        let directives = self.context.directives();
        let output_tokens = reasoning_tokens
            + if self.context.compaction {
                self.compaction(index, &mut steps);
                64
            } else if self.context.tool_outputs < directives.tools {
                self.tool_call(index, &directives.command, &mut steps);
                12
            } else {
                self.message(index, &mut steps)
            };
        let input = self.input_tokens;
        steps.push(Step::Event(Event::new(
            Class::Completed,
            format!(
                r#"{{"type":"response.completed","response":{{"id":"{id}","model":{model},"status":"completed","output":[],"usage":{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":0}},"output_tokens":{output_tokens},"output_tokens_details":{{"reasoning_tokens":{reasoning_tokens}}},"total_tokens":{}}}}}}}"#,
                input + output_tokens
            ),
        )));
        Answer {
            response_id: id,
            steps,
            output_tokens,
        }
    }

    fn reasoning(&self, index: usize, steps: &mut Vec<Step>) {
        let item = format!("rs_{}", self.unique);
        let sealed = seal(CIPHERTEXT, self.account, self.unique);
        let json =
            format!(r#"{{"type":"reasoning","id":"{item}","summary":[],"encrypted_content":"{sealed}"}}"#);
        steps.push(added(index, &json));
        steps.push(done(index, &item, &json));
    }

    fn compaction(&self, index: usize, steps: &mut Vec<Step>) {
        let (item, json) = self.compaction_item();
        steps.push(added(index, &json));
        steps.push(done(index, &item, &json));
    }

    fn tool_call(&self, index: usize, command: &str, steps: &mut Vec<Step>) {
        let unique = self.unique;
        let item = format!("fc_{unique}");
        let words: Vec<String> = command.split_whitespace().map(quote).collect();
        let arguments = format!(
            r#"{{"cmd": {}, "command": [{}]}}"#,
            quote(command),
            words.join(", ")
        );
        let call = |arguments: &str, status: &str| {
            format!(
                r#"{{"type":"function_call","id":"{item}","call_id":"call_{unique}","name":"exec_command","arguments":{},"status":"{status}"}}"#,
                quote(arguments)
            )
        };
        let event = |json: String| Step::Event(Event::new(Class::ToolCall, json));
        steps.push(event(format!(
            r#"{{"type":"response.output_item.added","output_index":{index},"item":{}}}"#,
            call("", "in_progress")
        )));
        steps.push(event(format!(
            r#"{{"type":"response.function_call_arguments.delta","item_id":"{item}","output_index":{index},"delta":{}}}"#,
            quote(&arguments)
        )));
        steps.push(event(format!(
            r#"{{"type":"response.function_call_arguments.done","item_id":"{item}","output_index":{index},"arguments":{}}}"#,
            quote(&arguments)
        )));
        steps.push(done(index, &item, &call(&arguments, "completed")));
    }

    fn message(&self, index: usize, steps: &mut Vec<Step>) -> usize {
        let item = format!("msg_{}", self.unique);
        let text = self.text();
        steps.push(added(
            index,
            &format!(
                r#"{{"type":"message","id":"{item}","role":"assistant","status":"in_progress","content":[]}}"#
            ),
        ));
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        for (n, chunk) in words.chunks(self.output.delta_words).enumerate() {
            if n > 0 && !self.output.delta_delay.is_zero() {
                steps.push(Step::Pause(self.output.delta_delay));
            }
            steps.push(Step::Event(Event::new(
                Class::Output,
                delta(&item, index, &chunk.concat()),
            )));
        }
        if let (Some(bulk), Some((total, event))) = (self.bulk, self.output.bulk) {
            for _ in 0..total.div_ceil(event) {
                steps.push(Step::Event(Event::new(Class::Output, bulk.clone())));
            }
        }
        steps.push(done(
            index,
            &item,
            &format!(
                r#"{{"type":"message","id":"{item}","role":"assistant","status":"completed","content":[{{"type":"output_text","text":{},"annotations":[]}}]}}"#,
                quote(&text)
            ),
        ));
        words.len()
    }
}

/// A text delta.
pub(crate) fn delta(item: &str, index: usize, text: &str) -> String {
    format!(
        r#"{{"type":"response.output_text.delta","item_id":"{item}","output_index":{index},"content_index":0,"delta":{}}}"#,
        quote(text)
    )
}

fn added(index: usize, item: &str) -> Step {
    let json = format!(r#"{{"type":"response.output_item.added","output_index":{index},"item":{item}}}"#);
    Step::Event(Event::new(Class::Output, json))
}

fn done(index: usize, id: &str, item: &str) -> Step {
    let json = format!(r#"{{"type":"response.output_item.done","output_index":{index},"item":{item}}}"#);
    Step::Event(Event::done(id, json))
}
