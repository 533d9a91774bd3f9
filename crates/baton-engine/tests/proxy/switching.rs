//! Hand-overs that neither lose nor repeat work.

use baton_core::{Cause, Strategy};
use baton_engine::control::protocol::Command;
use baton_sim::{LimitForm, Mode};

use crate::stage::{Stage, account, scenario};

/// Until A is spent everything is on A; the request that A refuses is B's, and the client notices nothing.
#[tokio::test]
async fn drain_first_hands_over_once_and_the_client_notices_nothing() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let mut stage = Stage::two(3.0, 100.0).await;
        let mut client = stage.client(mode);
        for turn in 0..6 {
            let report = client.turn(&format!("turn {turn}")).await;
            assert!(report.completed, "{mode:?}: {report:?}");
            assert!(
                report.repeated.is_empty() && report.reconnects <= 1,
                "{mode:?}: {report:?}"
            );
            assert_eq!(
                stage.served("b") == 0,
                turn < 3,
                "{mode:?}: B serves from the fourth turn on"
            );
        }
        assert_eq!((stage.served("a"), stage.served("b")), (3, 3));
        let (a, b) = (stage.id("a"), stage.id("b"));
        assert_eq!(
            stage.switches(),
            [(None, a, Cause::FirstUse), (Some(a), b, Cause::LimitReached)]
        );
        stage.no_violations();
    }
}

#[tokio::test]
async fn a_limit_in_any_form_is_handed_over() {
    let forms = [
        LimitForm::Head,
        LimitForm::Upgrade,
        LimitForm::Failed,
        LimitForm::ErrorEvent,
    ];
    for form in forms {
        for mode in [Mode::WebSocket, Mode::Http] {
            let accounts = scenario([account("a", 2.0), account("b", 100.0)]);
            let stage = Stage::with(accounts.limit_on_http(form).limit_on_websocket(form), &["a", "b"]).await;
            for turn in 0..4 {
                // Each in a thread of its own: every one begins with an upgrade.
                let report = stage.client(mode).turn(&format!("turn {turn}")).await;
                assert!(
                    report.completed && report.repeated.is_empty(),
                    "{form:?} {mode:?}: {report:?}"
                );
            }
            assert_eq!(
                (stage.served("a"), stage.served("b")),
                (2, 2),
                "{form:?} {mode:?}"
            );
            stage.no_violations();
        }
    }
}

/// In the middle of a turn, after a tool call: the turn goes on on B, with every item delivered once.
#[tokio::test]
async fn a_limit_after_a_tool_call_neither_loses_nor_repeats_it() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let stage = Stage::two(2.0, 100.0).await;
        let mut client = stage.client(mode);
        let report = client.turn("look around [tools: 3 echo hi]").await;
        assert!(
            report.completed && report.repeated.is_empty(),
            "{mode:?}: {report:?}"
        );
        assert_eq!(report.tool_calls(), 3, "{mode:?}");
        assert_eq!((stage.served("a"), stage.served("b")), (2, 2), "{mode:?}");
        stage.no_violations();
    }
}

/// A limit after output can't be taken back: the stream is cut, and the client asks again, on B.
#[tokio::test]
async fn a_limit_after_output_makes_the_client_ask_again() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let accounts = scenario([account("a", 1.0), account("b", 100.0)]);
        let accounts = accounts
            .limit_on_http(LimitForm::AfterOutput)
            .limit_on_websocket(LimitForm::AfterOutput);
        let stage = Stage::with(accounts, &["a", "b"]).await;
        let mut client = stage.client(mode);
        for turn in 0..2 {
            let report = client.turn(&format!("turn {turn} [words: 40]")).await;
            assert!(
                report.completed && report.repeated.is_empty(),
                "{mode:?}: {report:?}"
            );
        }
        assert_eq!((stage.served("a"), stage.served("b")), (1, 1), "{mode:?}");
    }
}

#[tokio::test]
async fn forty_turns_at_the_moment_a_runs_out_make_one_switch() {
    let mut stage = Stage::with(
        scenario([account("a", 20.0), account("b", 1000.0), account("c", 1000.0)]),
        &["a", "b", "c"],
    )
    .await;
    let clients = (0..40).map(|n| {
        let mode = if n % 2 == 0 { Mode::WebSocket } else { Mode::Http };
        let mut client = stage.client(mode).seed(n);
        tokio::spawn(async move { client.turn("all at once").await })
    });
    for client in clients.collect::<Vec<_>>() {
        let report = client.await.expect("no panic");
        assert!(report.completed && report.repeated.is_empty(), "{report:?}");
    }
    let (a, b) = (stage.id("a"), stage.id("b"));
    assert_eq!(
        stage.switches(),
        [(None, a, Cause::FirstUse), (Some(a), b, Cause::LimitReached)]
    );
    assert_eq!(
        (stage.served("a"), stage.served("b"), stage.served("c")),
        (20, 20, 0)
    );
}

