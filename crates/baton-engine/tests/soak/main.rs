//! Many clients, faults of every kind, and a person who keeps changing their mind: no turn is lost, no item delivered
//! twice, and nothing is left over.
//!
//! `BATON_SOAK_REQUESTS` says how many requests (5,000), `BATON_SOAK_SEED` which (1).

mod brakes;
mod clients;
mod faults;
mod left;
mod person;
#[path = "../proxy/stage.rs"]
#[allow(dead_code, reason = "shared with the stories")]
mod stage;
mod tally;

use std::{
    fmt::Debug,
    str::FromStr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use baton_engine::control::protocol::Command;
use baton_sim::{AccountScript, FaultHandle, Login, Scenario, Sim, WindowScript};
use tokio::sync::mpsc;

use clients::{FAILED_EVERYWHERE, Work};
use left::{Left, held_open, port};
use person::person;
use stage::Stage;
use tally::Tally;

/// Half an hour is half a second.
const SPEED: f64 = 3600.0;
const ACCOUNTS: [&str; 5] = ["a", "b", "c", "d", "e"];
const CLIENTS: u64 = 32;

fn setting<T: FromStr<Err: Debug>>(name: &str, default: T) -> T {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn nothing_is_lost_repeated_or_left_over_whatever_happens() {
    let requests = setting("BATON_SOAK_REQUESTS", 5_000);
    let seed = setting("BATON_SOAK_SEED", 1);
    println!("soak: {requests} requests, BATON_SOAK_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(soak(requests, seed));
}

async fn soak(requests: u64, seed: u64) {
    let started = Instant::now();
    let before = Left::now();
    let sim = Sim::start(scenario(seed)).await;
    let faults: Vec<FaultHandle> = faults::faults().into_iter().map(|rule| sim.fault(rule)).collect();
    let upstream = sim.base_url();
    let stage = Stage::between(sim, &ACCOUNTS, &upstream).await;
    stage.run(Command::SetWaitForRecovery { seconds: 6 * 3600 }).await;

    let brakes = tokio::spawn(brakes::watch(stage.baton.events()));

    let (turns, ended) = mpsc::unbounded_channel();
    let work = Arc::new(Work {
        url: stage.base_url(),
        login: Login::from_auth_json(&stage.sim.cli().auth_json()).expect("a login"),
        clock: stage.sim.clock(),
        wanted: requests,
        turns,
        tally: Tally::default(),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| tokio::spawn(Arc::clone(&work).client(seed.wrapping_mul(1_000_003).wrapping_add(n))))
        .collect();
    let memory = person(&stage, ended, &work.tally, requests, seed);
    let work_done = async {
        for client in clients {
            client.await.expect("no client panics");
        }
    };
    let report = |work: &Work| work.tally.report(&faults, started.elapsed());
    let memory = tokio::select! {
        ((), memory) = async { tokio::join!(work_done, memory) } => memory,
        () = stuck(&work.tally) => panic!("nothing moves: {}; {:?}", report(&work), stage.baton.snapshot()),
    };
    let figures = report(&work);
    println!("{figures}; {memory}");

    let tally = &work.tally;
    assert_eq!(
        *tally.lost.lock().expect("no panic while it was held"),
        Vec::<String>::new(),
        "lost: {figures}"
    );
    assert_eq!(
        *tally.repeated.lock().expect("no panic while it was held"),
        Vec::<String>::new(),
        "repeated: {figures}"
    );
    let everywhere: u64 = {
        let honest = tally.honest.lock().expect("no panic while it was held");
        FAILED_EVERYWHERE
            .iter()
            .filter_map(|code| honest.get(*code))
            .sum()
    };
    assert!(
        everywhere <= 3 + requests / 5_000,
        "failed everywhere: {everywhere}; {figures}"
    );
    let unhit: Vec<_> = faults.iter().filter(|fault| fault.hits() == 0).collect();
    assert!(requests < 50_000 || unhit.is_empty(), "never struck: {unhit:?}");
    eventually("no request runs", || stage.baton.snapshot().running_requests == 0).await;
    stage.no_violations();
    memory.check();

    let ports = [port(&stage.base_url()), port(&upstream)];
    drop(work);
    let sim = stage.stop_baton().await;
    println!("{}", brakes.await.expect("it doesn't panic"));
    eventually("Baton's sockets are closed", || held_open(ports) == 0).await;
    sim.shutdown().await;
    eventually("all tasks have ended, all files are closed", || {
        !Left::now().more_than(before)
    })
    .await;
}

fn scenario(seed: u64) -> Scenario {
    // So that one runs out every now and then, at the pace of either build.
    let capacity = if cfg!(debug_assertions) { 40.0 } else { 250.0 };
    let account = |name: &&str| {
        AccountScript::new(*name)
            .user(format!("user-{name}"))
            .email(format!("{name}@example.invalid"))
            .window(WindowScript::new(Duration::from_secs(1800), capacity))
            .window(WindowScript::weekly(1e9))
            .cost(1.0)
            .token_lifetime(Duration::from_secs(3 * 3600))
    };
    ACCOUNTS
        .iter()
        .map(account)
        .fold(Scenario::new(), Scenario::account)
        .seed(seed)
        .speed(SPEED)
        .keep_bodies(false)
}

/// Returns if for a while no turn has ended.
async fn stuck(tally: &Tally) {
    let mut before = None;
    loop {
        let now = tally.requests.load(Ordering::Relaxed);
        if before.replace(now) == Some(now) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
}

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < patience, "not so: {what} ({:?})", Left::now());
        tokio::task::yield_now().await;
    }
}
