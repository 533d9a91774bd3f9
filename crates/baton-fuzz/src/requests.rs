//! A client's requests: skimmed, and stripped of what belongs to another account.

use baton_wire::{
    Facts,
    request::{Kind, Skim, strip_ciphertext, strip_turn_state},
    turn::id_hash,
};
use serde_json::Value;

use crate::json::{is_left_over, unambiguous};

const TURN_STATE: &str = "x-codex-turn-state";
/// Texts are bounded as they are written, and six bytes a character are the longest spelling: a shorter one fits
/// whatever the bound.
const SURELY_FITS: usize = 256 / 6;

pub(crate) fn request(data: &[u8]) {
    let (skim, tree) = (Skim::read(data), unambiguous(data));
    let (ciphertext, turn_state) = (strip_ciphertext(data), strip_turn_state(data));
    if let Some(mut tree) = tree {
        let Ok(skim) = skim else {
            assert!(!tree.is_object(), "JSON that isn't read");
            assert!(ciphertext.is_none() && turn_state.is_none());
            return;
        };
        check_skim(&skim, &tree);
        assert_eq!(skim.has_encrypted_content, ciphertext.is_some());
        assert_eq!(skim.has_turn_state, turn_state.is_some());
        if let Some(stripped) = &turn_state {
            let mut rest = tree.clone();
            let metadata = rest["client_metadata"].as_object_mut().expect("stripped of one");
            metadata.remove(TURN_STATE);
            assert_eq!(unambiguous(stripped), Some(rest));
        }
        if let Some(stripped) = &ciphertext {
            for item in tree["input"].as_array_mut().expect("stripped in one") {
                if item["type"] == "reasoning" && item["encrypted_content"] != Value::Null {
                    item.as_object_mut().expect("an item").remove("encrypted_content");
                }
            }
            assert_eq!(unambiguous(stripped), Some(tree));
        }
    }
    let readable = serde_json::from_slice::<Value>(data).is_ok();
    type Strip = fn(&[u8]) -> Option<Vec<u8>>;
    for (stripped, strip) in [
        (ciphertext, strip_ciphertext as Strip),
        (turn_state, strip_turn_state),
    ] {
        let Some(stripped) = stripped else { continue };
        assert!(is_left_over(&stripped, data));
        assert_eq!(strip(&stripped), None, "stripped once is stripped");
        assert!(
            !readable || serde_json::from_slice::<Value>(&stripped).is_ok(),
            "JSON stays JSON"
        );
    }
}

fn check_skim(skim: &Skim<'_>, tree: &Value) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (text(&tree["type"]), &skim.kind) {
        (None, Kind::Absent) => {}
        (Some(kind), Kind::Create) => assert_eq!(kind, "response.create"),
        (Some(kind), Kind::Other(read)) => {
            assert_ne!(kind, "response.create");
            assert!(
                kind == *read || (read.is_empty() && kind.len() > SURELY_FITS),
                "{kind:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        skim.has_previous_response_id,
        tree["previous_response_id"].is_string()
    );

    let items: Vec<(&str, &Value)> = tree["input"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| (item["type"].as_str().unwrap_or_default(), item))
        .collect();
    let last = items.last().map_or("", |(kind, _)| kind);
    if last.len() <= SURELY_FITS {
        let known = [
            "reasoning",
            "compaction",
            "compaction_summary",
            "compaction_trigger",
        ]
        .contains(&last);
        assert_eq!(
            skim.input_ends_in_tool_output,
            !known && last.ends_with("_output")
        );
    }
    assert_eq!(skim.asks_for_compaction, last == "compaction_trigger");
    let is_compaction = |kind: &str| matches!(kind, "compaction" | "compaction_summary");
    assert_eq!(
        skim.has_compaction,
        items.iter().any(|(kind, _)| is_compaction(kind))
    );
    let encrypted =
        |(kind, item): &(&str, &Value)| *kind == "reasoning" && !item["encrypted_content"].is_null();
    assert_eq!(skim.has_encrypted_content, items.iter().any(encrypted));

    let metadata = &tree["client_metadata"];
    assert_eq!(skim.has_turn_state, metadata.get(TURN_STATE).is_some());
    if let Some(state) = text(&metadata[TURN_STATE]).filter(|state| state.len() <= SURELY_FITS) {
        assert_eq!(skim.turn_state.as_deref(), Some(&*state));
    }
    let inner = metadata["x-codex-turn-metadata"].as_str().unwrap_or_default();
    // Of a key that occurs twice in there the last one counts; that is `turn_metadata`'s business.
    let inner = Facts::from_metadata(inner.as_bytes());
    let prewarm = tree["generate"] == false || metadata["request_kind"] == "prewarm" || inner.prewarm;
    let facts = &skim.facts;
    assert_eq!(facts.prewarm, prewarm);
    // Where the request names none, its metadata may.
    if tree["model"].as_str().is_some_and(|model| !model.is_empty()) {
        check_model(&tree["model"], facts);
    }
    for (key, found, inner) in [
        ("session_id", facts.session, inner.session),
        ("thread_id", facts.thread, inner.thread),
        ("turn_id", facts.turn, inner.turn),
    ] {
        check_id(&metadata[key], found, inner);
    }
}

pub(crate) fn turn_metadata(data: &[u8]) {
    let facts = Facts::from_metadata(data);
    let Some(tree) = unambiguous(data).filter(Value::is_object) else {
        return;
    };
    if data.len() > 64 * 1024 {
        assert_eq!(facts, Facts::default());
        return;
    }
    assert_eq!(facts.prewarm, tree["request_kind"] == "prewarm");
    check_model(&tree["model"], &facts);
    for (key, found) in [
        ("session_id", facts.session),
        ("thread_id", facts.thread),
        ("turn_id", facts.turn),
    ] {
        check_id(&tree[key], found, None);
    }
}

fn check_model(written: &Value, facts: &Facts) {
    match written.as_str() {
        None | Some("") => assert_eq!(facts.model, None),
        Some(model) if model.len() <= SURELY_FITS => assert_eq!(facts.model.as_deref(), Some(model)),
        Some(_) => {}
    }
}

fn check_id(written: &Value, found: Option<u64>, otherwise: Option<u64>) {
    match written.as_str() {
        None | Some("") => assert_eq!(found, otherwise),
        Some(id) if id.len() <= SURELY_FITS => assert_eq!(found, Some(id_hash(id.as_bytes()))),
        Some(_) => {}
    }
}
