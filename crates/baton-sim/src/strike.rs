//! Where a fault goes in a script, and how a stream with faults is played on either transport.

use std::time::Duration;

use bytes::Bytes;

use crate::answer::{Class, Event, Step, delta};
use crate::backend::{Backend, Script};
use crate::fault::{At, Fault};
use crate::log::Outcome;

/// Puts a fault at its place among the steps.
pub(crate) fn insert(steps: &mut Vec<Step>, at: At, fault: Fault) {
    let class = |step: &Step| match step {
        Step::Event(event) => Some(event.class.clone()),
        _ => None,
    };
    let completed = steps
        .iter()
        .position(|step| class(step) == Some(Class::Completed))
        .unwrap_or(steps.len());
    let after_nth = |n: usize, tool_call_only: bool| {
        let matches = |step: &Step| match class(step) {
            Some(Class::ToolCall) => true,
            Some(Class::Output) => !tool_call_only,
            _ => false,
        };
        let found = steps
            .iter()
            .enumerate()
            .filter(|(_, step)| matches(step))
            .nth(n.saturating_sub(1));
        found.map_or(completed, |(index, _)| index + 1)
    };
    let index = match at {
        At::Created | At::Output(0) => steps
            .iter()
            .position(|step| class(step) != Some(Class::Held))
            .unwrap_or(steps.len()),
        At::Output(n) => after_nth(n, false),
        // The item was announced and its arguments have begun.
        At::ToolCall => after_nth(2, true),
        At::BeforeCompleted => completed,
        At::AfterCompleted => steps.len(),
        At::Accept | At::Upgrade | At::Head | At::Route(_) | At::AfterRoute(_) => 0,
    };
    steps.insert(index.min(steps.len()), Step::Fault(fault));
}

/// Where a script is played: an SSE body or a WebSocket.
pub(crate) trait Stage {
    /// Whether a refusal in mid-stream is an error frame; else it is `response.failed`.
    const ERROR_FRAMES: bool;
    /// Sends an event; false once the client is gone.
    async fn event(&mut self, event: &Event) -> bool;
    /// Sends text that may be anything but text.
    async fn garbage(&mut self, bytes: Bytes) -> bool;
    /// Sends an error in the form in which it stands alone in a stream.
    async fn error(&mut self, failure: &crate::failure::Failure) -> bool;
    /// From here on, send in pieces.
    fn drip(&mut self, bytes: usize, pause: Duration);
    /// Lets simulated time pass; false once the client is gone.
    async fn pause(&mut self, simulated: Duration) -> bool;
    /// Waits for the client to go away.
    async fn gone(&mut self);
    /// Breaks the next event off in its middle.
    async fn truncate(&mut self, event: &Event);
    /// Ends the connection, by a close frame if there is a code and the transport has such.
    async fn cut(&mut self, reset: bool, close: Option<u16>);
}

/// How playing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Played {
    /// To the end: the connection can go on.
    Whole,
    /// The connection is of no use any more.
    Over,
}

/// Plays a script and records in the log what became of it.
pub(crate) async fn play(backend: &Backend, entry: u64, script: Script, stage: &mut impl Stage) -> Played {
    let mut steps = script.steps.into_iter();
    let mut completion = None;
    while let Some(step) = steps.next() {
        let alive = match step {
            Step::Event(event) => {
                let alive = send(backend, entry, &event, stage).await;
                if event.class == Class::Completed {
                    completion = Some(event);
                }
                alive
            }
            Step::Pause(time) => stage.pause(time).await,
            Step::Fault(fault) => {
                let next = steps.as_slice().iter().find_map(|step| match step {
                    Step::Event(event) => Some(event.clone()),
                    _ => None,
                });
                let now = (next.as_ref(), completion.as_ref());
                match strike(backend, entry, &fault, &script.response_id, now, stage).await {
                    Some(played) => return played,
                    None => true,
                }
            }
        };
        if !alive {
            backend.end(entry, Outcome::ClientGone);
            return Played::Over;
        }
    }
    Played::Whole
}

