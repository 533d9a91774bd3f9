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

/// Where A first ran out, as an index in the requests: it refused one for its limit, or has answered as many as fit
/// into its window. (It need not come to a refusal: a reading may say 100 % in time.)
fn exhausted(record: &Record) -> Option<usize> {
    let mut answered = 0;
    record.requests.iter().position(|request| {
        let full = answered >= record.quota;
        answered += usize::from(request.completed && request.account == Some(0));
        full || (request.limit && request.account == Some(0))
    })
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
    let rest = &record.requests[index..];
    let on_second = |later: &Asked| later.completed && later.account == Some(1);
    let taken_over = rest.iter().position(on_second);
    let refused = &rest[..taken_over.unwrap_or(rest.len())];
    let refused: Vec<&Asked> = refused.iter().filter(|request| request.limit).collect();
    let finished = |request: &&&Asked| {
        rest.iter()
            .any(|later| on_second(later) && later.turn == request.turn)
    };
    let finished = refused.iter().filter(finished).count();
    let by_itself = record.events.iter().any(|event| {
        matches!(&event.kind, EventKind::Switched(switch) if switch.cause == Cause::LimitReached
            && switch.from == Some(record.ids[0]) && switch.to == record.ids[1])
    });
    let by_hand = record.events.iter().any(
        |event| matches!(&event.kind, EventKind::Switched(switch) if switch.cause == Cause::SwitchedByPerson),
    );
    let seen = match (taken_over, refused.len()) {
        (None, _) => "nobody took over".to_owned(),
        (Some(_), 0) => "no request was refused: a reading said in time that it is used up".to_owned(),
        (Some(_), 1) => format!("{finished} of 1 refused request was finished there, in the same turn"),
        (Some(_), more) => {
            format!("{finished} of {more} refused requests were finished there, in the same turn")
        }
    };
    (
        taken_over.is_some() && finished == refused.len() && by_itself && !by_hand,
        seen,
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

#[cfg(test)]
mod tests {
    use baton_core::{AccountId, Event, Switch};

    use super::*;
    use crate::demo::record::Turn;

    const MINUTE: i64 = 60;

    fn asked(minute: i64, account: usize, completed: bool) -> Asked {
        let turn = Some(format!("turn-{minute}"));
        Asked {
            at: Timestamp::from_secs(minute * MINUTE),
            account: Some(account),
            turn,
            completed,
            limit: !completed,
        }
    }

    /// A serves two, refuses the third, which B finishes; A is back after five hours and serves again.
    fn as_it_should_be() -> Record {
        let at = |minute: i64| Timestamp::from_secs(minute * MINUTE);
        let ids = vec![AccountId::new(1), AccountId::new(2)];
        let switch = Switch {
            from: Some(ids[0]),
            to: ids[1],
            cause: Cause::LimitReached,
        };
        let recovered = EventKind::StateChanged {
            account: ids[0],
            from: Eligibility::Skipped,
            to: Eligibility::Eligible,
        };
        let mut taken_over = asked(21, 1, true);
        taken_over.turn = Some("turn-20".to_owned());
        Record {
            strategy: Strategy::Sequential,
            started: at(0),
            ended: at(320),
            day: Duration::from_secs(320 * 60),
            quota: 2,
            skipped: vec![(at(22), at(304))],
            turns: vec![Turn {
                started: at(0),
                lost: None,
                repeated: 0,
            }],
            requests: vec![
                asked(1, 0, true),
                asked(10, 0, true),
                asked(20, 0, false),
                taken_over,
                asked(305, 0, true),
            ],
            events: vec![
                Event {
                    at: at(20),
                    kind: EventKind::Switched(switch),
                },
                Event {
                    at: at(301),
                    kind: recovered,
                },
            ],
            ids,
            violations: 0,
        }
    }

    fn failed(record: &Record) -> Vec<usize> {
        let steps = verdict(record, Duration::from_secs(3600));
        steps
            .iter()
            .filter(|step| !step.passed)
            .map(|step| step.number)
            .collect()
    }

    #[test]
    fn a_run_as_it_should_be_passes() {
        assert_eq!(failed(&as_it_should_be()), Vec::<usize>::new());
    }

    #[test]
    fn each_step_can_fail() {
        type Spoil = fn(&mut Record);
        let spoilt: [(&[usize], Spoil); 9] = [
            (&[1], |record| record.strategy = Strategy::Balanced),
            (&[2], |record| record.skipped.clear()),
            (&[3, 4], |record| record.requests.insert(1, asked(5, 1, true))),
            (&[5], |record| record.requests[3].turn = None),
            (&[5], |record| drop(record.events.remove(0))),
            (&[6], |record| record.requests.truncate(4)),
            (&[6], |record| record.events.truncate(1)),
            (&[7], |record| record.turns[0].lost = Some("gone".to_owned())),
            (&[7], |record| record.turns[0].repeated = 1),
        ];
        for (index, (steps, spoil)) in spoilt.iter().enumerate() {
            let mut record = as_it_should_be();
            spoil(&mut record);
            if index == 5 {
                record.ended = Timestamp::from_secs(304 * MINUTE);
            }
            assert_eq!(failed(&record), *steps, "spoilt: {index}");
        }
    }

    #[test]
    fn running_out_without_a_refusal_counts_too() {
        let mut record = as_it_should_be();
        record.requests.remove(2);
        assert_eq!(failed(&record), Vec::<usize>::new());
    }
}
