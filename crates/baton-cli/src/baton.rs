//! Whom a command talks to: the running Baton over its control socket, else the data directory itself.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use baton_engine::{
    Engine, Options,
    control::{
        client::{Client, ConnectError},
        protocol::{Command, Reply, Snapshot},
    },
    engine::StartError,
    instance::{self, InstanceError},
};
use tokio::time;

use crate::error::{Failure, not_kept};

/// For a data directory that another process holds without answering.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests under way get 30 s; a sign-in that is being renewed may take longer, and must not be cut.
const ENDS_WITHIN: Duration = Duration::from_secs(150);
const AGAIN: Duration = Duration::from_millis(50);

pub(crate) enum Baton {
    Running(Client),
    Offline(Box<Engine>),
}

impl Baton {
    pub(crate) async fn find(data_dir: Option<&Path>) -> Result<Self, Failure> {
        let options = Options::from_env(data_dir, None)?;
        Self::found(&options, async |options| Box::pin(Engine::offline(options)).await).await
    }

    /// For a command that takes long: where none runs, this process answers the others meanwhile. With the data
    /// directory.
    pub(crate) async fn find_or_answer(data_dir: Option<&Path>) -> Result<(Self, PathBuf), Failure> {
        let options = Options::from_env(data_dir, None)?;
        let found = Self::found(&options, async |options| {
            Box::pin(Engine::answering(options)).await
        });
        Ok((Box::pin(found).await?, options.data_dir.clone()))
    }

    async fn found(
        options: &Options,
        offline: impl AsyncFn(Options) -> Result<Engine, StartError>,
    ) -> Result<Self, Failure> {
        let until = Instant::now() + PATIENCE;
        loop {
            match Client::connect(&options.data_dir).await {
                Ok(client) => return Ok(Self::Running(client)),
                Err(ConnectError::NotRunning) => {}
                Err(error) => return Err(error.into()),
            }
            match offline(options.clone()).await {
                Ok(engine) => return Ok(Self::Offline(Box::new(engine))),
                // Another command is at it, or a Baton is just starting or ending.
                Err(StartError::Instance(InstanceError::Running { .. })) if Instant::now() < until => {
                    time::sleep(AGAIN).await;
                }
                Err(StartError::Instance(error @ InstanceError::Running { .. })) => {
                    return Err(Failure::new(format!(
                        "{error}, but it doesn't answer; if it goes on like this, end that process"
                    )));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Only a running one will do.
    pub(crate) async fn running(data_dir: Option<&Path>) -> Result<Client, Failure> {
        let options = Options::from_env(data_dir, None)?;
        Ok(Client::connect(&options.data_dir).await?)
    }

    pub(crate) async fn call(&mut self, command: Command) -> Result<Reply, Failure> {
        Ok(match self {
            Self::Running(client) => client.call(command).await?,
            Self::Offline(engine) => engine.execute(command).await?,
        })
    }

    pub(crate) async fn snapshot(&mut self) -> Result<Snapshot, Failure> {
        match self.call(Command::Status).await? {
            Reply::Status { snapshot } => Ok(snapshot),
            other => Err(unexpected(&other)),
        }
    }

    /// Writes what is to be kept.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        let lost = match self {
            Self::Running(_) => None,
            Self::Offline(engine) => engine.shutdown().await,
        };
        lost.map_or(Ok(()), |why| Err(not_kept(&why)))
    }
}

/// Returns once the running one, which was told to end, has: the next one may start then.
pub(crate) async fn ended(data_dir: Option<&Path>) -> Result<(), Failure> {
    let options = Options::from_env(data_dir, None)?;
    let until = Instant::now() + ENDS_WITHIN;
    while instance::is_held(&options.data_dir) {
        if Instant::now() > until {
            return Err(Failure::new(
                "Baton was told to end and still runs: it waits for requests, or for a sign-in that is being renewed",
            ));
        }
        time::sleep(AGAIN).await;
    }
    Ok(())
}

pub(crate) fn unexpected(reply: &Reply) -> Failure {
    let kind = serde_json::to_value(reply)
        .ok()
        .and_then(|reply| reply["reply"].as_str().map(str::to_owned));
    Failure::new(format!(
        "Baton answered something else ({}): is it of another version?",
        kind.unwrap_or_default()
    ))
}

/// As the running Baton finds it, which may stand in another folder.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(format!("{} can't be used: {error}", path.display())))
}
