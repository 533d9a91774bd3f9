//! One strategy on stage: a simulated backend, and the real engine with its real proxy in front of it.

use std::path::{Path, PathBuf};

use baton_core::{AccountId, Event, Strategy, Timestamp};
use baton_engine::{
    Engine,
    control::protocol::{BaseUrls, Command, Reply, Snapshot},
};
use baton_sim::{Login, Scenario, Sim};
use tokio::sync::broadcast::{self, error::TryRecvError};

use super::scenario::CAST;
use crate::{error::Failure, simulated};

pub(super) struct Stage {
    pub(super) strategy: Strategy,
    pub(super) sim: Sim,
    pub(super) engine: Engine,
    /// Baton's names of the cast, in its order.
    pub(super) ids: Vec<AccountId>,
    pub(super) started: Timestamp,
    incoming: broadcast::Receiver<Event>,
    /// What happened so far; [`Stage::listen`] adds to it.
    pub(super) events: Vec<Event>,
}

impl Stage {
    pub(super) async fn set(
        strategy: Strategy,
        scenario: Scenario,
        data_dir: &Path,
    ) -> Result<Self, Failure> {
        let sim = simulated::service(scenario).await?;
        let engine = simulated::baton(&sim, data_dir).await?;
        let incoming = engine.events();
        let mut ids = Vec::new();
        for role in CAST {
            let auth_json = sim.account(role.name).auth_json();
            ids.push(engine.add_auth_json(auth_json.as_bytes(), role.label).await?);
        }
        engine.execute(Command::Use { strategy }).await?;
        // So that work waits for an account rather than being lost.
        engine
            .execute(Command::SetWaitForRecovery { seconds: 6 * 3600 })
            .await?;
        let started = Timestamp::from_millis(sim.clock().now_unix_millis());
        Ok(Self {
            strategy,
            sim,
            engine,
            ids,
            started,
            incoming,
            events: Vec::new(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.sim.clock().now_unix_millis())
    }

    pub(super) fn base_urls(&self) -> Result<BaseUrls, Failure> {
        self.engine
            .base_urls()
            .ok_or_else(|| Failure::new("the demo's Baton doesn't listen"))
    }

    /// As Codex has it: a sign-in of its own, which isn't in the pool.
    pub(super) fn login(&self) -> Result<Login, Failure> {
        Login::from_auth_json(&self.sim.cli().auth_json())
            .ok_or_else(|| Failure::new("the simulated backend gave no sign-in"))
    }

    /// Takes in what has happened.
    pub(super) fn listen(&mut self) {
        loop {
            match self.incoming.try_recv() {
                Ok(event) => self.events.push(event),
                // Missed ones would show as a wrong verdict, not as a made-up one.
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, Failure> {
        match self.engine.execute(Command::Status).await? {
            Reply::Status { snapshot } => Ok(snapshot),
            other => Err(crate::baton::unexpected(&other)),
        }
    }

    pub(super) async fn clear(self) {
        self.engine.shutdown().await;
        self.sim.shutdown().await;
    }
}

/// Where the demo's Batons keep their data: folders of their own, removed afterwards.
pub(super) struct Folders {
    first: PathBuf,
    temporary: tempfile::TempDir,
}

impl Folders {
    /// A named folder is used for the first Baton, so that others can look at it; never one that a Baton uses already.
    pub(super) fn new(named: Option<&Path>) -> Result<Self, Failure> {
        let temporary = tempfile::Builder::new()
            .prefix("baton-demo-")
            .tempdir()
            .map_err(|error| Failure::new(format!("no temporary folder can be made: {error}")))?;
        let first = match named {
            Some(dir) if dir.join("baton.db").exists() => {
                return Err(Failure::new(format!(
                    "{} holds a Baton's data: the demo takes an empty folder, or none",
                    dir.display()
                )));
            }
            Some(dir) => dir.to_path_buf(),
            None => temporary.path().join("sequential"),
        };
        Ok(Self { first, temporary })
    }

    pub(super) fn first(&self) -> &Path {
        &self.first
    }

    pub(super) fn second(&self) -> PathBuf {
        self.temporary.path().join("balanced")
    }

    pub(super) fn other(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }
}
