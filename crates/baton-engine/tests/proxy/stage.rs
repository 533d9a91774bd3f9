//! The stage: simulated accounts, a Baton that knows them, clients that talk through it.

use std::{path::PathBuf, sync::Arc};

use baton_core::{AccountId, Cause, Event, EventKind};
use baton_engine::{
    Engine, Options, StartError,
    clock::Borrowed,
    control::protocol::{Command, Snapshot},
    proxy::ListenError,
    store::settings::Settings,
    vault::MemoryVault,
};
use baton_sim::{AccountScript, Client, Clock, Login, Mode, Scenario, Sim, WindowScript, lasting_port};
use tokio::{net::TcpSocket, sync::broadcast};

pub(crate) struct Stage {
    pub(crate) sim: Sim,
    pub(crate) baton: Engine,
    pub(crate) events: broadcast::Receiver<Event>,
    options: Options,
    _data: tempfile::TempDir,
}

/// Five hours and a week, with this many requests in the former.
pub(crate) fn account(name: &str, requests: f64) -> AccountScript {
    AccountScript::new(name)
        .user(format!("user-{name}"))
        .email(format!("{name}@example.invalid"))
        .window(WindowScript::five_hours(requests))
        .window(WindowScript::weekly(1000.0))
        .cost(1.0)
}

pub(crate) fn scenario(accounts: impl IntoIterator<Item = AccountScript>) -> Scenario {
    accounts
        .into_iter()
        .fold(Scenario::new().seed(1), Scenario::account)
}

impl Stage {
    pub(crate) async fn with(scenario: Scenario, accounts: &[&str]) -> Self {
        let sim = Sim::start(scenario).await;
        let upstream = sim.base_url();
        Self::between(sim, accounts, &upstream).await
    }

    /// Behind another upstream than the simulated one.
    pub(crate) async fn behind(scenario: Scenario, accounts: &[&str], upstream: &str) -> Self {
        Self::between(Sim::start(scenario).await, accounts, upstream).await
    }

    pub(crate) async fn between(sim: Sim, accounts: &[&str], upstream: &str) -> Self {
        let data = folder();
        let options = Options {
            upstream: upstream.parse().expect("a URL"),
            ..options(&sim, &data)
        };
        Self::of(sim, accounts, options, data).await
    }

    /// One that can be restarted: nobody takes its port meanwhile.
    pub(crate) async fn lasting(scenario: Scenario, accounts: &[&str]) -> Self {
        Self::on_its_port(scenario, accounts, false).await
    }

    /// One that reads usage beside the requests, and can be restarted.
    pub(crate) async fn with_usage(scenario: Scenario, accounts: &[&str]) -> Self {
        Self::on_its_port(scenario, accounts, true).await
    }

    async fn on_its_port(scenario: Scenario, accounts: &[&str], read_usage: bool) -> Self {
        let (sim, data) = (Sim::start(scenario).await, folder());
        let options = Options {
            port: Some(lasting_port()),
            read_usage,
            ..options(&sim, &data)
        };
        Self::of(sim, accounts, options, data).await
    }

    async fn of(sim: Sim, accounts: &[&str], options: Options, data: tempfile::TempDir) -> Self {
        let baton = Engine::start(options.clone()).await.expect("Baton starts");
        let events = baton.events();
        for name in accounts {
            // A grant of its own, as after a sign-in.
            baton
                .add_auth_json(sim.account(name).auth_json().as_bytes(), name)
                .await
                .expect("an account");
        }
        Self {
            sim,
            baton,
            events,
            options,
            _data: data,
        }
    }

    /// Two accounts, `a` first, with this many requests each.
    pub(crate) async fn two(a: f64, b: f64) -> Self {
        Self::with(scenario([account("a", a), account("b", b)]), &["a", "b"]).await
    }

    pub(crate) async fn shutdown(self) {
        self.baton.shutdown().await;
    }

