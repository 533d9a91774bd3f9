//! Many at once: at a limit, through a restart, and at rest.

use std::{fs, time::Duration};

use baton_core::{Cause, Strategy};
use baton_engine::control::protocol::Command;
use baton_sim::{Clock, Entry, Kind, Log, Mode, Outcome, Output, TurnReport};
use futures_util::{FutureExt, StreamExt, future::join_all};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    stage::{Stage, account, scenario},
    stub,
};

pub(crate) fn mode(n: u64) -> Mode {
    if n.is_multiple_of(2) {
        Mode::WebSocket
    } else {
        Mode::Http
    }
}

/// An answer under way.
pub(crate) fn running(entry: &Entry) -> bool {
    entry.generates() && entry.outcome == Outcome::Running
}

async fn all_run(stage: &Stage, count: usize) {
    let log = stage.sim.log();
    log.wait_for(|entries| entries.iter().filter(|entry| running(entry)).count() == count)
        .await;
}

/// Lets time pass wherever an answer waits for it, until all turns have ended.
pub(crate) async fn finished(
    clock: &Clock,
    log: &Log,
    clients: Vec<JoinHandle<TurnReport>>,
) -> Vec<TurnReport> {
    let passing = async {
        loop {
            log.wait_for(|entries| entries.iter().any(running)).await;
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        reports = join_all(clients) => {
            reports.into_iter().map(|report| report.expect("no panic")).collect()
        }
        () = passing => unreachable!("it goes on for ever"),
    }
}

/// Answers begin when time passes.
fn held() -> Output {
    Output::new().latency(Duration::from_secs(1))
}

fn start(stage: &Stage, count: u64, text: &'static str) -> Vec<JoinHandle<TurnReport>> {
    let start = |n| {
        let mut client = stage.client(mode(n)).seed(n);
        tokio::spawn(async move { client.turn(text).await })
    };
    (0..count).map(start).collect()
}

/// Those that A refuses are B's, each once; those that it serves stay.
#[tokio::test]
async fn two_hundred_streams_at_the_moment_a_runs_out_make_one_switch_and_no_stampede() {
    let accounts = [account("a", 50.0), account("b", 1000.0), account("c", 1000.0)];
    let scenario = scenario(accounts).speed(0.0).output(held());
    let mut stage = Stage::with(scenario, &["a", "b", "c"]).await;
    let clients = start(&stage, 200, "all at once");
    all_run(&stage, 200).await;
    assert_eq!(stage.baton.snapshot().running_requests, 200, "all at once");
    for report in finished(&stage.sim.clock(), &stage.sim.log(), clients).await {
        assert!(report.completed && report.repeated.is_empty(), "{report:?}");
        // On WebSocket the CLI reconnects; on HTTP it notices nothing.
        assert!(report.reconnects <= 1, "{report:?}");
    }
    let (a, b) = (stage.id("a"), stage.id("b"));
    assert_eq!(
        stage.switches(),
        [(None, a, Cause::FirstUse), (Some(a), b, Cause::LimitReached)]
    );
    let log = stage.sim.log();
    let asked = |name| log.requests(name).len();
    assert_eq!((stage.served("a"), stage.served("b")), (50, 150));
    assert_eq!((asked("b"), asked("c")), (150, 0), "nobody asks B twice");
    let checks = log.find(|entry| entry.kind == Kind::AccountsCheck);
    let checked: Vec<_> = checks
        .iter()
        .filter_map(|entry| entry.account.as_deref())
        .collect();
    assert_eq!(checked, ["a", "b"], "each was asked once how it is routed");
    stage.no_violations();
}

/// Twenty turns are in A's answer; what follows in each turn depends on what the person does meanwhile.
async fn in_mid_turn(command: Command, served: (usize, usize)) {
    let accounts = ["a", "b"].map(|name| account(name, 1000.0));
    let stage = Stage::with(scenario(accounts).speed(0.0).output(held()), &["a", "b"]).await;
    let clients = start(&stage, 20, "look around [tools: 1 echo hi]");
    all_run(&stage, 20).await;
    stage.run(command.clone()).await;
    for report in finished(&stage.sim.clock(), &stage.sim.log(), clients).await {
        assert!(
            report.completed && report.repeated.is_empty(),
            "{command:?}: {report:?}"
        );
        assert_eq!(
            (report.tool_calls(), report.messages().len()),
            (1, 1),
            "{report:?}"
        );
    }
    assert_eq!((stage.served("a"), stage.served("b")), served, "{command:?}");
    let asked = |name| stage.sim.log().requests(name).len();
    assert_eq!(
        (asked("a"), asked("b")),
        served,
        "{command:?}: nothing was cut, or asked for in vain"
    );
    stage.no_violations();
}

#[tokio::test]
async fn an_account_taken_out_under_load_ends_what_it_serves_and_gets_nothing_more() {
    let account = || "a".to_owned();
    let skipped = true;
    in_mid_turn(
        Command::Skip {
            account: account(),
            skipped,
        },
        (20, 20),
    )
    .await;
    in_mid_turn(Command::Remove { account: account() }, (20, 20)).await;
}

#[tokio::test]
async fn a_strategy_or_order_changed_under_load_leaves_running_turns_where_they_are() {
    for strategy in [Strategy::RoundRobin, Strategy::Balanced, Strategy::SoonestReset] {
        in_mid_turn(Command::Use { strategy }, (40, 0)).await;
    }
    let (account, position) = ("b".to_owned(), 1);
    in_mid_turn(Command::Move { account, position }, (40, 0)).await;
}

/// Every command of a person that touches the choice, while turns run.
#[tokio::test]
async fn order_strategy_and_accounts_change_under_load() {
    let names = ["a", "b", "c"];
    let accounts = names.map(|name| account(name, 1000.0));
    let stage = Stage::with(scenario(accounts).output(Output::new().delta_words(1)), &names).await;
    let clients: Vec<_> = (0..20)
        .map(|n| {
            let mut client = stage.client(mode(n)).seed(n);
            tokio::spawn(async move {
                for _ in 0..4 {
                    let report = client.turn("look around [tools: 2 echo hi] [words: 50]").await;
                    assert!(report.completed && report.repeated.is_empty(), "{report:?}");
                    assert_eq!(report.tool_calls(), 2, "{report:?}");
                }
            })
        })
        .collect();
    let account = |name: &str| name.to_owned();
    for step in 0.. {
        if clients.iter().all(tokio::task::JoinHandle::is_finished) {
            break;
        }
        let name = names[step % 3];
        match step % 5 {
            0 => {
                let strategies = [Strategy::RoundRobin, Strategy::Balanced, Strategy::Sequential];
                let strategy = strategies[step / 5 % 3];
                stage.run(Command::Use { strategy }).await;
            }
            1 => {
                let (account, position) = (account(name), 1);
                stage.run(Command::Move { account, position }).await;
            }
            2 => {
                stage
                    .run(Command::Switch {
                        account: account(name),
                    })
                    .await;
            }
            3 => {
                for skipped in [true, false] {
                    let account = account(name);
                    stage.run(Command::Skip { account, skipped }).await;
                    tokio::task::yield_now().await;
                }
            }
            _ => {
                stage
                    .run(Command::Remove {
                        account: account(name),
                    })
                    .await;
                tokio::task::yield_now().await;
                let sign_in = stage.sim.account(name).sign_in();
                let added = stage.baton.add_auth_json(sign_in.as_bytes(), name).await;
                added.expect("an account");
            }
        }
        tokio::task::yield_now().await;
    }
    for client in clients {
        client.await.expect("nothing is lost");
    }
    let served = names.map(|name| stage.served(name));
    assert!(served.iter().all(|served| *served > 0), "{served:?}");
    stub::until(async || stage.baton.snapshot().running_requests == 0).await;
    stage.no_violations();
}

/// Four ends of a socket are in this process; what it may open decides how many there can be.
fn sockets() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits
        .lines()
        .find_map(|line| {
            line.strip_prefix("Max open files")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(1024);
    // Other tests run at the same time.
    usize::min(1000, files / 8)
}

fn resident() -> f64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0.0) * 4.0
}