#[tokio::test]
async fn the_active_account_survives_a_restart() {
    let stage = Stage::two(1.0, 100.0).await;
    let mut client = stage.client(Mode::Http);
    for _ in 0..2 {
        assert!(client.turn("hello").await.completed);
    }
    let b = stage.id("b");
    let mut stage = stage.restart().await;
    assert_eq!(stage.baton.snapshot().active, Some(b));
    assert!(stage.client(Mode::Http).turn("again").await.completed);
    assert_eq!(stage.switches(), []);
    assert_eq!(stage.served("b"), 2);
}

#[tokio::test]
async fn switching_and_strategies_take_effect_from_the_next_turn_on() {
    let stage = Stage::two(100.0, 100.0).await;
    let mut client = stage.client(Mode::WebSocket);
    assert!(client.turn("on a").await.completed);
    stage
        .run(Command::Switch {
            account: "B".to_owned(),
        })
        .await;
    assert!(client.turn("on b").await.completed);
    assert_eq!((stage.served("a"), stage.served("b")), (1, 1));

    stage
        .run(Command::Use {
            strategy: Strategy::RoundRobin,
        })
        .await;
    for turn in 0..4 {
        let report = client.turn(&format!("either {turn}")).await;
        assert!(report.completed && report.repeated.is_empty(), "{report:?}");
    }
    assert_eq!((stage.served("a"), stage.served("b")), (3, 3));

    stage
        .run(Command::Pin {
            account: "a".to_owned(),
        })
        .await;
    for _ in 0..2 {
        assert!(client.turn("only a").await.completed);
    }
    assert_eq!((stage.served("a"), stage.served("b")), (5, 3));
    stage.no_violations();
}

/// Encrypted reasoning that B can't read is taken out, once, and the turn goes on.
#[tokio::test]
async fn ciphertext_of_another_account_is_stripped_on_refusal() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let accounts = scenario([account("a", 1.0), account("b", 100.0)]).refuse_foreign_ciphertext(true);
        let stage = Stage::with(accounts, &["a", "b"]).await;
        let mut client = stage.client(mode);
        for turn in 0..2 {
            let report = client.turn(&format!("turn {turn}")).await;
            assert!(
                report.completed && report.repeated.is_empty(),
                "{mode:?}: {report:?}"
            );
        }
        assert_eq!((stage.served("a"), stage.served("b")), (1, 1), "{mode:?}");
    }
}

/// A reading of 100 % is enough: the spent account isn't asked once more to say so.
#[tokio::test]
async fn a_reading_of_a_full_window_switches_before_a_refusal() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let accounts = scenario([account("a", 2.0), account("b", 100.0)]).readings_include_request(true);
        let mut stage = Stage::with(accounts, &["a", "b"]).await;
        let mut client = stage.client(mode);
        for turn in 0..3 {
            let report = client.turn(&format!("turn {turn}")).await;
            assert!(
                report.completed && report.repeated.is_empty(),
                "{mode:?}: {report:?}"
            );
        }
        assert_eq!((stage.served("a"), stage.served("b")), (2, 1), "{mode:?}");
        let refused = stage.sim.log().count(|entry| entry.code().is_some());
        assert_eq!(refused, 0, "{mode:?}");
        assert_eq!(stage.switches().len(), 2, "{mode:?}");
    }
}

/// The limit's own headers say 100 % as well: it is still the limit that is shown, with its reset.
#[tokio::test]
async fn a_refusal_with_full_windows_in_its_headers_is_a_limit_reached() {
    let stage = Stage::two(1.0, 100.0).await;
    let mut client = stage.client(Mode::Http);
    for _ in 0..2 {
        assert!(client.turn("hello").await.completed);
    }
    let snapshot = stage.baton.snapshot();
    assert!(
        snapshot.accounts[0].state_text.starts_with("Limit reached"),
        "{:?}",
        snapshot.accounts[0]
    );
}

/// The last reading was taken before the request that was refused: a screen doesn't show its rest as usable.
#[tokio::test]
async fn an_account_at_its_limit_has_nothing_left() {
    let stage = Stage::two(3.0, 100.0).await;
    let mut client = stage.client(Mode::WebSocket);
    for _ in 0..4 {
        assert!(client.turn("hello").await.completed);
    }
    let snapshot = stage.baton.snapshot();
    let left: Vec<f64> = snapshot.accounts[0]
        .windows
        .iter()
        .map(|window| window.left)
        .collect();
    assert_eq!(left, [0.0, 100.0], "the five hours are spent, the week isn't");
}

/// In the middle of a turn there is a turn state too: the second try leaves it out as the first did.
#[tokio::test]
async fn what_is_asked_again_without_ciphertext_has_no_foreign_turn_state_either() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let accounts = scenario([account("a", 1.0), account("b", 100.0)]).refuse_foreign_ciphertext(true);
        let stage = Stage::with(accounts, &["a", "b"]).await;
        let report = stage.client(mode).turn("look around [tool: echo hi]").await;
        assert!(
            report.completed && report.repeated.is_empty(),
            "{mode:?}: {report:?}"
        );
        assert_eq!((stage.served("a"), stage.served("b")), (1, 1), "{mode:?}");
        stage.no_violations();
    }
}
