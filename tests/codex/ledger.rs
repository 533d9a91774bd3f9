//! What the ledger says of the real CLI's requests is what the service says of them, request by request.

use std::{collections::HashMap, time::Duration};

use baton_core::{AccountId, Event, EventKind, Timestamp};
use baton_engine::control::protocol::{
    BlockedTime, Command, LogEntry, LogFilter, LogKind, Reply, RequestLine, Transport, TurnMark,
};
use baton_sim::Entry;
use serde_json::Value;

use crate::stage::{BOTH, On, Stage, answer_to, two};

/// Between turns: a picture tells them apart.
const PAUSE: Duration = Duration::from_secs(900);

/// A request that was answered, as both can tell it.
#[derive(Debug, PartialEq)]
struct Seen {
    account: String,
    model: Option<String>,
    transport: Transport,
    thread: usize,
    turn: usize,
    /// Of input and output.
    tokens: (u64, u64),
    failed_before: usize,
}

/// Ids and their hashes by the order in which they first come: two that group alike are alike.
#[derive(Default)]
struct Groups(HashMap<String, usize>);

impl Groups {
    fn of(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

async fn log(stage: &Stage, kind: LogKind) -> Vec<LogEntry> {
    let only = LogFilter {
        kind: Some(kind),
        ..LogFilter::default()
    };
    match stage.baton.execute(Command::Log { limit: 1000, only }).await {
        Ok(Reply::Log { mut entries }) => {
            entries.reverse();
            entries
        }
        other => panic!("{other:?}"),
    }
}

/// Those that Codex asked a model for something with, in the order of arrival.
async fn lines(stage: &Stage) -> Vec<RequestLine> {
    let mut lines: Vec<RequestLine> = log(stage, LogKind::Requests)
        .await
        .into_iter()
        .map(|entry| match entry {
            LogEntry::Request(line) => line,
            other => panic!("{other:?}"),
        })
        .filter(|line| line.turn != TurnMark::Prewarm)
        .collect();
    lines.sort_by_key(|line| line.id);
    lines
}

fn label(stage: &Stage, id: AccountId) -> String {
    let snapshot = stage.baton.snapshot();
    let account = snapshot.accounts.iter().find(|account| account.id == id);
    account.expect("an account").label.clone()
}

fn by_baton(stage: &Stage, lines: &[RequestLine]) -> Vec<Seen> {
    let (mut threads, mut turns) = (Groups::default(), Groups::default());
    let mut failed_before = 0;
    let mut seen = Vec::new();
    for line in lines {
        failed_before += usize::try_from(line.failovers).expect("a number");
        if line.outcome == "handed_over" {
            // The CLI asks for it once more, on a connection to the next account.
            failed_before += 1;
            continue;
        }
        assert_eq!(line.outcome, "completed", "{line:?}");
        let TurnMark::Id(turn) = &line.turn else {
            panic!("the CLI names its turns: {line:?}")
        };
        seen.push(Seen {
            account: label(stage, line.account.expect("an account")),
            model: line.model.clone(),
            transport: line.transport,
            thread: threads.of(line.thread.as_deref().expect("a thread")),
            turn: turns.of(turn),
            tokens: line.input_tokens.zip(line.output_tokens).expect("tokens"),
            failed_before: std::mem::take(&mut failed_before),
        });
    }
    seen
}

fn by_the_service(stage: &Stage) -> Vec<Seen> {
    let (mut threads, mut turns) = (Groups::default(), Groups::default());
    let mut failed_before = 0;
    let mut seen = Vec::new();
    for entry in stage.sim.log().find(Entry::generates) {
        if !entry.completed() {
            failed_before += 1;
            continue;
        }
        seen.push(Seen {
            account: entry.account.clone().expect("an account"),
            model: entry.model.clone(),
            transport: match entry.transport {
                baton_sim::Transport::Http => Transport::Http,
                baton_sim::Transport::WebSocket => Transport::WebSocket,
            },
            thread: threads.of(entry.thread_id.as_deref().expect("a thread")),
            turn: turns.of(entry.turn_id.as_deref().expect("a turn")),
            tokens: entry
                .tokens
                .map(|(input, output)| (input as u64, output as u64))
                .expect("tokens"),
            failed_before: std::mem::take(&mut failed_before),
        });
    }
    seen
}

#[tokio::test]
async fn the_ledger_agrees_with_the_service_request_by_request() {
    for on in BOTH {
        // Two turns with a tool call fit on A; the second answer of the third one is B's.
        let stage = Stage::with(on, two(5.0, 3.0)).await;
        for prompt in ["one", "two", "three"] {
            let asked = format!("{prompt} [tool: echo was here | tee -a traces]");
            stage.codex(&asked).await.answered(&answer_to(prompt));
            stage.sim.clock().advance(PAUSE);
        }
        stage.codex("four").await.answered(&answer_to("four"));
        stage.sim.clock().advance(PAUSE);
        stage
            .codex
            .resume("--last", "five")
            .await
            .answered(&answer_to("five"));

        let lines = lines(&stage).await;
        let service = by_the_service(&stage);
        assert_eq!(service.len(), 8, "{on:?}: {service:#?}");
        assert_eq!(by_baton(&stage, &lines), service, "{on:?}: {lines:#?}");
        assert_eq!(
            service.iter().map(|seen| seen.failed_before).sum::<usize>(),
            1,
            "{on:?}"
        );

        for line in lines.iter().filter(|line| line.outcome == "completed") {
            assert!(line.first_byte_ms <= line.first_output_ms, "{on:?}: {line:?}");
            assert!(line.first_output_ms.is_some(), "{on:?}: {line:?}");
        }
        switch_is_explained(&stage, on, &lines).await;
        stage.sim.clock().advance(PAUSE);
        nobody_is_left(&stage, on).await;
        timeline_agrees(&stage, on).await;
        one_log_has_all(&stage, on).await;
        stage.all_in_order();
    }
}

/// The one switch for a limit names a request of the turn that it happened in, and says why.
async fn switch_is_explained(stage: &Stage, on: On, lines: &[RequestLine]) {
    let switches = log(stage, LogKind::Switches).await;
    let Some(LogEntry::Event {
        event,
        request: Some(request),
    }) = switches.last()
    else {
        panic!("{on:?}: {switches:#?}")
    };
    assert!(
        matches!(event.kind, EventKind::Switched(switch) if switch.from.is_some()),
        "{on:?}: {event:?}"
    );
    let line = lines.iter().find(|line| line.id == *request);
    assert!(line.is_some(), "{on:?}: {request} {lines:#?}");
    let request = Some(*request);
    let Ok(Reply::Explained { explanations, .. }) = stage.baton.execute(Command::Why { request }).await
    else {
        panic!("{on:?}: no explanation")
    };
    let texts: Vec<&str> = explanations.iter().map(|why| &*why.text).collect();
    assert!(
        texts.iter().any(|text| text.contains("limit reached")),
        "{on:?}: {texts:?}"
    );
}

/// What Codex is refused then is blocked time, with as many requests as the ledger has lines of it.
async fn nobody_is_left(stage: &Stage, on: On) {
    let before = lines(stage).await.len();
    let asked = stage.sim.log().count(Entry::generates);
    stage.codex("on nobody").await;
    let refused: Vec<RequestLine> = lines(stage).await.split_off(before);
    let blocked: Vec<BlockedTime> = log(stage, LogKind::Blocked)
        .await
        .into_iter()
        .map(|entry| match entry {
            LogEntry::Blocked(time) => time,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(!refused.is_empty(), "{on:?}");
    assert!(
        refused.iter().any(|line| line.outcome == "refused"),
        "{on:?}: {refused:#?}"
    );
    assert_eq!(blocked.len(), 1, "{on:?}: {blocked:#?}");
    assert_eq!(blocked[0].ended, None, "{on:?}");
    assert!(blocked[0].until.is_some(), "{on:?}");
    // B's own refusal, after which nobody was asked any more.
    let more = stage.sim.log().count(Entry::generates) - asked;
    assert!(more <= 1, "{on:?}: {more}");
    let json: Value = serde_json::to_value(&refused).expect("JSON");
    assert!(!json.to_string().contains("on nobody"), "no content");
}

/// The timeline's stretches are where the service has answers of the account, and nowhere else; its switches and blocked
/// stretches are the log's.
async fn timeline_agrees(stage: &Stage, on: On) {
    let (days, width) = (1, Some(800));
    let Ok(Reply::Timeline { timeline, svg }) = stage.baton.execute(Command::Timeline { days, width }).await
    else {
        panic!("{on:?}: no timeline")
    };
    // As finely as a day is drawn, and as long as an answer takes to come.
    let near = Duration::from_secs(86_400 / 600 + 60);
    let answers = stage
        .sim
        .log()
        .find(|entry| entry.generates() && entry.completed());
    for lane in &timeline.lanes {
        let own = answers
            .iter()
            .filter(|entry| entry.account.as_deref() == Some(&lane.label));
        let times: Vec<_> = own.map(|entry| Timestamp::from_millis(entry.at_millis)).collect();
        assert!(!times.is_empty(), "{on:?}");
        for at in &times {
            let shown = lane
                .served
                .iter()
                .any(|span| span.from.before(near) <= *at && *at <= span.to + near);
            assert!(shown, "{on:?}: {at:?} {lane:#?}");
        }
        for edge in lane.served.iter().flat_map(|span| [span.from, span.to]) {
            let told = times.iter().any(|at| at.since(edge).max(edge.since(*at)) <= near);
            assert!(told, "{on:?}: {edge:?} {lane:#?} {times:?}");
        }
    }

    let switches: Vec<_> = log(stage, LogKind::Switches)
        .await
        .into_iter()
        .map(|entry| match entry {
            LogEntry::Event {
                event:
                    Event {
                        at,
                        kind: EventKind::Switched(switch),
                    },
                ..
            } => (at, switch.from, switch.to),
            other => panic!("{on:?}: {other:?}"),
        })
        .collect();
    let marks: Vec<_> = timeline
        .switches
        .iter()
        .map(|mark| (mark.at, mark.from, mark.to))
        .collect();
    assert_eq!(
        marks, switches,
        "{on:?}: nothing else is expected, for nobody is left"
    );
    let of_b = |entry: &&Entry| entry.account.as_deref() == Some("b");
    let first_of_b = answers.iter().find(of_b).expect("an answer of B's");
    let last_of_a = answers.iter().rfind(|entry| !of_b(entry)).expect("one of A's");
    let (switched, ..) = *switches.last().expect("a switch");
    assert!(
        (last_of_a.at_millis..=first_of_b.ended_millis.expect("it is over")).contains(&switched.as_millis()),
        "{on:?}: {switched:?} {last_of_a:?} {first_of_b:?}"
    );

    let stretches: Vec<_> = log(stage, LogKind::Blocked)
        .await
        .into_iter()
        .map(|entry| match entry {
            LogEntry::Blocked(time) => (time.began, time.ended),
            other => panic!("{on:?}: {other:?}"),
        })
        .collect();
    let shown: Vec<_> = timeline.blocked.iter().map(|time| (time.from, time.to)).collect();
    assert_eq!(shown, stretches, "{on:?}");
    let last = answers.last().expect("an answer");
    assert!(
        shown[0].0.as_millis() > last.at_millis,
        "{on:?}: {shown:?} {last:?}"
    );

    let svg = svg.expect("a picture");
    for said in ["Switched from a to b, ", "Blocked "] {
        assert!(svg.contains(said), "{on:?}: {said}: {svg}");
    }
}

/// What the window shows, all kinds in one, is each kind's lines in the order of time.
async fn one_log_has_all(stage: &Stage, on: On) {
    let only = LogFilter::default();
    let Ok(Reply::Log { entries: all }) = stage.baton.execute(Command::Log { limit: 1000, only }).await
    else {
        panic!("{on:?}: no log")
    };
    for kind in [LogKind::Requests, LogKind::Switches, LogKind::Blocked] {
        let of_kind = log(stage, kind).await;
        let count = all.iter().filter(|entry| of_kind.contains(entry)).count();
        assert_eq!(count, of_kind.len(), "{on:?} {kind:?}");
        assert!(!of_kind.is_empty(), "{on:?} {kind:?}");
    }
}
