//! One account fails a request, and nobody else can take it: what is then said is never another account's own limit,
//! throttle or refused token.

use baton_core::Eligibility;
use baton_sim::{At, Client, Failure, Fault, FaultRule, Mode, TurnReport};

use crate::stage::{Stage, account, scenario};

const BOTH: [Mode; 2] = [Mode::WebSocket, Mode::Http];

async fn two() -> Stage {
    let accounts = scenario([account("a", 100.0), account("b", 100.0)]).speed(20.0);
    Stage::with(accounts, &["a", "b"]).await
}

/// In place of that account's answers.
fn refuses(account: &str, failure: Failure) -> FaultRule {
    FaultRule::new(At::Head, Fault::Refuse(failure)).account(account)
}

async fn ask(stage: &Stage, mode: Mode) -> TurnReport {
    let mut client: Client = stage.client(mode);
    client.turn("hello").await
}

fn error(report: &TurnReport) -> &str {
    report.error.as_ref().map_or("none", |error| &error.code)
}

fn state(stage: &Stage, label: &str) -> Eligibility {
    let id = stage.id(label);
    let snapshot = stage.baton.snapshot();
    let mut views = snapshot.accounts.iter();
    views.find(|view| view.id == id).expect("an account").state
}

#[tokio::test]
async fn after_a_passing_trouble_no_limit_of_another_account_is_passed_on() {
    for mode in BOTH {
        for limit in [
            Failure::insufficient_quota(),
            Failure::usage_limit_reached(),
            Failure::workspace_owner_credits_depleted(),
            Failure::rate_limit_exceeded().retry_after(3600),
            Failure::token_invalidated(),
        ] {
            // Three times is what one request is tried: when the client asks again, `a` is well.
            let stage = two().await;
            stage.sim.fault(refuses("a", Failure::internal()).first(3));
            stage.sim.fault(refuses("b", limit.clone()));
            let report = ask(&stage, mode).await;
            assert!(report.completed, "{mode:?} {limit:?}: {report:?}");
            assert_eq!(stage.served("a"), 1, "{mode:?} {limit:?}");
            assert_eq!(state(&stage, "a"), Eligibility::Eligible, "{mode:?} {limit:?}");
        }
    }
}

#[tokio::test]
async fn a_lasting_trouble_is_told_rather_than_the_limit_of_another_account() {
    for mode in BOTH {
        let stage = two().await;
        stage.sim.fault(refuses("a", Failure::internal()));
        stage.sim.fault(refuses("b", Failure::insufficient_quota()));
        let report = ask(&stage, mode).await;
        assert_eq!(error(&report), "retries_exhausted", "{mode:?}: {report:?}");
        assert_eq!(state(&stage, "a"), Eligibility::Eligible, "{mode:?}");
    }
}

#[tokio::test]
async fn another_account_that_is_back_within_a_minute_is_waited_for() {
    for mode in BOTH {
        let stage = two().await;
        stage.sim.fault(refuses("a", Failure::server_is_overloaded()));
        let throttle = Failure::rate_limit_exceeded().retry_after(30);
        stage.sim.fault(refuses("b", throttle).first(1));
        let report = ask(&stage, mode).await;
        assert!(report.completed, "{mode:?}: {report:?}");
        assert_eq!(stage.served("b"), 1, "{mode:?}");
    }
}

#[tokio::test]
async fn who_is_refused_for_good_leaves_it_to_the_limit_of_the_pool() {
    for mode in BOTH {
        let stage = two().await;
        let reset = stage.sim.clock().now_unix() + 3600;
        stage.sim.fault(refuses("a", Failure::deactivated_workspace()));
        let limit = Failure::usage_limit_reached().resets_at(reset);
        stage.sim.fault(refuses("b", limit));
        let report = ask(&stage, mode).await;
        assert_eq!(error(&report), "usage_limit_reached", "{mode:?}: {report:?}");
        let error = report.error.expect("an error");
        assert!(error.message.starts_with("Baton: "), "{mode:?}: {error:?}");
        assert_eq!(error.resets_at, Some(reset), "{mode:?}: {error:?}");
        assert!(
            matches!(state(&stage, "a"), Eligibility::NeedsAttention { .. }),
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn at_the_upgrade_no_limit_of_another_account_is_passed_on_either() {
    let stage = two().await;
    let rule = |failure, label| FaultRule::new(At::Upgrade, Fault::Refuse(failure)).account(label);
    stage.sim.fault(rule(Failure::unavailable(), "a").first(3));
    stage.sim.fault(rule(Failure::usage_limit_reached(), "b"));
    let report = ask(&stage, Mode::WebSocket).await;
    assert!(report.completed && !report.fell_back, "{report:?}");
    assert_eq!(stage.served("a"), 1);
}
