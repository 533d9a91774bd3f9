//! Two strategies on the same work, in numbers: as they come out, whoever wins.

use std::time::Duration;

use serde_json::{Value, json};

use super::record::{Record, Span};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measures {
    pub(super) turns: usize,
    pub(super) requests: usize,
    pub(super) changes_of_account: usize,
    /// Between the first resets of the two accounts.
    pub(super) reset_gap: Option<Duration>,
    /// Without standing still.
    pub(super) longest_stretch: Duration,
    pub(super) blocked: Duration,
    pub(super) blocks: usize,
}

impl Measures {
    pub(super) fn of(record: &Record) -> Self {
        let end = record.measured_until();
        let within = record.blocked().into_iter().filter(|(from, _)| *from < end);
        let blocked: Vec<Span> = within.map(|(from, to)| (from, to.min(end))).collect();
        let mut longest = Duration::ZERO;
        let mut from = record.started;
        for (begin, end) in &blocked {
            longest = longest.max(begin.since(from));
            from = *end;
        }
        longest = longest.max(end.since(from));
        let first = |account| record.resets(account).first().copied();
        Self {
            turns: record.turns.len() - record.lost(),
            requests: record.served().count(),
            changes_of_account: record.changes_of_account(),
            reset_gap: first(0).zip(first(1)).map(|(a, b)| a.since(b).max(b.since(a))),
            longest_stretch: longest,
            blocked: blocked.iter().map(|(begin, end)| end.since(*begin)).sum(),
            blocks: blocked.len(),
        }
    }

    pub(super) fn json(&self, record: &Record) -> Value {
        json!({
            "strategy": record.strategy.name(),
            "turns": self.turns,
            "requests": self.requests,
            "changes_of_account": self.changes_of_account,
            "reset_gap_minutes": self.reset_gap.map(minutes),
            "longest_stretch_minutes": minutes(self.longest_stretch),
            "blocked_minutes": minutes(self.blocked),
            "lost": record.lost(),
            "repeated": record.repeated(),
        })
    }
}

pub(super) fn minutes(duration: Duration) -> u64 {
    (duration.as_secs() + 30) / 60
}

/// `2 h 15 min`.
pub(super) fn hours(duration: Duration) -> String {
    match (minutes(duration) / 60, minutes(duration) % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

/// What differs, in a sentence or two.
pub(super) fn comparison(sequential: &Measures, balanced: &Measures) -> String {
    let (ours, theirs) = (minutes(sequential.blocked), minutes(balanced.blocked));
    let near = ours.abs_diff(theirs) <= 5 + ours.max(theirs) / 20;
    let blocked = match (ours, theirs) {
        (0, 0) => "Neither stood still on this work.".to_owned(),
        _ if near => format!("Both stood still for about as long ({ours} and {theirs} min)."),
        _ if ours < theirs => format!("Sequential stood still for less time ({ours} min against {theirs})."),
        _ => format!("Balanced stood still for less time ({theirs} min against {ours})."),
    };
    let gap = |measures: &Measures| measures.reset_gap.map_or("an unknown time".to_owned(), hours);
    let times = |count: usize| {
        if count == 1 {
            "once".to_owned()
        } else {
            format!("{count} times")
        }
    };
    format!(
        "{blocked} Sequential stood still {}, balanced {}; it changed the account {}, balanced {}; and its two accounts come \
         back {} apart, those of balanced {}.",
        times(sequential.blocks),
        times(balanced.blocks),
        times(sequential.changes_of_account),
        times(balanced.changes_of_account),
        gap(sequential),
        gap(balanced)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (minutes, text) in [
            (0, "0 min"),
            (59, "59 min"),
            (60, "1 h"),
            (135, "2 h 15 min"),
            (61, "1 h 01 min"),
        ] {
            assert_eq!(hours(Duration::from_secs(minutes * 60)), text);
        }
    }
}
