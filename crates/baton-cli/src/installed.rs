//! An installed Codex CLI, run where nothing of the person's can be seen or touched: a home of its own, a cleaned
//! environment, and no way past loopback.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use baton_engine::codex::{ConfigFile, Owner};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
    time,
};

use crate::{error::Failure, serve::Signals};

/// What a program needs to start at all. Everything else could lead it elsewhere.
const KEPT: [&str; 12] = [
    "PATH",
    "PATHEXT",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "TEMP",
    "TMP",
    "TMPDIR",
    "TERM",
    "LANG",
    "LC_ALL",
];
const VERSION_LIMIT: Duration = Duration::from_secs(10);
/// Of a line that the CLI said.
const LINE: usize = 300;

pub(crate) struct Cli {
    program: PathBuf,
    home: PathBuf,
    /// Refuses everybody: what doesn't go to Baton goes nowhere.
    proxy: String,
}

impl Cli {
    /// Signed in with this auth.json. `home` is a folder that is there for this alone.
    pub(crate) async fn install(program: &Path, home: &Path, auth_json: &str) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("{} can't be used: {error}", home.display()));
        std::fs::create_dir_all(home).map_err(failed)?;
        std::fs::write(home.join("auth.json"), auth_json).map_err(failed)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let proxy = format!("http://{}", listener.local_addr().map_err(failed)?);
        tokio::spawn(refuse(listener));
        Ok(Self {
            program: program.to_path_buf(),
            home: home.to_path_buf(),
            proxy,
        })
    }

    pub(crate) fn config(&self) -> ConfigFile {
        // No other Baton knows this home.
        ConfigFile::of(&self.home, &Owner::of(&self.home))
    }

    /// What it says of itself, e.g. `codex-cli 0.169.0`; or why that isn't known.
    pub(crate) async fn version(&self) -> Result<String, String> {
        let mut command = self.command();
        let asked = run(command.arg("--version"), VERSION_LIMIT)
            .await
            .map_err(|error| format!("it can't be started: {error}"))?;
        let Some(status) = asked.status else {
            return Err("it doesn't say its version".to_owned());
        };
        let version = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        if !status.success() || version.is_empty() {
            return Err(format!(
                "asked for its version, it ended with {status}: {}",
                last_lines(&asked.stderr, 1)
            ));
        }
        Ok(version)
    }

    /// `codex exec` with this prompt. The only command that a simulated model asks for is `echo`.
    pub(crate) async fn exec(&self, prompt: &str, limit: Duration) -> Result<Exec, Failure> {
        let mut command = self.command();
        command.args([
            "exec",
            "--json",
            "--skip-git-repo-check",
            "--dangerously-bypass-approvals-and-sandbox",
            prompt,
        ]);
        let ran = run(&mut command, limit)
            .await
            .map_err(|error| Failure::new(format!("the Codex CLI can't be run: {error}")))?;
        Ok(Exec {
            status: ran.status,
            told: Told::read(&String::from_utf8_lossy(&ran.stdout)),
            stderr: ran.stderr,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let kept = KEPT
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.env_clear().envs(kept);
        for name in ["CODEX_HOME", "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"] {
            command.env(name, &self.home);
        }
        for (name, folder) in [
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_STATE_HOME", ".local/state"),
            ("XDG_CACHE_HOME", ".cache"),
        ] {
            command.env(name, self.home.join(folder));
        }
        for (name, value) in [
            ("HTTPS_PROXY", self.proxy.as_str()),
            ("HTTP_PROXY", &self.proxy),
            ("ALL_PROXY", &self.proxy),
            ("NO_PROXY", "127.0.0.1,localhost,::1"),
        ] {
            command.env(name, value).env(name.to_ascii_lowercase(), value);
        }
        command
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// What a program said, and how it ended, if it did in time.
struct Ran {
    status: Option<ExitStatus>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// A CLI that is a script leaves nothing behind that it has started.
async fn run(command: &mut Command, limit: Duration) -> io::Result<Ran> {
    // Files rather than pipes: what was said before the time was up is wanted, too.
    let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    #[cfg(unix)]
    command.process_group(0);
    let mut signals = Signals::new().map_err(|failure| io::Error::other(failure.to_string()))?;
    let mut child = command.spawn()?;
    let group = Group::of(&child);
    let status = tokio::select! {
        ended = time::timeout(limit, child.wait()) => ended.ok().transpose()?,
        // In a group of its own it hears no Ctrl-C.
        () = signals.next() => return Err(io::Error::new(io::ErrorKind::Interrupted, "it was broken off")),
    };
    drop(group);
    Ok(Ran {
        status,
        stdout: said(stdout)?,
        stderr: said(stderr)?,
    })
}

fn said(mut file: File) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut said)?;
    Ok(said)
}

struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    #[cfg(unix)]
    fn of(child: &tokio::process::Child) -> Self {
        let leader = child
            .id()
            .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        Self { leader }
    }

    #[cfg(not(unix))]
    fn of(_: &tokio::process::Child) -> Self {
        Self {}
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader {
            // Most often nobody is left.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// What came of a `codex exec`.
#[derive(Default)]
pub(crate) struct Exec {
    /// `None`: it did not end in time.
    status: Option<ExitStatus>,
    pub(crate) told: Told,
    stderr: Vec<u8>,
}

impl Exec {
    /// Why it did not end well, if it didn't, with so many lines of what it said last.
    pub(crate) fn problem(&self, lines: usize) -> Option<String> {
        let ended = match self.status {
            None => "it did not end in time".to_owned(),
            Some(status) if !status.success() => format!("it ended with {status}"),
            Some(_) if self.told.completed && self.told.messages > 0 => return None,
            Some(_) => "it ended without an answer".to_owned(),
        };
        let said = match &self.told.error {
            Some(error) => cut(error),
            None => last_lines(&self.stderr, lines),
        };
        Some(if said.is_empty() {
            ended
        } else {
            format!("{ended}: {said}")
        })
    }
}

/// What `codex exec --json` said.
#[derive(Default)]
pub(crate) struct Told {
    completed: bool,
    pub(crate) messages: usize,
    pub(crate) commands: usize,
    error: Option<String>,
}

impl Told {
    fn read(lines: &str) -> Self {
        let mut told = Self::default();
        for event in lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        {
            match (event["type"].as_str(), event["item"]["type"].as_str()) {
                (Some("turn.completed"), _) => told.completed = true,
                (Some("item.completed"), Some("agent_message")) => told.messages += 1,
                (Some("item.completed"), Some("command_execution")) => told.commands += 1,
                (Some("turn.failed" | "error"), _) => {
                    let message = event["error"]["message"].as_str().or(event["message"].as_str());
                    told.error = message.map(str::to_owned);
                }
                _ => {}
            }
        }
        told
    }
}

fn last_lines(said: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<String> = text.trim_end().lines().map(cut).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn cut(line: &str) -> String {
    line.chars().take(LINE).collect()
}

async fn refuse(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut asked = [0; 1024];
            let _ = stream.read(&mut asked).await;
            let _ = stream
                .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cli_prints_is_counted() {
        let told = Told::read(
            "{\"type\":\"thread.started\"}\nnot json\n\
             {\"type\":\"item.completed\",\"item\":{\"type\":\"command_execution\"}}\n\
             {\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\"}}\n{\"type\":\"turn.completed\"}\n",
        );
        assert!(told.completed && told.error.is_none());
        assert_eq!((told.messages, told.commands), (1, 1));
    }
}
