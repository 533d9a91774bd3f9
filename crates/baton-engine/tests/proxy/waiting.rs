//! Nobody usable: Codex is kept waiting, or told its limit honestly.

use std::time::Duration;

use baton_engine::control::protocol::Command;
use baton_sim::{Entry, Mode};

use crate::stage::{Stage, account, scenario};

#[tokio::test]
async fn when_all_are_exhausted_the_client_is_told_the_earliest_reset_and_nobody_is_asked() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let stage = Stage::two(1.0, 1.0).await;
        let mut client = stage.client(mode);
        assert!(client.turn("a").await.completed);
        stage.sim.clock().advance(Duration::from_secs(600));
        assert!(client.turn("b").await.completed);
        let report = client.turn("nobody").await;
        let error = format!("{:?}", report.error.expect("a limit"));
        assert!(error.contains("usage_limit_reached"), "{mode:?}: {error}");
        // A's timer started first.
        let reset = stage
            .sim
            .account("a")
            .window(Duration::from_secs(5 * 3600))
            .map(|window| window.1);
        assert!(
            error.contains(&reset.expect("it runs").to_string()),
            "{mode:?}: {error}"
        );

        let asked = stage.sim.log().count(Entry::generates);
        let report = stage.client(mode).turn("still nobody").await;
        assert!(!report.completed);
        assert_eq!(
            stage.sim.log().count(Entry::generates),
            asked,
            "{mode:?}: no upstream call"
        );
    }
}

#[tokio::test]
async fn a_recovered_account_is_used_again_in_its_turn() {
    let stage = Stage::two(1.0, 1.0).await;
    let mut client = stage.client(Mode::WebSocket);
    assert!(client.turn("a").await.completed);
    assert!(client.turn("b").await.completed);
    stage.sim.clock().advance(Duration::from_secs(5 * 3600 + 60));
    // The active account stays, for it has recovered too.
    assert!(client.turn("b again").await.completed);
    assert!(client.turn("a again").await.completed);
    assert_eq!((stage.served("a"), stage.served("b")), (2, 2));
}

/// With a recovery within the wait, Codex is asked to come back just then; it waits and goes on by itself.
#[tokio::test]
async fn within_the_wait_the_client_is_kept_waiting_and_goes_on_by_itself() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let speed = 3600.0 * 5.0;
        let stage = Stage::with(scenario([account("a", 1.0)]).speed(speed), &["a"]).await;
        stage.run(Command::SetWaitForRecovery { seconds: 6 * 3600 }).await;
        let mut client = stage.client(mode);
        assert!(client.turn("one").await.completed);
        let report = client.turn("two").await;
        assert!(report.completed, "{mode:?}: {report:?}");
        assert_eq!(stage.served("a"), 2);
    }
}

#[tokio::test]
async fn a_pinned_account_that_is_spent_is_a_clear_error_and_no_failover() {
    let stage = Stage::two(1.0, 100.0).await;
    let mut client = stage.client(Mode::Http);
    assert!(client.turn("a").await.completed);
    stage
        .run(Command::Pin {
            account: "a".to_owned(),
        })
        .await;
    let report = client.turn("only a").await;
    let error = format!("{:?}", report.error.expect("an error"));
    assert!(
        error.contains("Baton uses only a") && error.contains("baton unpin"),
        "{error}"
    );
    assert_eq!(stage.served("b"), 0);
    stage.run(Command::Unpin).await;
    assert!(client.turn("anyone").await.completed);
    assert_eq!(stage.served("b"), 1);
}

#[tokio::test]
async fn without_accounts_codex_says_what_to_do() {
    let stage = Stage::with(scenario([account("a", 1.0)]), &[]).await;
    for mode in [Mode::WebSocket, Mode::Http] {
        let report = stage.client(mode).turn("hello").await;
        let error = format!("{:?}", report.error.expect("an error"));
        assert!(error.contains("baton accounts add"), "{mode:?}: {error}");
    }
}
