//! Many clients, faults of every kind, and a person who keeps changing their mind: no turn is lost, no item delivered
//! twice, and nothing is left over.
//!
//! `BATON_SOAK_REQUESTS` says how many requests (5,000), `BATON_SOAK_SEED` which (1).

#[path = "proxy/stage.rs"]
#[allow(dead_code, reason = "shared with the stories")]
mod stage;

use std::{
    collections::BTreeMap,
    fmt::Debug,
    fs,
    str::FromStr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use baton_core::{Eligibility, OnRecovery, Percent, Strategy};
use baton_engine::control::protocol::Command;
use baton_sim::{
    AccountScript, At, Client, Clock, Failure, Fault, FaultHandle, FaultRule, Kind, Login, Mode, Scenario,
    Sim, WindowScript,
};
use tokio::{runtime::Handle, sync::mpsc};

use stage::Stage;

/// Half an hour is half a second.
const SPEED: f64 = 3600.0;
const ACCOUNTS: [&str; 5] = ["a", "b", "c", "d", "e"];
const CLIENTS: u64 = 32;
/// The person does something after this many turns.
const TURNS_A_COMMAND: u64 = 15;
/// A client takes a stream for dead after this much silence: what the upstream's stalls cost.
const PATIENCE: Duration = Duration::from_secs(4);
/// Two accounts that are overloaded for one request: passed on, as the judging table says, and the CLI takes it for final.
/// It takes several faults in a row, so it is rare. A quota refusal is never among these.
const FAILED_EVERYWHERE: [&str; 1] = ["server_is_overloaded"];
/// How often a turn that ended in an honest error is asked for again.
const TRIES: usize = 50;

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
    let faults: Vec<FaultHandle> = faults().into_iter().map(|rule| sim.fault(rule)).collect();
    let upstream = sim.base_url();
    let stage = Stage::between(sim, &ACCOUNTS, &upstream).await;
    stage.run(Command::SetWaitForRecovery { seconds: 6 * 3600 }).await;

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

/// A few percent of all requests meet one of these.
fn faults() -> Vec<FaultRule> {
    let seconds = Duration::from_secs;
    let page = |status| Fault::Respond {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: "<html>the edge</html>".to_owned(),
    };
    let often = [
        // === in place of an answer ===
        (At::Head, Fault::Refuse(Failure::internal())),
        (At::Head, Fault::Refuse(Failure::bad_gateway())),
        (At::Head, Fault::Refuse(Failure::unavailable())),
        (At::Head, Fault::Refuse(Failure::server_is_overloaded())),
        (At::Head, Fault::Refuse(Failure::slow_down())),
        (
            At::Head,
            Fault::Refuse(Failure::rate_limit_exceeded().retry_after(30)),
        ),
        (At::Head, Fault::Refuse(Failure::usage_limit_reached())),
        (At::Head, Fault::Refuse(Failure::insufficient_quota())),
        (
            At::Head,
            Fault::Refuse(Failure::workspace_owner_credits_depleted()),
        ),
        (At::Head, Fault::Refuse(Failure::token_expired())),
        (At::Head, Fault::Refuse(Failure::token_invalidated())),
        (At::Head, page(520)),
        (At::Head, Fault::Cut),
        (At::Head, Fault::Reset),
        (At::Head, Fault::Close(1011)),
        (At::Head, Fault::Delay(seconds(60))),
        (
            At::Head,
            Fault::Drip {
                bytes: 200,
                pause: seconds(1),
            },
        ),
        (At::Head, Fault::ContentType("text/plain".to_owned())),
        // === held back ===
        (At::Created, Fault::Failed(Failure::usage_limit_reached())),
        (At::Created, Fault::Failed(Failure::rate_limit_exceeded())),
        (At::Created, Fault::Failed(Failure::server_is_overloaded())),
        (At::Created, Fault::ErrorEvent(Failure::internal())),
        (At::Created, Fault::Cut),
        (At::Created, Fault::Reset),
        (At::Created, Fault::End),
        (At::Created, Fault::TruncateEvent),
        (At::Created, Fault::UnknownEvent),
        // === after output ===
        (At::Output(1), Fault::Reset),
        (At::Output(2), Fault::Cut),
        (At::Output(2), Fault::Failed(Failure::usage_limit_reached())),
        (At::Output(3), Fault::ErrorEvent(Failure::slow_down())),
        (At::Output(3), Fault::BadUtf8),
        (At::Output(3), Fault::BadJson),
        (At::Output(3), Fault::GiantEvent(300_000)),
        (At::Output(4), Fault::TruncateEvent),
        (At::Output(4), Fault::Close(1012)),
        (At::ToolCall, Fault::Reset),
        (At::ToolCall, Fault::Failed(Failure::internal())),
        (At::BeforeCompleted, Fault::Cut),
        (At::BeforeCompleted, Fault::End),
        (At::AfterCompleted, Fault::Reset),
        // === connections ===
        (At::Accept, Fault::Reset),
        (At::Accept, Fault::Cut),
        (At::Upgrade, Fault::Refuse(Failure::bad_gateway())),
        (At::Upgrade, Fault::Refuse(Failure::token_expired())),
        (At::Upgrade, Fault::Refuse(Failure::usage_limit_reached())),
        (At::Upgrade, Fault::Reset),
        (At::Upgrade, page(200)),
    ];
    let rarely = [
        (At::Head, Fault::Stall),
        (At::Created, Fault::Stall),
        (At::Output(2), Fault::Stall),
        (At::Upgrade, Fault::Stall),
    ];
    let rule = |chance: f64| move |(at, fault)| FaultRule::new(at, fault).probability(chance);
    let sign_in = FaultRule::new(At::Route(Kind::Token), Fault::Refuse(Failure::unavailable()));
    let trailing = [Fault::DuplicateCompletion, Fault::TrailingData]
        .map(|fault| FaultRule::new(At::AfterCompleted, fault).probability(0.0024));
    let prewarm = FaultRule::new(At::Head, Fault::Reset).prewarm();
    // Of two, Baton would rightly make the person decide.
    let closed = FaultRule::new(At::Head, Fault::Refuse(Failure::deactivated_workspace())).account("e");
    often
        .into_iter()
        .map(rule(0.0012))
        .chain(rarely.into_iter().map(rule(0.0002)))
        .chain(trailing)
        .chain([
            sign_in.probability(0.1),
            prewarm.probability(0.01),
            closed.probability(0.002),
        ])
        .collect()
}

// === the clients ===

struct Work {
    url: String,
    login: Login,
    clock: Clock,
    wanted: u64,
    /// One for each turn that ended.
    turns: mpsc::UnboundedSender<()>,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    requests: AtomicU64,
    completed: AtomicU64,
    reconnects: AtomicU64,
    commands: AtomicU64,
    honest: Mutex<BTreeMap<String, u64>>,
    lost: Mutex<Vec<String>>,
    repeated: Mutex<Vec<String>>,
}

impl Work {
    async fn client(self: Arc<Self>, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        while self.tally.requests.load(Ordering::Relaxed) < self.wanted {
            let mode = if random.bool() {
                Mode::WebSocket
            } else {
                Mode::Http
            };
            let mut client = Client::new(&self.url, self.login.clone())
                .mode(mode)
                .seed(random.u64(..))
                .clock(self.clock.clone())
                .idle_timeout(PATIENCE);
            for _ in 0..random.u8(1..=6) {
                self.turn(&mut client, &mut random).await;
                let _ = self.turns.send(());
                if random.u8(..) < 8 {
                    client.disconnect();
                }
            }
        }
    }

    async fn turn(&self, client: &mut Client, random: &mut fastrand::Rng) {
        let tools = if random.bool() { 0 } else { random.usize(1..=3) };
        let words = random.u8(5..80);
        let text = match tools {
            0 => format!("say something [words: {words}]"),
            _ => format!("look around [tools: {tools} echo hi] [words: {words}]"),
        };
        let tally = &self.tally;
        for _ in 0..TRIES {
            let report = client.turn(&text).await;
            tally
                .requests
                .fetch_add(report.requests.into(), Ordering::Relaxed);
            tally
                .reconnects
                .fetch_add(report.reconnects.into(), Ordering::Relaxed);
            let say = || {
                format!(
                    "{:?} {text}: {:?} {:?}",
                    client.current_mode(),
                    report.error,
                    report.retried
                )
            };
            if !report.repeated.is_empty() || report.tool_calls() > tools {
                tally
                    .repeated
                    .lock()
                    .expect("no panic while it was held")
                    .push(say());
            }
            match &report.error {
                _ if report.completed && report.tool_calls() == tools => {
                    tally.completed.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                // All are exhausted, which was said with the time when one is back; the brake waits for the person; or
                // the only one that wasn't exhausted is refused for good.
                Some(error)
                    if matches!(&*error.code, "usage_limit_reached" | "deactivated_workspace")
                        || FAILED_EVERYWHERE.contains(&&*error.code)
                        || error.message.contains("Baton has stopped switching") =>
                {
                    *tally
                        .honest
                        .lock()
                        .expect("no panic while it was held")
                        .entry(error.code.clone())
                        .or_default() += 1;
                    let _ = self.turns.send(());
                    let left = error.resets_at.map(|at| at - self.clock.now_unix());
                    let left = left.and_then(|left| u64::try_from(left).ok());
                    self.clock
                        .sleep(Duration::from_secs(left.unwrap_or(60).max(1)))
                        .await;
                }
                _ => return tally.lost.lock().expect("no panic while it was held").push(say()),
            }
        }
        tally
            .lost
            .lock()
            .expect("no panic while it was held")
            .push(format!("refused {TRIES} times: {text}"));
    }
}

impl Tally {
    fn report(&self, faults: &[FaultHandle], took: Duration) -> String {
        let [requests, completed, reconnects, commands] =
            [&self.requests, &self.completed, &self.reconnects, &self.commands]
                .map(|count| count.load(Ordering::Relaxed));
        let struck: u64 = faults.iter().map(FaultHandle::hits).sum();
        format!(
            "{requests} requests in {:.1} s ({:.0}/s), {completed} turns, {struck} faults of {} kinds, \
             {reconnects} resent by clients, {commands} commands, honest errors {:?}, lost {}, repeated {}",
            took.as_secs_f64(),
            requests as f64 / took.as_secs_f64(),
            faults.iter().filter(|fault| fault.hits() > 0).count(),
            self.honest.lock().expect("no panic while it was held"),
            self.lost.lock().expect("no panic while it was held").len(),
            self.repeated.lock().expect("no panic while it was held").len(),
        )
    }
}

// === the person ===

/// Changes something every few turns, and mends what needs attention. Keeps an eye on the memory, too.
async fn person(
    stage: &Stage,
    mut ended: mpsc::UnboundedReceiver<()>,
    tally: &Tally,
    wanted: u64,
    seed: u64,
) -> Memory {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut memory = Memory::new(wanted);
    let mut turns = 0;
    loop {
        // The last turn may end without having been told: nobody is left to tell it.
        let requests = tally.requests.load(Ordering::Relaxed);
        memory.look(requests);
        if requests >= wanted || ended.recv().await.is_none() {
            return memory;
        }
        turns += 1;
        if turns % 500 == 0 {
            stage.sim.log().forget_ended();
        }
        if turns % TURNS_A_COMMAND == 0 {
            mend(stage).await;
            change(stage, &mut random).await;
            tally.commands.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn change(stage: &Stage, random: &mut fastrand::Rng) {
    let account = random.choice(ACCOUNTS).expect("five").to_owned();
    let strategies = [
        Strategy::Sequential,
        Strategy::Balanced,
        Strategy::Affinity,
        Strategy::RoundRobin,
        Strategy::SoonestReset,
    ];
    let command = match random.u8(0..12) {
        0..=2 => Command::Use {
            strategy: random.choice(strategies).expect("five"),
        },
        3 => Command::Move {
            account,
            position: random.usize(1..=ACCOUNTS.len()),
        },
        // One of five at most.
        4 | 5 => {
            for other in ACCOUNTS {
                let skipped = *other == account;
                let account = other.to_owned();
                stage.run(Command::Skip { account, skipped }).await;
            }
            return;
        }
        6 => Command::Skip {
            account,
            skipped: false,
        },
        7 => Command::SetOnRecovery {
            on_recovery: if random.bool() {
                OnRecovery::Stay
            } else {
                OnRecovery::Return
            },
        },
        8 => Command::SetWaitForRecovery {
            seconds: if random.bool() { 6 * 3600 } else { 0 },
        },
        9 => Command::Threshold {
            account: Some(account),
            window: None,
            at: Percent::new(if random.bool() { 80.0 } else { 100.0 }).expect("a percent"),
            reserve: None,
        },
        10 => return renew(stage, &account).await,
        _ => {
            // One that can't serve is refused, and nothing changes.
            let _ = stage.baton.execute(Command::Switch { account }).await;
            return;
        }
    };
    stage.run(command).await;
}

/// Signs in again where Baton asks for it, and lets go of the brake.
async fn mend(stage: &Stage) {
    let snapshot = stage.baton.snapshot();
    for account in &snapshot.accounts {
        if matches!(account.state, Eligibility::NeedsAttention { .. }) {
            renew(stage, &account.label).await;
        }
    }
    if snapshot.braked {
        let strategy = snapshot.strategy;
        stage.run(Command::Use { strategy }).await;
    }
}

/// Removed, whatever runs on it, and added again.
async fn renew(stage: &Stage, label: &str) {
    let account = label.to_owned();
    stage.run(Command::Remove { account }).await;
    let sign_in = stage.sim.account(label).sign_in();
    stage
        .baton
        .add_auth_json(sign_in.as_bytes(), label)
        .await
        .expect("an account");
}

// === what is left ===

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

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Left {
    tasks: usize,
    files: usize,
}

impl Left {
    fn now() -> Self {
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            files: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        }
    }

    fn more_than(self, before: Self) -> bool {
        self.tasks > before.tasks || self.files > before.files
    }
}

fn port(url: &str) -> u16 {
    let url: url::Url = url.parse().expect("a URL");
    url.port().expect("a port")
}

/// Connections to one of these ports that the side which opened them still holds.
fn held_open(ports: [u16; 2]) -> usize {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
    let held = |line: &&str| {
        let mut columns = line.split_whitespace().skip(2);
        let to = columns.next().and_then(|address| address.split_once(':'));
        let to = to.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        // Established, or closed by the other side only.
        to.is_some_and(|port| ports.contains(&port)) && matches!(columns.next(), Some("01" | "08"))
    };
    table.lines().filter(held).count()
}

/// Resident memory over the run.
struct Memory {
    wanted: u64,
    /// In MB, one for each hundredth.
    samples: Vec<f64>,
}

impl Memory {
    fn new(wanted: u64) -> Self {
        let samples = Vec::new();
        Self { wanted, samples }
    }

    fn look(&mut self, requests: u64) {
        let due = usize::try_from(requests * 100 / self.wanted)
            .unwrap_or(0)
            .min(100);
        if self.samples.len() < due {
            let pages = fs::read_to_string("/proc/self/statm")
                .ok()
                .and_then(|text| text.split_whitespace().nth(1)?.parse::<f64>().ok());
            self.samples.resize(due, pages.unwrap_or(0.0) * 4096.0 / 1e6);
        }
    }

    /// Means of the second and of the last third: what is kept for good is there after the first.
    fn thirds(&self) -> [f64; 2] {
        let third = self.samples.len() / 3;
        let mean = |samples: &[f64]| samples.iter().sum::<f64>() / samples.len().max(1) as f64;
        [
            mean(&self.samples[third..2 * third]),
            mean(&self.samples[2 * third..]),
        ]
    }

    fn check(&self) {
        let [second, last] = self.thirds();
        // Shorter runs haven't filled yet what is bounded.
        assert!(self.wanted < 50_000 || last < second * 1.1 + 4.0, "{self}");
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.samples.first().copied().unwrap_or_default();
        let [second, last] = self.thirds();
        write!(
            f,
            "{first:.0} MB at first, {second:.0} in the second third, {last:.0} in the last"
        )
    }
}
