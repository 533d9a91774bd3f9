//! Windows, limits in every disguise, credits, named limits.

use std::time::Duration;

use baton_sim::{
    AccountScript, Client, Crossing, FamilyScript, LimitForm, Login, Mode, Percent, Scenario, Sim,
    WindowScript,
};
use serde_json::Value;

use crate::{bearer, call, client, post};

const FIVE_HOURS: Duration = Duration::from_secs(5 * 3600);

fn with_window(capacity: f64) -> Scenario {
    let account = AccountScript::new("acct-a").window(WindowScript::five_hours(capacity));
    Scenario::new()
        .speed(0.0)
        .start_at(1_795_000_000_000)
        .account(account)
}

async fn usage(sim: &Sim) -> Value {
    let url = format!("{}/wham/usage", sim.base_url());
    let (_, _, body) = call(&url, "GET", &bearer(sim, "acct-a"), "")
        .await
        .expect("an answer");
    serde_json::from_str(&body).expect("JSON")
}

#[tokio::test]
async fn a_window_starts_at_its_first_use_and_resets() {
    let sim = Sim::start(with_window(2.0)).await;
    let (clock, start) = (sim.clock(), 1_795_000_000);
    clock.advance(Duration::from_secs(1000));
    post(&sim, "acct-a", "one").await.expect("an answer");
    assert_eq!(
        sim.account("acct-a").window(FIVE_HOURS),
        Some((50.0, start + 1000 + 18_000))
    );
    clock.advance(Duration::from_secs(60));
    post(&sim, "acct-a", "two").await.expect("an answer");
    let (status, head, body) = post(&sim, "acct-a", "three").await.expect("an answer");
    assert_eq!(status, 429);
    assert!(head.contains("x-codex-primary-used-percent: 100"));
    let error: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(error["error"]["type"], "usage_limit_reached");
    assert_eq!(error["error"]["resets_at"], start + 19_000);
    clock.advance(Duration::from_secs(18_000 - 60 - 1));
    assert_eq!(post(&sim, "acct-a", "early").await.expect("an answer").0, 429);
    clock.advance(Duration::from_secs(1));
    assert_eq!(post(&sim, "acct-a", "late").await.expect("an answer").0, 200);
    assert_eq!(
        sim.account("acct-a").window(FIVE_HOURS),
        Some((50.0, start + 19_000 + 18_000))
    );
    assert_eq!(sim.log().served_by("acct-a").len(), 3);
    assert_eq!(sim.log().requests("acct-a").len(), 5);
}

#[tokio::test]
async fn a_prewarm_costs_nothing() {
    let sim = Sim::start(with_window(2.0)).await;
    client(&sim, "acct-a", Mode::WebSocket).turn("hi").await;
    assert_eq!(
        sim.account("acct-a").window(FIVE_HOURS).map(|(used, _)| used),
        Some(50.0)
    );
}

#[tokio::test]
async fn readings_lag_by_one_request_unless_told_otherwise() {
    for (include, expected) in [(false, "used-percent: 0"), (true, "used-percent: 50")] {
        let sim = Sim::start(with_window(2.0).readings_include_request(include)).await;
        let (_, head, _) = post(&sim, "acct-a", "one").await.expect("an answer");
        assert!(head.contains(expected), "{head}");
    }
}

#[tokio::test]
async fn percents_are_rounded_as_told() {
    for (percent, expected) in [
        (Percent::Floor, 99.0),
        (Percent::Round, 100.0),
        (Percent::Exact, 99.6),
    ] {
        let sim = Sim::start(with_window(1000.0).percent(percent)).await;
        sim.account("acct-a").set_used(FIVE_HOURS, 996.0);
        let usage = usage(&sim).await;
        let window = &usage["rate_limit"]["primary_window"];
        assert_eq!(window["used_percent"].as_f64(), Some(expected));
        assert_eq!(usage["rate_limit"]["limit_reached"], false);
    }
}

