//! Signing in: the page, its code, and device codes.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use baton_sim::{Consent, Sim, ViolationKind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{call, scenario};

const VERIFIER: &str = "a-verifier-that-a-test-has-made-up-for-itself-0123456789";
const STATE: &str = "a-state-that-a-test-has-made-up-for-itself";
const CLIENT: &str = "app_EMoamEEZ73f0CkXaXp7hrann";
const BACK: &str = "http://localhost:1455/auth/callback";

fn page(sim: &Sim) -> Url {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut url = Url::parse(&format!("{}/oauth/authorize", sim.issuer_url())).expect("a url");
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", BACK),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", STATE),
        ("scope", "openid profile email offline_access"),
        ("id_token_add_organizations", "true"),
        ("codex_cli_simplified_flow", "true"),
    ]);
    url
}

/// Where the page sends the browser.
async fn sent_to(url: &Url) -> Option<Url> {
    let (status, head, _) = call(url.as_str(), "GET", &[], "").await.expect("an answer");
    let to = head.lines().find_map(|line| line.strip_prefix("location: "))?;
    assert_eq!(status, 302);
    Some(to.parse().expect("a url"))
}

fn query(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

async fn exchange(sim: &Sim, code: &str, verifier: &str, redirect_uri: &str) -> (u16, Value) {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ])
        .finish();
    let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let url = format!("{}/oauth/token", sim.issuer_url());
    let (status, _, body) = call(&url, "POST", &headers, &form).await.expect("an answer");
    (status, serde_json::from_str(&body).unwrap_or_default())
}

async fn ask(sim: &Sim, route: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/api/accounts/deviceauth/{route}", sim.issuer_url());
    let headers = [("content-type", "application/json".to_owned())];
    let (status, _, body) = call(&url, "POST", &headers, &body.to_string())
        .await
        .expect("an answer");
    (status, serde_json::from_str(&body).unwrap_or_default())
}

#[tokio::test]
async fn the_page_s_code_gives_a_grant_once_and_only_to_who_began() {
    let sim = Sim::start(scenario()).await;
    sim.consent(Consent::Agrees("acct-b".to_owned()));
    let back = sent_to(&page(&sim)).await.expect("a redirect");
    assert!(back.as_str().starts_with(BACK), "{back}");
    assert_eq!(query(&back, "state").as_deref(), Some(STATE));
    let code = query(&back, "code").expect("a code");
    let (status, tokens) = exchange(&sim, &code, VERIFIER, BACK).await;
    assert_eq!(status, 200, "{tokens}");
    assert_ne!(tokens["refresh_token"], sim.account("acct-b").refresh_token());
    let (status, error) = exchange(&sim, &code, VERIFIER, BACK).await;
    assert_eq!((status, &error["error"]), (400, &json!("invalid_grant")));
    assert_eq!(sim.log().violations()[0].kind, ViolationKind::CodeReused);

    for (verifier, back) in [
        ("another", BACK),
        (VERIFIER, "http://localhost:1457/auth/callback"),
    ] {
        let code = query(&sent_to(&page(&sim)).await.expect("a redirect"), "code").expect("a code");
        assert_eq!(exchange(&sim, &code, verifier, back).await.0, 400);
    }
}

#[tokio::test]
async fn a_person_may_refuse_and_a_malformed_url_gets_nowhere() {
    let sim = Sim::start(scenario()).await;
    sim.consent(Consent::Refuses);
    let back = sent_to(&page(&sim)).await.expect("a redirect");
    assert_eq!(query(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(query(&back, "code"), None);
    sim.consent(Consent::WrongState("acct-a".to_owned()));
    let back = sent_to(&page(&sim)).await.expect("a redirect");
    assert_ne!(query(&back, "state").as_deref(), Some(STATE));
    for (right, wrong) in [
        ("S256", "plain"),
        ("localhost", "example.org"),
        ("offline_access", "all"),
    ] {
        let url = page(&sim).as_str().replace(right, wrong);
        assert_eq!(sent_to(&url.parse().expect("a url")).await, None, "{wrong}");
    }
}

#[tokio::test]
async fn a_device_code_waits_until_it_is_entered_and_expires() {
    let sim = Sim::start(scenario()).await;
    let (status, device) = ask(&sim, "usercode", &json!({ "client_id": CLIENT })).await;
    assert_eq!(status, 200, "{device}");
    let poll = json!({ "device_auth_id": device["device_auth_id"], "user_code": device["user_code"] });
    assert_eq!(ask(&sim, "token", &poll).await.0, 403);
    let code = device["user_code"].as_str().expect("a code");
    assert!(!sim.approve_device("0000-00000", "acct-a"));
    assert!(sim.approve_device(code, "acct-a"));
    let (status, granted) = ask(&sim, "token", &poll).await;
    assert_eq!(status, 200, "{granted}");
    let text = |name: &str| granted[name].as_str().expect("a text").to_owned();
    let (code, verifier) = (text("authorization_code"), text("code_verifier"));
    let back = format!("{}/deviceauth/callback", sim.issuer_url());
    assert_eq!(exchange(&sim, &code, &verifier, &back).await.0, 200);

    let (_, device) = ask(&sim, "usercode", &json!({ "client_id": CLIENT })).await;
    sim.clock().advance(Duration::from_secs(15 * 60));
    let code = device["user_code"].as_str().expect("a code");
    assert!(!sim.approve_device(code, "acct-a"), "it has expired");
}
