//! The validation plan, judged from the simulated backend's own log, the client's reports and the engine's events.

use std::time::Duration;

use baton_core::{Cause, Eligibility, EventKind, Strategy, Timestamp};
use serde_json::{Value, json};

use super::{
    record::{Asked, Record, Span},
    scenario::CAST,
};

/// Up to this share "mostly untouched" holds.
const UNTOUCHED: f64 = 0.05;

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) passed: bool,
    /// What was seen.
    pub(super) seen: String,
}

/// `longest_pause`: what counts as going on without a break, where somebody could serve.
pub(super) fn verdict(record: &Record, longest_pause: Duration) -> Vec<Step> {
    let [a, b] = CAST.map(|role| role.label);
    let steps: [(String, (bool, String)); 7] = [
        ("Sequential is enabled".to_owned(), enabled(record)),
        (
            "The work goes on all the time".to_owned(),
            continuous(record, longest_pause),
        ),
        (format!("All requests at first on {a}"), all_on_first(record)),
        (format!("{b} mostly untouched until then"), untouched(record)),
        (
            format!("Automatic failover to {b} when {a} is exhausted"),
            failover(record),
        ),
        (
            format!("{a} eligible again after its window recovers, and used again"),
            used_again(record),
        ),
        ("No turn lost, no item repeated".to_owned(), nothing_lost(record)),
    ];
    steps
        .into_iter()
        .zip(1..)
        .map(|((name, (passed, seen)), number)| Step {
            number,
            name,
            passed,
            seen,
        })
        .collect()
}

pub(super) fn json(steps: &[Step]) -> Value {
    steps
        .iter()
        .map(|step| json!({"step": step.number, "name": step.name, "passed": step.passed, "seen": step.seen}))
        .collect()
}

fn enabled(record: &Record) -> (bool, String) {
    (
        record.strategy == Strategy::Sequential,
        format!("the running Baton says: {}", record.strategy.title()),
    )
}

fn continuous(record: &Record, longest_pause: Duration) -> (bool, String) {
    // While nobody could serve, the work stood ready; and where the clock was moved on, no time passed for it.
    let excused: Vec<Span> = record
        .blocked()
        .into_iter()
        .chain(record.skipped.iter().copied())
        .collect();
    let mut points: Vec<Timestamp> = record.requests.iter().map(|request| request.at).collect();
    points.push(record.ended);
    let mut last = record.started;
    let mut longest = Duration::ZERO;
    for at in points {
        // While nobody could serve, the work stood ready.
        let excused: Duration = excused
            .iter()
            .map(|(from, to)| at.min(*to).since(last.max(*from)))
            .sum();
        longest = longest.max(at.since(last).saturating_sub(excused));
        last = at;
    }
    let passed = !record.turns.is_empty() && longest <= longest_pause;
    (
        passed,
        format!(
            "{} turns with {} requests in {}; longest pause {}",
            record.turns.len(),
            record.served().count(),
            super::measure::hours(record.ended.since(record.started)),
            super::measure::hours(longest)
        ),
    )
}

/// The first time that A refused for its limit: index in the requests.
fn exhausted(record: &Record) -> Option<usize> {
    record
        .requests
        .iter()
        .position(|request| request.limit && request.account == Some(0))
}

fn before_exhaustion(record: &Record) -> Option<&[Asked]> {
    exhausted(record)
        .map(|index| &record.requests[..index])
        .filter(|before| !before.is_empty())
}

fn all_on_first(record: &Record) -> (bool, String) {
    let Some(before) = before_exhaustion(record) else {
        return (false, format!("{} never ran out", CAST[0].label));
    };
    let on_first = before.iter().filter(|request| request.account == Some(0)).count();
    (
        on_first == before.len(),
        format!("{on_first} of {} until it ran out", before.len()),
    )
}

fn untouched(record: &Record) -> (bool, String) {
    let Some(before) = before_exhaustion(record) else {
        return (false, format!("{} never ran out", CAST[0].label));
    };
    let on_second = before.iter().filter(|request| request.account == Some(1)).count();
    let share = on_second as f64 / before.len() as f64;
    (
        share <= UNTOUCHED,
        format!(
            "its share: {on_second} of {} requests ({:.0} %)",
            before.len(),
            share * 100.0
        ),
    )
}

fn failover(record: &Record) -> (bool, String) {
    let Some(index) = exhausted(record) else {
        return (false, format!("{} never ran out", CAST[0].label));
    };
    let refused = &record.requests[index];
    let rest = &record.requests[index + 1..];
    let taken_over = rest
        .iter()
        .find(|later| later.completed && later.account == Some(1));
    let same_turn = rest
        .iter()
        .any(|later| later.completed && later.account == Some(1) && later.turn == refused.turn);
    let by_itself = record.events.iter().any(|event| {
        matches!(&event.kind, EventKind::Switched(switch) if switch.cause == Cause::LimitReached
            && switch.from == Some(record.ids[0]) && switch.to == record.ids[1])
    });
    let by_hand = record.events.iter().any(
        |event| matches!(&event.kind, EventKind::Switched(switch) if switch.cause == Cause::SwitchedByPerson),
    );
    let took = taken_over.map_or("nobody took over".to_owned(), |later| {
        format!(
            "taken over {:.0} s later, simulated",
            later.at.since(refused.at).as_secs_f64()
        )
    });
    let turn = if same_turn {
        "the turn it refused was finished there"
    } else {
        "the turn it refused was not"
    };
    (
        taken_over.is_some() && same_turn && by_itself && !by_hand,
        format!("{took}; {turn}"),
    )
}

fn used_again(record: &Record) -> (bool, String) {
    let Some(reset) = exhausted(record).and_then(|_| record.resets(0).first().copied()) else {
        return (false, format!("{} never ran out", CAST[0].label));
    };
    let eligible = record.events.iter().find(|event| {
        event.at >= reset
            && matches!(&event.kind, EventKind::StateChanged { account, to: Eligibility::Eligible, .. }
                if *account == record.ids[0])
    });
    let again: Vec<&Asked> = record
        .served()
        .filter(|request| request.account == Some(0) && request.at >= reset)
        .collect();
    let seen = match (eligible, again.len()) {
        (None, _) => "its window recovered, but it did not become eligible".to_owned(),
        (Some(_), 0) => "it became eligible, but was not used".to_owned(),
        (Some(_), count) => format!("{count} requests after its reset"),
    };
    (eligible.is_some() && !again.is_empty(), seen)
}

fn nothing_lost(record: &Record) -> (bool, String) {
    let (lost, repeated) = (record.lost(), record.repeated());
    let mut seen = format!(
        "{lost} lost, {repeated} repeated, of {} turns",
        record.turns.len()
    );
    if let Some(why) = record.turns.iter().find_map(|turn| turn.lost.as_deref()) {
        seen = format!("{seen} ({why})");
    }
    if record.violations > 0 {
        seen = format!("{seen}; {} breaches of the protocol", record.violations);
    }
    (
        lost == 0 && repeated == 0 && record.violations == 0 && !record.turns.is_empty(),
        seen,
    )
}
