//! What is not a model request.

use baton_sim::{Kind, Mode};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

use crate::stage::Stage;

pub(crate) async fn get(url: &str, headers: &[(&str, &str)]) -> (u16, Bytes) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = client
        .request(request.body(Full::default()).expect("a request"))
        .await
        .expect("an answer");
    let status = answer.status().as_u16();
    (
        status,
        answer.into_body().collect().await.expect("a body").to_bytes(),
    )
}

async fn json(stage: &Stage, path: &str) -> Value {
    let token = stage.sim.cli().access_token();
    let account = stage.sim.cli().account_id();
    let headers = [
        ("authorization", &*format!("Bearer {token}")),
        ("chatgpt-account-id", &*account),
    ];
    let (status, body) = get(&format!("{}{path}", stage.base_url()), &headers).await;
    assert_eq!(status, 200, "{path}");
    serde_json::from_slice(&body).expect("JSON")
}

#[tokio::test]
async fn workspace_routing_is_answered_for_the_cli_with_an_https_origin() {
    let stage = Stage::two(10.0, 10.0).await;
    let answer = json(&stage, "/wham/accounts/check").await;
    let account = &answer["accounts"][0];
    assert_eq!(account["id"], *stage.sim.cli().account_id());
    assert_eq!(account["workspace_backend_origin"], "https://chatgpt.com");
    assert_eq!(account["account_routing_override"], "NO_CONSTRAINT");
    assert_eq!(
        stage.sim.log().count(|_| true),
        0,
        "answered without the upstream"
    );
}

/// The CLI's identity, with the quota of the account that would serve next.
#[tokio::test]
async fn usage_is_that_of_the_account_that_serves_next_under_the_clis_identity() {
    let stage = Stage::two(2.0, 10.0).await;
    let mut client = stage.client(Mode::Http);
    for _ in 0..3 {
        assert!(client.turn("hello").await.completed);
    }
    let answer = json(&stage, "/wham/usage").await;
    assert_eq!(answer["account_id"], *stage.sim.cli().account_id());
    assert_eq!(answer["rate_limit"]["limit_reached"], false);
    let asked = stage.sim.log().find(|entry| entry.kind == Kind::Usage);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].account.as_deref(), Some("b"));
}

#[tokio::test]
async fn everything_else_passes_with_the_clis_own_credentials() {
    let stage = Stage::two(10.0, 10.0).await;
    let token = stage.sim.cli().access_token();
    let authorization = format!("Bearer {token}");
    let (status, _) = get(
        &format!("{}/ps/plugins/installed?limit=200", stage.base_url()),
        &[("authorization", &authorization)],
    )
    .await;
    assert_eq!(status, 404, "the upstream's own answer");
    let seen = stage
        .sim
        .log()
        .find(|entry| entry.path.starts_with("/backend-api/ps/plugins"));
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].account.as_deref(), Some(&*stage.sim.cli().account_id()));
}

/// Models are those of the active account's plan.
#[tokio::test]
async fn models_are_asked_for_with_the_active_account() {
    let stage = Stage::two(10.0, 10.0).await;
    json(&stage, "/codex/models?client_version=0.169.0").await;
    let seen = stage.sim.log().find(|entry| entry.kind == Kind::Models);
    assert_eq!(seen[0].account.as_deref(), Some("a"));
}
