//! What a running Baton answers over its control socket: the snapshot, what concerns the process itself, and the rest by
//! the commands.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use baton_core::Event;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    codex::Seen,
    commands::{self, Commands},
    control::{
        protocol::{Command, ControlError, ErrorKind, Reply, Snapshot},
        server::Handler,
    },
    desk::Desk,
    doctor::{Doctor, Tray},
    door::Door,
    grants::Grants,
    snapshot::{self, Surroundings},
    store::Writer,
    usage::Readings,
};

/// Looks now; may block.
pub(super) type LookForTray = dyn Fn() -> Tray + Send + Sync;

pub(super) struct Inner {
    pub(super) commands: Commands,
    pub(super) desk: Arc<Desk>,
    pub(super) grants: Arc<Grants>,
    pub(super) writer: Arc<Writer>,
    pub(super) upstream: String,
    pub(super) door: Arc<Door>,
    pub(super) seen: Arc<Seen>,
    pub(super) data_dir: PathBuf,
    /// What was wrong at the start: another port than last time, a Codex that can't be connected.
    pub(super) at_start: Vec<String>,
    pub(super) running: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Usage that can't be read; `None` where none is read.
    pub(super) unreadable: Option<watch::Receiver<Option<String>>>,
    /// Has usage read; set where it is.
    pub(super) readings: OnceLock<Readings>,
    pub(super) tray: OnceLock<Arc<LookForTray>>,
    pub(super) stop: CancellationToken,
    /// Running requests aren't waited for.
    pub(super) cut: CancellationToken,
    /// Where a window is to come to the front.
    pub(super) shows: broadcast::Sender<String>,
}

impl Inner {
    pub(super) fn snapshot(&self) -> Snapshot {
        let keychain = self.grants.keychain_problem().map(|problem| problem.to_string());
        let unreadable = self
            .unreadable
            .as_ref()
            .and_then(|unreadable| unreadable.borrow().clone());
        let codex = self.desk.standing();
        let around = Surroundings {
            base_urls: self.door.base_urls(),
            upstream: self.upstream.clone(),
            running_requests: (self.running)(),
            forecast: self.commands.foresight.known().map(Box::new),
            problems: [keychain, unreadable]
                .into_iter()
                .flatten()
                .chain(codex.lost.iter().map(|home| lost(home)))
                .chain(self.own_problems())
                .collect(),
            bypassed: self.desk.bypassed(),
            codex,
            preferences: self.desk.chosen().preferences,
        };
        self.desk.read(|pool, now| snapshot::of(pool, now, around))
    }

    /// With a forecast as of now.
    pub(super) async fn look(&self) -> Snapshot {
        /// An export or a slow disk keeps nobody from seeing what is known without it.
        const PATIENCE: Duration = Duration::from_millis(200);
        let foresight = Arc::clone(&self.commands.foresight);
        let looked = tokio::task::spawn_blocking(move || foresight.look().is_ok());
        let _ = tokio::time::timeout(PATIENCE, looked).await;
        self.snapshot()
    }

    /// Apart from those of the keychain and the accounts.
    pub(super) fn own_problems(&self) -> impl Iterator<Item = String> {
        let disk = self.writer.problem().map(|problem| {
            format!(
                "{problem}. Requests are served all the same; what is to be kept waits in memory, and is written once that \
                 works again."
            )
        });
        let settings = self.commands.settings.notices().borrow().clone();
        [disk, settings, self.seen.problem()]
            .into_iter()
            .flatten()
            .chain(self.at_start.iter().cloned())
    }

    pub(super) async fn examine(&self, account: Option<&str>) -> Result<Reply, ControlError> {
        let only = account.map(|account| self.desk.read(|pool, _| commands::select(pool, account)));
        let tray = match self.tray.get().cloned() {
            Some(look) => tokio::task::spawn_blocking(move || look())
                .await
                .unwrap_or(Tray::Unknown),
            None => Tray::None,
        };
        let doctor = Doctor {
            desk: &self.desk,
            grants: &self.grants,
            readings: self.readings.get(),
            base_urls: self.door.base_urls(),
            tray,
            problems: self.own_problems().collect(),
        };
        let checks = doctor.examine(only.transpose()?, || self.snapshot()).await;
        Ok(Reply::Checks { checks })
    }

    pub(super) async fn execute(&self, command: Command) -> Result<Reply, ControlError> {
        match command {
            Command::Doctor { account } => self.examine(account.as_deref()).await,
            Command::Status => Ok(Reply::Status {
                snapshot: self.look().await,
            }),
            Command::Stop => {
                self.stop.cancel();
                Ok(Reply::Done {
                    message: "Baton is stopping; running requests end first.".to_owned(),
                })
            }
            Command::StopNow => {
                self.cut.cancel();
                self.stop.cancel();
                Ok(Reply::Done {
                    message: "Baton is stopping; running requests are cut.".to_owned(),
                })
            }
            Command::RenewSecret => self.door.renew(&self.data_dir).await,
            Command::ShowWindow { place } => match self.shows.send(place) {
                Ok(_) => Ok(Reply::Done {
                    message: "The window is in front.".to_owned(),
                }),
                Err(_) => Err(ControlError::new(ErrorKind::Invalid, "no window is open")),
            },
            command => self.commands.execute(command).await,
        }
    }
}

/// What to do about a folder that somebody else has disconnected.
fn lost(home: &Path) -> String {
    format!(
        "Codex no longer goes through Baton: another program has changed {}. Connect it again (`baton connect`), or leave it \
         so (`baton disconnect`).",
        home.join("config.toml").display()
    )
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

impl Handler for Inner {
    fn execute(&self, command: Command) -> futures_util::future::BoxFuture<'_, Result<Reply, ControlError>> {
        Box::pin(self.execute(command))
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.desk.events()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.desk.changes()
    }

    fn shows(&self) -> broadcast::Receiver<String> {
        self.shows.subscribe()
    }
}
