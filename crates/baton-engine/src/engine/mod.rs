//! The composition root: everything is built and handed out here; nothing else reaches for globals.

mod answers;
mod built;

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use baton_core::Event;
use tokio::{
    sync::{Notify, broadcast, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use self::{answers::Inner, built::Built};
use crate::{
    Options,
    admission::Admission,
    background,
    codex::{self, Guardian, Record},
    commands::Commands,
    control::{
        protocol::{BaseUrls, Command, ControlError, Reply, Snapshot},
        server::{Handler, ServeError, Server},
    },
    doctor::Tray,
    foresight::Foresight,
    instance::{InstanceError, Lock},
    net::{NetError, addresses},
    options::DEFAULT_PORT,
    proxy::{self, ListenError, Listener, Proxy},
    settings::{self},
    signin::{Service, SignIns},
    store::{StoreError, files, private::PrivateError, settings::SettingsError},
    usage::{Poller, Reader},
};

/// Running requests get this long to end.
const DRAIN: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Private(#[from] PrivateError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Control(#[from] ServeError),
}

/// A Baton: serving, or offline for the commands of a person while none runs.
#[derive(Debug)]
pub struct Engine {
    inner: Arc<Inner>,
    proxy: Option<Proxy>,
    background: Vec<JoinHandle<()>>,
    stopping: CancellationToken,
    /// No more usage is read.
    unread: CancellationToken,
    /// What becomes of Codex's config.toml is no news any more.
    unfollowed: CancellationToken,
    /// The machine is in another network.
    moved_network: Arc<Notify>,
    /// Held as long as this data directory is ours.
    _lock: Lock,
    guardian: Option<Guardian>,
}

impl Engine {
    /// Serves: the proxy on loopback, and the control socket.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        survive_size_limits();
        let lock = Lock::acquire_in_time(&options.data_dir).await?;
        let mut built = Built::new(&options, lock)?;
        let mut moved = None;
        let listener = match (options.port, built.named_port, built.door.last_port()) {
            // Named on the command line or in the settings: just that one.
            (Some(port), _, _) | (None, Some(port), _) => Listener::bind(port).await?,
            // The port of last time is in Codex's configuration.
            (None, None, Some(port)) => match Listener::bind(port).await {
                Err(ListenError::Taken { .. }) => {
                    moved = Some(port);
                    Listener::bind_near(DEFAULT_PORT).await?
                }
                bound => bound?,
            },
            (None, None, None) => Listener::bind_near(DEFAULT_PORT).await?,
        };
        let port = listener.port();
        built.door.listens_on(port);
        if options.port.is_none() {
            built.settings.listening_on(port);
        }
        let proxy = Proxy::start(
            listener,
            proxy::Parts {
                desk: Arc::clone(&built.desk),
                grants: Arc::clone(&built.grants),
                net: Arc::clone(&built.net),
                writer: Arc::clone(&built.writer),
                upstream: options.upstream.clone(),
                door: Arc::clone(&built.door),
                seen: Arc::clone(&built.seen),
            },
        );
        let running = proxy.running_counter();
        // Before Codex is connected: by this a guardian knows that Baton is back.
        let control = Server::bind(&options.data_dir).await?;
        if let Some(urls) = built.door.base_urls() {
            built.at_start = connect_codex(&options.data_dir, &urls, moved.map(|from| (from, port)));
        }
        // Also before anybody can ask.
        built
            .desk
            .stands(codex::standing(&Record::open(&options.data_dir)));
        let moved_network = Arc::new(Notify::new());
        let poller = options.read_usage.then(|| {
            let reader = Reader {
                desk: Arc::clone(&built.desk),
                grants: Arc::clone(&built.grants),
                net: Arc::clone(&built.net),
                upstream: options.upstream.clone(),
            };
            Poller::new(
                reader,
                Box::new(proxy.running_counter()),
                Arc::clone(&moved_network),
            )
        });
        let unreadable = poller.as_ref().map(Poller::problems);
        let mut engine = Self::assemble(&options, built, Box::new(running), unreadable);
        engine.proxy = Some(proxy);
        engine.moved_network = Arc::clone(&moved_network);
        if let Some(poller) = poller {
            // Nobody else sets it.
            let _ = engine.inner.readings.set(poller.readings());
            engine
                .background
                .push(tokio::spawn(poller.run(engine.unread.clone())));
            let watch = addresses::watch(Arc::clone(&moved_network), engine.unread.clone());
            engine.background.push(tokio::spawn(watch));
        }
        let settings = Arc::clone(&engine.inner.commands.settings);
        engine
            .background
            .push(tokio::spawn(settings::follow(settings, engine.stopping.clone())));
        engine.background.push(tokio::spawn(codex::follow(
            options.data_dir.clone(),
            Arc::clone(&engine.inner.desk),
            engine.unfollowed.clone(),
        )));
        engine.answer(control);
        Ok(engine)
    }

    /// [`Self::offline`] with the control socket: for a command that waits for a person, while others are answered.
    pub async fn answering(options: Options) -> Result<Self, StartError> {
        let mut engine = Self::offline(options.clone()).await?;
        engine.answer(Server::bind(&options.data_dir).await?);
        Ok(engine)
    }

    fn answer(&mut self, control: Server) {
        let handler = Arc::clone(&self.inner) as Arc<dyn Handler>;
        let stopping = self.stopping.clone();
        self.background.push(tokio::spawn(async move {
            if let Err(error) = control.run(handler, stopping.cancelled()).await {
                tracing::error!(%error, "commands are no longer answered");
            }
        }));
    }

    /// The same data with no listener and no socket: for a person's commands while no Baton runs.
    pub async fn offline(options: Options) -> Result<Self, StartError> {
        survive_size_limits();
        let built = Built::new(&options, Lock::acquire(&options.data_dir)?)?;
        Ok(Self::assemble(&options, built, Box::new(|| 0), None))
    }

    fn assemble(
        options: &Options,
        built: Built,
        running: Box<dyn Fn() -> u64 + Send + Sync>,
        unreadable: Option<watch::Receiver<Option<String>>>,
    ) -> Self {
        let stopping = CancellationToken::new();
        let mut background = vec![
            tokio::spawn(background::save(
                Arc::clone(&built.desk),
                Arc::clone(&built.writer),
                stopping.clone(),
            )),
            tokio::spawn(background::settle(Arc::clone(&built.desk), stopping.clone())),
            tokio::spawn(background::watch_trouble(
                built.grants.keychain_problems(),
                Arc::clone(&built.desk),
                stopping.clone(),
            )),
            tokio::spawn(background::watch_trouble(
                built.writer.problems(),
                Arc::clone(&built.desk),
                stopping.clone(),
            )),
            tokio::spawn(background::watch_links(
                Arc::clone(&built.desk),
                Arc::clone(&built.grants),
                stopping.clone(),
            )),
            tokio::spawn(background::watch_trouble(
                built.settings.notices(),
                Arc::clone(&built.desk),
                stopping.clone(),
            )),
        ];
        if let Some(unreadable) = unreadable.clone() {
            background.push(tokio::spawn(background::watch_trouble(
                unreadable,
                Arc::clone(&built.desk),
                stopping.clone(),
            )));
        }
        let admission = Arc::new(Admission::new(
            Arc::clone(&built.desk),
            Arc::clone(&built.grants),
            Arc::clone(&built.store),
            Arc::clone(&built.writer),
        ));
        let service = Service {
            net: built.net,
            issuer: options.issuer.clone(),
        };
        let foresight = Arc::new(Foresight::new(Arc::clone(&built.desk), Arc::clone(&built.store)));
        let commands = Commands {
            foresight,
            desk: Arc::clone(&built.desk),
            grants: Arc::clone(&built.grants),
            store: built.store,
            writer: Arc::clone(&built.writer),
            sign_ins: SignIns::new(
                service,
                Arc::clone(&admission),
                Arc::clone(&options.clock),
                options.sign_in_ports.clone(),
            ),
            admission,
            settings: built.settings,
            data_dir: options.data_dir.clone(),
            codex_homes: options.codex_homes.clone(),
            door: Arc::clone(&built.door),
            self_tester: OnceLock::new(),
        };
        let inner = Inner {
            commands,
            desk: built.desk,
            grants: built.grants,
            writer: built.writer,
            upstream: options.upstream.to_string(),
            door: built.door,
            seen: built.seen,
            data_dir: options.data_dir.clone(),
            at_start: built.at_start,
            running,
            unreadable,
            readings: OnceLock::new(),
            tray: OnceLock::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            shows: broadcast::channel(4).0,
        };
        Self {
            inner: Arc::new(inner),
            proxy: None,
            background,
            unread: stopping.child_token(),
            unfollowed: stopping.child_token(),
            moved_network: Arc::default(),
            stopping,
            _lock: built.lock,
            guardian: None,
        }
    }

    /// What Codex must be given; `None` offline.
    pub fn base_urls(&self) -> Option<BaseUrls> {
        self.inner.door.base_urls()
    }

    pub fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    /// [`Self::snapshot`], with a forecast as of now.
    pub async fn look(&self) -> Snapshot {
        self.inner.look().await
    }

    /// Goes up with every change that a person could see.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.desk.changes()
    }

    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.desk.events()
    }

    pub async fn execute(&self, command: Command) -> Result<Reply, ControlError> {
        self.inner.execute(command).await
    }

    /// Adds the account of an auth.json that lies in memory only (demo, tests).
    pub async fn add_auth_json(
        &self,
        json: &[u8],
        label: &str,
    ) -> Result<baton_core::AccountId, ControlError> {
        self.inner.commands.add_auth_json(json, label).await
    }

    /// The machine is in another network, which Baton notices by itself on Linux, macOS and Windows.
    pub fn network_changed(&self) {
        self.moved_network.notify_one();
    }

    /// A client asked Baton to end.
    pub async fn stop_requested(&self) {
        self.inner.stop.cancelled().await;
    }

    /// How to find out whether the tray shows this Baton; the first one told counts. Without it this is a Baton without a
    /// desktop.
    pub fn has_tray(&self, look: impl Fn() -> Tray + Send + Sync + 'static) {
        let _ = self.inner.tray.set(Arc::new(look));
    }

    /// Has Codex disconnected should this Baton die: by `program guard`.
    pub fn start_guardian(&mut self, program: &Path) {
        match Guardian::start(program, &self.inner.data_dir) {
            Ok(guardian) => self.guardian = Some(guardian),
            Err(error) => tracing::warn!(
                %error,
                "there is no guardian: if Baton is killed, `baton disconnect` lets Codex go its own way again"
            ),
        }
    }

    /// Has a Codex CLI tried before it is connected, and each new version that goes through Baton: by `program self-test`.
    pub fn start_self_tests(&mut self, program: &Path) {
        // Nobody else sets it.
        let _ = self.inner.commands.self_tester.set(program.to_path_buf());
        let trying = Arc::clone(&self.inner.seen).try_news(
            program.to_path_buf(),
            Arc::clone(&self.inner.desk),
            self.stopping.clone(),
        );
        self.background.push(tokio::spawn(trying));
    }

    /// Disconnects Codex, takes no new work, lets running requests and refreshes end, and writes what is to be kept.
    /// If something could not be written, why.
    pub async fn shutdown(mut self) -> Option<String> {
        if let Some(proxy) = self.proxy.take() {
            self.disconnect_codex().await;
            tokio::select! {
                () = proxy.drain(DRAIN) => {}
                () = self.inner.cut.cancelled() => proxy.drain(Duration::ZERO).await,
            }
        }
        self.unread.cancel();
        self.inner.commands.sign_ins.shutdown().await;
        self.inner.grants.drain().await;
        self.stopping.cancel();
        for task in std::mem::take(&mut self.background) {
            let _ = task.await;
        }
        self.inner.desk.close();
        self.inner
            .writer
            .pool(self.inner.desk.read(|pool, _| pool.clone()));
        self.inner.writer.close().await;
        self.inner.writer.problem()
    }

    async fn disconnect_codex(&mut self) {
        // Nobody is connected to a Baton that ends, and that is no news.
        self.unfollowed.cancel();
        self.inner.door.leave();
        let data_dir = self.inner.data_dir.clone();
        // A command may be at it, which is waited for.
        let done = tokio::task::spawn_blocking(move || codex::disconnect_all(&Record::open(&data_dir)));
        if let Ok(kept) = done.await {
            for problem in kept.problems {
                tracing::warn!("Codex could not be disconnected: {problem}");
            }
        }
        self.inner.desk.stands(codex::Standing::default());
        if let Some(guardian) = self.guardian.take() {
            guardian.dismiss();
        }
    }
}

/// Before the first file that is written.
fn survive_size_limits() {
    if let Err(error) = files::survive_size_limits() {
        tracing::debug!(%error, "a file that may not grow would end Baton");
    }
}

/// Tells Codex, where it is to be connected, and says what is left to do. `moved`: from which port to which.
fn connect_codex(data_dir: &Path, urls: &BaseUrls, moved: Option<(u16, u16)>) -> Vec<String> {
    let kept = codex::connect_all(data_dir, urls);
    let moved = moved.map(|(from, to)| {
        let then = if kept.done == 0 {
            "put the base URLs of this port into Codex's config.toml, or `baton connect`"
        } else {
            "Codex's config.toml says so now, and a Codex that runs must be started again"
        };
        format!(
            "Port {from}, where Baton listened last, is taken by another program, so it listens on {to}: {then}."
        )
    });
    let problems = kept.problems.into_iter();
    let problems = problems.map(|problem| format!("Codex isn't connected: {problem}."));
    let all: Vec<String> = moved.into_iter().chain(problems).collect();
    for problem in &all {
        tracing::warn!("{problem}");
    }
    all
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stopping.cancel();
        for task in &self.background {
            task.abort();
        }
    }
}