    /// Baton ends; what it talked to lives on.
    pub(crate) async fn stop_baton(self) -> Sim {
        let Self {
            sim, baton, _data, ..
        } = self;
        baton.shutdown().await;
        sim
    }

    /// Baton ends and starts again, as for an update: same data, same port. The clients aren't told.
    pub(crate) async fn restart(self) -> Self {
        let Self {
            baton,
            options,
            events: _,
            ..
        } = self;
        baton.shutdown().await;
        let baton = Engine::start(options.clone()).await.expect("Baton starts again");
        let events = baton.events();
        Self {
            baton,
            events,
            options,
            ..self
        }
    }

    /// Baton goes without a goodbye, and starts again.
    pub(crate) async fn die_and_restart(self) -> Self {
        let Self {
            baton,
            options,
            events: _,
            ..
        } = self;
        drop(baton);
        // A process that dies takes its tasks along. Here they let go of port and folder one by one.
        let baton = loop {
            match Engine::start(options.clone()).await {
                Err(StartError::Listen(ListenError::Taken { .. }) | StartError::Instance(_)) => {
                    tokio::task::yield_now().await;
                }
                started => break started.expect("Baton starts again"),
            }
        };
        let events = baton.events();
        Self {
            baton,
            events,
            options,
            ..self
        }
    }

    pub(crate) fn base_url(&self) -> String {
        let urls = self.baton.base_urls().expect("it serves");
        urls.openai_base_url.trim_end_matches("/codex").to_owned()
    }

    pub(crate) fn client(&self, mode: Mode) -> Client {
        let login = Login::from_auth_json(&self.sim.cli().auth_json()).expect("a login");
        Client::new(self.base_url(), login)
            .mode(mode)
            .clock(self.sim.clock())
    }

    pub(crate) async fn run(&self, command: Command) {
        self.baton.execute(command).await.expect("the command works");
    }

    pub(crate) fn served(&self, account: &str) -> usize {
        self.sim.log().served_by(account).len()
    }

    pub(crate) fn id(&self, label: &str) -> AccountId {
        let snapshot = self.baton.snapshot();
        snapshot
            .accounts
            .iter()
            .find(|account| account.label == label)
            .expect("an account")
            .id
    }

    /// What a person may edit.
    pub(crate) fn settings_file(&self) -> PathBuf {
        Settings::path(&self.options.data_dir)
    }

    /// Once Baton shows it.
    pub(crate) async fn until_shown(&self, wanted: impl Fn(&Snapshot) -> bool) {
        let mut changes = self.baton.changes();
        while !wanted(&self.baton.snapshot()) {
            changes.changed().await.expect("Baton goes on");
        }
    }

    /// Changes of the active account since the last call.
    pub(crate) fn switches(&mut self) -> Vec<(Option<AccountId>, AccountId, Cause)> {
        let mut switches = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let EventKind::Switched(switch) = event.kind {
                switches.push((switch.from, switch.to, switch.cause));
            }
        }
        switches
    }

    pub(crate) fn no_violations(&self) {
        let violations = self.sim.log().violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

/// In memory where there is such a place: what a disk takes to flush is no part of a story.
fn folder() -> tempfile::TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn options(sim: &Sim, data: &tempfile::TempDir) -> Options {
    Options {
        data_dir: data.path().join("baton"),
        upstream: sim.base_url().parse().expect("a URL"),
        issuer: sim.issuer_url().parse().expect("a URL"),
        port: Some(0),
        sign_in_ports: vec![0],
        codex_homes: Vec::new(),
        clock: Arc::new(Borrowed::new(sim.clock(), Clock::now_unix_millis, Clock::real)),
        vault: Some(Arc::new(MemoryVault::new())),
        // The stories count what the upstream was asked: `usage.rs` has those of reading.
        read_usage: false,
    }
}

/// An upstream that refuses connections: its port is bound, so that nobody else gets it, and doesn't listen.
pub(crate) fn closed_port() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let address = socket.local_addr().expect("an address");
    (socket, format!("http://{address}/backend-api"))
}
