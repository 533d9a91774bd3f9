//! What is read from a client's requests, and what is stripped from them.

use baton_wire::request::{Kind, Skim, strip_ciphertext, strip_turn_state};
use baton_wire::turn::{Facts, id_hash};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::headers;

const THREAD: &str = "01a201fc-3bce-78a0-8700-f04756e879f9";
const TURN: &str = "01a201fc-3cc0-76e2-a020-acca15fe3b53";

fn hash(id: &str) -> Option<u64> {
    Some(id_hash(id.as_bytes()))
}

/// A prewarm as captured, its tail completed.
const PREWARM: &str = r#"{"type": "response.create", "model": "gpt-6.1-sol", "stream": true, "input": [], "tool_choice": "auto", "parallel_tool_calls": false, "reasoning": {"effort": "low", "context": "all_turns"}, "store": false, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "01a201fc-3bce-78a0-8700-f04756e879f9", "text": {"verbosity": "low"}, "generate": false, "client_metadata": {"mcp_attribution": "{\"status\":\"none\"}", "x-codex-window-id": "01a201fc-3bce-78a0-8700-f04756e879f9:0", "turn_id": "", "thread_id": "01a201fc-3bce-78a0-8700-f04756e879f9", "session_id": "01a201fc-3bce-78a0-8700-f04756e879f9"}}"#;

/// A tool's output as captured, its tail completed.
const TOOL: &str = r#"{"type": "response.create", "model": "gpt-6.1-sol", "stream": true, "previous_response_id": "resp_t", "input": [{"type": "function_call_output", "id": "fco_01a201fc-3df1-76f0-84e4-56318b451086", "call_id": "call_1", "output": "Chunk ID: 26412c\nOutput:\nbwrap: execvp codex-linux-sandbox: No such file or directory\n", "internal_chat_message_metadata_passthrough": {"turn_id": "01a201fc-3cc0-76e2-a020-acca15fe3b53", "create_time": 1795329637.8730571}}], "tool_choice": "auto", "client_metadata": {"x-codex-turn-state": "ts-1", "x-codex-turn-metadata": "{\"turn_id\":\"01a201fc-3cc0-76e2-a020-acca15fe3b53\",\"thread_id\":\"01a201fc-3bce-78a0-8700-f04756e879f9\",\"request_kind\":\"turn\",\"model\":\"other\"}"}}"#;

#[test]
fn a_prewarm_is_known_by_its_frame() {
    let skim = Skim::read(PREWARM.as_bytes()).unwrap();
    assert_eq!(skim.kind, Kind::Create);
    assert_eq!(
        skim.facts,
        Facts {
            session: hash(THREAD),
            thread: hash(THREAD),
            turn: None,
            prewarm: true,
            model: Some("gpt-6.1-sol".into())
        }
    );
    assert!(!skim.has_previous_response_id && !skim.input_ends_in_tool_output && !skim.has_turn_state);
}

#[test]
fn a_tool_call_continues_its_turn() {
    let skim = Skim::read(TOOL.as_bytes()).unwrap();
    assert!(skim.has_previous_response_id && skim.input_ends_in_tool_output && skim.has_turn_state);
    assert_eq!((skim.facts.turn, skim.facts.thread), (hash(TURN), hash(THREAD)));
    assert_eq!(skim.facts.model.as_deref(), Some("gpt-6.1-sol"));
    assert!(!skim.facts.prewarm);
}

