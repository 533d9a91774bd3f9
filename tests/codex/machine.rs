//! A person's machine without a screen: a session bus with an unlocked keychain on it, and the program `baton`.

use std::{
    ffi::OsStr,
    fs::File,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use baton_engine::control::protocol::BaseUrls;
use baton_sim::{AccountHandle, Client, Login, Mode, Sim};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

use crate::{
    child::{Group, spawn},
    outside::Outside,
};

const DEADLINE: Duration = Duration::from_secs(30);

const SECRETS: &str = "org.freedesktop.secrets";

pub(crate) struct Machine {
    home: TempDir,
    environment: Vec<(&'static str, String)>,
    outside: Outside,
    _bus: (Child, Group),
    keychain: Option<Group>,
}

impl Machine {
    /// `environment` is what its `baton` is told besides.
    pub(crate) async fn start(environment: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let run = home.path().join("run");
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&run)
            .expect("a folder");
        let (bus, address) = session_bus(&run).await;
        let outside = Outside::start().await;
        let mut environment: Vec<_> = environment.into_iter().collect();
        environment.extend(
            outside
                .environment()
                .into_iter()
                .map(|(name, value)| (name, value.to_owned())),
        );
        environment.extend([
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", home.path().display().to_string()),
            ("XDG_RUNTIME_DIR", run.display().to_string()),
            ("DBUS_SESSION_BUS_ADDRESS", address),
        ]);
        let mut machine = Self {
            home,
            environment,
            outside,
            _bus: bus,
            keychain: None,
        };
        machine.unlock_keychain().await;
        machine
    }

    /// Where its `baton` keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join(".local/share/baton")
    }

    /// Everywhere beyond loopback that its `baton` wanted to go.
    pub(crate) fn attempts(&self) -> Vec<String> {
        self.outside.attempts()
    }

    /// `baton` with these arguments and `--json`, to its end; what it answered.
    pub(crate) async fn baton<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Value {
        let mut command = self.command(baton());
        command.args(args).arg("--json");
        let output = self.run(&mut command, "cargo build --package baton-cli").await;
        assert!(output.status.success(), "{command:?}: {output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// What `baton status` says, once it is so.
    pub(crate) async fn status_when(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        within(what, async {
            loop {
                let status = self.baton(["status"]).await;
                if so(&status) {
                    return status;
                }
            }
        })
        .await
    }

    /// `baton` with these arguments, to its end, whatever that is.
    pub(crate) async fn ends<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        let mut command = self.command(baton());
        command.args(args);
        self.run(&mut command, "cargo build --package baton-cli").await
    }

    /// A sign-in of this account in a file of its own, as `codex login` writes it.
    pub(crate) fn signed_in(&self, account: &AccountHandle) -> String {
        let file = self.home.path().join("auth.json");
        std::fs::write(&file, account.auth_json()).expect("a file");
        file.display().to_string()
    }

    /// Moves a sign-in of this account into the keychain.
    pub(crate) async fn add(&self, sim: &Sim, name: &str) {
        let file = self.signed_in(&sim.account(name));
        self.baton(["accounts", "add", "--from", &file, "--label", name, "--yes"])
            .await;
        assert!(!Path::new(&file).exists(), "a sign-in is moved, not copied");
    }

    /// Nobody answers for the keychain any more.
    pub(crate) fn end_keychain(&mut self) {
        self.keychain = None;
    }

    pub(crate) async fn lock_keychain(&self) {
        let lock = "org.freedesktop.Secret.Service.Lock";
        let collection = "array:objpath:/org/freedesktop/secrets/collection/login";
        let locked = self
            .on_the_bus(SECRETS, "/org/freedesktop/secrets", &[lock, collection])
            .await;
        assert!(locked.status.success(), "{locked:?}");
    }

    /// As when the person logs in anew: by another service.
    pub(crate) async fn unlock_keychain(&mut self) {
        self.keychain = None;
        self.until_keychain_is(false).await;
        self.keychain = Some(self.start_keychain().await);
        self.until_keychain_is(true).await;
    }

    /// Where its `baton serve` logs to.
    pub(crate) fn log(&self) -> PathBuf {
        self.home.path().join("baton.log")
    }

    /// `baton serve`, once it serves: on this port, or where it served the last time.
    pub(crate) async fn serve(&self, port: Option<u16>) -> Serving {
        let log = self.log();
        let kept = File::options().create(true).append(true).open(&log);
        let mut command = self.command(baton());
        command
            .args(["serve", "--json"])
            .args(port.map(|port| format!("--port={port}")))
            .stdout(Stdio::piped())
            .stderr(kept.expect("a file"));
        let (mut child, group) = spawn(&mut command, "cargo build --package baton-cli");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = within("baton serve", lines.next_line()).await.expect("readable");
        let Some(line) = line else {
            panic!(
                "it doesn't serve: {}",
                std::fs::read_to_string(&log).unwrap_or_default()
            );
        };
        let told: Value = serde_json::from_str(&line).expect("JSON");
        let urls = serde_json::from_value(told["base_urls"].clone()).expect("base URLs");
        Serving {
            urls,
            child,
            _group: group,
        }
    }

    /// What the keychain holds for Baton, secrets included, as `secret-tool` prints it.
    pub(crate) async fn keychain(&self) -> String {
        let mut command = self.command("secret-tool".into());
        command.args(["search", "--all", "--unlock", "application", "rust-keyring"]);
        let output = self.run(&mut command, "libsecret-tools").await;
        // Attributes are printed to stderr, secrets to stdout.
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    async fn start_keychain(&self) -> Group {
        let mut command = self.command("gnome-keyring-daemon".into());
        command
            .args(["--unlock", "--components=secrets"])
            .stdin(Stdio::piped());
        let (mut child, group) = spawn(
            command.stdout(Stdio::null()).stderr(Stdio::null()),
            "gnome-keyring",
        );
        let mut password = child.stdin.take().expect("piped");
        password.write_all(b"a password").await.expect("it reads");
        drop(password);
        // It goes on in the background.
        assert!(
            within("gnome-keyring-daemon", child.wait())
                .await
                .expect("an end")
                .success()
        );
        group
    }

    async fn until_keychain_is(&self, there: bool) {
        let asked = ["org.freedesktop.DBus.NameHasOwner", &format!("string:{SECRETS}")];
        let answer = format!("boolean {there}\n");
        within("the keychain", async {
            while !self
                .on_the_bus("org.freedesktop.DBus", "/", &asked)
                .await
                .stdout
                .ends_with(answer.as_bytes())
            {}
        })
        .await;
    }

    async fn on_the_bus(&self, who: &str, object: &str, what: &[&str]) -> Output {
        let mut asking = self.command("dbus-send".into());
        asking.args(["--session", "--print-reply", &format!("--dest={who}"), object]);
        self.run(asking.args(what), "dbus").await
    }

    async fn run(&self, command: &mut Command, package: &str) -> Output {
        let (child, _group) = spawn(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
            package,
        );
        let program = command.as_std().get_program().display().to_string();
        within(&program, child.wait_with_output()).await.expect("an end")
    }

    fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        let environment = self
            .environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        command
            .env_clear()
            .envs(environment)
            .current_dir(self.home.path());
        command
    }
}

/// A `baton serve` at work.
pub(crate) struct Serving {
    pub(crate) urls: BaseUrls,
    child: Child,
    _group: Group,
}

impl Serving {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).expect("it is heard");
    }

    /// Waits for its end, whatever that is.
    pub(crate) async fn ended(mut self) {
        within("baton serve", self.child.wait()).await.expect("an end");
    }

    /// As a disk without room: nothing more can be written to any file; or it can again.
    pub(crate) fn disk_is_full(&self, full: bool) {
        let maximum = getrlimit(Resource::Fsize).maximum;
        let current = if full { Some(0) } else { maximum };
        prlimit(Some(self.process()), Resource::Fsize, Rlimit { current, maximum }).expect("a limit");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The process that disconnects Codex if this one dies.
    pub(crate) async fn guardian(&self) -> Guardian {
        let pid = self.pid();
        let children = format!("/proc/{pid}/task/{pid}/children");
        within("a guardian", async {
            loop {
                let pids = std::fs::read_to_string(&children).expect("it runs");
                let guards = |pid: &&str| commandline(pid).contains("\0guard\0");
                // A new process has no command line at first.
                if let Some(pid) = pids.split_whitespace().find(guards) {
                    return Guardian(pid.to_owned());
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// A client of the CLI's kind, connected to it.
    pub(crate) fn client(&self, sim: &Sim, mode: Mode) -> Client {
        let login = Login::from_auth_json(&sim.cli().auth_json()).expect("a login");
        let base_url = self.urls.openai_base_url.trim_end_matches("/codex");
        Client::new(base_url, login).mode(mode)
    }

    fn process(&self) -> Pid {
        Pid::from_raw(self.pid().cast_signed()).expect("it runs")
    }

    /// Waits for its end, which somebody has asked for.
    pub(crate) async fn ended_well(mut self) {
        let status = within("baton serve", self.child.wait()).await.expect("an end");
        assert!(status.success(), "{status}");
    }
}

/// By its process id.
pub(crate) struct Guardian(String);

impl Guardian {
    pub(crate) async fn ended(self) {
        within("the guardian", async {
            while !commandline(&self.0).is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// Of a process that has ended: nothing.
fn commandline(pid: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// The program as it was built beside this test.
fn baton() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let built = test
        .parent()
        .and_then(Path::parent)
        .expect("target/<profile>/deps/<test>");
    let baton = built.join("baton");
    assert!(
        baton.exists(),
        "there is no {}: `cargo build --package baton-cli` makes it, and `make test` does that first",
        baton.display()
    );
    baton
}

async fn session_bus(run: &Path) -> ((Child, Group), String) {
    let mut command = Command::new("dbus-daemon");
    command
        .args(["--session", "--nofork", "--print-address", "--address"])
        .arg(format!("unix:path={}", run.join("bus").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let (mut bus, group) = spawn(&mut command, "dbus");
    let mut lines = BufReader::new(bus.stdout.take().expect("piped")).lines();
    // Printed once it listens.
    let address = within("dbus-daemon", lines.next_line())
        .await
        .expect("readable")
        .expect("an address");
    ((bus, group), address)
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(done) => done,
        Err(_) => panic!("{what} takes longer than {DEADLINE:?}"),
    }
}
