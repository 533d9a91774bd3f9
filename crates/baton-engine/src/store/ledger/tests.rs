use std::time::Duration;

use baton_core::{
    AccountId, Because, Cause, Choice, Eligibility, EventKind, LimitFamily, Line, PassedOver, Percent,
    Source, Standing, Strategy, Switch, WindowLength,
};

use super::*;
use crate::control::protocol::{BlockedWhy, LogEntry, LogKind, Transport, TurnMark};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(in crate::store) fn event_at(secs: i64) -> Event {
    Event {
        at: at(secs),
        kind: EventKind::BrakeReleased,
    }
}

pub(in crate::store) fn line_at(secs: i64) -> RequestLine {
    RequestLine {
        id: u64::try_from(secs).unwrap() + 1,
        at: at(secs),
        account: Some(AccountId::new(2)),
        session: None,
        thread: Some("000000000000a1b2".to_owned()),
        turn: TurnMark::Id("f1b2c3d4e5f60718".to_owned()),
        model: Some("gpt-5.6".to_owned()),
        transport: Transport::WebSocket,
        outcome: "completed".to_owned(),
        first_byte_ms: Some(90),
        first_output_ms: Some(950),
        waited_ms: 0,
        failovers: 1,
        input_tokens: Some(12_000),
        cached_tokens: Some(7),
        output_tokens: None,
    }
}

pub(in crate::store) fn record_at(secs: i64) -> RequestRecord {
    record(line_at(secs), None)
}

fn record(line: RequestLine, decision: Option<Decision>) -> RequestRecord {
    RequestRecord { line, decision }
}

fn blocked_at(secs: i64) -> BlockedTime {
    BlockedTime {
        began: at(secs),
        ended: Some(at(secs + 60)),
        until: None,
        why: BlockedWhy::NobodyUsable,
        request: None,
        requests: 3,
        asked_last: at(secs + 30),
    }
}

fn reading(secs: i64, used: f64) -> ReadingLine {
    ReadingLine {
        at: at(secs),
        account: AccountId::new(1),
        family: LimitFamily::General,
        window: WindowLength::WEEK,
        used: Percent::new(used).unwrap(),
        resets_at: Some(at(9_000_000)),
        source: Source::Headers,
    }
}

fn decision(cause: Cause, secs: i64, generation: u64) -> Decision {
    let (from, to) = (Some(AccountId::new(1)), AccountId::new(2));
    Decision {
        at: at(secs),
        strategy: Strategy::Sequential,
        choice: Choice::Use {
            account: to,
            generation,
            because: Because::BecameActive { cause },
        },
        switch: Some(Switch { from, to, cause }),
        lines: Vec::new(),
    }
}

