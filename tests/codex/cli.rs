//! The real Codex CLI as a child: its folder, its command line, what it said.

use std::{
    ffi::OsStr,
    fmt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use baton_engine::{codex::TESTED, control::protocol::BaseUrls};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::Semaphore,
};

use crate::{
    child::{Group, spawn},
    outside::Outside,
};

/// A CLI that takes longer hangs, whatever it waits for. The slowest story has a CLI wait for a few seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// A CLI is four threads of work and 150 MB while it starts.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// The CLI that `scripts/setup test` installed, or the one that `BATON_TEST_CODEX` names.
pub(crate) fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("BATON_TEST_CODEX") {
        return named.into();
    }
    let folder = std::env::var_os("BATON_CODEX_DIR")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            let cache = std::env::var_os("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
                .expect("a home folder");
            cache.join(format!("baton/codex-{TESTED}"))
        });
    let program = folder.join("node_modules/.bin/codex");
    assert!(
        program.exists(),
        "there is no Codex CLI {TESTED} at {}: `scripts/setup test` installs it",
        program.display()
    );
    program
}

/// A `CODEX_HOME` of its own, connected to a Baton, with a folder to work in. Nothing of the person's is seen.
#[derive(Debug)]
pub(crate) struct Codex {
    home: TempDir,
    outside: Outside,
    issuer: Option<String>,
}

impl Codex {
    /// Signed in with this auth.json, with Baton's base URLs in its configuration.
    pub(crate) async fn connected(auth_json: &str, urls: &BaseUrls) -> Self {
        let BaseUrls {
            openai_base_url,
            chatgpt_base_url,
        } = urls;
        let config =
            format!("openai_base_url = \"{openai_base_url}\"\nchatgpt_base_url = \"{chatgpt_base_url}\"\n");
        Self::with(auth_json, &config).await
    }

    pub(crate) async fn with(auth_json: &str, config: &str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        for folder in ["codex", "work"] {
            std::fs::create_dir(home.path().join(folder)).expect("a folder");
        }
        std::fs::write(home.path().join("codex/auth.json"), auth_json).expect("an auth.json");
        std::fs::write(home.path().join("codex/config.toml"), config).expect("a config.toml");
        Self {
            home,
            outside: Outside::start().await,
            issuer: None,
        }
    }

    /// It renews its own sign-in there, rather than with the real service, which it can't reach.
    pub(crate) fn renewing_at(mut self, token_url: String) -> Self {
        self.issuer = Some(token_url);
        self
    }

    /// Its own sign-in, as it is now.
    pub(crate) fn auth_json(&self) -> String {
        std::fs::read_to_string(self.folder().join("auth.json")).expect("an auth.json")
    }

    /// The folder it works in.
    pub(crate) fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// Its `CODEX_HOME`.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("codex")
    }

    /// Its config.toml, as it is now.
    pub(crate) fn config(&self) -> String {
        std::fs::read_to_string(self.folder().join("config.toml")).expect("a config.toml")
    }

    /// Starts `codex` with these arguments; to be ended by [`Running::end`].
    pub(crate) async fn start<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Running {
        let turn = AT_ONCE.acquire().await.expect("never closed");
        let mut command = self.command();
        command.args(args).stdin(Stdio::null());
        let (mut child, group) = spawn(&mut command, "@openai/codex");
        let (mut out, mut err) = (
            child.stdout.take().expect("piped"),
            child.stderr.take().expect("piped"),
        );
        let stdout = tokio::spawn(async move {
            let mut text = String::new();
            let _ = out.read_to_string(&mut text).await;
            text
        });
        let stderr = tokio::spawn(async move {
            let mut text = String::new();
            let _ = err.read_to_string(&mut text).await;
            text
        });
        Running {
            child,
            group,
            stdout,
            stderr,
            started: Instant::now(),
            _turn: turn,
        }
    }

    /// `codex exec` with a prompt, to its end.
    pub(crate) async fn exec(&self, prompt: &str) -> Run {
        self.start(exec().iter().copied().chain([prompt]))
            .await
            .end()
            .await
    }

    /// `codex exec` as a person calls it, whose output is no JSON.
    pub(crate) async fn exec_as_text(&self, prompt: &str) -> Run {
        let args = exec()
            .iter()
            .copied()
            .filter(|arg| *arg != "--json")
            .chain([prompt]);
        self.start(args).await.end().await
    }

    /// `codex exec resume`, to its end. `which` is a session's id, or `--last`.
    pub(crate) async fn resume(&self, which: &str, prompt: &str) -> Run {
        self.start(exec().iter().copied().chain(["resume", which, prompt]))
            .await
            .end()
            .await
    }

    /// The sessions that it lists where a person picks one to go on with: their ids, sorted.
    pub(crate) async fn sessions(&self) -> Vec<String> {
        let _turn = AT_ONCE.acquire().await.expect("never closed");
        let mut command = self.command();
        command
            .arg("app-server")
            .stdin(Stdio::piped())
            .stderr(Stdio::null());
        let (mut child, _group) = spawn(&mut command, "@openai/codex");
        let mut asking = child.stdin.take().expect("piped");
        for message in [
            json!({ "id": 1, "method": "initialize", "params": { "clientInfo": { "name": "t", "version": "1" } } }),
            json!({ "method": "initialized" }),
            json!({ "id": 2, "method": "thread/list", "params": { "sourceKinds": ["exec"] } }),
        ] {
            asking
                .write_all(format!("{message}\n").as_bytes())
                .await
                .expect("it reads");
        }
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let listed = async {
            loop {
                let line = lines.next_line().await.expect("readable").expect("an answer");
                let said: Value = serde_json::from_str(&line).expect("JSON");
                if said["id"] == 2 {
                    break said["result"]["data"].clone();
                }
            }
        };
        let listed = tokio::time::timeout(DEADLINE, listed)
            .await
            .expect("an answer in time");
        let listed = listed.as_array().expect("a list").iter();
        let mut sessions: Vec<String> = listed
            .filter_map(|session| session["id"].as_str().map(str::to_owned))
            .collect();
        sessions.sort();
        sessions
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program());
        command
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("CODEX_HOME", self.folder())
            .env("TERM", "xterm")
            .envs(self.outside.environment())
            .envs(
                self.issuer
                    .as_ref()
                    .map(|url| ("CODEX_REFRESH_TOKEN_URL_OVERRIDE", url)),
            )
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Everywhere that it wanted to go past Baton.
    pub(crate) fn attempts(&self) -> Vec<String> {
        self.outside.attempts()
    }
}