#[tokio::test]
async fn a_limit_shows_in_every_disguise() {
    let forms = [
        (LimitForm::Head, "usage_limit_reached"),
        (LimitForm::Upgrade, "usage_limit_reached"),
        (LimitForm::Failed, "usage_limit_reached"),
        (LimitForm::ErrorEvent, "usage_limit_reached"),
        (LimitForm::AfterOutput, "usage_limit_reached"),
    ];
    for (form, code) in forms {
        let sim = Sim::start(with_window(1.0).limit_on_http(form).limit_on_websocket(form)).await;
        sim.account("acct-a").exhaust();
        let (status, _, body) = post(&sim, "acct-a", "hi").await.expect("an answer");
        let head = matches!(form, LimitForm::Head | LimitForm::Upgrade);
        assert_eq!(status, if head { 429 } else { 200 });
        assert!(body.contains(code), "{form:?}: {body}");
        assert_eq!(body.contains("output_item.done"), form == LimitForm::AfterOutput);
        assert!(!body.contains("response.completed"));
        // On a WebSocket the CLI gives up at once where the frame or the upgrade says so.
        let mut client = client(&sim, "acct-a", Mode::WebSocket);
        let report = client.turn("hi").await;
        assert!(!report.completed);
        if form != LimitForm::Failed {
            assert_eq!(report.error.expect("an error").code, code, "{form:?}");
        }
    }
}

#[tokio::test]
async fn the_crossing_request_does_what_the_scenario_says() {
    let crossing = async |crossing| {
        let sim = Sim::start(with_window(1.5).crossing(crossing)).await;
        post(&sim, "acct-a", "one").await.expect("an answer");
        let two = post(&sim, "acct-a", "two").await.expect("an answer");
        assert_eq!(post(&sim, "acct-a", "three").await.expect("an answer").0, 429);
        (
            two.0,
            two.2.contains("output_item.done"),
            two.2.contains("response.completed"),
        )
    };
    assert_eq!(crossing(Crossing::Completes).await, (200, true, true));
    assert_eq!(crossing(Crossing::Refused).await, (429, false, false));
    assert_eq!(crossing(Crossing::CutAfterOutput).await, (200, true, false));
}

#[tokio::test]
async fn credits_answer_after_the_quota() {
    let account = AccountScript::new("acct-a")
        .window(WindowScript::five_hours(1.0))
        .credits(2.0);
    let sim = Sim::start(Scenario::new().speed(0.0).account(account)).await;
    for expected in [200, 200, 200, 429] {
        assert_eq!(post(&sim, "acct-a", "hi").await.expect("an answer").0, expected);
    }
    assert_eq!(usage(&sim).await["credits"]["has_credits"], false);
}

#[tokio::test]
async fn a_named_limit_meters_its_models_only() {
    let family = FamilyScript::new("GPT-5.3-Codex-Spark", "codex_bengalfox")
        .model("gpt-spark")
        .window(WindowScript::five_hours(1.0));
    let account = AccountScript::new("acct-a")
        .window(WindowScript::weekly(10.0))
        .family(family);
    let sim = Sim::start(
        Scenario::new()
            .speed(0.0)
            .account(account.lacks_model("gpt-none")),
    )
    .await;
    let login = Login::from_auth_json(&sim.account("acct-a").auth_json()).expect("an auth.json");
    let client = |model: &str| {
        Client::new(sim.base_url(), login.clone())
            .mode(Mode::Http)
            .model(model)
    };
    assert!(client("gpt-spark").turn("one").await.completed);
    let spent = client("gpt-spark").turn("two").await;
    assert_eq!(spent.error.expect("an error").code, "usage_limit_reached");
    assert!(client("gpt-6.1-sol").turn("three").await.completed);
    let (_, head, _) = post(&sim, "acct-a", "four").await.expect("an answer");
    assert!(
        head.contains("x-codex-bengalfox-primary-used-percent: 100"),
        "{head}"
    );
    assert!(
        head.contains("x-codex-bengalfox-limit-name: gpt-5.3-codex-spark"),
        "{head}"
    );
    assert!(head.contains("x-codex-primary-used-percent: 10"), "{head}");
    assert!(head.contains("x-codex-primary-window-minutes: 10080"), "{head}");
    let usage = usage(&sim).await;
    assert_eq!(
        usage["additional_rate_limits"][0]["metered_feature"],
        "codex_bengalfox"
    );
    assert_eq!(
        client("gpt-none")
            .turn("five")
            .await
            .error
            .expect("an error")
            .code,
        "http_400"
    );
}
