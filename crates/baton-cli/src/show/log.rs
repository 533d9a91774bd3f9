//! `baton log`: what happened, in words, newest last.

use baton_core::{Event, EventKind, explain, explain::Words};
use baton_engine::control::protocol::{LogEntry, RequestLine, Snapshot, Transport};

use super::{Labels, Style, Table, Tint};

pub(crate) fn log(entries: &[LogEntry], snapshot: &Snapshot, style: Style) -> String {
    let words = Labels::from(snapshot);
    let mut table = Table::default();
    for entry in entries.iter().rev() {
        match entry {
            LogEntry::Event { event } => {
                let time = (words.time(event.at), Tint::Faint);
                table.row([
                    time,
                    (String::new(), Tint::Plain),
                    (happened(event, &words), Tint::Strong),
                ]);
            }
            LogEntry::Request(request) => {
                let time = (words.time(request.at), Tint::Faint);
                let who = request
                    .account
                    .map_or_else(|| "nobody".to_owned(), |account| words.label(account));
                table.row([time, (who, Tint::Plain), (line(request), Tint::Plain)]);
            }
        }
    }
    if table.is_empty() {
        return "Nothing has happened yet.\n".to_owned();
    }
    table.render(style, 0)
}

fn line(request: &RequestLine) -> String {
    let mut parts = vec![request.model.clone().unwrap_or_else(|| "request".to_owned())];
    parts.push(match request.transport {
        Transport::Http => "HTTP".to_owned(),
        Transport::WebSocket => "WebSocket".to_owned(),
    });
    parts.push(request.outcome.replace('_', " "));
    if let Some(ms) = request.first_output_ms {
        parts.push(format!("first output after {ms} ms"));
    }
    match request.failovers {
        0 => {}
        1 => parts.push("1 account tried before".to_owned()),
        more => parts.push(format!("{more} accounts tried before")),
    }
    if let (Some(input), Some(output)) = (request.input_tokens, request.output_tokens) {
        parts.push(format!("{input} + {output} tokens"));
    }
    parts.join(" · ")
}

/// An event in words.
pub(crate) fn happened(event: &Event, words: &dyn Words) -> String {
    match &event.kind {
        EventKind::Switched(switch) => {
            let to = words.label(switch.to);
            match switch.from {
                Some(from) => {
                    format!(
                        "Switched to {to}: {} ({})",
                        explain::cause(switch.cause),
                        words.label(from)
                    )
                }
                None => format!("{to} is active: {}", explain::cause(switch.cause)),
            }
        }
        EventKind::TemporaryFailover { from, to } => {
            format!(
                "Temporarily on {}, instead of {}",
                words.label(*to),
                words.label(*from)
            )
        }
        EventKind::StateChanged { account, to, .. } => {
            format!("{}: {}", words.label(*account), explain::state(to, words))
        }
        EventKind::Added { account } => format!("{} added", words.label(*account)),
        EventKind::Removed { label, .. } => format!("{label} removed"),
        EventKind::Pinned { account } => format!("Use only {} (no failover)", words.label(*account)),
        EventKind::Unpinned { .. } => "Unpinned".to_owned(),
        EventKind::StrategyChanged { to, .. } => format!("Strategy: {}", to.title()),
        EventKind::BrakeEngaged => {
            "Automatic failover stopped: two accounts were refused for good".to_owned()
        }
        EventKind::BrakeReleased => "Automatic failover goes on".to_owned(),
        EventKind::AllExhausted { earliest: Some(at) } => {
            format!(
                "Every account is exhausted; the first is back {}",
                words.time(*at)
            )
        }
        EventKind::AllExhausted { earliest: None } => {
            "Every account is exhausted; no return is known".to_owned()
        }
        EventKind::Serving => "Serving again".to_owned(),
    }
}
