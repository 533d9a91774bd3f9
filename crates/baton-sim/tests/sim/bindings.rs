//! What belongs to a connection or to an account: previous responses, turn states, ciphertext.

use std::time::Duration;

use baton_sim::{Mode, Sim, ViolationKind};
use serde_json::{Value, json};

use crate::{bearer, call, client, post, scenario};

#[tokio::test]
async fn a_previous_response_belongs_to_its_connection() {
    let sim = Sim::start(scenario()).await;
    let mut client = client(&sim, "acct-a", Mode::WebSocket);
    client.turn("one").await;
    let known = sim.log().served_by("acct-a")[0]
        .response_id
        .clone()
        .expect("an id");
    // The client itself never takes an id across: it sends everything again.
    client.disconnect();
    assert!(client.turn("two").await.completed);
    let served = sim.log().served_by("acct-a");
    assert_eq!(served[1].previous_response_id, None);
    assert_ne!(served[0].connection, served[1].connection);
    // On HTTP there is no such thing.
    let url = format!("{}/codex/responses", sim.base_url());
    let body = json!({"input": [], "previous_response_id": known}).to_string();
    let (status, _, _) = call(&url, "POST", &bearer(&sim, "acct-a"), &body)
        .await
        .expect("an answer");
    assert_eq!(status, 400);
    assert_eq!(
        sim.log().violations()[0].kind,
        ViolationKind::PreviousResponseOnHttp
    );
}

#[tokio::test]
async fn an_unknown_previous_response_is_refused_by_a_frame() {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue};
    let sim = Sim::start(scenario()).await;
    let url = format!("{}/codex/responses", sim.base_url()).replacen("http", "ws", 1);
    let mut request = url.into_client_request().expect("a request");
    for (name, value) in bearer(&sim, "acct-a") {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_str(&value).expect("a value"));
    }
    let extensions = HeaderValue::from_static("permessage-deflate; client_max_window_bits");
    request
        .headers_mut()
        .insert("sec-websocket-extensions", extensions);
    let host = request.uri().authority().expect("a host").to_string();
    let stream = tokio::net::TcpStream::connect(host).await.expect("a socket");
    let (mut socket, response) = tokio_tungstenite::client_async(request, stream)
        .await
        .expect("a handshake");
    assert!(
        !response.headers().contains_key("sec-websocket-extensions"),
        "deflate is declined"
    );
    assert!(response.headers().contains_key("x-codex-plan-type"));
    let frame = json!({"type": "response.create", "input": [], "previous_response_id": "resp_elsewhere"});
    socket.send(Message::text(frame.to_string())).await.expect("sent");
    let answer = socket.next().await.expect("a frame").expect("a frame");
    let answer: Value = serde_json::from_str(answer.to_text().expect("text")).expect("JSON");
    assert_eq!(
        (&answer["type"], &answer["status"]),
        (&json!("error"), &json!(400))
    );
    assert_eq!(answer["error"]["code"], "previous_response_not_found");
    // The connection goes on.
    socket
        .send(Message::text(
            json!({"type": "response.create", "input": "hi"}).to_string(),
        ))
        .await
        .expect("sent");
    let answer = socket.next().await.expect("a frame").expect("a frame");
    assert!(
        answer
            .to_text()
            .expect("text")
            .starts_with(r#"{"type":"codex.rate_limits","plan_type":"plus""#)
    );
}

#[tokio::test]
async fn an_old_websocket_asks_for_a_new_one() {
    let sim = Sim::start(scenario()).await;
    let mut client = client(&sim, "acct-a", Mode::WebSocket);
    client.turn("one").await;
    sim.clock().advance(Duration::from_secs(3600));
    let report = client.turn("two").await;
    assert!(report.completed);
    assert_eq!(report.retried, ["websocket_connection_limit_reached"]);
}

#[tokio::test]
async fn a_foreign_turn_state_is_a_violation() {
    let sim = Sim::start(scenario()).await;
    let (_, head, _) = post(&sim, "acct-a", "hi").await.expect("an answer");
    // Base64 is case-sensitive and `call` lowers the head: ask for it again by the client's own way.
    assert!(head.contains("x-codex-turn-state"));
    let mut headers = bearer(&sim, "acct-b").to_vec();
    headers.push(("x-codex-turn-state", "ts_bm90LW91cnMKeA".to_owned()));
    let url = format!("{}/codex/responses", sim.base_url());
    call(&url, "POST", &headers, r#"{"input":"hi"}"#)
        .await
        .expect("an answer");
    let violation = &sim.log().violations()[0];
    assert_eq!(violation.account.as_deref(), Some("acct-b"));
    assert_eq!(
        violation.kind,
        ViolationKind::ForeignTurnState {
            made_by: "not-ours".to_owned()
        }
    );
    // Its own comes back without complaint, within a turn.
    let turn = "look [tool: ls]";
    assert!(client(&sim, "acct-a", Mode::Http).turn(turn).await.completed);
    assert!(client(&sim, "acct-a", Mode::WebSocket).turn(turn).await.completed);
    assert_eq!(sim.log().violations().len(), 1);
}

#[tokio::test]
async fn a_wrong_routing_override_is_a_violation() {
    let sim = Sim::start(scenario()).await;
    sim.account("acct-a").set_routing_override("us");
    post(&sim, "acct-a", "hi").await.expect("an answer");
    assert_eq!(
        sim.log().violations()[0].kind,
        ViolationKind::WrongRoutingOverride { sent: None }
    );
    let mut headers = bearer(&sim, "acct-a").to_vec();
    headers.push(("x-openai-account-routing-override", "us".to_owned()));
    let url = format!("{}/codex/responses", sim.base_url());
    call(&url, "POST", &headers, r#"{"input":"hi"}"#)
        .await
        .expect("an answer");
    assert_eq!(sim.log().violations().len(), 1);
}

#[tokio::test]
async fn ciphertext_can_be_bound_to_its_account() {
    for refuse in [false, true] {
        let sim = Sim::start(scenario().refuse_foreign_ciphertext(refuse)).await;
        let report = client(&sim, "acct-a", Mode::Http).turn("hi").await;
        let body = json!({"input": [report.items[0].json, {"role": "user", "content": "hi"}]}).to_string();
        let url = format!("{}/codex/responses", sim.base_url());
        let (own, _, _) = call(&url, "POST", &bearer(&sim, "acct-a"), &body)
            .await
            .expect("an answer");
        let (other, _, text) = call(&url, "POST", &bearer(&sim, "acct-b"), &body)
            .await
            .expect("an answer");
        assert_eq!((own, other), (200, if refuse { 400 } else { 200 }));
        assert_eq!(text.contains("invalid_encrypted_content"), refuse);
        assert!(sim.log().requests("acct-b")[0].foreign_ciphertext);
    }
}
