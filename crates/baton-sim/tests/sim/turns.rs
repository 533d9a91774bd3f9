//! Turns that go well: transports, tools, the log.

use std::collections::HashSet;

use baton_sim::{At, Fault, FaultRule, Kind, Mode, Output, Sim, Transport};

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
async fn https_presents_the_throwaway_authority() {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let sim = Sim::start(scenario().https()).await;
    let pem = sim.ca_pem().expect("an authority");
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate"))
        .expect("a root");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocols")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let url: url::Url = sim.https_base_url().expect("https").parse().expect("a url");
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", url.port().expect("a port"))).await;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut socket = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config))
        .connect(name, socket.expect("a socket"))
        .await
        .expect("a handshake");
    let [(_, token), _] = bearer(&sim, "acct-a");
    let request = format!(
        "GET /backend-api/codex/models HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.ends_with(r#"{"models":[]}"#), "{answer}");
    assert!(sim.log().entries()[0].tls);
}

#[tokio::test]
async fn many_clients_at_once_lose_and_repeat_nothing() {
    let sim = Sim::start(scenario()).await;
    sim.fault(FaultRule::new(At::Created, Fault::Cut).probability(0.2));
    let turns = (0..20).map(|n| {
        let mode = if n % 2 == 0 { Mode::WebSocket } else { Mode::Http };
        let mut client = client(&sim, "acct-a", mode).seed(100 + n);
        tokio::spawn(async move { client.turn(&format!("question {n} [tool: ls]")).await })
    });
    let mut answers = HashSet::new();
    for turn in turns.collect::<Vec<_>>() {
        let report = turn.await.expect("a report");
        assert!(report.completed && report.repeated.is_empty(), "{report:?}");
        assert!(answers.insert(report.answer().to_owned()));
    }
    assert_eq!(sim.log().served_by("acct-a").len(), 40);
}
