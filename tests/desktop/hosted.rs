//! A Baton inside the desktop program itself, as a person runs it, on a simulated service.

use std::{
    fs,
    path::{Path, PathBuf},
};

use baton_engine::{
    codex::Mode,
    control::{
        Client as Control,
        protocol::{Command, Reply, Snapshot},
    },
};
use baton_sim::{Client, Login, Scenario, Sim};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command as Process};

use crate::stage::{PATIENCE, until};

pub(crate) struct Hosted {
    pub(crate) sim: Sim,
    pub(crate) folder: TempDir,
}

impl Hosted {
    pub(crate) async fn new(scenario: Scenario) -> Self {
        let sim = Sim::start(scenario).await;
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("codex")).expect("a folder");
        Self { sim, folder }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("baton")
    }

    /// Codex's own.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("codex/config.toml")
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.start_program(Path::new(env!("CARGO_BIN_EXE_baton-desktop")), arguments)
    }

    pub(crate) fn start_program(&self, program: &Path, arguments: &[&str]) -> Child {
        self.command(program, arguments)
            .spawn()
            .expect("baton-desktop starts")
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Process {
        let mut command = Process::new(program);
        command
            .args(arguments)
            .env("BATON_DATA_DIR", self.data())
            .env("BATON_UPSTREAM", self.sim.base_url())
            .env("BATON_ISSUER", self.sim.issuer_url())
            .env("CODEX_HOME", self.folder.path().join("codex"))
            .kill_on_drop(true);
        command
    }

    /// What it says to whoever tells the person why it can't start.
    pub(crate) async fn start_told(&self) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_baton-desktop"));
        let mut command = self.command(program, &["--told"]);
        let ended = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = ended.expect("it ends").expect("it starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Once it serves.
    pub(crate) async fn ask(&self, command: Command) -> Reply {
        loop {
            match Control::connect(&self.data()).await {
                Ok(mut control) => return control.call(command).await.expect("it is done"),
                Err(_) => until("a Baton", || self.socket_is_there()).await,
            }
        }
    }

    fn socket_is_there(&self) -> Option<()> {
        baton_engine::instance::is_held(&self.data()).then_some(())
    }

    pub(crate) async fn status(&self) -> Snapshot {
        match self.ask(Command::Status).await {
            Reply::Status { snapshot } => snapshot,
            other => panic!("{other:?}"),
        }
    }

    /// An account of the simulation's, that needs no keychain: its auth.json is followed.
    pub(crate) async fn link(&self, name: &str, label: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("auth.json"), self.sim.account(name).auth_json()).expect("a file");
        let label = label.to_owned();
        self.ask(Command::AddLink { path, label }).await;
    }

    pub(crate) async fn connect_codex(&self) {
        let (home, mode) = (None, Some(Mode::Requests));
        self.ask(Command::ConnectCodex { home, mode }).await;
        assert!(self.is_connected());
    }

    pub(crate) fn is_connected(&self) -> bool {
        fs::read_to_string(self.config()).is_ok_and(|text| text.contains("openai_base_url"))
    }

    pub(crate) async fn client(&self) -> Client {
        let urls = self.status().await.base_urls.expect("it serves");
        let login = Login::from_auth_json(&self.sim.cli().auth_json()).expect("a login");
        Client::new(urls.openai_base_url.trim_end_matches("/codex"), login)
    }

    /// Once so many model requests have reached the service.
    pub(crate) async fn asked(&self, times: usize) {
        let log = self.sim.log();
        log.wait_for(|entries| entries.iter().filter(|entry| entry.generates()).count() >= times)
            .await;
    }
}

pub(crate) fn signal(id: u32, signal: Signal) {
    let process = Pid::from_raw(id.cast_signed()).expect("a process");
    kill_process(process, signal).expect("it is there");
}
