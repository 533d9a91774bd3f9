//! What happened is stored: it can be looked at, explained, taken away as a file, and deleted.

use std::time::Duration;

use baton_core::{Cause, Event, EventKind};
use baton_engine::control::protocol::{
    BlockedTime, BlockedWhy, Command, ErrorKind, Explanation, ExportFormat, LogEntry, LogFilter, LogKind,
    ReadingLine, Reply, RequestLine, TurnMark,
};
use baton_sim::Mode;

use crate::stage::Stage;

const BOTH: [Mode; 2] = [Mode::WebSocket, Mode::Http];

async fn log(stage: &Stage, only: LogFilter) -> Vec<LogEntry> {
    match stage.baton.execute(Command::Log { limit: 100, only }).await {
        Ok(Reply::Log { entries }) => entries,
        other => panic!("{other:?}"),
    }
}

async fn entries(stage: &Stage) -> Vec<LogEntry> {
    log(stage, LogFilter::default()).await
}

async fn of_kind(stage: &Stage, kind: LogKind) -> Vec<LogEntry> {
    let kind = Some(kind);
    let only = LogFilter {
        kind,
        ..LogFilter::default()
    };
    log(stage, only).await
}

/// Oldest first.
async fn requests(stage: &Stage) -> Vec<RequestLine> {
    let entries = of_kind(stage, LogKind::Requests).await;
    let line = |entry| match entry {
        LogEntry::Request(line) => line,
        other => panic!("{other:?}"),
    };
    entries.into_iter().rev().map(line).collect()
}

/// But for those that open a connection ahead of a turn.
async fn turns(stage: &Stage) -> Vec<RequestLine> {
    let mut lines = requests(stage).await;
    lines.retain(|line| line.turn != TurnMark::Prewarm);
    lines
}

async fn switches(stage: &Stage) -> Vec<(Event, Option<u64>)> {
    let entries = of_kind(stage, LogKind::Switches).await;
    let event = |entry| match entry {
        LogEntry::Event { event, request } => (event, request),
        other => panic!("{other:?}"),
    };
    entries.into_iter().rev().map(event).collect()
}

async fn blocked(stage: &Stage) -> Vec<BlockedTime> {
    let entries = of_kind(stage, LogKind::Blocked).await;
    let time = |entry| match entry {
        LogEntry::Blocked(time) => time,
        other => panic!("{other:?}"),
    };
    entries.into_iter().rev().map(time).collect()
}

async fn readings(stage: &Stage) -> Vec<ReadingLine> {
    let entries = of_kind(stage, LogKind::Readings).await;
    let line = |entry| match entry {
        LogEntry::Reading(line) => line,
        other => panic!("{other:?}"),
    };
    entries.into_iter().rev().map(line).collect()
}

