//! Server events: found in a stream split at any byte, and judged the same as WebSocket frames.

use baton_core::{LimitKind, Outcome, Trouble};
use baton_wire::sse::MAX_EVENT;
use baton_wire::{Found, HeldKind, Scanner, TokenUsage, What, ws};
use proptest::prelude::*;

use crate::NOW;

fn scan(chunks: &[&[u8]]) -> (Vec<Found>, bool) {
    let mut found = Vec::new();
    let mut scanner = Scanner::new();
    for chunk in chunks {
        scanner.feed(chunk, NOW, &mut |event| found.push(event));
    }
    scanner.finish(NOW, &mut |event| found.push(event));
    (found, scanner.clean_end())
}

fn whats(stream: &str) -> Vec<What> {
    scan(&[stream.as_bytes()])
        .0
        .into_iter()
        .map(|found| found.what)
        .collect()
}

/// The events of a captured answer.
const EVENTS: &[&str] = &[
    r#"{"type": "codex.rate_limits", "plan_type": "plus", "rate_limits": {"allowed": true, "limit_reached": false, "primary": {"used_percent": 41, "window_minutes": 300, "reset_after_seconds": 3600, "reset_at": 1795332776}, "secondary": null}}"#,
    r#"{"type": "response.created", "response": {"id": "resp_0002", "model": "gpt-5.5", "status": "in_progress"}}"#,
    r#"{"type": "response.in_progress", "response": {"id": "resp_0002", "model": "gpt-5.5", "status": "in_progress"}}"#,
    r#"{"type":"response.metadata","headers":{"x-codex-turn-state":"ts-1"}}"#,
    r#"{"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_0002", "summary": [], "encrypted_content": "gAAAAABmockENCRYPTED"}}"#,
    r#"{"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "id": "rs_0002", "summary": [], "encrypted_content": "gAAAAABmockENCRYPTED"}}"#,
    r#"{"type": "response.output_text.delta", "item_id": "msg_0002", "output_index": 1, "content_index": 0, "delta": "Hello from mock."}"#,
    r#"{"type":"response.output_item.done","item":{"id":"cmp_1","encrypted_content":"gAAA","type":"compaction"}}"#,
    r#"{"type": "response.completed", "response": {"id": "resp_0002", "model": "gpt-5.5", "status": "completed", "output": [], "usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 15}, "end_turn": true}}"#,
];

fn completed() -> What {
    What::Completed {
        usage: Some(TokenUsage {
            input: 11,
            cached: 5,
            output: 4,
            reasoning: 2,
            total: 15,
        }),
        response_id: Some("resp_0002".into()),
    }
}

fn is_rate_limits(what: &What) -> bool {
    matches!(what, What::RateLimits(reading) if reading.limits[0].windows.len() == 1)
}

#[test]
fn an_answer_is_judged_event_by_event() {
    let stream: String = EVENTS.iter().map(|json| format!("data: {json}\n\n")).collect();
    let found = whats(&stream);
    assert!(is_rate_limits(&found[0]));
    let expected = [
        What::Held(HeldKind::Created),
        What::Held(HeldKind::InProgress),
        What::TurnState("ts-1".into()),
        What::Output,
        What::Output,
        What::Output,
        What::Output,
        What::Compaction,
        completed(),
    ];
    assert_eq!(found[1..], expected);
    assert!(scan(&[stream.as_bytes()]).1);
}

#[test]
fn a_frame_is_judged_as_the_same_event_in_a_stream() {
    for json in EVENTS {
        let in_stream = whats(&format!("data: {json}\n\n"));
        // A compaction is said to be output first.
        assert_eq!(in_stream.last(), Some(&ws::server(json, NOW)), "{json}");
    }
    assert_eq!(ws::server("not json", NOW), What::Output);
    assert_eq!(ws::server("{}", NOW), What::Output);
}

#[test]
fn offsets_span_whole_events_and_output_is_said_as_soon_as_its_type_is_known() {
    let created = ": hi\n\ndata: {\"type\":\"response.created\"}\r\n\r\n";
    let delta = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\"";
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    scanner.feed(created.as_bytes(), NOW, &mut |event| found.push(event));
    assert_eq!(
        found,
        [
            Found {
                start: 0,
                end: 6,
                what: What::Held(HeldKind::Comment)
            },
            Found {
                start: 6,
                end: created.len() as u64,
                what: What::Held(HeldKind::Created)
            },
        ]
    );
    found.clear();
    // The event goes on, but what matters is said.
    scanner.feed(delta.as_bytes(), NOW, &mut |event| found.push(event));
    let start = created.len() as u64;
    assert_eq!(
        found,
        [Found {
            start,
            end: start + delta.len() as u64,
            what: What::Output
        }]
    );
    assert!(!scanner.clean_end());
}

