//! The stage: a simulated backend with accounts, a Baton that knows them, and a Codex that is connected to it.

use std::{sync::Arc, time::Duration};

use baton_core::{AccountId, Cause, Eligibility, Event, EventKind};
use baton_engine::{Engine, Options, clock::Borrowed, control::protocol::Command, vault::MemoryVault};
use baton_sim::{
    AccountScript, At, Clock, Entry, Failure, Fault, FaultRule, LimitForm, Output, Scenario, Sim, Transport,
    WindowScript,
};
use tempfile::TempDir;
use tokio::sync::broadcast;

use crate::cli::{Codex, Run};

/// How the CLI talks to its backend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum On {
    WebSocket,
    Http,
}

/// Both ways: a story that holds on one must hold on the other.
pub(crate) const BOTH: [On; 2] = [On::WebSocket, On::Http];

pub(crate) const FIVE_HOURS: Duration = Duration::from_secs(5 * 3600);

#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) sim: Sim,
    pub(crate) baton: Engine,
    pub(crate) codex: Codex,
    on: On,
    events: broadcast::Receiver<Event>,
    options: Options,
    _data: TempDir,
}

/// Five hours and a week, with this many requests in the former.
pub(crate) fn account(name: &str, requests: f64) -> AccountScript {
    AccountScript::new(name)
        .window(WindowScript::five_hours(requests))
        .window(WindowScript::weekly(1000.0))
}

/// The accounts `a` and `b`, with this many requests each. The model says [`answer_to`] the prompt.
pub(crate) fn two(a: f64, b: f64) -> Scenario {
    Scenario::new()
        .account(account("a", a))
        .account(account("b", b))
        .output(Output::new().template(answer_to("{user}")))
}

/// In full, and in several events on its way.
pub(crate) fn answer_to(prompt: &str) -> String {
    let long: Vec<String> = (1..=40).map(|n| format!("word{n}")).collect();
    format!("The answer to \"{prompt}\": {}.", long.join(" "))
}

impl Stage {
    /// Accounts `a` and `b`, in this order.
    pub(crate) async fn with(on: On, scenario: Scenario) -> Self {
        Self::of(&["a", "b"], on, scenario).await
    }

    /// These accounts, in this order.
    pub(crate) async fn of(accounts: &[&str], on: On, scenario: Scenario) -> Self {
        let sim = Sim::start(scenario).await;
        if on == On::Http {
            // What the CLI takes as: no WebSockets here, for the whole conversation.
            let refused = Failure::new(426, "invalid_request_error", "", "Upgrade Required");
            sim.fault(FaultRule::new(At::Upgrade, Fault::Refuse(refused)));
        }
        let data = tempfile::tempdir().expect("a folder");
        let options = Options {
            data_dir: data.path().join("baton"),
            upstream: sim.base_url().parse().expect("a URL"),
            issuer: sim.issuer_url().parse().expect("a URL"),
            port: Some(0),
            sign_in_ports: vec![0],
            codex_homes: Vec::new(),
            clock: Arc::new(Borrowed::new(sim.clock(), Clock::now_unix_millis, Clock::real)),
            vault: Some(Arc::new(MemoryVault::new())),
            read_usage: false,
        };
        let baton = Box::pin(Engine::start(options.clone()))
            .await
            .expect("Baton starts");
        let events = baton.events();
        for name in accounts {
            let auth = sim.account(name).auth_json();
            baton
                .add_auth_json(auth.as_bytes(), name)
                .await
                .expect("an account");
        }
        let urls = baton.base_urls().expect("it serves");
        let codex = Codex::connected(&sim.cli().auth_json(), &urls).await;
        Self {
            sim,
            baton,
            codex,
            on,
            events,
            options,
            _data: data,
        }
    }

    /// Baton ends and starts again, as for an update: same data, same port. The CLI isn't told.
    pub(crate) async fn restart_baton(self) -> Self {
        let Self {
            baton, mut options, ..
        } = self;
        let urls = baton.base_urls().expect("it serves");
        let port = urls.openai_base_url.split([':', '/']).nth(4);
        options.port = Some(port.and_then(|port| port.parse().ok()).expect("a port"));
        baton.shutdown().await;
        let baton = Box::pin(Engine::start(options.clone()))
            .await
            .expect("Baton starts again");
        let events = baton.events();
        Self {
            baton,
            options,
            events,
            ..self
        }
    }

    /// Spent accounts refuse in this form.
    pub(crate) async fn limited_by(form: LimitForm, on: On, scenario: Scenario) -> Self {
        Self::with(on, scenario.limit_on_http(form).limit_on_websocket(form)).await
    }

    /// `codex exec` in a new session.
    pub(crate) async fn codex(&self, prompt: &str) -> Run {
        self.codex.exec(prompt).await
    }

    pub(crate) async fn tell(&self, command: Command) {
        self.baton.execute(command).await.expect("the command works");
    }

    /// How many requests for output an account has answered in full.
    pub(crate) fn served(&self, account: &str) -> usize {
        self.sim.log().served_by(account).len()
    }

    pub(crate) fn both_served(&self) -> (usize, usize) {
        (self.served("a"), self.served("b"))
    }

    pub(crate) fn state(&self, label: &str) -> Eligibility {
        let snapshot = self.baton.snapshot();
        snapshot
            .accounts
            .iter()
            .find(|account| account.label == label)
            .expect("an account")
            .state
    }

    /// How often the model's command `echo was here | tee -a traces` was run.
    pub(crate) fn traces(&self) -> usize {
        let traces = std::fs::read_to_string(self.codex.work().join("traces")).unwrap_or_default();
        traces.lines().filter(|line| *line == "was here").count()
    }

    /// Changes of the active account since the last call, by label.
    pub(crate) fn switches(&mut self) -> Vec<(String, Cause)> {
        let label = |id: AccountId| {
            let snapshot = self.baton.snapshot();
            let account = snapshot
                .accounts
                .iter()
                .find(|account| account.id == id)
                .expect("an account");
            account.label.to_string()
        };
        let mut switches = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let EventKind::Switched(switch) = event.kind {
                switches.push((label(switch.to), switch.cause));
            }
        }
        switches
    }

    /// What holds after every story: the CLI used the transport of the story, no account saw what belongs to another,
    /// and nothing went past Baton.
    pub(crate) fn all_in_order(&self) {
        let log = self.sim.log();
        let violations = log.violations();
        assert!(violations.is_empty(), "{violations:?}\n{log:#?}");
        let transport = match self.on {
            On::WebSocket => Transport::WebSocket,
            On::Http => Transport::Http,
        };
        let other: Vec<Entry> = log.find(|entry| entry.generates() && entry.transport != transport);
        assert!(other.is_empty(), "not on {transport:?}: {other:#?}");
        assert_eq!(
            log.requests("acct-cli").len(),
            0,
            "the CLI's own login serves nothing"
        );
        let attempts = self.codex.attempts();
        assert!(
            attempts.iter().all(|target| is_metrics(target)),
            "past Baton: {attempts:?}"
        );
    }
}

/// The CLI sends its own metrics straight there; Baton doesn't stand in between (docs/protocol.md).
pub(crate) fn is_metrics(target: &str) -> bool {
    target == "ab.chatgpt.com:443"
}