fn switch_at(secs: i64, request: u64, cause: Cause) -> EventRecord {
    let decision = decision(cause, secs, 5);
    EventRecord {
        event: Event {
            at: at(secs),
            kind: EventKind::Switched(decision.switch.unwrap()),
        },
        request: Some(request),
        decision: Some(decision),
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_at(dir.path(), at(0)).unwrap();
    (dir, store)
}

fn batch(events: &[Event], requests: Vec<RequestRecord>) -> Batch {
    Batch {
        events: events.iter().cloned().map(EventRecord::from).collect(),
        requests,
        ..Batch::default()
    }
}

fn readings(lines: Vec<ReadingLine>) -> Batch {
    Batch {
        readings: lines,
        ..Batch::default()
    }
}

fn entry(event: Event) -> LogEntry {
    LogEntry::Event { event, request: None }
}

fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    store.lock().query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn the_log_is_newest_first_across_all_kinds() {
    let (_dir, store) = store();
    let nobody = RequestLine {
        account: None,
        transport: Transport::Http,
        turn: TurnMark::Continues,
        ..line_at(30)
    };
    let records = vec![record_at(20), record(nobody.clone(), None)];
    let mut written = batch(&[event_at(10), event_at(40)], records);
    written.blocked.push(blocked_at(25));
    written.readings.push(reading(26, 5.0));
    store.append(&written).unwrap();
    let all = [
        entry(event_at(40)),
        LogEntry::Request(nobody),
        LogEntry::Blocked(blocked_at(25)),
        LogEntry::Request(line_at(20)),
        entry(event_at(10)),
    ];
    let everything = Only::default();
    assert_eq!(store.log(100, everything).unwrap(), all);
    assert_eq!(store.log(2, everything).unwrap(), all[..2]);
    assert_eq!(store.log(0, everything).unwrap(), []);
    let of = |kind| Only {
        kind: Some(kind),
        ..everything
    };
    assert_eq!(
        store.log(9, of(LogKind::Requests)).unwrap(),
        [all[1].clone(), all[3].clone()]
    );
    assert_eq!(
        store.log(9, of(LogKind::Events)).unwrap(),
        [all[0].clone(), all[4].clone()]
    );
    assert_eq!(store.log(9, of(LogKind::Blocked)).unwrap(), [all[2].clone()]);
    assert_eq!(store.log(9, of(LogKind::Switches)).unwrap(), []);
    assert_eq!(
        store.log(9, of(LogKind::Readings)).unwrap(),
        [LogEntry::Reading(reading(26, 5.0))]
    );
    let since = Only {
        since: Some(at(30)),
        ..everything
    };
    assert_eq!(store.log(9, since).unwrap(), all[..2]);
    let of_2 = Only {
        account: Some(AccountId::new(2)),
        ..everything
    };
    assert_eq!(store.log(9, of_2).unwrap(), [all[3].clone()]);
}

#[test]
fn readings_of_all_windows_are_told_newest_first() {
    let (_dir, store) = store();
    let other = |secs| ReadingLine {
        account: AccountId::new(2),
        family: LimitFamily::Named("bengalfox".into()),
        ..reading(secs, 1.0)
    };
    store
        .append(&readings(vec![reading(10, 1.0), other(20), reading(30, 2.0)]))
        .unwrap();
    let only = Only {
        kind: Some(LogKind::Readings),
        ..Only::default()
    };
    let newest = [reading(30, 2.0), other(20)].map(LogEntry::Reading);
    assert_eq!(store.log(2, only).unwrap(), newest);
}

#[test]
fn what_is_older_than_90_days_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let day = |days: i64| days * 86_400;
    Store::open_at(dir.path(), Timestamp::from_secs(0))
        .unwrap()
        .append(&batch(
            &[event_at(0), event_at(day(10))],
            vec![record_at(0), record_at(day(10))],
        ))
        .unwrap();
    let store = Store::open_at(dir.path(), Timestamp::from_secs(day(100))).unwrap();
    let left = [entry(event_at(day(10))), LogEntry::Request(line_at(day(10)))];
    assert_eq!(store.log(10, Only::default()).unwrap(), left);
}

/// Nobody has to restart it for that, and the file gives back what it doesn't need.
#[test]
fn what_is_too_old_goes_while_baton_runs_and_the_file_shrinks() {
    let (_dir, store) = store();
    let week = 7 * 86_400;
    store.retain(Retention::of_days(7).unwrap());
    for hour in 0..20 {
        let mut written = batch(&[], (0..200).map(|n| record_at(hour * 3600 + n)).collect());
        written.readings.push(reading(hour * 3600, 1.0));
        written.blocked.push(blocked_at(hour * 3600));
        written
            .events
            .push(switch_at(hour * 3600, 1, Cause::LimitReached));
        store.append(&written).unwrap();
    }
    let before = store.summary().unwrap();
    assert_eq!((before.requests, before.retention_days), (4000, 7));
    store
        .append(&batch(&[], vec![record_at(19 * 3600 + week)]))
        .unwrap();
    let after = store.summary().unwrap();
    assert_eq!((after.requests, after.events), (201, 1));
    assert_eq!(after.oldest, Some(at(19 * 3600)));
    assert!(after.size * 2 < before.size, "{} {}", after.size, before.size);
    for (table, left) in [
        ("readings", 1),
        ("windows", 1),
        ("blocked", 1),
        ("explanations", 1),
    ] {
        assert_eq!(count(&store, table), left, "{table}");
    }
}