#[test]
fn failures_inside_a_200_stream_are_found() {
    let limit = Outcome::UsageLimit {
        family: None,
        resets_at: None,
        kind: LimitKind::UsageLimit,
    };
    let stream = "event: response.failed\ndata: {\"response\":{\"error\":{\"code\":\"usage_limit_reached\"}},\ndata: \"type\":\"response.failed\"}\n\n";
    assert_eq!(whats(stream), [What::Failed(limit.clone())]);
    // The type is only in the event's name, or escaped.
    assert_eq!(
        whats("event: error\ndata: {\"error\":{\"type\":\"usage_limit_reached\"}}\n\n"),
        [What::Failed(limit.clone())]
    );
    let escaped = "data:{\"typ\\u0065\":\"response\\u002efailed\",\"response\":{\"error\":{\"code\":\"usage_limit_reached\"}}}\r\r:";
    assert_eq!(whats(escaped), [What::Failed(limit.clone())]);
    // A stream cut after the whole failure, without the blank line.
    let cut = "data: {\"type\":\"error\",\"error\":{\"type\":\"usage_limit_reached\"}}";
    assert_eq!(
        scan(&[cut.as_bytes()]),
        (
            vec![Found {
                start: 0,
                end: cut.len() as u64,
                what: What::Failed(limit)
            }],
            true
        )
    );
    // Cut within it, or within the completion: nothing is known.
    assert_eq!(scan(&[&cut.as_bytes()[..cut.len() - 1]]), (vec![], false));
    assert_eq!(
        scan(&[b"data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}\n"]),
        (vec![], false)
    );
}

#[test]
fn an_event_too_large_to_keep_is_judged_by_its_type() {
    let padding = "x".repeat(MAX_EVENT);
    let failed = format!(
        "data: {{\"type\":\"response.failed\",\"p\":\"{padding}\",\"response\":{{\"error\":{{\"code\":\"usage_limit_reached\"}}}}}}\n\n"
    );
    assert_eq!(
        whats(&failed),
        [What::Failed(Outcome::ServerTrouble(Trouble::Status(500)))]
    );
    let completed =
        format!("data: {{\"type\":\"response.completed\",\"response\":{{\"p\":\"{padding}\"}}}}\n\n");
    assert_eq!(
        whats(&completed),
        [What::Completed {
            usage: None,
            response_id: None
        }]
    );
    // A byte too many is too many, however it arrives.
    let head = r#"{"type":"error","error":{"code":"slow_down"}}"#;
    let full = format!("data: {head}{}", " ".repeat(MAX_EVENT - head.len()));
    let throttled = What::Failed(Outcome::Throttled { retry_after: None });
    let unread = What::Failed(Outcome::ServerTrouble(Trouble::Status(500)));
    for (tail, expected) in [("\n\n", throttled), (" \n\n", unread)] {
        let stream = format!("{full}{tail}");
        for split in [stream.len(), 3, full.len() - 1, full.len()] {
            let (a, b) = stream.as_bytes().split_at(split);
            let (found, _) = scan(&[a, b]);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].what, expected, "{split}");
        }
    }
    // No type within reach: output, at the bound.
    let (found, _) = scan(&[format!("data: {{\"p\":\"{padding}\"").as_bytes()]);
    assert_eq!(
        found,
        [Found {
            start: 0,
            end: (6 + MAX_EVENT) as u64,
            what: What::Output
        }]
    );
}

#[test]
fn what_is_no_event_is_nothing_and_what_is_unknown_is_output() {
    assert_eq!(whats("\n\n\r\n\r\n"), []);
    assert_eq!(
        whats("event: response.created\nid: 7\nretry: 1\n\n"),
        [What::Held(HeldKind::Comment)]
    );
    assert_eq!(
        whats("\u{feff}data: {\"type\":\"response.created\"}\n\n"),
        [What::Held(HeldKind::Created)]
    );
    assert_eq!(whats("data: [DONE]\n\n"), [What::Held(HeldKind::Done)]);
    assert_eq!(whats("data: hello\n\n"), [What::Output]);
    assert_eq!(whats("data\n\n"), [What::Output]);
    assert_eq!(
        whats("data: {\"item\":{\"type\":\"error\"},\"x\":[{\"type\":\"error\"}]}\n\n"),
        [What::Output]
    );
    assert_eq!(
        whats("data: {\"type\":7,\"type\":\"error\"}\n\n"),
        [What::Failed(Outcome::ServerTrouble(Trouble::Status(500)))]
    );
}

/// Streams of pieces that are likely to meet at awkward places.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => (proptest::sample::select(EVENTS), proptest::sample::select(vec!["\n", "\r\n", "\r"]))
            .prop_map(|(json, eol)| format!("data: {json}{eol}{eol}").into_bytes()),
        2 => (proptest::sample::select(EVENTS), 1..60_usize).prop_map(|(json, at)| {
            let (a, b) = json.split_at(at);
            format!("event: x\ndata:{a}\rdata: {b}\r\n\n").into_bytes()
        }),
        2 => proptest::sample::select(vec![
            "\n", "\r", "data: ", "data", ": comment\n", "event: error\n", "{\"type\":", "\\\"", "\u{feff}", "}", ":",
            "data: {\"item\":{\"a\":[{}],\"type\":\"compaction\"},\"type\":\"response.output_item.done\"}\n\n",
            "data: {\"type\":\"err\\u006fr\",\"error\":{\"code\":\"slow_down\"}}\n\n", "data: [DONE]\n\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn how_a_stream_is_split_changes_nothing(stream in stream(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let whole = scan(&[&stream]);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&scan(&bytes), &whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&scan(&chunks), &whole);
        // Events follow each other and lie in the stream.
        let mut last = 0;
        for found in &whole.0 {
            prop_assert!(found.start >= last && found.start < found.end && found.end <= stream.len() as u64);
            last = found.start;
        }
    }
}