/// `codex exec` as the tests call it: events as JSON lines; commands run without its own sandbox, which doesn't work
/// inside most containers.
pub(crate) fn exec() -> &'static [&'static str] {
    &[
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
    ]
}

/// A CLI at work.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    group: Group,
    stdout: tokio::task::JoinHandle<String>,
    stderr: tokio::task::JoinHandle<String>,
    started: Instant,
    _turn: tokio::sync::SemaphorePermit<'static>,
}

impl Running {
    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Run {
        let ended = tokio::time::timeout(DEADLINE, self.child.wait()).await;
        let took = self.started.elapsed();
        // What it left behind would keep its pipes open.
        drop(self.group);
        let (stdout, stderr) = (
            self.stdout.await.expect("no panic"),
            self.stderr.await.expect("no panic"),
        );
        match ended {
            Ok(status) => Run::new(status.expect("it can be waited for"), stdout, stderr, took),
            Err(_) => panic!("the CLI still runs after {DEADLINE:?}\nstdout:\n{stdout}\nstderr:\n{stderr}"),
        }
    }
}

/// What came of a `codex exec --json`; shown as it would be on a screen.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The session, to be resumed.
    pub(crate) session: String,
    /// Every message of the model, in full.
    pub(crate) messages: Vec<String>,
    /// Every command that was run, with what it printed.
    pub(crate) commands: Vec<(String, String)>,
    /// Every error that the person saw, passing ones included.
    pub(crate) errors: Vec<String>,
}

impl Run {
    fn new(status: ExitStatus, stdout: String, stderr: String, took: Duration) -> Self {
        let mut run = Self {
            status,
            took,
            stdout: String::new(),
            stderr,
            session: String::new(),
            messages: Vec::new(),
            commands: Vec::new(),
            errors: Vec::new(),
        };
        for event in stdout
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        {
            run.read(&event);
        }
        run.stdout = stdout;
        run
    }

    /// The turn went well, and the person saw one answer and nothing else: no error, no reconnecting.
    pub(crate) fn answered(&self, answer: &str) {
        self.answered_in_the_end(answer);
        assert!(self.errors.is_empty(), "{self}");
        assert!(!self.speaks_of_reconnecting(), "{self}");
    }

    /// The turn went well, whatever the person saw meanwhile.
    pub(crate) fn answered_in_the_end(&self, answer: &str) {
        assert!(self.status.success(), "{self}");
        assert_eq!(self.messages, [answer], "{self}");
    }

    pub(crate) fn speaks_of_reconnecting(&self) -> bool {
        [&self.stdout, &self.stderr]
            .iter()
            .any(|text| text.to_lowercase().contains("reconnect"))
    }

    fn read(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let item = &event["item"];
        match (
            event["type"].as_str().unwrap_or_default(),
            item["type"].as_str().unwrap_or_default(),
        ) {
            ("thread.started", _) => self.session = text(&event["thread_id"]),
            ("item.completed", "agent_message") => self.messages.push(text(&item["text"])),
            ("item.completed", "command_execution") => {
                self.commands
                    .push((text(&item["command"]), text(&item["aggregated_output"])));
            }
            ("item.completed", "error") => self.errors.push(text(&item["message"])),
            ("error", _) => self.errors.push(text(&event["message"])),
            ("turn.failed", _) => self.errors.push(text(&event["error"]["message"])),
            _ => {}
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            took,
            stdout,
            stderr,
            ..
        } = self;
        write!(
            f,
            "{status} after {took:?}\n--- stdout\n{stdout}--- stderr\n{stderr}"
        )
    }
}