#[test]
fn however_long_it_is_kept_the_oldest_make_room() {
    let (_dir, store) = store();
    let events: Vec<Event> = (0..50).map(event_at).collect();
    let mut written = batch(&events, (0..50).map(record_at).collect());
    written.readings = (0..50).map(|secs| reading(secs, 1.0)).collect();
    store.append(&written).unwrap();
    retention::prune_to(&store.lock(), Retention::default(), at(50), (20, 10, 30)).unwrap();
    for (table, left) in [("requests", 20), ("events", 10), ("readings", 30)] {
        assert_eq!(count(&store, table), left, "{table}");
        let oldest: i64 = store
            .lock()
            .query_row(&format!("SELECT MIN(at) FROM {table}"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(oldest, (50 - left) * 1000, "{table}");
    }
}

#[test]
fn an_event_of_another_version_hides_no_other() {
    let (_dir, store) = store();
    store
        .append(&batch(&[event_at(1), event_at(2)], Vec::new()))
        .unwrap();
    store
        .lock()
        .execute(
            "UPDATE events SET event = '{\"kind\":\"new\"}' WHERE at = 2000",
            [],
        )
        .unwrap();
    assert_eq!(store.log(10, Only::default()).unwrap(), [entry(event_at(1))]);
}

#[test]
fn an_explanation_is_kept_once_and_says_when_it_counted() {
    let (_dir, store) = store();
    let requests = (0..100).map(|secs| {
        let decided = decision(Cause::FirstUse, secs, u64::try_from(secs).unwrap());
        record(line_at(secs), Some(decided))
    });
    store.append(&batch(&[], requests.collect())).unwrap();
    assert_eq!(count(&store, "explanations"), 1);
    let (line, decisions) = store.explained(43).unwrap().unwrap();
    assert_eq!(line, Some(line_at(42)));
    assert_eq!(decisions, [decision(Cause::FirstUse, 42, 0)]);
    assert_eq!(store.explained(101).unwrap(), None);
    assert_eq!(store.explained(u64::MAX).unwrap(), None);
}

/// As finely as the service counts, every request of an account that is held back would have one of its own.
#[test]
fn an_explanation_has_whole_percents_and_minutes() {
    let (_dir, store) = store();
    let held_back = |used, seconds| Decision {
        lines: vec![Line {
            account: AccountId::new(1),
            state: Eligibility::HeldBack {
                window: WindowLength::WEEK,
                used: Percent::new(used).unwrap(),
                threshold: Percent::new(90.0).unwrap(),
                until: Some(at(seconds)),
                reserve: false,
            },
            standing: Standing::PassedOver(PassedOver::LaterTier),
        }],
        ..decision(Cause::FirstUse, 0, 0)
    };
    let written = [(90.0, 60), (90.2, 63), (90.9, 61), (91.0, 62)]
        .map(|(used, seconds)| record(line_at(0), Some(held_back(used, seconds))));
    store.append(&batch(&[], written.to_vec())).unwrap();
    assert_eq!(count(&store, "explanations"), 2);
    let (_, decisions) = store.explained(1).unwrap().unwrap();
    assert_eq!(decisions, [held_back(91.0, 60)]);
}

#[test]
fn a_request_is_explained_with_the_switches_that_it_brought() {
    let (_dir, store) = store();
    let own = decision(Cause::NeedsAttention, 12, 0);
    let written = Batch {
        events: vec![
            switch_at(11, 11, Cause::LimitReached),
            switch_at(12, 11, Cause::NeedsAttention),
            switch_at(13, 99, Cause::Skipped),
        ],
        requests: vec![record(line_at(10), Some(own))],
        ..Batch::default()
    };
    store.append(&written).unwrap();
    let (line, decisions) = store.explained(11).unwrap().unwrap();
    assert_eq!(line, Some(line_at(10)));
    let causes: Vec<Cause> = decisions.iter().map(|d| d.switch.unwrap().cause).collect();
    assert_eq!(causes, [Cause::LimitReached, Cause::NeedsAttention]);
    // Only its connection was ever asked for.
    let (line, decisions) = store.explained(99).unwrap().unwrap();
    assert_eq!((line, decisions.len()), (None, 1));
    let switches = store.switches(at(12), at(20)).unwrap();
    assert_eq!(
        switches.iter().map(|(_, request)| *request).collect::<Vec<_>>(),
        [Some(11), Some(99)]
    );
    assert_eq!(store.last_request().unwrap(), 99);
}

#[test]
fn readings_are_thinned_out_to_the_last_of_each_stretch() {
    let (_dir, store) = store();
    let lines = (1..=100).map(|n| reading(n * 10, n as f64));
    store.append(&readings(lines.collect())).unwrap();
    let samples = |from, to, resolution| -> Vec<(i64, f64)> {
        let windows = store
            .readings(at(from), at(to), Duration::from_secs(resolution))
            .unwrap();
        assert!(windows.len() <= 1);
        let samples = windows.into_iter().flat_map(|window| window.samples);
        samples
            .map(|sample| (sample.at.as_millis() / 1000, sample.used.used()))
            .collect()
    };
    assert_eq!(
        samples(105, 135, 1),
        [(100, 10.0), (110, 11.0), (120, 12.0), (130, 13.0)]
    );
    assert_eq!(samples(0, 300, 100), [(100, 10.0), (200, 20.0), (300, 30.0)]);
    assert_eq!(samples(0, 250, 100), [(100, 10.0), (200, 20.0), (250, 25.0)]);
    // Nothing has changed since.
    assert_eq!(samples(5000, 6000, 10), [(1000, 100.0)]);
    assert_eq!(samples(0, 5, 1), []);
    assert_eq!(samples(i64::MIN, i64::MAX, 0).len(), 100);
}

#[test]
fn stretches_of_time_have_what_lies_in_them() {
    let (_dir, store) = store();
    let mut written = batch(&[], [10, 20, 30, 70].map(record_at).to_vec());
    let open = BlockedTime {
        ended: None,
        ..blocked_at(500)
    };
    written.blocked = vec![blocked_at(0), blocked_at(100), open.clone()];
    store.append(&written).unwrap();
    assert_eq!(
        store.requests(at(20), at(30)).unwrap(),
        [line_at(20), line_at(30)]
    );
    assert_eq!(store.blocked(at(50), at(90)).unwrap(), [blocked_at(0)]);
    assert_eq!(store.blocked(at(110), at(900)).unwrap(), [blocked_at(100), open]);
}

#[test]
fn who_served_when_is_told_by_the_answers_that_the_client_had() {
    let (_dir, store) = store();
    let line = |secs, outcome: &str, first_output_ms| RequestLine {
        outcome: outcome.to_owned(),
        first_output_ms,
        ..line_at(secs)
    };
    let nobodys = RequestLine {
        account: None,
        ..line(360, "refused", None)
    };
    let lines = [
        line(10, "completed", Some(1)),
        line(20, "completed", None),
        line(70, "handed_over", None),
        line(120, "cut_after_output", Some(1)),
        line(170, "refused", None),
        line(220, "client_left", None),
        line(230, "client_left", Some(1)),
        line(260, "client_left", None),
        nobodys,
    ];
    let records = lines.iter().map(|line| record(line.clone(), None));
    store.append(&batch(&[], records.collect())).unwrap();
    let served = store.served(at(0), at(400), Duration::from_secs(50)).unwrap();
    let mut answered: Vec<_> = lines
        .iter()
        .filter_map(|line| {
            let account = line.answered_by()?;
            let from = at(line.at.as_millis() / 1000 / 50 * 50);
            Some(Served { from, account })
        })
        .collect();
    answered.dedup();
    assert_eq!(answered.len(), 3);
    assert_eq!(served, answered);
}

#[test]
fn a_stretch_is_one_line_however_often_it_is_written() {
    let (_dir, store) = store();
    for requests in 1..=3 {
        let time = BlockedTime {
            requests,
            ..blocked_at(0)
        };
        store
            .append(&Batch {
                blocked: vec![time],
                ..Batch::default()
            })
            .unwrap();
    }
    assert_eq!(store.blocked(at(0), at(1)).unwrap(), [blocked_at(0)]);
}

#[test]
fn a_stretch_that_a_killed_baton_left_open_ends_where_it_was_last_met() {
    let (dir, store) = store();
    let open = BlockedTime {
        ended: None,
        ..blocked_at(0)
    };
    store
        .append(&Batch {
            blocked: vec![open],
            ..Batch::default()
        })
        .unwrap();
    drop(store);
    let store = Store::open_at(dir.path(), at(1000)).unwrap();
    assert_eq!(store.blocked(at(0), at(9)).unwrap()[0].ended, Some(at(30)));
}

#[test]
fn nothing_of_a_deleted_history_stays() {
    let (dir, store) = store();
    let mut written = batch(
        &[event_at(1)],
        vec![record(line_at(2), Some(decision(Cause::FirstUse, 2, 0)))],
    );
    written.readings.push(reading(3, 1.0));
    written.blocked.push(blocked_at(4));
    store.append(&written).unwrap();
    store.delete_history().unwrap();
    for table in [
        "events",
        "requests",
        "readings",
        "windows",
        "blocked",
        "explanations",
    ] {
        assert_eq!(count(&store, table), 0, "{table}");
    }
    drop(store);
    let bytes = std::fs::read(dir.path().join("baton.db")).unwrap();
    for left in [&b"gpt-5.6"[..], b"became_active"] {
        assert!(!bytes.windows(left.len()).any(|part| part == left));
    }
}

#[test]
fn a_reading_that_says_what_is_known_is_kept_every_quarter_of_an_hour() {
    let mut news = News::default();
    let minutes = |minutes: i64, used| reading(minutes * 60, used);
    assert!(news.is(&minutes(0, 40.0)));
    assert!(!news.is(&minutes(1, 40.0)));
    assert!(news.is(&minutes(2, 41.0)));
    assert!(!news.is(&minutes(16, 41.0)));
    assert!(news.is(&minutes(17, 41.0)));
    // Of fractions, one in 5 minutes; but less, or all of it, is news at once.
    assert!(!news.is(&minutes(18, 41.5)));
    assert!(news.is(&minutes(22, 41.5)));
    assert!(news.is(&minutes(23, 41.4)));
    assert!(news.is(&minutes(24, 99.6)));
    assert!(news.is(&minutes(25, 100.0)));
    assert!(!news.is(&minutes(26, 100.0)));
    assert!(news.is(&minutes(27, 41.0)));
    // A reset that is computed anew each time wavers by seconds; another one doesn't.
    let resets = |secs: i64| ReadingLine {
        resets_at: Some(at(9_000_000 + secs)),
        ..minutes(28, 41.0)
    };
    assert!(!news.is(&resets(3)));
    assert!(news.is(&resets(3600)));
    let stopped = ReadingLine {
        resets_at: None,
        ..minutes(28, 41.0)
    };
    assert!(news.is(&stopped));
    let other = ReadingLine {
        window: WindowLength::FIVE_HOURS,
        ..stopped.clone()
    };
    assert!(news.is(&other));
    assert!(!news.is(&stopped));
    news.forget();
    assert!(news.is(&stopped));
}
