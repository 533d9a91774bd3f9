//! What the ledger says of the real CLI's requests is what the service says of them, request by request.

use std::collections::HashMap;

use baton_core::{AccountId, EventKind};
use baton_engine::control::protocol::{
    BlockedTime, Command, LogEntry, LogFilter, LogKind, Reply, RequestLine, Transport, TurnMark,
};
use baton_sim::Entry;
use serde_json::Value;

use crate::stage::{BOTH, On, Stage, answer_to, two};

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
        }
        stage.codex("four").await.answered(&answer_to("four"));
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
        nobody_is_left(&stage, on).await;
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
