//! Who serves under which rule, through the real proxy.

use baton_core::{Cause, EventKind, OnRecovery, Percent, Strategy, WindowLength};
use baton_engine::control::protocol::Command;
use baton_sim::{AccountScript, At, Client, Failure, FamilyScript, Fault, FaultRule, Mode, WindowScript};
use std::time::Duration;
use tokio::io::AsyncReadExt;

use crate::{
    stage::{Stage, account, scenario},
    stub::post_to,
};

const MODES: [Mode; 2] = [Mode::WebSocket, Mode::Http];
/// With a little more, for resets come in whole seconds.
const FIVE_HOURS: Duration = Duration::from_secs(5 * 3600 + 60);

/// With so many requests of the five hours used already, and so many of the week.
fn used(name: &str, five_hours: f64, week: f64) -> AccountScript {
    AccountScript::new(name)
        .user(format!("user-{name}"))
        .window(WindowScript::five_hours(100.0).used(five_hours))
        .window(WindowScript::weekly(1000.0).used(week))
}

async fn turn(client: &mut Client, text: &str) {
    let report = client.turn(text).await;
    assert!(
        report.completed && report.repeated.is_empty(),
        "{text}: {report:?}"
    );
}

/// One turn each, for every account to be known.
async fn meet(stage: &Stage, accounts: &[&str]) {
    for name in accounts {
        let account = (*name).to_owned();
        stage.run(Command::Pin { account }).await;
        turn(&mut stage.client(Mode::Http).seed(99), "nice to meet you").await;
    }
    stage.run(Command::Unpin).await;
}

async fn use_strategy(stage: &Stage, strategy: Strategy) {
    stage.run(Command::Use { strategy }).await;
}

#[tokio::test]
async fn two_clients_share_the_active_account_and_its_successor() {
    let mut stage = Stage::two(5.0, 100.0).await;
    let mut one = stage.client(Mode::WebSocket).seed(1);
    let mut two = stage.client(Mode::Http).seed(2);
    for n in 0..5 {
        let text = format!("turn {n} [tool: echo hi]");
        let (one, two) = tokio::join!(one.turn(&text), two.turn(&text));
        for report in [one, two] {
            assert!(report.completed && report.repeated.is_empty(), "{report:?}");
        }
    }
    assert_eq!((stage.served("a"), stage.served("b")), (5, 15));
    let (a, b) = (stage.id("a"), stage.id("b"));
    assert_eq!(
        stage.switches(),
        [(None, a, Cause::FirstUse), (Some(a), b, Cause::LimitReached)]
    );
    stage.no_violations();
}

/// B's turn ends on B; the next one is A's again.
#[tokio::test]
async fn with_return_the_primary_takes_over_between_turns_once_it_has_recovered() {
    for mode in MODES {
        let mut stage = Stage::two(1.0, 100.0).await;
        stage
            .run(Command::SetOnRecovery {
                on_recovery: OnRecovery::Return,
            })
            .await;
        let mut client = stage.client(mode);
        turn(&mut client, "on a").await;
        turn(&mut client, "on b").await;
        let clock = stage.sim.clock();
        stage.sim.fault(
            FaultRule::new(At::ToolCall, Fault::Delay(Duration::ZERO))
                .when(move |_| {
                    // In the middle of B's turn.
                    clock.advance(FIVE_HOURS);
                    true
                })
                .first(1),
        );
        turn(&mut client, "still on b [tool: echo hi]").await;
        assert_eq!((stage.served("a"), stage.served("b")), (1, 3), "{mode:?}");
        turn(&mut client, "on a again").await;
        assert_eq!((stage.served("a"), stage.served("b")), (2, 3), "{mode:?}");
        let causes: Vec<Cause> = stage.switches().iter().map(|switch| switch.2).collect();
        assert_eq!(
            causes,
            [Cause::FirstUse, Cause::LimitReached, Cause::ReturnedToPrimary],
            "{mode:?}"
        );
        stage.no_violations();
    }
}

/// Reached in the middle of a turn, it waits for the turn's end.
#[tokio::test]
async fn a_threshold_takes_effect_between_turns() {
    for mode in MODES {
        let mut stage = Stage::two(10.0, 10.0).await;
        stage
            .run(Command::Threshold {
                account: None,
                window: Some(WindowLength::FIVE_HOURS),
                at: Percent::new(30.0).expect("a percentage"),
                reserve: None,
            })
            .await;
        let mut client = stage.client(mode);
        turn(&mut client, "look around [tools: 4 echo hi]").await;
        assert_eq!((stage.served("a"), stage.served("b")), (5, 0), "{mode:?}");
        turn(&mut client, "and now").await;
        assert_eq!((stage.served("a"), stage.served("b")), (5, 1), "{mode:?}");
        let causes: Vec<Cause> = stage.switches().iter().map(|switch| switch.2).collect();
        assert_eq!(causes, [Cause::FirstUse, Cause::ThresholdReached], "{mode:?}");
        stage.no_violations();
    }
}

