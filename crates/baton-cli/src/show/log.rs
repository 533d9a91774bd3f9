//! `baton log`: what happened, in words, newest last.

use std::time::Duration;

use baton_core::{Event, EventKind, LimitFamily, explain, explain::Words};
use baton_engine::control::protocol::{BlockedTime, LogEntry, ReadingLine, RequestLine, Snapshot, Transport};

use super::{Labels, Style, Table, Tint};

pub(crate) fn log(entries: &[LogEntry], snapshot: &Snapshot, style: Style) -> String {
    let words = Labels::from(snapshot);
    let mut table = Table::default();
    for entry in entries.iter().rev() {
        let (request, who, what) = match entry {
            LogEntry::Event { event, request } => {
                let what = (happened(event, &words), Tint::Strong);
                (*request, String::new(), what)
            }
            LogEntry::Request(request) => {
                let account = request.account.map(|account| words.label(account));
                let who = account.unwrap_or_else(|| "nobody".to_owned());
                (Some(request.id), who, (line(request), Tint::Plain))
            }
            LogEntry::Blocked(time) => (
                time.request,
                String::new(),
                (blocked(time, &words), Tint::Waiting),
            ),
            LogEntry::Reading(line) => (
                None,
                words.label(line.account),
                (reading(line, &words), Tint::Plain),
            ),
        };
        let number = request.map(|request| format!("#{request}")).unwrap_or_default();
        table.row([
            (words.time(entry.at()), Tint::Faint),
            (number, Tint::Faint),
            (who, Tint::Plain),
            what,
        ]);
    }
    if table.is_empty() {
        return "Nothing has happened.\n".to_owned();
    }
    table.render(style, 0)
}

/// What is known of a request beside its account.
pub(crate) fn line(request: &RequestLine) -> String {
    let mut parts = vec![request.model.clone().unwrap_or_else(|| "request".to_owned())];
    parts.push(match request.transport {
        Transport::Http => "HTTP".to_owned(),
        Transport::WebSocket => "WebSocket".to_owned(),
    });
    parts.push(request.outcome.replace('_', " "));
    if request.waited_ms > 0 {
        parts.push(format!("waited {} ms for an account", request.waited_ms));
    }
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

fn blocked(time: &BlockedTime, words: &dyn Words) -> String {
    let until = match (time.ended, time.until) {
        (Some(ended), _) => format!(
            "until {} ({})",
            words.time(ended),
            minutes(ended.since(time.began))
        ),
        (None, Some(until)) => format!("until {} at the earliest", words.time(until)),
        (None, None) => "still, and no return is known".to_owned(),
    };
    let why = time.why.said();
    let requests = match time.requests {
        1 => "1 request".to_owned(),
        more => format!("{more} requests"),
    };
    format!("Blocked {until}: {why} · {requests}")
}

/// `2 h 5 min`; what is shorter than a minute in seconds.
fn minutes(time: Duration) -> String {
    match (time.as_secs() / 3600, time.as_secs() / 60 % 60) {
        (0, 0) => format!("{} s", time.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn reading(line: &ReadingLine, words: &dyn Words) -> String {
    let left = explain::percent(line.used.left());
    let family = match &line.family {
        LimitFamily::General => String::new(),
        LimitFamily::Named(name) => format!(" of {name}"),
    };
    let resets = line
        .resets_at
        .map(|at| format!(", resets {}", words.time(at)))
        .unwrap_or_default();
    format!("{left} % left of the {} window{family}{resets}", line.window)
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

#[cfg(test)]
mod tests {
    use baton_core::{AccountId, Percent, Source, Timestamp, WindowLength};
    use baton_engine::control::protocol::BlockedWhy;

    use super::*;

    /// Times as seconds.
    struct Plain;

    impl Words for Plain {
        fn label(&self, account: AccountId) -> String {
            format!("account {account}")
        }

        fn time(&self, at: Timestamp) -> String {
            format!("{} s", at.as_millis() / 1000)
        }
    }

    #[test]
    fn blocked_time_says_how_long_it_was_or_how_long_it_may_be() {
        let lasts = BlockedTime {
            began: Timestamp::from_secs(0),
            ended: None,
            until: Some(Timestamp::from_secs(9000)),
            why: BlockedWhy::NobodyUsable,
            request: Some(7),
            requests: 2,
            asked_last: Timestamp::from_secs(10),
        };
        let over = |secs| BlockedTime {
            ended: Some(Timestamp::from_secs(secs)),
            requests: 1,
            ..lasts.clone()
        };
        let unknown = BlockedTime {
            until: None,
            why: BlockedWhy::Braked,
            ..lasts.clone()
        };
        for (time, said) in [
            (
                &lasts,
                "Blocked until 9000 s at the earliest: no account could serve · 2 requests",
            ),
            (
                &over(42),
                "Blocked until 42 s (42 s): no account could serve · 1 request",
            ),
            (
                &over(600),
                "Blocked until 600 s (10 min): no account could serve · 1 request",
            ),
            (
                &over(9300),
                "Blocked until 9300 s (2 h 35 min): no account could serve · 1 request",
            ),
            (
                &unknown,
                "Blocked still, and no return is known: automatic failover had stopped · 2 requests",
            ),
        ] {
            assert_eq!(blocked(time, &Plain), said);
        }
    }

    #[test]
    fn a_reading_is_told_as_what_is_left() {
        let line = ReadingLine {
            at: Timestamp::from_secs(0),
            account: AccountId::new(1),
            family: LimitFamily::Named("bengalfox".into()),
            window: WindowLength::WEEK,
            used: Percent::new(99.6).unwrap(),
            resets_at: Some(Timestamp::from_secs(60)),
            source: Source::Frame,
        };
        assert_eq!(
            reading(&line, &Plain),
            "0.4 % left of the week window of bengalfox, resets 60 s"
        );
    }
}
