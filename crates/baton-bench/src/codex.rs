//! `codex exec`: the real CLI from its start to its end, straight to the simulated backend and through Baton.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{net::TcpSocket, process::Command};
use url::Url;

use crate::{
    Result,
    process::{self, Part},
    proxies,
    report::{Report, micros, times},
    run::median,
};

/// Of each way.
const ROUNDS: usize = 15;
const AIM: f64 = 1.02;
/// It takes a second or two; one that takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    report.heading(
        "`codex exec`, the real CLI from its start to its end, with an answer at once",
        &[
            "",
            "direct",
            "through Baton",
            "of direct",
            "the CLI's processor time, direct",
            "through Baton",
            "Baton's own",
        ],
    );
    let Some(program) = installed() else {
        eprintln!("codex exec isn't measured: `scripts/setup bench` installs the CLI");
        let mut cells = vec!["not measured: no Codex CLI is installed".to_owned()];
        cells.resize(7, String::new());
        report.row(&cells);
        return Ok(());
    };
    for (name, flag) in [("WebSocket", None), ("HTTP", Some("--http-only"))] {
        eprintln!("measuring codex exec on {name}");
        let [direct, baton] = take_turns(&program, flag).await?;
        let ratio = median(&baton.seconds) / median(&direct.seconds);
        let met = ratio <= AIM;
        let aim = report.aim(&format!("codex exec, {name}"), met, "≤ 1.02 ×", &times(ratio));
        let wall = |way: &Measured| micros(Duration::from_secs_f64(median(&way.seconds)));
        let each = |time: Duration| micros(time / ROUNDS as u32);
        report.row(&[
            name.to_owned(),
            wall(&direct),
            wall(&baton),
            format!("{} ({aim})", times(ratio)),
            each(direct.processor),
            each(baton.processor),
            each(baton.proxy),
        ]);
    }
    Ok(())
}

/// The one that set-up installed: where it says, or the newest in its place.
fn installed() -> Option<PathBuf> {
    let folders = match std::env::var_os("BATON_CODEX_DIR") {
        Some(folder) => vec![folder.into()],
        None => {
            let cache = PathBuf::from(std::env::var_os("HOME")?).join(".cache/baton");
            let entries = std::fs::read_dir(cache).ok()?.flatten();
            let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
            folders.sort();
            folders
        }
    };
    let programs = folders
        .iter()
        .rev()
        .map(|folder| folder.join("node_modules/.bin/codex"));
    programs.into_iter().find(|program| program.exists())
}

/// Of one way, over all rounds.
#[derive(Default)]
struct Measured {
    seconds: Vec<f64>,
    /// The CLI's processes together.
    processor: Duration,
    proxy: Duration,
}

async fn take_turns(program: &Path, flag: Option<&str>) -> Result<[Measured; 2]> {
    let dir = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
    let folder = dir.path().to_string_lossy();
    // The CLI talks http to this origin only where the backend says so, as Baton does in its place.
    let mut args = vec![
        "--accounts=1",
        "--five-hours=0",
        "--weekly=0",
        "--json",
        "--auth-dir",
        &folder,
    ];
    args.extend(["--backend-origin", "https://chatgpt.com"]);
    args.extend(flag);
    // It lies beside this one.
    let backend = Part::start(&std::env::current_exe()?.with_file_name("baton-sim"), &args).await?;
    let said: serde_json::Value = serde_json::from_str(&backend.said)?;
    let base = said["base_url"].as_str().ok_or("the backend says no base URL")?;
    let upstream = Url::parse(base)?.authority().to_owned();
    let baton = proxies::baton_of(&upstream, &dir.path().join("acct-a")).await?;
    let part = baton.part.as_ref().ok_or("Baton is a process")?;
    let sign_in = std::fs::read_to_string(dir.path().join("acct-cli/auth.json"))?;
    // Nobody answers there: what would leave this machine fails at once.
    let nobody = TcpSocket::new_v4()?;
    nobody.bind(([127, 0, 0, 1], 0).into())?;
    let outside = format!("http://{}", nobody.local_addr()?);
    let cli = |name, base: &str| Cli::new(program, &dir.path().join(name), &outside, base, &sign_in);
    let ways = [
        cli("direct", base)?,
        cli("baton", part.said.trim_end_matches("/codex"))?,
    ];
    for way in &ways {
        way.exec().await?;
    }
    let mut all = <[Measured; 2]>::default();
    for round in 0..ROUNDS {
        // Whoever goes first finds the machine as the one before left it.
        for index in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let before = (process::children()?, part.processor()?);
            all[index].seconds.push(ways[index].exec().await?.as_secs_f64());
            all[index].processor += process::children()?.saturating_sub(before.0);
            all[index].proxy += part.processor()?.saturating_sub(before.1);
        }
    }
    Ok(all)
}

/// A CLI with a home of its own.
struct Cli {
    program: PathBuf,
    home: PathBuf,
    outside: String,
}

impl Cli {
    fn new(program: &Path, home: &Path, outside: &str, base: &str, sign_in: &str) -> Result<Self> {
        let codex = home.join(".codex");
        std::fs::create_dir_all(&codex)?;
        std::fs::write(codex.join("auth.json"), sign_in)?;
        // Two origins, as docs/protocol.md says.
        let other = base.replacen("127.0.0.1", "localhost", 1);
        let config = format!("openai_base_url = \"{base}/codex\"\nchatgpt_base_url = \"{other}/\"\n");
        std::fs::write(codex.join("config.toml"), config)?;
        Ok(Self {
            program: program.to_owned(),
            home: home.to_owned(),
            outside: outside.to_owned(),
        })
    }

    /// From its start to its end.
    async fn exec(&self) -> Result<Duration> {
        let mut command = Command::new(&self.program);
        command
            .args(["exec", "--json", "--skip-git-repo-check", "hello"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("CODEX_HOME", self.home.join(".codex"))
            .env("TERM", "xterm")
            .envs(["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, &self.outside)))
            .env("NO_PROXY", "127.0.0.1,localhost,::1")
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let started = Instant::now();
        let ended = tokio::time::timeout(DEADLINE, command.output()).await??;
        let taken = started.elapsed();
        let out = String::from_utf8_lossy(&ended.stdout);
        if ended.status.success() && out.contains("Answer to: hello") {
            Ok(taken)
        } else {
            let err = String::from_utf8_lossy(&ended.stderr);
            Err(format!("codex exec: {}\n{out}{err}", ended.status).into())
        }
    }
}
