//! Turns that go well: transports, tools, the log.

use baton_sim::{Kind, Mode, Output, Sim, Transport};

use crate::{bearer, call, client, post, scenario};

#[tokio::test]
async fn a_turn_on_a_websocket_begins_with_a_prewarm() {
    let sim = Sim::start(scenario()).await;
    let mut client = client(&sim, "acct-a", Mode::WebSocket);
    let report = client.turn("hello").await;
    assert!(report.completed, "{report:?}");
    assert_eq!(report.messages(), ["Answer to: hello #2"]);
    let log = sim.log();
    assert_eq!(
        log.count(|entry| entry.kind == Kind::Prewarm && entry.completed()),
        1
    );
    let served = log.served_by("acct-a");
    assert_eq!(served.len(), 1);
    assert_eq!(served[0].transport, Transport::WebSocket);
    assert_eq!(served[0].turn_id.as_deref(), Some(report.turn_id.as_str()));
    assert_eq!(served[0].thread_id.as_deref(), Some(client.thread_id()));
    assert!(served[0].previous_response_id.is_some());
    let delivered: Vec<_> = report.items.iter().map(|item| item.id.clone()).collect();
    assert_eq!(served[0].items, delivered);
    assert!(log.violations().is_empty());
}

#[tokio::test]
async fn tool_calls_come_before_the_message_on_both_transports() {
    let sim = Sim::start(scenario()).await;
    for mode in [Mode::WebSocket, Mode::Http] {
        let mut client = client(&sim, "acct-a", mode).seed(3);
        let report = client.turn("look around [tools: 2 echo hello]").await;
        assert!(report.completed, "{report:?}");
        assert_eq!((report.tool_calls(), report.requests), (2, 3));
        let call = report
            .items
            .iter()
            .find(|item| item.kind == "function_call")
            .expect("a call");
        assert_eq!(call.json["name"], "exec_command");
        assert_eq!(
            call.json["arguments"],
            r#"{"cmd": "echo hello", "command": ["echo", "hello"]}"#
        );
        assert!(report.answer().starts_with("Answer to: look around"));
        // The next turn starts anew.
        let next = client.turn("and now").await;
        assert_eq!((next.tool_calls(), next.requests), (0, 1));
    }
}

#[tokio::test]
async fn http_streams_events_with_quota_headers() {
    let sim = Sim::start(scenario()).await;
    let (status, head, body) = post(&sim, "acct-a", "hi [words: 40]").await.expect("an answer");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/event-stream"));
    assert!(head.contains("x-codex-plan-type: plus"));
    assert!(head.contains("x-codex-turn-state: ts_"));
    assert!(body.contains("event: response.created\ndata: {\"type\":\"response.created\""));
    assert!(body.contains("w39"));
    assert!(body.contains("\"type\":\"response.completed\""));
}

#[tokio::test]
async fn bulk_answers_are_big() {
    let sim = Sim::start(scenario().output(Output::new().bulk(1 << 20, 1 << 16))).await;
    let (_, _, body) = post(&sim, "acct-a", "hi").await.expect("an answer");
    assert!(body.len() > 1 << 20);
    let report = client(&sim, "acct-a", Mode::WebSocket).turn("hi").await;
    assert!(report.completed);
}

#[tokio::test]
async fn compaction_is_an_item() {
    let sim = Sim::start(scenario()).await;
    let url = format!("{}/codex/responses", sim.base_url());
    let body = r#"{"model":"m","input":[{"type":"compaction_trigger"}]}"#;
    let (_, _, body) = call(&url, "POST", &bearer(&sim, "acct-a"), body)
        .await
        .expect("an answer");
    assert!(
        body.contains(r#""item":{"type":"compaction","id":"cmp_"#),
        "{body}"
    );
    let url = format!("{url}/compact");
    let (status, _, body) = call(&url, "POST", &bearer(&sim, "acct-a"), r#"{"input":[]}"#)
        .await
        .expect("an answer");
    assert_eq!(status, 200);
    assert!(body.starts_with(r#"{"output":[{"#), "{body}");
}

#[tokio::test]
async fn side_routes_answer_as_the_captures_show() {
    let sim = Sim::start(scenario()).await;
    let get = async |path: &str| {
        call(
            &format!("{}/{path}", sim.base_url()),
            "GET",
            &bearer(&sim, "acct-a"),
            "",
        )
        .await
        .expect("an answer")
    };
    let (status, _, body) = get("wham/accounts/check").await;
    assert_eq!(status, 200);
    assert!(body.contains(r#""account_routing_override":"NO_CONSTRAINT""#));
    assert_eq!(get("codex/models").await.2, r#"{"models":[]}"#);
    let (_, _, usage) = get("wham/usage").await;
    assert!(usage.contains(r#""email":"acct-a@example.invalid""#));
    let (status, _, body) = get("ps/plugins/installed").await;
    assert_eq!((status, body.as_str()), (404, r#"{"detail":"Not Found"}"#));
}

#[tokio::test]
async fn https_and_wss_present_the_throwaway_authority() {
    let sim = Sim::start(scenario().https()).await;
    assert!(
        sim.ca_pem()
            .is_some_and(|pem| pem.starts_with("-----BEGIN CERTIFICATE-----"))
    );
    assert!(
        sim.https_base_url()
            .is_some_and(|url| url.starts_with("https://localhost:"))
    );
}