#[test]
fn a_handshake_tells_the_same_as_its_frames() {
    // As captured, but for what isn't read.
    let metadata = r#"{"installation_id":"fd43a754-4d6f-4226-b252-3f380be7485d","session_id":"01a201fc-3bce-78a0-8700-f04756e879f9","thread_id":"01a201fc-3bce-78a0-8700-f04756e879f9","agent_name":"/root","turn_id":"","window_number":0,"request_kind":"prewarm","analytics_enabled":true,"model":"gpt-6.1-sol","reasoning_effort":"low"}"#;
    let told = headers(&[
        ("session-id", THREAD),
        ("thread-id", THREAD),
        ("x-codex-turn-metadata", metadata),
        ("x-codex-routing-hint", "model=gpt-6.1-sol"),
    ]);
    assert_eq!(
        Facts::from_headers(&told),
        Skim::read(PREWARM.as_bytes()).unwrap().facts
    );
    // What the handshake said of its own prewarm says nothing of a later frame.
    let later = Skim::read(br#"{"type":"response.create"}"#)
        .unwrap()
        .facts
        .or(Facts::from_headers(&told).of_connection());
    assert_eq!(
        (later.thread, later.prewarm, later.turn),
        (hash(THREAD), false, None)
    );
    // Without metadata, or with broken metadata, the plain headers remain.
    for broken in ["", "{", "[]", "{\"turn_id\":"] {
        let mut told = told.clone();
        told.insert("x-codex-turn-metadata", broken.parse().unwrap());
        let facts = Facts::from_headers(&told);
        assert_eq!(
            (facts.thread, facts.model.as_deref(), facts.prewarm),
            (hash(THREAD), Some("gpt-6.1-sol"), false)
        );
    }
}

/// Stored hashes outlive a release: these values may never change.
#[test]
fn id_hashes_are_stable() {
    assert_eq!(id_hash(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(id_hash(b"a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(id_hash(b"foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn compactions_and_ciphertexts_are_seen() {
    let body = json!({"input": [
        {"type": "message", "content": [{"type": "compaction", "encrypted_content": "quoted"}]},
        {"type": "compaction", "encrypted_content": "gAAA"},
        {"encrypted_content": null, "type": "reasoning"},
        {"type": "compaction_trigger"},
    ]})
    .to_string();
    let skim = Skim::read(body.as_bytes()).unwrap();
    assert!(skim.has_compaction && skim.asks_for_compaction && !skim.has_encrypted_content);
    assert_eq!(skim.kind, Kind::Absent);
    assert_eq!(strip_ciphertext(body.as_bytes()), None);
}

#[test]
fn stripping_keeps_every_other_byte() {
    let strip = |json: &str| strip_ciphertext(json.as_bytes()).map(|json| String::from_utf8(json).unwrap());
    let body = r#"{ "input" : [ {"type":"reasoning","id":"rs_1", "summary":[] , "encrypted_content" : "gA\"AA" },
        {"encrypted_content":"gBBB","type":"reasoning"}, {"type":"compaction","encrypted_content":"keep"},
        {"type":"reasoning","encrypted_content":"gC","encrypted_content":"gD"} ], "model":"m\u00e9", "encrypted_content":"top"}"#;
    let expected = r#"{ "input" : [ {"type":"reasoning","id":"rs_1", "summary":[] },
        {"type":"reasoning"}, {"type":"compaction","encrypted_content":"keep"},
        {"type":"reasoning"} ], "model":"m\u00e9", "encrypted_content":"top"}"#;
    assert_eq!(strip(body).as_deref(), Some(expected));
    assert!(Skim::read(body.as_bytes()).unwrap().has_encrypted_content);
    assert!(!Skim::read(expected.as_bytes()).unwrap().has_encrypted_content);
    for nothing in [
        PREWARM,
        TOOL,
        "{}",
        "[]",
        "",
        r#"{"input":"text"}"#,
        r#"{"input":[{"type":"reasoning","encry"#,
    ] {
        assert_eq!(strip(nothing), None, "{nothing}");
    }
}

#[test]
fn a_turn_state_is_stripped_wherever_it_stands() {
    let strip = |json: &str| strip_turn_state(json.as_bytes()).map(|json| String::from_utf8(json).unwrap());
    assert_eq!(
        strip(TOOL),
        Some(TOOL.replace(r#""x-codex-turn-state": "ts-1", "#, ""))
    );
    let last = r#"{"client_metadata":{"a":"b" , "x-codex-turn-state":"ts"},"x-codex-turn-state":"mine"}"#;
    assert_eq!(
        strip(last).as_deref(),
        Some(r#"{"client_metadata":{"a":"b"},"x-codex-turn-state":"mine"}"#)
    );
    let only = r#"{"client_metadata":{ "x-codex-turn\u002dstate":"ts" }}"#;
    assert_eq!(strip(only).as_deref(), Some(r#"{"client_metadata":{  }}"#));
    assert_eq!(strip(PREWARM), None);
}

fn json_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z]{0,6}",
        ".{0,12}",
        Just("\\\"\\".to_owned()),
        Just("reasoning".to_owned()),
        Just("compaction".to_owned()),
        Just("custom_tool_call_output".to_owned()),
        Just("compaction_trigger".to_owned()),
        Just("response.create".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i16>().prop_map(|tenths| Value::from(f64::from(tenths) / 16.0)),
        text.prop_map(Value::from),
    ];
    let key = prop_oneof![
        3 => proptest::sample::select(vec!["type", "encrypted_content", "input", "x-codex-turn-state", "turn_id", "k\"", "model"])
            .prop_map(str::to_owned),
        1 => ".{0,6}",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::hash_map(key.clone(), inner, 0..5)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn request() -> impl Strategy<Value = Value> {
    let keys = [
        "type",
        "model",
        "input",
        "generate",
        "previous_response_id",
        "client_metadata",
        "encrypted_content",
        "x",
    ];
    proptest::collection::hash_map(proptest::sample::select(keys.to_vec()), json_value(), 0..8).prop_map(
        |members| {
            members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<serde_json::Map<_, _>>()
                .into()
        },
    )
}

/// The same questions, asked of a tree.
fn by_tree(request: &Value) -> Skim<'_> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(Box::from);
    let items = request["input"].as_array().map_or(&[][..], Vec::as_slice);
    let kind = |item: &Value| item["type"].as_str().unwrap_or_default().to_owned();
    let encrypted = |item: &Value| {
        item.get("encrypted_content")
            .is_some_and(|content| !content.is_null())
    };
    let metadata = &request["client_metadata"];
    Skim {
        kind: match request["type"].as_str() {
            None => Kind::Absent,
            Some("response.create") => Kind::Create,
            Some(other) => Kind::Other(other.into()),
        },
        facts: Facts {
            turn: text(&metadata["turn_id"]).and_then(|id| hash(&id)),
            prewarm: request["generate"] == false || metadata["request_kind"] == "prewarm",
            model: text(&request["model"]).or_else(|| text(&metadata["model"])),
            ..Facts::default()
        },
        has_previous_response_id: request["previous_response_id"].is_string(),
        input_ends_in_tool_output: items.last().is_some_and(|item| kind(item).ends_with("_output")),
        has_compaction: items.iter().any(|item| kind(item) == "compaction"),
        asks_for_compaction: items
            .last()
            .is_some_and(|item| kind(item) == "compaction_trigger"),
        has_encrypted_content: items
            .iter()
            .any(|item| kind(item) == "reasoning" && encrypted(item)),
        has_turn_state: metadata.get("x-codex-turn-state").is_some(),
        turn_state: metadata
            .get("x-codex-turn-state")
            .and_then(|state| Some(state.as_str()?.to_owned().into())),
    }
}

proptest! {
    #[test]
    fn skimming_agrees_with_a_parser(request in request(), pretty: bool) {
        let json = if pretty { serde_json::to_vec_pretty(&request) } else { serde_json::to_vec(&request) }.unwrap();
        prop_assert_eq!(Skim::read(&json).unwrap(), by_tree(&request));
    }

    #[test]
    fn stripping_removes_what_was_seen_and_nothing_else(request in request(), pretty: bool) {
        let json = if pretty { serde_json::to_vec_pretty(&request) } else { serde_json::to_vec(&request) }.unwrap();
        let skim = Skim::read(&json).unwrap();
        let stripped = strip_ciphertext(&json);
        prop_assert_eq!(stripped.is_some(), skim.has_encrypted_content);
        let mut expected = request.clone();
        for item in expected.get_mut("input").and_then(Value::as_array_mut).into_iter().flatten() {
            let content = item.get("encrypted_content");
            if item["type"] == "reasoning" && content.is_some_and(|content| !content.is_null()) {
                item.as_object_mut().unwrap().remove("encrypted_content");
            }
        }
        if let Some(stripped) = stripped {
            prop_assert_eq!(serde_json::from_slice::<Value>(&stripped).unwrap(), expected);
            prop_assert_eq!(strip_ciphertext(&stripped), None);
        }
        let stripped = strip_turn_state(&json);
        prop_assert_eq!(stripped.is_some(), skim.has_turn_state);
        if let Some(stripped) = stripped {
            let mut expected = request.clone();
            expected["client_metadata"].as_object_mut().unwrap().remove("x-codex-turn-state");
            prop_assert_eq!(serde_json::from_slice::<Value>(&stripped).unwrap(), expected);
        }
    }
}
