//! What is not a model request.

use baton_sim::{At, Failure, Fault, FaultRule, Kind, Mode};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

use crate::stage::{Stage, account, scenario};

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

/// What the answers so far have said must do.
#[tokio::test]
async fn usage_is_told_also_while_the_upstream_does_not() {
    for fault in [
        Fault::Refuse(Failure::unavailable()),
        Fault::Reset,
        Fault::Respond {
            status: 200,
            headers: Vec::new(),
            body: "<html>".to_owned(),
        },
    ] {
        let stage = Stage::two(10.0, 10.0).await;
        let mut client = stage.client(Mode::Http);
        for _ in 0..2 {
            assert!(client.turn("hello").await.completed);
        }
        let fault = stage.sim.fault(FaultRule::new(At::Route(Kind::Usage), fault));
        let answer = json(&stage, "/wham/usage").await;
        assert_eq!(fault.hits(), 1);
        assert_eq!(answer["account_id"], *stage.sim.cli().account_id());
        let windows = &answer["rate_limit"];
        // Readings lag by a request.
        assert_eq!(windows["primary_window"]["used_percent"], 10, "{answer}");
        assert_eq!(windows["limit_reached"], false, "{answer}");
        assert_eq!(
            stage.baton.snapshot().accounts[0].state,
            baton_core::Eligibility::Eligible
        );
    }
}

#[tokio::test]
async fn with_everybody_spent_usage_says_so() {
    let stage = Stage::two(1.0, 1.0).await;
    let mut client = stage.client(Mode::Http);
    for _ in 0..3 {
        client.turn("hello").await;
    }
    let answer = json(&stage, "/wham/usage").await;
    assert_eq!(answer["rate_limit"]["limit_reached"], true, "{answer}");
    assert_eq!(answer["account_id"], *stage.sim.cli().account_id());
}

#[tokio::test]
async fn a_side_routes_401_is_healed_by_one_refresh_and_never_told() {
    let stage = Stage::two(10.0, 10.0).await;
    stage.sim.account("a").expire_access_tokens();
    json(&stage, "/codex/models?client_version=1").await;
    let refreshes = || stage.sim.log().count(|entry| entry.kind == Kind::Token);
    assert_eq!(refreshes(), 1);
    json(&stage, "/wham/rate-limit-reset-credits").await;
    assert_eq!(refreshes(), 1);
    stage.sim.account("a").revoke();
    let (status, _) = get(&format!("{}/codex/models", stage.base_url()), &[]).await;
    assert_ne!(status, 401);
}

/// Each account's own, also where the first question for it came with a token that had expired.
#[tokio::test]
async fn each_account_has_its_own_routing_override() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let accounts = [account("a", 1.0).routing_override("us"), account("b", 10.0)];
        let stage = Stage::with(scenario(accounts), &["a", "b"]).await;
        stage.sim.account("a").expire_access_tokens();
        let mut client = stage.client(mode);
        for n in 0..2 {
            let report = client.turn(&format!("turn {n}")).await;
            assert!(report.completed, "{mode:?}: {report:?}");
        }
        assert_eq!((stage.served("a"), stage.served("b")), (1, 1), "{mode:?}");
        stage.no_violations();
    }
}

#[tokio::test]
async fn an_account_of_another_backend_is_not_routed() {
    let accounts = [
        account("a", 10.0).backend_origin("https://eu.example.invalid"),
        account("b", 10.0),
    ];
    let stage = Stage::with(scenario(accounts), &["a", "b"]).await;
    assert!(stage.client(Mode::WebSocket).turn("hello").await.completed);
    assert_eq!(stage.sim.log().requests("a").len(), 0);
    assert_eq!(
        stage.baton.snapshot().accounts[0].state,
        baton_core::Eligibility::NeedsAttention {
            reason: baton_core::Refusal::UnsupportedBackend
        }
    );
}
