//! What an upstream does wrong, what the client sees, and who is blamed.

use baton_core::{Eligibility, Refusal};
use baton_sim::{At, Failure, Fault, FaultRule, Mode};

use crate::stage::{Stage, account, scenario};

fn state(stage: &Stage, label: &str) -> Eligibility {
    let snapshot = stage.baton.snapshot();
    snapshot
        .accounts
        .iter()
        .find(|account| account.label == label)
        .expect("an account")
        .state
}

#[tokio::test]
async fn a_throttle_is_served_elsewhere_and_the_active_account_stays() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let mut stage = Stage::two(100.0, 100.0).await;
        assert!(stage.client(mode).turn("first").await.completed);
        stage.sim.fault(
            FaultRule::new(
                At::Head,
                Fault::Refuse(Failure::rate_limit_exceeded().retry_after(30)),
            )
            .account("a")
            .first(1),
        );
        let report = stage.client(mode).turn("throttled").await;
        assert!(
            report.completed && report.repeated.is_empty(),
            "{mode:?}: {report:?}"
        );
        assert_eq!((stage.served("a"), stage.served("b")), (1, 1), "{mode:?}");
        assert!(
            matches!(state(&stage, "a"), Eligibility::CoolingDown { .. }),
            "{mode:?}"
        );
        assert_eq!(stage.baton.snapshot().active, Some(stage.id("a")), "{mode:?}");
        assert_eq!(stage.baton.snapshot().temporary_failovers, 1, "{mode:?}");
        assert_eq!(stage.switches().len(), 1, "{mode:?}: the first use only");
    }
}

#[tokio::test]
async fn a_server_error_is_tried_again_on_the_same_account() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let stage = Stage::two(100.0, 100.0).await;
        stage.sim.fault(
            FaultRule::new(At::Head, Fault::Refuse(Failure::internal()))
                .account("a")
                .first(2),
        );
        let report = stage.client(mode).turn("hello").await;
        assert!(report.completed, "{mode:?}: {report:?}");
        assert_eq!((stage.served("a"), stage.served("b")), (1, 0), "{mode:?}");
        assert_eq!(state(&stage, "a"), Eligibility::Eligible, "{mode:?}");
    }
}

#[tokio::test]
async fn lasting_server_errors_are_blamed_only_once_another_account_succeeds() {
    let stage = Stage::two(100.0, 100.0).await;
    let fault = stage
        .sim
        .fault(FaultRule::new(At::Head, Fault::Refuse(Failure::unavailable())).account("a"));
    let report = stage.client(Mode::Http).turn("hello").await;
    assert!(report.completed, "{report:?}");
    assert_eq!((stage.served("b"), fault.hits()), (1, 3));
    assert!(matches!(state(&stage, "a"), Eligibility::CoolingDown { .. }));
}

#[tokio::test]
async fn a_401_is_healed_by_one_refresh_for_all_who_wait() {
    let stage = Stage::two(100.0, 100.0).await;
    stage.sim.account("a").expire_access_tokens();
    let clients = (0..12).map(|n| {
        let mode = if n % 2 == 0 { Mode::WebSocket } else { Mode::Http };
        let mut client = stage.client(mode).seed(n);
        tokio::spawn(async move { client.turn("hello").await })
    });
    for client in clients.collect::<Vec<_>>() {
        let report = client.await.expect("no panic");
        assert!(report.completed, "{report:?}");
    }
    assert_eq!(stage.served("a"), 12);
    let refreshes = stage
        .sim
        .log()
        .count(|entry| entry.kind == baton_sim::Kind::Token);
    assert_eq!(refreshes, 1);
    stage.no_violations();
}

#[tokio::test]
async fn a_grant_refused_for_good_needs_a_person_and_the_next_account_serves() {
    let stage = Stage::two(100.0, 100.0).await;
    stage.sim.account("a").revoke();
    let report = stage.client(Mode::WebSocket).turn("hello").await;
    assert!(report.completed, "{report:?}");
    assert_eq!(stage.served("b"), 1);
    assert!(matches!(state(&stage, "a"), Eligibility::NeedsAttention { .. }));
}

#[tokio::test]
async fn a_refusal_that_both_accounts_give_is_the_requests_and_blames_nobody() {
    let stage = Stage::two(100.0, 100.0).await;
    stage.sim.fault(FaultRule::new(
        At::Head,
        Fault::Refuse(Failure::deactivated_workspace()),
    ));
    let report = stage.client(Mode::Http).turn("hello").await;
    assert!(!report.completed);
    assert_eq!(state(&stage, "a"), Eligibility::Eligible);
    assert_eq!(state(&stage, "b"), Eligibility::Eligible);
}

#[tokio::test]
async fn a_deactivated_workspace_is_told_and_left() {
    let stage = Stage::two(100.0, 100.0).await;
    stage
        .sim
        .fault(FaultRule::new(At::Head, Fault::Refuse(Failure::deactivated_workspace())).account("a"));
    let report = stage.client(Mode::Http).turn("hello").await;
    assert!(report.completed, "{report:?}");
    assert_eq!(
        state(&stage, "a"),
        Eligibility::NeedsAttention {
            reason: Refusal::DeactivatedWorkspace
        }
    );
}

#[tokio::test]
async fn a_stream_that_breaks_before_output_is_replayed_and_after_it_resent_by_the_client() {
    for mode in [Mode::WebSocket, Mode::Http] {
        for at in [At::Created, At::Output(1)] {
            for fault in [Fault::Reset, Fault::Cut] {
                let stage = Stage::two(100.0, 100.0).await;
                stage
                    .sim
                    .fault(FaultRule::new(at, fault.clone()).account("a").first(1));
                let report = stage.client(mode).turn("hello [words: 30]").await;
                assert!(
                    report.completed && report.repeated.is_empty(),
                    "{mode:?} {at:?} {fault:?}: {report:?}"
                );
                assert_eq!(
                    (stage.served("a"), stage.served("b")),
                    (1, 0),
                    "{mode:?} {at:?} {fault:?}"
                );
                // A frame that refers to its connection's prewarm can only be asked for again by the client.
                let asked_again = at == At::Output(1) || mode == Mode::WebSocket;
                assert_eq!(
                    report.requests > 1,
                    asked_again,
                    "{mode:?} {at:?} {fault:?}: {report:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_edges_page_is_passed_on_and_blames_nobody() {
    let stage = Stage::two(100.0, 100.0).await;
    stage
        .sim
        .fault(FaultRule::new(At::Head, Fault::Refuse(Failure::html(403))).account("a"));
    let report = stage.client(Mode::Http).turn("hello").await;
    assert!(!report.completed);
    assert_eq!(stage.served("b"), 0);
    assert_eq!(state(&stage, "a"), Eligibility::Eligible);
}

#[tokio::test]
async fn a_model_that_the_plan_lacks_is_served_by_the_next_account() {
    let accounts = scenario([
        account("a", 100.0).lacks_model("gpt-6.1-sol"),
        account("b", 100.0),
    ]);
    let stage = Stage::with(accounts, &["a", "b"]).await;
    let report = stage.client(Mode::Http).turn("hello").await;
    assert!(report.completed, "{report:?}");
    assert_eq!(stage.served("b"), 1);
    assert_eq!(state(&stage, "a"), Eligibility::Eligible);
    assert_eq!(stage.baton.snapshot().active, Some(stage.id("a")));
}
