//! Bypassed: Codex's requests go with its own sign-in, as if Baton weren't there, until they no longer are to.

use std::time::Duration;

use baton_engine::control::protocol::Command;
use baton_sim::Mode;
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    stage::{Stage, account, scenario},
    stub::{self, COMPLETED, CREATE, OUTPUT, say, socket, text},
};

async fn bypass(stage: &Stage, on: bool) {
    stage.run(Command::Bypass { on }).await;
}

#[tokio::test]
async fn a_running_session_goes_with_its_own_sign_in_and_comes_back() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let accounts = scenario([account("a", 100.0)]);
        let stage = Stage::with(accounts.cli_account(account("cli", 100.0)), &["a"]).await;
        let mut client = stage.client(mode);
        let mut turns = async |turns: usize| {
            for turn in 0..turns {
                let report = client.turn(&format!("turn {turn}")).await;
                assert!(
                    report.completed && report.repeated.is_empty(),
                    "{mode:?}: {report:?}"
                );
            }
        };
        turns(2).await;
        bypass(&stage, true).await;
        assert!(stage.baton.snapshot().bypassed);
        let chosen_at = stage.baton.snapshot().codex.last_request;
        stage.sim.clock().advance(Duration::from_secs(60));
        turns(2).await;
        let passed_at = stage.baton.snapshot().codex.last_request;
        assert!(passed_at > chosen_at, "{mode:?}: Codex came through all the same");
        bypass(&stage, false).await;
        turns(2).await;
        assert_eq!((stage.served("a"), stage.served("cli")), (4, 2), "{mode:?}");
    }
}

/// Refusals are the CLI's own too: its 401 makes it renew its sign-in.
#[tokio::test]
async fn what_refuses_the_own_sign_in_is_passed_on() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let accounts = scenario([account("a", 100.0)]);
        let stage = Stage::with(accounts.cli_account(account("cli", 1.0)), &["a"]).await;
        bypass(&stage, true).await;
        let mut client = stage.client(mode);
        assert!(client.turn("one").await.completed, "{mode:?}");
        let report = client.turn("two").await;
        assert!(!report.completed, "{mode:?}: {report:?}");
        assert_eq!(stage.served("a"), 0);
        assert!(
            stage.baton.snapshot().accounts[0].state.usable(),
            "it isn't the pool's limit"
        );
    }
}

/// An answer that runs is not cut when Baton is no longer bypassed; the next request is the pool's.
#[tokio::test]
async fn a_running_answer_ends_where_it_began() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    bypass(&stage, true).await;
    let (mut client, mut upstream) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    say(&mut client, CREATE).await;
    assert_eq!(text(&mut upstream).await, CREATE);
    bypass(&stage, false).await;
    for frame in [OUTPUT, COMPLETED] {
        say(&mut upstream, frame).await;
        assert_eq!(text(&mut client).await, frame);
    }
    say(&mut client, CREATE).await;
    assert!(
        text(&mut client)
            .await
            .contains("websocket_connection_limit_reached"),
        "the client makes a new socket"
    );
}

#[tokio::test]
async fn it_outlasts_a_restart_and_stands_in_the_settings() {
    let stage = Stage::lasting(scenario([account("a", 100.0)]), &["a"]).await;
    bypass(&stage, true).await;
    assert_eq!(
        std::fs::read_to_string(stage.settings_file()).unwrap(),
        "bypass = true\n"
    );
    let stage = stage.restart().await;
    assert!(stage.baton.snapshot().bypassed);
    std::fs::write(stage.settings_file(), "bypass = false\n").unwrap();
    stage.until_shown(|snapshot| !snapshot.bypassed).await;
}

/// A client that reads nothing more must not hold up the end of Baton.
#[tokio::test]
async fn baton_ends_whatever_a_bypassed_client_does() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    bypass(&stage, true).await;
    let (mut client, mut upstream) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    say(&mut client, CREATE).await;
    assert_eq!(text(&mut upstream).await, CREATE);
    // More than any buffer between them holds.
    let flood = tokio::spawn(async move {
        let much = format!(
            r#"{{"type":"response.output_text.delta","delta":"{}"}}"#,
            "x".repeat(1 << 20)
        );
        while upstream.send(Message::text(much.clone())).await.is_ok() {}
    });
    let ended = tokio::spawn(stage.shutdown());
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(40)).await;
    tokio::time::resume();
    let ended = tokio::time::timeout(Duration::from_secs(60), ended);
    ended.await.expect("it ends").expect("it has ended");
    drop((client, flood));
}