async fn why(stage: &Stage, request: Option<u64>) -> (Option<RequestLine>, Vec<Explanation>) {
    match stage.baton.execute(Command::Why { request }).await {
        Ok(Reply::Explained {
            request,
            explanations,
        }) => (request, explanations),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_has_its_line_and_says_why_it_went_where_it_went() {
    for mode in BOTH {
        let stage = Stage::two(100.0, 100.0).await;
        let mut client = stage.client(mode);
        for text in ["one", "two", "three"] {
            assert!(client.turn(text).await.completed);
        }
        let lines = turns(&stage).await;
        assert_eq!(lines.len(), 3, "{mode:?}: {lines:?}");
        assert!(lines.is_sorted_by_key(|line| line.id), "{mode:?}: {lines:?}");
        for line in &lines {
            assert_eq!(line.account, Some(stage.id("a")), "{mode:?}");
            assert_eq!(line.outcome, "completed", "{mode:?}");
            assert!(line.first_byte_ms <= line.first_output_ms, "{mode:?}: {line:?}");
            assert!(line.first_byte_ms.is_some(), "{mode:?}");
            assert_eq!(line.thread, lines[0].thread, "{mode:?}");
            let (found, explanations) = why(&stage, Some(line.id)).await;
            assert_eq!(found.as_ref(), Some(line), "{mode:?}");
            let own = explanations.last().expect("an explanation");
            assert!(own.text.starts_with("a ("), "{mode:?}: {own:?}");
            let labels: Vec<&str> = own.lines.iter().map(|line| &*line.label).collect();
            assert_eq!(labels, ["a", "b"], "{mode:?}");
            assert_eq!(
                own.lines[1].text, "Eligible; waits its turn in the order",
                "{mode:?}"
            );
        }
        // One turn is one hash.
        assert_ne!(lines[0].turn, lines[1].turn, "{mode:?}");
        let error = stage.baton.execute(Command::Why { request: Some(999) }).await;
        let error = error.expect_err("there is none");
        assert!(error.message.contains("no request 999"), "{error}");
    }
}

#[tokio::test]
async fn a_switch_names_the_request_that_brought_it_and_is_explained_with_it() {
    for mode in BOTH {
        let stage = Stage::two(1.0, 100.0).await;
        let mut client = stage.client(mode);
        assert!(client.turn("one").await.completed);
        assert!(client.turn("two").await.completed);
        let switches = switches(&stage).await;
        let causes: Vec<Cause> = switches
            .iter()
            .map(|(event, _)| match event.kind {
                EventKind::Switched(switch) => switch.cause,
                _ => panic!("{event:?}"),
            })
            .collect();
        assert_eq!(causes, [Cause::FirstUse, Cause::LimitReached], "{mode:?}");
        let lines = requests(&stage).await;
        let numbers: Vec<u64> = lines.iter().map(|line| line.id).collect();
        for ((_, request), cause) in switches.iter().zip(["first use", "limit reached"]) {
            assert!(
                numbers.contains(&request.expect("a request")),
                "{mode:?}: {numbers:?}"
            );
            let (_, explanations) = why(&stage, *request).await;
            let texts: Vec<&str> = explanations.iter().map(|why| &*why.text).collect();
            let told = format!("the active account from now on ({cause})");
            assert!(
                texts.iter().any(|text| text.contains(&told)),
                "{mode:?}: {texts:?}"
            );
        }
    }
}

/// The numbers are a person's: a restart gives none anew.
#[tokio::test]
async fn numbers_go_on_after_a_restart() {
    let stage = Stage::lasting(
        crate::stage::scenario([crate::stage::account("a", 100.0)]),
        &["a"],
    )
    .await;
    assert!(stage.client(Mode::Http).turn("one").await.completed);
    let stage = stage.restart().await;
    assert!(stage.client(Mode::Http).turn("two").await.completed);
    let lines = requests(&stage).await;
    assert_eq!(lines.len(), 2);
    assert!(lines[0].id < lines[1].id, "{lines:?}");
    assert_eq!(why(&stage, Some(lines[0].id)).await.0.as_ref(), Some(&lines[0]));
}

#[tokio::test]
async fn the_time_in_which_nobody_could_serve_is_one_stretch_until_somebody_could() {
    for mode in BOTH {
        let stage = Stage::two(1.0, 1.0).await;
        let mut client = stage.client(mode);
        assert!(client.turn("a").await.completed);
        assert!(client.turn("b").await.completed);
        assert_eq!(blocked(&stage).await, [], "{mode:?}");
        for _ in 0..3 {
            stage.sim.clock().advance(Duration::from_secs(60));
            assert!(!client.turn("nobody").await.completed);
        }
        let open = blocked(&stage).await;
        assert_eq!(open.len(), 1, "{mode:?}: {open:?}");
        let open = &open[0];
        assert_eq!(
            (open.ended, open.why),
            (None, BlockedWhy::NobodyUsable),
            "{mode:?}"
        );
        assert_eq!(open.requests, 3, "{mode:?}: {open:?}");
        let until = open.until.expect("a known return");
        let (_, explanations) = why(&stage, open.request).await;
        assert!(
            explanations[0].text.contains("every account is exhausted"),
            "{mode:?}"
        );

        // Asked only long after: what lies between the return and then wasn't blocked.
        stage.sim.clock().advance(Duration::from_secs(9 * 3600));
        assert!(client.turn("again").await.completed);
        let over = blocked(&stage).await;
        let expected = BlockedTime {
            ended: Some(until),
            ..open.clone()
        };
        assert_eq!(over, [expected], "{mode:?}");
    }
}

#[tokio::test]
async fn a_stretch_ends_with_what_the_person_does() {
    let stage = Stage::two(1.0, 100.0).await;
    let mut client = stage.client(Mode::Http);
    assert!(client.turn("a").await.completed);
    let account = "a".to_owned();
    stage.run(Command::Pin { account }).await;
    assert!(!client.turn("a is spent").await.completed);
    stage.sim.clock().advance(Duration::from_secs(600));
    stage.run(Command::Unpin).await;
    let times = blocked(&stage).await;
    assert_eq!(times.len(), 1, "{times:?}");
    assert_eq!(times[0].why, BlockedWhy::PinnedUnusable);
    let lasted = times[0].ended.expect("over").since(times[0].began);
    assert!(lasted >= Duration::from_secs(600), "{times:?}");
}

#[tokio::test]
async fn readings_are_kept_where_they_say_something_new() {
    let stage = Stage::two(100.0, 100.0).await;
    let mut client = stage.client(Mode::Http);
    for text in ["one", "two", "three"] {
        assert!(client.turn(text).await.completed);
    }
    let lines = readings(&stage).await;
    let five_hours: Vec<f64> = lines
        .iter()
        .filter(|line| line.window.minutes() == 300)
        .map(|line| line.used.used())
        .collect();
    assert!(five_hours.len() >= 3, "{lines:?}");
    assert!(five_hours.is_sorted(), "{five_hours:?}");
    assert!(
        lines.iter().all(|line| line.account == stage.id("a")),
        "{lines:?}"
    );
    for window in [300, 10_080] {
        let of_window = lines.iter().filter(|line| line.window.minutes() == window);
        let said: Vec<_> = of_window.map(|line| (line.used, line.resets_at)).collect();
        assert!(
            said.windows(2).all(|two| two[0] != two[1]),
            "nothing twice: {said:?}"
        );
    }
}

#[tokio::test]
async fn an_export_has_every_line_once_and_writes_over_nothing() {
    let stage = Stage::two(100.0, 100.0).await;
    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    let mut all = entries(&stage).await;
    let readings = of_kind(&stage, LogKind::Readings).await;
    assert!(!all.is_empty() && !readings.is_empty());
    all.extend(readings);
    let folder = tempfile::tempdir().unwrap();
    let export = async |name: &str, format| {
        let path = folder.path().join(name);
        let answer = stage
            .baton
            .execute(Command::Export {
                path: path.clone(),
                format,
            })
            .await;
        (answer, std::fs::read_to_string(path).unwrap())
    };
    let (answer, json) = export("all.json", ExportFormat::Json).await;
    answer.unwrap();
    assert_eq!(serde_json::from_str::<Vec<LogEntry>>(&json).unwrap(), all);
    let (answer, csv) = export("all.csv", ExportFormat::Csv).await;
    answer.unwrap();
    assert_eq!(csv.lines().count(), all.len() + 1, "{csv}");
    assert!(csv.starts_with("at,kind,account,"), "{csv}");
    let (answer, again) = export("all.csv", ExportFormat::Json).await;
    let error = answer.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("is there already"), "{error}");
    assert_eq!(again, csv);
}

#[tokio::test]
async fn a_deleted_history_is_gone_and_accounts_stay() {
    let stage = Stage::two(100.0, 100.0).await;
    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    assert!(!entries(&stage).await.is_empty());
    stage.run(Command::DeleteHistory).await;
    assert_eq!(entries(&stage).await, []);
    assert_eq!(of_kind(&stage, LogKind::Readings).await, []);
    match stage.baton.execute(Command::Data).await {
        Ok(Reply::Data { data }) => assert_eq!((data.requests, data.events, data.oldest), (0, 0, None)),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.baton.snapshot().accounts.len(), 2);
    assert!(stage.client(Mode::Http).turn("goes on").await.completed);
}
