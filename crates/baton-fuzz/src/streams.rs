//! What a server says: errors, event streams, WebSocket frames; and what Baton says in their place.

use baton_core::{Outcome, Timestamp};
use baton_wire::{
    Found, HeldKind, Scanner, What, answers as wire_answers, error as wire_error, ws as wire_ws,
};
use http::HeaderMap;
use serde_json::Value;

use crate::{
    NOW, http_text,
    json::unambiguous,
    readings::{LONGEST_WAIT, check_family, check_reset},
};

/// A status, headers, an empty line, a body.
pub(crate) fn error(data: &[u8]) {
    let (status, rest) = http_text::first_line(data);
    let status = std::str::from_utf8(status)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let (headers, body) = http_text::headers(rest);
    check_outcome(&wire_error::http(status.unwrap_or(429), &headers, body, NOW));
    let (event, frame) = (wire_error::event(body, NOW), wire_error::frame(body, NOW));
    if let Some(outcome) = &event {
        check_outcome(outcome);
    }
    if frame.is_some() {
        assert_eq!(frame, event, "a frame is an event");
    }
    if let (Some(outcome), Ok(text)) = (event, std::str::from_utf8(body))
        && unambiguous(body).is_some()
    {
        assert_eq!(wire_ws::server(text, NOW), What::Failed(outcome));
    }
}

fn check_outcome(outcome: &Outcome) {
    match outcome {
        Outcome::UsageLimit {
            family, resets_at, ..
        } => {
            if let Some(family) = family {
                check_family(family);
            }
            if let Some(reset) = *resets_at {
                check_reset(reset);
                assert!(reset > NOW, "a limit that is over is none");
            }
        }
        Outcome::Throttled {
            retry_after: Some(wait),
        } => assert!(*wait <= LONGEST_WAIT, "{wait:?}"),
        _ => {}
    }
}

/// What one frame means must not depend on which parser finds its type.
pub(crate) fn ws(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let what = wire_ws::server(text, NOW);
    check_what(&what);
    if let Some(tree) = unambiguous(data) {
        assert!(is_meaning_of(&what, &tree), "{what:?}");
    }
    // In a stream a line end would end the data's line, and `[DONE]` is a word of streams.
    if !text.contains(['\n', '\r']) && text.trim_ascii() != "[DONE]" {
        let found = scan(&[b"data: ", data, b"\n\n"]).0;
        assert_eq!(found.last().map(|found| &found.what), Some(&what));
    }
}

/// Whether an event of this JSON may mean that.
fn is_meaning_of(what: &What, tree: &Value) -> bool {
    let kind = tree.get("type").and_then(Value::as_str).unwrap_or_default();
    match what {
        What::Held(held) => {
            *held
                == match kind {
                    "response.created" => HeldKind::Created,
                    "response.queued" => HeldKind::Queued,
                    "response.in_progress" => HeldKind::InProgress,
                    "response.metadata" => HeldKind::Metadata,
                    _ => return false,
                }
        }
        What::TurnState(state) => kind == "response.metadata" && !state.is_empty(),
        What::RateLimits(_) => kind == "codex.rate_limits",
        What::Failed(_) => matches!(kind, "error" | "response.failed" | "response.incomplete"),
        What::Completed { response_id, .. } => {
            matches!(kind, "response.completed" | "response.done")
                && response_id
                    .as_deref()
                    .is_none_or(|id| tree["response"]["id"] == id)
        }
        What::Compaction => finishes_compaction(kind, tree),
        What::Output => {
            ![
                "response.created",
                "response.queued",
                "response.in_progress",
                "response.metadata",
                "codex.rate_limits",
                "error",
                "response.failed",
                "response.incomplete",
                "response.completed",
                "response.done",
            ]
            .contains(&kind)
                && !finishes_compaction(kind, tree)
        }
    }
}

fn finishes_compaction(kind: &str, tree: &Value) -> bool {
    kind == "response.output_item.done"
        && matches!(
            tree["item"]["type"].as_str(),
            Some("compaction" | "compaction_summary")
        )
}

