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
use rustix::process::{Pid, Signal, kill_process};
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

pub(crate) struct Machine {
    home: TempDir,
    environment: Vec<(&'static str, String)>,
    outside: Outside,
    _bus: (Child, Group),
    _keychain: Option<Group>,
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
            _keychain: None,
        };
        machine._keychain = Some(machine.unlock_keychain().await);
        machine
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
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

    /// `baton serve`, once it serves: on this port, or where it served the last time.
    pub(crate) async fn serve(&self, port: Option<u16>) -> Serving {
        let log = self.home.path().join("baton.log");
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

    async fn unlock_keychain(&self) -> Group {
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
        let mut asking = self.command("dbus-send".into());
        asking.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]);
        asking.args([
            "org.freedesktop.DBus.NameHasOwner",
            "string:org.freedesktop.secrets",
        ]);
        within("the keychain", async {
            while !self
                .run(&mut asking, "dbus")
                .await
                .stdout
                .ends_with(b"boolean true\n")
            {}
        })
        .await;
        group
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
        let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(id.expect("it runs"), signal).expect("it is heard");
    }

    /// Waits for its end, whatever that is.
    pub(crate) async fn ended(mut self) {
        within("baton serve", self.child.wait()).await.expect("an end");
    }

    /// Waits for its end, which somebody has asked for.
    pub(crate) async fn ended_well(mut self) {
        let status = within("baton serve", self.child.wait()).await.expect("an end");
        assert!(status.success(), "{status}");
    }
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
