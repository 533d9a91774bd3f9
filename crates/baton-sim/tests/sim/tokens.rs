//! Tokens: single-use refresh, expiry, revocation, and who a bearer is.

use std::time::Duration;

use baton_sim::{AccountScript, At, Failure, Fault, FaultRule, Kind, Scenario, Sim, ViolationKind};
use serde_json::{Value, json};

use crate::{bearer, call, post, scenario};

async fn refresh(sim: &Sim, token: &str) -> (u16, Value) {
    let body = json!({"client_id": "app", "grant_type": "refresh_token", "refresh_token": token}).to_string();
    let url = format!("{}/oauth/token", sim.issuer_url());
    let headers = [("content-type", "application/json".to_owned())];
    let (status, _, body) = call(&url, "POST", &headers, &body).await.expect("an answer");
    (status, serde_json::from_str(&body).unwrap_or_default())
}

#[tokio::test]
async fn a_refresh_token_works_once() {
    let sim = Sim::start(scenario()).await;
    let account = sim.account("acct-a");
    let first = account.refresh_token();
    let (status, tokens) = refresh(&sim, &first).await;
    assert_eq!(status, 200);
    assert_eq!(tokens["access_token"], account.access_token());
    let (status, error) = refresh(&sim, &first).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (401, &json!("refresh_token_reused"))
    );
    assert_eq!(sim.log().violations()[0].kind, ViolationKind::RefreshTokenReused);
    assert_eq!(refresh(&sim, &account.refresh_token()).await.0, 200);
    let (status, error) = refresh(&sim, "rt_unknown").await;
    assert_eq!((status, &error["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn a_second_sign_in_is_a_grant_of_its_own() {
    let sim = Sim::start(scenario()).await;
    let other: Value = serde_json::from_str(&sim.account("acct-a").sign_in()).expect("JSON");
    let token = other["tokens"]["refresh_token"].as_str().expect("a token");
    assert_ne!(token, sim.account("acct-a").refresh_token());
    assert_eq!(refresh(&sim, token).await.0, 200);
    assert_eq!(refresh(&sim, &sim.account("acct-a").refresh_token()).await.0, 200);
}

#[tokio::test]
async fn access_tokens_expire_and_are_taken_back() {
    let account = AccountScript::new("acct-a").token_lifetime(Duration::from_secs(3600));
    let sim = Sim::start(Scenario::new().speed(0.0).account(account)).await;
    assert_eq!(post(&sim, "acct-a", "hi").await.expect("an answer").0, 200);
    sim.clock().advance(Duration::from_secs(3600));
    let (status, _, body) = post(&sim, "acct-a", "hi").await.expect("an answer");
    assert!(status == 401 && body.contains("token_expired"), "{body}");
    refresh(&sim, &sim.account("acct-a").refresh_token()).await;
    assert_eq!(post(&sim, "acct-a", "hi").await.expect("an answer").0, 200);
    sim.account("acct-a").revoke();
    let (status, _, body) = post(&sim, "acct-a", "hi").await.expect("an answer");
    assert!(status == 401 && body.contains("token_invalidated"), "{body}");
    let (status, error) = refresh(&sim, &sim.account("acct-a").refresh_token()).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (401, &json!("refresh_token_invalidated"))
    );
}

#[tokio::test]
async fn the_account_header_must_agree_with_the_token() {
    let sim = Sim::start(scenario()).await;
    let mut headers = bearer(&sim, "acct-a");
    headers[1].1 = "acct-b".to_owned();
    let url = format!("{}/wham/usage", sim.base_url());
    assert_eq!(call(&url, "GET", &headers, "").await.expect("an answer").0, 403);
    assert_eq!(
        sim.log().violations()[0].kind,
        ViolationKind::AccountMismatch {
            header: "acct-b".to_owned()
        }
    );
    assert_eq!(call(&url, "GET", &[], "").await.expect("an answer").0, 401);
}

#[tokio::test]
async fn the_cli_has_a_login_of_its_own_and_the_log_keeps_no_token() {
    let sim = Sim::start(scenario()).await;
    let cli = sim.cli();
    let headers = [
        ("authorization", format!("Bearer {}", cli.access_token())),
        ("chatgpt-account-id", cli.account_id()),
    ];
    let url = format!("{}/wham/usage", sim.base_url());
    assert_eq!(call(&url, "GET", &headers, "").await.expect("an answer").0, 200);
    let entries = sim.log().entries();
    assert_eq!(entries[0].account.as_deref(), Some("acct-cli"));
    assert!(entries[0].headers["authorization"].starts_with("Bearer <jti=acct-cli-"));
}

#[tokio::test]
async fn a_refresh_can_be_refused_for_a_while() {
    let sim = Sim::start(scenario()).await;
    let rule = FaultRule::new(At::Route(Kind::Token), Fault::Refuse(Failure::unavailable()));
    sim.fault(rule.account("acct-a").first(1));
    let token = sim.account("acct-a").refresh_token();
    assert_eq!(refresh(&sim, &token).await.0, 503);
    assert_eq!(refresh(&sim, &token).await.0, 200);
}

#[tokio::test]
async fn the_answer_to_a_refresh_can_be_lost() {
    let sim = Sim::start(scenario()).await;
    let rule = FaultRule::new(At::AfterRoute(Kind::Token), Fault::Refuse(Failure::bad_gateway()));
    sim.fault(rule.first(1));
    let token = sim.account("acct-a").refresh_token();
    assert_eq!(refresh(&sim, &token).await.0, 502);
    assert_eq!(
        refresh(&sim, &token).await.1["error"]["code"],
        "refresh_token_reused"
    );
}
