//! The plan with the real Codex CLI in place of the built-in client. It lives in real time, so the demo moves the
//! simulated clock on between its turns, and a few requests use an account up.

use std::{
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};

use baton_core::{Strategy, Timestamp};
use baton_engine::control::protocol::BaseUrls;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
    time,
};

use super::{
    FRAME, LONGEST_PAUSE, conclude, exit,
    live::Live,
    record::{Record, Span, Turn},
    scenario::{self, FIVE_HOURS},
    stage::{Folders, Stage},
    tray::Tray,
    verdict,
};
use crate::{args::DemoArgs, error::Failure, show::Out};

/// Requests that fit into an account's five hours.
const QUOTA: u32 = 4;
const TURN_LIMIT: Duration = Duration::from_secs(90);

/// What happens, one after the other. A turn with a tool call is two requests.
const SCRIPT: [Act; 9] = [
    Act::Turn {
        text: "hello",
        tools: 0,
    },
    Act::Turn {
        text: "look around [tool: echo looking]",
        tools: 1,
    },
    // So that the second account's five hours begin well after the first one's.
    Act::Later(Duration::from_secs(45 * 60)),
    // The first account runs out in mid-turn, after the tool call.
    Act::Turn {
        text: "go on [tool: echo going on]",
        tools: 1,
    },
    Act::Turn {
        text: "and now",
        tools: 0,
    },
    Act::Turn {
        text: "once more",
        tools: 0,
    },
    Act::FirstRecovers,
    // The second one runs out in mid-turn, and the first is back.
    Act::Turn {
        text: "finish it [tool: echo finishing]",
        tools: 1,
    },
    Act::Turn {
        text: "thank you",
        tools: 0,
    },
];

#[derive(Clone, Copy)]
enum Act {
    Turn {
        text: &'static str,
        tools: usize,
    },
    Later(Duration),
    /// To just after the first account's reset.
    FirstRecovers,
}

pub(super) async fn play(args: &DemoArgs, folders: &Folders, out: Out) -> Result<ExitCode, Failure> {
    let mut stage = Stage::set(
        Strategy::Sequential,
        scenario::for_codex(args.seed, QUOTA),
        folders.first(),
    )
    .await?;
    let tray = args
        .tray
        .as_deref()
        .map(|program| Tray::show(program, folders.first()))
        .transpose()?;
    let cli = Cli::install(&args.codex_bin, &folders.other("codex"), &stage).await?;
    let heading = format!(
        "Baton on two simulated accounts, with the Codex CLI ({})",
        cli.version().await?
    );
    let mut live = Live::new(out, heading);
    let clock = stage.sim.clock();
    let mut working = Box::pin(perform(&cli, &clock, stage.started));
    let mut frames = time::interval(FRAME);
    frames.set_missed_tick_behavior(time::MissedTickBehavior::Skip);
    let performed = loop {
        tokio::select! {
            done = &mut working => break done?,
            _ = frames.tick() => live.draw(&mut [&mut stage]).await?,
        }
    };
    let day = stage.now().since(stage.started);
    let mut record = Record::of(&mut stage, performed.turns, day, QUOTA).await?;
    record.skipped = performed.skipped;
    live.draw(&mut [&mut stage]).await?;
    drop(live);
    let steps = verdict::verdict(&record, LONGEST_PAUSE);
    let passed = conclude(&record, None, &steps, args, out)?;
    drop(tray);
    stage.clear().await;
    Ok(exit(passed))
}

struct Performed {
    turns: Vec<Turn>,
    skipped: Vec<Span>,
}

