//! Baton goes and comes back on its port, with fifty streams under way: no turn is lost, nothing is delivered twice.

use std::time::Duration;

use baton_sim::{Clock, Output, Scenario, TurnReport};
use tokio::{net::TcpStream, task::JoinHandle};

use crate::{
    concurrency::{finished, mode, running},
    stage::{Stage, account, scenario},
    stub,
};

const STREAMS: usize = 50;
const WORDS: &str = "talk [words: 60]";

/// A has room for one request. Every answer stops in the middle, until time passes.
fn one_for_a() -> Scenario {
    let output = Output::new().delta_delay(Duration::from_secs(1));
    let accounts = [account("a", 1.0), account("b", 1000.0)];
    scenario(accounts).speed(0.0).output(output)
}

/// Its waits are real, while the upstream's time stands still.
fn client(stage: &Stage, n: u64) -> baton_sim::Client {
    stage.client(mode(n)).seed(n).clock(Clock::new(1.0))
}

/// A is used up, and B is active.
async fn on_b() -> Stage {
    let stage = Stage::lasting(one_for_a(), &["a", "b"]).await;
    for n in [1001, 1002] {
        let mut client = client(&stage, n);
        let turn = tokio::spawn(async move { client.turn("hello").await });
        let reports = finished(&stage.sim.clock(), &stage.sim.log(), vec![turn]).await;
        assert!(reports[0].completed, "{reports:?}");
    }
    assert_eq!((stage.served("a"), stage.served("b")), (1, 1));
    stage
}

/// All have delivered some output.
async fn under_way(stage: &Stage) -> Vec<JoinHandle<TurnReport>> {
    let clients = (0..STREAMS as u64).map(|n| {
        let mut client = client(stage, n);
        tokio::spawn(async move { client.turn(WORDS).await })
    });
    let clients = clients.collect();
    let begun = |entry: &&baton_sim::Entry| running(entry) && !entry.items.is_empty();
    let log = stage.sim.log();
    log.wait_for(|entries| entries.iter().filter(begun).count() == STREAMS)
        .await;
    clients
}

fn whole(report: &TurnReport) {
    assert!(report.completed && report.repeated.is_empty(), "{report:?}");
    assert_eq!(report.messages().len(), 1, "{report:?}");
    assert_eq!(report.answer().split_whitespace().count(), 60, "{report:?}");
}

/// Who was active is kept: nobody asks A, which is used up.
fn b_alone_served(stage: &Stage, turns: usize) {
    let log = stage.sim.log();
    assert_eq!(log.requests("a").len(), 1, "the one that used it up");
    assert_eq!(stage.served("b"), 1 + turns);
    stage.no_violations();
}

/// Running answers end, and whoever comes meanwhile finds nobody and asks again until Baton is back.
#[tokio::test]
async fn an_orderly_restart_goes_unnoticed_by_who_is_served_and_keeps_others_waiting() {
    let stage = on_b().await;
    let mut clients = under_way(&stage).await;
    let newcomers: Vec<_> = (100..110).map(|n| client(&stage, n)).collect();
    let port: url::Url = stage.base_url().parse().expect("a URL");
    let port = port.port().expect("a port");
    let (clock, log, urls) = (stage.sim.clock(), stage.sim.log(), stage.base_url());
    let (stage, reports) = tokio::join!(stage.restart(), async {
        stub::until(async || TcpStream::connect(("127.0.0.1", port)).await.is_err()).await;
        clients.extend(
            newcomers
                .into_iter()
                .map(|mut client| tokio::spawn(async move { client.turn(WORDS).await })),
        );
        finished(&clock, &log, clients).await
    });
    assert_eq!(stage.base_url(), urls, "the same port and the same secret");
    reports.iter().for_each(whole);
    let (served, waited) = reports.split_at(STREAMS);
    for report in served {
        assert_eq!((report.requests, report.reconnects), (1, 0), "{report:?}");
    }
    for report in waited {
        let refused = &report.retried[0];
        assert!(
            ["connect_refused", "no_response"].contains(&&**refused),
            "{report:?}"
        );
    }
    b_alone_served(&stage, reports.len());
}

/// All streams break in the middle; what was lost is asked for again, from the account that was active.
#[tokio::test]
async fn who_is_cut_off_asks_again_and_gets_each_item_once() {
    // What was written is what is known after a death, and an orderly end has written everything.
    let stage = on_b().await.restart().await;
    let mut clients = under_way(&stage).await;
    let (clock, log, urls) = (stage.sim.clock(), stage.sim.log(), stage.base_url());
    let stage = stage.die_and_restart().await;
    assert_eq!(stage.base_url(), urls, "the same port and the same secret");
    clients.push({
        let mut client = client(&stage, 100);
        tokio::spawn(async move { client.turn(WORDS).await })
    });
    let reports = finished(&clock, &log, clients).await;
    reports.iter().for_each(whole);
    for report in &reports[..STREAMS] {
        assert!(report.reconnects > 0, "it was cut: {report:?}");
    }
    b_alone_served(&stage, reports.len());
}