#[tokio::test]
async fn balanced_gives_each_turn_to_the_account_with_most_left() {
    let stage = Stage::with(
        scenario([used("a", 10.0, 100.0), used("b", 12.0, 50.0)]),
        &["a", "b"],
    )
    .await;
    meet(&stage, &["a", "b"]).await;
    use_strategy(&stage, Strategy::Balanced).await;
    let mut client = stage.client(Mode::WebSocket);
    for n in 0..3 {
        turn(&mut client, &format!("turn {n} [tool: echo hi]")).await;
    }
    assert_eq!((stage.served("a"), stage.served("b")), (1, 7));
}

#[tokio::test]
async fn affinity_keeps_a_session_where_it_is_and_gives_a_new_one_to_most_headroom() {
    let stage = Stage::with(
        scenario([used("a", 0.0, 100.0), used("b", 0.0, 101.0)]),
        &["a", "b"],
    )
    .await;
    meet(&stage, &["a", "b"]).await;
    use_strategy(&stage, Strategy::Affinity).await;
    let mut first = stage.client(Mode::WebSocket).seed(1);
    for n in 0..30 {
        turn(&mut first, &format!("turn {n}")).await;
    }
    assert_eq!((stage.served("a"), stage.served("b")), (31, 1), "it stays");
    let mut second = stage.client(Mode::Http).seed(2);
    turn(&mut second, "hello").await;
    assert_eq!(stage.served("b"), 2, "A has less left by now");
    stage.no_violations();
}

#[tokio::test]
async fn soonest_reset_uses_first_what_would_be_lost_first() {
    let old = WindowScript::five_hours(100.0)
        .used(1.0)
        .age(Duration::from_secs(4 * 3600));
    let new = WindowScript::five_hours(100.0).used(1.0);
    let accounts = [
        AccountScript::new("a").user("user-a").window(new),
        AccountScript::new("b").user("user-b").window(old),
    ];
    let stage = Stage::with(scenario(accounts), &["a", "b"]).await;
    meet(&stage, &["a", "b"]).await;
    use_strategy(&stage, Strategy::SoonestReset).await;
    let mut client = stage.client(Mode::Http);
    for n in 0..3 {
        turn(&mut client, &format!("turn {n}")).await;
    }
    assert_eq!((stage.served("a"), stage.served("b")), (1, 4));
}

/// Included quota everywhere comes before anybody's money, and money is spent only where the person allows it.
#[tokio::test]
async fn credits_are_spent_last_and_only_if_allowed() {
    for allowed in [false, true] {
        let accounts =
            scenario([account("a", 1.0).credits(50.0), account("b", 1.0)]).readings_include_request(true);
        let stage = Stage::with(accounts, &["a", "b"]).await;
        stage
            .run(Command::UseCredits {
                account: "a".to_owned(),
                on: allowed,
            })
            .await;
        let mut client = stage.client(Mode::Http);
        turn(&mut client, "a's quota").await;
        turn(&mut client, "b's quota").await;
        assert_eq!((stage.served("a"), stage.served("b")), (1, 1), "{allowed}");
        let report = client.turn("a's credits").await;
        assert_eq!(report.completed, allowed, "{report:?}");
        assert_eq!(stage.served("a"), 1 + usize::from(allowed));
    }
}

/// The model of a named limit goes elsewhere; everything else stays, and so does the active account.
#[tokio::test]
async fn a_named_limit_blocks_only_its_model() {
    const SPARK: &str = "gpt-5.3-codex-spark";
    let spark = |requests| {
        FamilyScript::new("GPT-5.3-Codex-Spark", "codex_bengalfox")
            .model(SPARK)
            .window(WindowScript::five_hours(requests))
    };
    for mode in MODES {
        let accounts = [
            account("a", 100.0).family(spark(1.0)),
            account("b", 100.0).family(spark(100.0)),
        ];
        let mut stage = Stage::with(scenario(accounts), &["a", "b"]).await;
        let mut fast = stage.client(mode).seed(1).model(SPARK);
        let mut usual = stage.client(mode).seed(2);
        turn(&mut fast, "quick").await;
        turn(&mut usual, "hello").await;
        assert_eq!((stage.served("a"), stage.served("b")), (2, 0), "{mode:?}");
        turn(&mut fast, "quick again").await;
        turn(&mut usual, "hello again").await;
        assert_eq!((stage.served("a"), stage.served("b")), (3, 1), "{mode:?}");
        assert_eq!(stage.baton.snapshot().active, Some(stage.id("a")), "{mode:?}");
        assert_eq!(stage.switches().len(), 1, "{mode:?}: the first use only");
        stage.no_violations();
    }
}