#[tokio::test]
async fn a_thousand_idle_sockets_stay_open_and_all_are_closed_at_the_end() {
    let stage = Stage::two(10.0, 10.0).await;
    let (count, before) = (sockets(), resident());
    let mut open = Vec::new();
    for _ in 0..count {
        open.push(stub::socket(&stage).await);
    }
    let each = (resident() - before) / count as f64;
    println!("{count} idle sockets: {each:.0} KB each, all four ends together");
    // The ends that aren't Baton's have buffers of 128 KB each at most.
    assert!(count < 1000 || each < 350.0, "{each:.0} KB");
    for socket in &mut open {
        assert!(
            socket.next().now_or_never().is_none(),
            "nobody has said or closed anything"
        );
    }
    let busy = &mut open[count / 2];
    stub::say(busy, stub::CREATE).await;
    while !stub::text(busy).await.contains("response.completed") {}
    assert_eq!(stage.baton.snapshot().running_requests, 0);
    assert!(stage.client(Mode::Http).turn("others are served").await.completed);
    let ended = tokio::spawn(stage.stop_baton());
    for socket in &mut open {
        let said = tokio::time::timeout(Duration::from_secs(20), socket.next()).await;
        assert!(matches!(said, Ok(Some(Ok(Message::Close(_))))), "{said:?}");
    }
    ended.await.expect("it has ended");
}