/// How a stream is split changes nothing; and what is found is what a reader of whole events would find.
pub(crate) fn sse(data: &[u8]) {
    let whole = scan(&[data]);
    assert_eq!(scan(&data.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    assert_eq!(scan(&pieces(data)), whole, "in pieces");
    let mut last = 0;
    for found in &whole.0 {
        assert!(found.start >= last && found.start < found.end && found.end <= data.len() as u64);
        last = found.start;
        check_what(&found.what);
    }
    if let Some(expected) = slowly(data) {
        let whats: Vec<What> = whole.0.into_iter().map(|found| found.what).collect();
        assert_eq!(whats, expected);
    }
}

fn scan(chunks: &[&[u8]]) -> (Vec<Found>, bool) {
    let mut found = Vec::new();
    let mut scanner = Scanner::new();
    for chunk in chunks {
        scanner.feed(chunk, NOW, &mut |event| found.push(event));
    }
    scanner.finish(NOW, &mut |event| found.push(event));
    (found, scanner.clean_end())
}

/// The data in pieces of 0 to 15 bytes, which depend on the data alone.
fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut state = baton_wire::turn::id_hash(data) | 1;
    let mut pieces = Vec::new();
    while !data.is_empty() {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let length = ((state >> 60) as usize).min(data.len());
        let (piece, rest) = data.split_at(length);
        pieces.push(piece);
        data = rest;
    }
    pieces
}

/// The events of a stream by the letter of the specification; `None` where the data of one isn't JSON of one meaning.
fn slowly(data: &[u8]) -> Option<Vec<What>> {
    let text = std::str::from_utf8(data).ok()?;
    let text = text.strip_prefix('\u{feff}').map_or(text, |rest| rest);
    let mut whats = Vec::new();
    let (mut lines, mut values): (usize, Vec<&str>) = (0, Vec::new());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']);
        let line = &rest[..end.unwrap_or(rest.len())];
        rest = match end {
            Some(end) if rest[end..].starts_with("\r\n") => &rest[end + 2..],
            Some(end) => &rest[end + 1..],
            None => "",
        };
        if !line.is_empty() {
            lines += 1;
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            if field == "data" {
                values.push(value.strip_prefix(' ').unwrap_or(value));
            }
        } else if lines == 0 && text.len() < data.len() {
            // A byte order mark alone on a line counts as one here, and nobody sends it.
            return None;
        } else if lines > 0 {
            if values.is_empty() {
                whats.push(What::Held(HeldKind::Comment));
            } else {
                whats.extend(meaning(&values.join("\n"), true)?);
            }
            (lines, values) = (0, Vec::new());
        }
    }
    if !values.is_empty() {
        whats.extend(meaning(&values.join("\n"), false)?);
    }
    Some(whats)
}

fn meaning(data: &str, ended: bool) -> Option<Vec<What>> {
    let tree = unambiguous(data.as_bytes())?;
    tree.get("type")?.as_str()?;
    Some(match wire_ws::server(data, NOW) {
        // It is output first, and only its end makes it whole.
        What::Compaction if ended => vec![What::Output, What::Compaction],
        What::Compaction | What::Output => vec![What::Output],
        failed @ What::Failed(_) => vec![failed],
        what if ended => vec![what],
        _ => Vec::new(),
    })
}

fn check_what(what: &What) {
    match what {
        What::Failed(outcome) => check_outcome(outcome),
        What::TurnState(state) => assert!(!state.is_empty() && state.len() <= 64 * 1024),
        What::Completed { response_id, .. } => assert!(response_id.as_ref().is_none_or(|id| id.len() <= 256)),
        _ => {}
    }
}

/// A message and a plan, perhaps an upstream's, in what Baton itself answers: read back they mean what was meant.
pub(crate) fn answers(data: &[u8]) {
    let (plan, message) = http_text::first_line(data);
    let (plan, message) = (String::from_utf8_lossy(plan), String::from_utf8_lossy(message));
    let reset = Timestamp::from_secs(NOW.as_secs_ceil() + 1 + data.len() as i64);
    let body = wire_answers::usage_limit_reached(Some(reset), Some(&plan), &message);
    let tree = unambiguous(&body).expect("JSON");
    assert_eq!(tree["error"]["message"], *message);
    assert_eq!(tree["error"]["plan_type"], *plan);
    let read = wire_error::http(429, &HeaderMap::new(), &body, NOW);
    let limit = |outcome: &Outcome| matches!(outcome, Outcome::UsageLimit { resets_at, .. } if *resets_at == Some(reset));
    assert!(limit(&read), "{read:?}");
    let frame = wire_answers::limit_frame(Some(reset), Some(&plan), &message);
    assert!(matches!(wire_ws::server(&frame, NOW), What::Failed(outcome) if limit(&outcome)));
    for frame in [
        wire_answers::wait_frame(data.len() as u64, &message),
        wire_answers::account_error_frame(&message),
    ] {
        assert!(!frame.contains('\n'));
        assert!(matches!(wire_ws::server(&frame, NOW), What::Failed(_)));
        assert_eq!(
            unambiguous(frame.as_bytes()).expect("JSON")["error"]["message"],
            *message
        );
    }
    for body in [
        wire_answers::service_unavailable(&message),
        wire_answers::account_error(&message),
    ] {
        assert_eq!(unambiguous(&body).expect("JSON")["error"]["message"], *message);
    }
}