async fn perform(cli: &Cli, clock: &baton_sim::Clock, started: Timestamp) -> Result<Performed, Failure> {
    let now = || Timestamp::from_millis(clock.now_unix_millis());
    let mut turns: Vec<Turn> = Vec::new();
    let mut skipped = Vec::new();
    for act in SCRIPT {
        let from = now();
        match act {
            Act::Turn { text, tools } => turns.push(cli.turn(text, tools, from).await?),
            Act::Later(by) => clock.advance(by),
            // The first turn's first request may have come a moment after the start.
            Act::FirstRecovers => {
                let first = turns.get(1).map_or(started, |second| second.started);
                clock.advance((first + FIVE_HOURS).since(from));
            }
        }
        if !matches!(act, Act::Turn { .. }) {
            skipped.push((from, now()));
        }
    }
    Ok(Performed { turns, skipped })
}

/// An installed Codex with a home of its own, kept on loopback.
struct Cli {
    program: PathBuf,
    home: PathBuf,
    /// Refuses everybody: what doesn't go to Baton goes nowhere.
    proxy: String,
}

impl Cli {
    async fn install(program: &Path, home: &Path, stage: &Stage) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::new(format!("{} can't be used: {error}", home.display()));
        std::fs::create_dir_all(home).map_err(failed)?;
        let BaseUrls {
            openai_base_url,
            chatgpt_base_url,
        } = stage.base_urls()?;
        let config =
            format!("openai_base_url = {openai_base_url:?}\nchatgpt_base_url = {chatgpt_base_url:?}\n");
        std::fs::write(home.join("config.toml"), config).map_err(failed)?;
        std::fs::write(home.join("auth.json"), stage.sim.cli().auth_json()).map_err(failed)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let proxy = format!("http://{}", listener.local_addr().map_err(failed)?);
        tokio::spawn(refuse(listener));
        Ok(Self {
            program: program.to_path_buf(),
            home: home.to_path_buf(),
            proxy,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("CODEX_HOME", &self.home)
            .env("HOME", &self.home)
            .env_remove("OPENAI_API_KEY")
            .env_remove("CODEX_API_KEY")
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for (name, value) in [
            ("HTTPS_PROXY", self.proxy.as_str()),
            ("HTTP_PROXY", &self.proxy),
            ("ALL_PROXY", &self.proxy),
            ("NO_PROXY", "127.0.0.1,localhost,::1"),
        ] {
            command.env(name, value).env(name.to_ascii_lowercase(), value);
        }
        command
    }

    async fn version(&self) -> Result<String, Failure> {
        let asked = self.command().arg("--version").output().await.map_err(|error| {
            Failure::new(format!(
                "{} can't be started ({error}); install the Codex CLI, or name it with --codex-bin",
                self.program.display()
            ))
        })?;
        Ok(String::from_utf8_lossy(&asked.stdout).trim().to_owned())
    }

    async fn turn(&self, text: &str, tools: usize, started: Timestamp) -> Result<Turn, Failure> {
        let mut command = self.command();
        // The only command it is asked to run is `echo`.
        command.args([
            "exec",
            "--json",
            "--skip-git-repo-check",
            "--dangerously-bypass-approvals-and-sandbox",
            text,
        ]);
        let run = match time::timeout(TURN_LIMIT, command.output()).await {
            Ok(run) => run.map_err(|error| Failure::new(format!("the Codex CLI can't be run: {error}")))?,
            Err(_) => {
                return Ok(Turn {
                    started,
                    lost: Some("it did not end in time".to_owned()),
                    repeated: 0,
                });
            }
        };
        let told = Told::read(&String::from_utf8_lossy(&run.stdout));
        let lost = (!run.status.success() || !told.completed || told.messages == 0).then(|| {
            let last = told.error.unwrap_or_else(|| {
                let text = String::from_utf8_lossy(&run.stderr);
                text.lines().last().unwrap_or_default().to_owned()
            });
            format!("the CLI ended with {}: {last}", run.status)
        });
        let repeated = told.messages.saturating_sub(1) + told.commands.saturating_sub(tools);
        Ok(Turn {
            started,
            lost,
            repeated,
        })
    }
}

/// What `codex exec --json` said.
#[derive(Default)]
struct Told {
    completed: bool,
    messages: usize,
    commands: usize,
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