/// A turn that had to leave the active account stays where it went until its end, across the reconnect and after the
/// active account has recovered.
#[tokio::test]
async fn a_turn_stays_where_a_temporary_failover_has_put_it() {
    for mode in MODES {
        let stage = Stage::two(100.0, 100.0).await;
        let mut client = stage.client(mode);
        turn(&mut client, "on a").await;
        stage.sim.fault(
            FaultRule::new(
                At::Head,
                Fault::Refuse(Failure::rate_limit_exceeded().retry_after(20)),
            )
            .account("a")
            .nth(2),
        );
        let clock = stage.sim.clock();
        stage.sim.fault(
            FaultRule::new(At::ToolCall, Fault::Delay(Duration::ZERO))
                .account("b")
                .when(move |_| {
                    clock.advance(Duration::from_secs(21));
                    true
                })
                .first(1),
        );
        turn(&mut client, "look around [tools: 3 echo hi]").await;
        assert_eq!((stage.served("a"), stage.served("b")), (2, 3), "{mode:?}");
        turn(&mut client, "on a again").await;
        assert_eq!((stage.served("a"), stage.served("b")), (3, 3), "{mode:?}");
        assert_eq!(stage.baton.snapshot().temporary_failovers, 1, "{mode:?}");
        stage.no_violations();
    }
}

/// Two accounts refused for good within half an hour: the third stays untouched until the person says so.
#[tokio::test]
async fn the_brake_keeps_the_others_untouched() {
    for mode in MODES {
        let accounts = scenario([account("a", 10.0), account("b", 10.0), account("c", 10.0)]);
        let mut stage = Stage::with(accounts, &["a", "b", "c"]).await;
        stage.sim.account("a").revoke();
        stage.sim.account("b").revoke();
        let report = stage.client(mode).turn("hello").await;
        let error = format!("{:?}", report.error.expect("an error"));
        assert!(error.contains("Baton"), "{mode:?}: {error}");
        let touched = |name: &str| {
            stage
                .sim
                .log()
                .count(|entry| entry.account.as_deref() == Some(name))
        };
        assert_eq!(touched("c"), 0, "{mode:?}");
        assert!(stage.baton.snapshot().braked, "{mode:?}");
        let mut engaged = 0;
        while let Ok(event) = stage.events.try_recv() {
            engaged += usize::from(event.kind == EventKind::BrakeEngaged);
        }
        assert_eq!(engaged, 1, "{mode:?}");
        let account = "c".to_owned();
        stage.run(Command::Switch { account }).await;
        turn(&mut stage.client(mode), "go on").await;
        assert_eq!(stage.served("c"), 1, "{mode:?}");
    }
}

/// Only the account that has compacted a history can read it: its thread stays there, whoever has more left.
#[tokio::test]
async fn a_compacted_thread_stays_with_the_account_that_can_read_it() {
    let trigger = br#"{"model":"m","input":[{"type":"compaction_trigger"}]}"#;
    for path in ["/codex/responses", "/codex/responses/compact"] {
        let accounts = scenario([used("a", 10.0, 100.0), used("b", 12.0, 110.0)]);
        let stage = Stage::with(accounts, &["a", "b"]).await;
        meet(&stage, &["a", "b"]).await;
        use_strategy(&stage, Strategy::Balanced).await;
        ask(&stage, path, "thread-id: compacted\r\n", trigger).await;
        assert_eq!((stage.served("a"), stage.served("b")), (2, 1), "{path}");
        stage
            .sim
            .account("a")
            .set_used(Duration::from_secs(7 * 86_400), 500.0);
        meet(&stage, &["a"]).await;
        let next = br#"{"model":"m","input":[{"type":"message","role":"user","content":[]}]}"#;
        ask(&stage, "/codex/responses", "thread-id: another\r\n", next).await;
        assert_eq!(
            (stage.served("a"), stage.served("b")),
            (3, 2),
            "{path}: B has more left"
        );
        ask(&stage, "/codex/responses", "thread-id: compacted\r\n", next).await;
        assert_eq!((stage.served("a"), stage.served("b")), (4, 2), "{path}");
    }
}

async fn ask(stage: &Stage, path: &str, headers: &str, body: &[u8]) {
    let mut client = post_to(stage, path, &format!("connection: close\r\n{headers}"), body).await;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
