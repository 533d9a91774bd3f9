//! The program `baton` as a person or a script runs it.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod connecting;
mod demo;
#[cfg(unix)]
mod doctor;
#[cfg(unix)]
mod foresight;
#[cfg(unix)]
mod keychain;
mod offline;
mod serving;
#[cfg(unix)]
mod sign_in;
mod trouble;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// For whatever should happen soon, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A place of its own: home, data, sockets; without more ado no keychain.
struct Place {
    #[cfg(unix)]
    keychain: Option<keychain::Keychain>,
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            keychain: None,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// One with an unlocked keychain.
    #[cfg(unix)]
    fn with_keychain() -> Self {
        let place = Self::new();
        Self {
            keychain: Some(keychain::Keychain::start(place.dir.path())),
            ..place
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        for name in [
            "BATON_UPSTREAM",
            "BATON_ISSUER",
            "BATON_LOG",
            "CODEX_HOME",
            "XDG_DATA_HOME",
        ] {
            command.env_remove(name);
        }
        command
            .args(args)
            .env("BATON_DATA_DIR", self.data())
            .env("HOME", self.dir.path())
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        #[cfg(unix)]
        if let Some(keychain) = &self.keychain {
            command.env("DBUS_SESSION_BUS_ADDRESS", keychain.address());
        }
        command
    }

    /// Where a Baton in this process has its socket.
    #[cfg(unix)]
    fn reaching_this_process(&self, mut command: Command) -> Command {
        match std::env::var_os("XDG_RUNTIME_DIR") {
            Some(dir) => command.env("XDG_RUNTIME_DIR", dir),
            None => command.env_remove("XDG_RUNTIME_DIR"),
        };
        command
    }

    fn baton(&self, args: &[&str]) -> Done {
        Done(self.command(args).output().unwrap())
    }

    /// One that serves, once it says so.
    fn serve(&self) -> Serving {
        self.serve_with(&["serve", "--port", "0", "--json"])
    }

    fn serve_with(&self, args: &[&str]) -> Serving {
        Serving::of(self.command(args))
    }
}

/// A command that has ended.
struct Done(Output);

impl Done {
    fn status(&self) -> Option<i32> {
        self.0.status.code()
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    #[track_caller]
    fn fine(self) -> String {
        assert_eq!(self.status(), Some(0), "{}{}", self.stdout(), self.stderr());
        self.stdout()
    }

    #[track_caller]
    fn json(self) -> Value {
        serde_json::from_str(self.fine().trim()).unwrap()
    }

    /// What it says on stderr; it must say nothing else.
    #[track_caller]
    fn refused(self, status: i32) -> String {
        assert_eq!(self.status(), Some(status), "{}{}", self.stdout(), self.stderr());
        assert_eq!(self.stdout(), "");
        self.stderr()
    }
}

/// Ended when it is dropped.
struct Serving {
    child: Child,
    said: Value,
}

impl Serving {
    /// Once it says that it serves.
    fn of(mut serve: Command) -> Self {
        let mut child = serve
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = lines(child.stdout.take().unwrap());
        let first = lines.recv_timeout(SOON).expect("`serve` says where it listens");
        Self {
            child,
            said: serde_json::from_str(&first).unwrap(),
        }
    }

    fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + SOON;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() > until => panic!("`serve` doesn't end"),
                None => thread::yield_now(),
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Two accounts, added with a keychain in memory: Personal and Work.
fn with_accounts(data_dir: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut options = baton_engine::Options::from_env(Some(data_dir), Some(0)).unwrap();
        options.vault = Some(std::sync::Arc::new(baton_engine::vault::MemoryVault::new()));
        let engine = baton_engine::Engine::offline(options).await.unwrap();
        for label in ["Personal", "Work"] {
            engine
                .add_auth_json(auth_json(label).await.as_bytes(), label)
                .await
                .unwrap();
        }
        engine.shutdown().await;
    });
}

async fn auth_json(name: &str) -> String {
    let scenario = baton_sim::Scenario::new().account(baton_sim::AccountScript::new(name));
    baton_sim::Sim::start(scenario).await.account(name).auth_json()
}