async fn send(backend: &Backend, entry: u64, event: &Event, stage: &mut impl Stage) -> bool {
    // Recorded before it is sent: whoever has seen the event finds it in the log.
    match &event.class {
        Class::Completed => backend.end(entry, Outcome::Completed),
        Class::Failed(code) => backend.end(entry, Outcome::Failed { code: code.clone() }),
        _ => {
            if let Some(item) = &event.item {
                backend.log.edit(entry, |entry| entry.items.push(item.clone()));
            }
        }
    }
    stage.event(event).await
}

/// Applies a fault; `None` means that the stream goes on.
async fn strike<S: Stage>(
    backend: &Backend,
    entry: u64,
    fault: &Fault,
    response_id: &str,
    (next, completion): (Option<&Event>, Option<&Event>),
    stage: &mut S,
) -> Option<Played> {
    let broken = || backend.end(entry, Outcome::Broken { how: fault.name() });
    let alive = |yes: bool| if yes { Played::Whole } else { Played::Over };
    match fault {
        Fault::Refuse(failure) if S::ERROR_FRAMES => {
            backend.end(entry, Outcome::Failed { code: failure.code() });
            return Some(alive(stage.error(failure).await));
        }
        Fault::Refuse(failure) | Fault::Failed(failure) => {
            let event = Event::new(Class::Failed(failure.code()), failure.failed_event(response_id));
            return Some(alive(send(backend, entry, &event, stage).await));
        }
        Fault::ErrorEvent(failure) => {
            backend.end(entry, Outcome::Failed { code: failure.code() });
            return Some(alive(stage.error(failure).await));
        }
        Fault::Incomplete(reason) => {
            let json = format!(
                r#"{{"type":"response.incomplete","response":{{"id":"{response_id}","status":"incomplete","incomplete_details":{{"reason":"{reason}"}}}}}}"#
            );
            let event = Event::new(Class::Failed(format!("incomplete_{reason}")), json);
            return Some(alive(send(backend, entry, &event, stage).await));
        }
        Fault::Close(code) => {
            broken();
            stage.cut(false, Some(*code)).await;
        }
        Fault::Cut => {
            broken();
            stage.cut(false, None).await;
        }
        Fault::Reset => {
            broken();
            stage.cut(true, None).await;
        }
        Fault::Stall => {
            broken();
            stage.gone().await;
        }
        Fault::TruncateEvent => {
            broken();
            match next {
                Some(event) => stage.truncate(event).await,
                None => stage.cut(false, None).await,
            }
        }
        Fault::End => {
            broken();
            return Some(Played::Whole);
        }
        Fault::Delay(time) => {
            stage.pause(*time).await;
            return None;
        }
        Fault::Drip { bytes, pause } => {
            stage.drip((*bytes).max(1), *pause);
            return None;
        }
        Fault::BadUtf8 => {
            let mut json = br#"{"type":"response.output_text.delta","delta":""#.to_vec();
            json.extend_from_slice(b"\xFF\xFE\xC3(\"}");
            return if stage.garbage(json.into()).await {
                None
            } else {
                Some(Played::Over)
            };
        }
        Fault::BadJson => {
            return if stage
                .garbage(Bytes::from_static(b"{\"type\":\"response.output_text.delta\","))
                .await
            {
                None
            } else {
                Some(Played::Over)
            };
        }
        Fault::GiantEvent(bytes) => {
            let event = Event::new(Class::Output, delta("msg_giant", 0, &"x".repeat(*bytes)));
            stage.event(&event).await;
            return None;
        }
        Fault::UnknownEvent => {
            let json = r#"{"type":"response.never_heard_of","payload":{"nested":[1,2,{"type":"response.completed"}]}}"#;
            stage.event(&Event::new(Class::Held, json)).await;
            return None;
        }
        Fault::DuplicateCompletion => {
            if let Some(event) = completion.or(next) {
                stage.event(event).await;
            }
            return None;
        }
        Fault::TrailingData => {
            stage
                .event(&Event::new(Class::Output, delta("msg_trailing", 9, "trailing")))
                .await;
            return None;
        }
        // These belong to a head; inside a stream there is none any more.
        Fault::ContentType(_) | Fault::BadEncoding(_) | Fault::Redirect(_) | Fault::Respond { .. } => {
            return None;
        }
    }
    Some(Played::Over)
}
