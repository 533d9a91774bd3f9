//! The self-test: a Codex CLI is run once through Baton on a simulated service, before the person's own goes that way.

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use baton_engine::{
    Engine, Options,
    codex::{self, Mode, Tried},
};
use baton_sim::{AccountScript, Scenario, Sim};
use serde_json::{Value, json};

use crate::{
    args::{ConnectArgs, Mode as Named},
    baton::absolute,
    error::Failure,
    installed::Cli,
    show::Out,
    simulated,
};

const LIMIT: Duration = Duration::from_secs(30);
const PROMPT: &str = "Say hello.";
/// The only account that Baton has in it.
const POOLED: &str = "pooled";
/// Of what the CLI said, when it didn't work.
const LINES: usize = 5;

/// How Codex is to be connected.
pub(crate) struct Verdict {
    pub(crate) mode: Mode,
    pub(crate) json: Value,
    /// What a person should know of it.
    pub(crate) text: Option<String>,
}

/// The mode that was asked for, else the first one in which the installed CLI works; an error where it works in none.
pub(crate) async fn mode(data_dir: &Path, args: &ConnectArgs, out: Out) -> Result<Verdict, Failure> {
    let modes = modes(args.mode);
    if args.no_self_test || args.homes.dry_run {
        return Ok(Verdict::untried(modes[0], None));
    }
    let Some(program) = program(args.codex.as_deref())? else {
        return Ok(Verdict::untried(
            modes[0],
            Some("there is no `codex` on the PATH (--codex names one)"),
        ));
    };
    try_modes(data_dir, program, &modes, out).await.map_err(|failure| {
        Failure::new(format!(
            "{failure}\nCodex was left alone. Another Codex is tried with --codex; --no-self-test connects without trying."
        ))
    })
}

fn modes(named: Option<Named>) -> Vec<Mode> {
    match named {
        Some(mode) => vec![mode.into()],
        None => vec![Mode::Default, Mode::Requests],
    }
}

/// `baton self-test`: whether the installed CLI works, in any mode if none is named. Asked by a Baton that a new version
/// has come to, or whose window is to connect one.
pub(crate) async fn run(data_dir: Option<&Path>, mode: Option<Named>, out: Out) -> Result<ExitCode, Failure> {
    let options = Options::from_env(data_dir, None)?;
    if let Some(program) = program(None)? {
        try_modes(&options.data_dir, program, &modes(mode), out).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn try_modes(data_dir: &Path, program: PathBuf, modes: &[Mode], out: Out) -> Result<Verdict, Failure> {
    let test = SelfTest::set_up(program).await?;
    let done = Box::pin(test.try_modes(modes, &Tried::of(data_dir), out)).await;
    test.clear().await;
    done
}

impl Verdict {
    fn untried(mode: Mode, why: Option<&str>) -> Self {
        Self {
            mode,
            json: json!({ "passed": null, "why": why }),
            text: why.map(|why| {
                format!("Whether Codex works through Baton could not be tried: {why}. It is connected all the same.")
            }),
        }
    }

    fn passed(cli: &codex::Cli, mode: Mode, failed: &[String]) -> Self {
        let text = failed.first().map(|why| {
            format!(
                "With everything through Baton, {} doesn't work ({why}). With its model requests alone it does, so these \
                 are connected: what it shows of limits is its own sign-in's.",
                cli.version
            )
        });
        Self {
            mode,
            json: json!({ "passed": true, "codex": cli.program, "version": cli.version, "failed": failed }),
            text,
        }
    }
}

/// The program that was named, else the one that a terminal would start.
fn program(named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let Some(named) = named else {
        return Ok(on_the_path(Path::new("codex")));
    };
    // As a shell has it: what has no folder is looked for.
    if named.components().count() > 1 {
        let path = absolute(named)?;
        if !is_program(&path) {
            return Err(Failure::new(format!("{} is no program", path.display())));
        }
        return Ok(Some(path));
    }
    match on_the_path(named) {
        Some(path) => Ok(Some(path)),
        None => Err(Failure::new(format!(
            "there is no `{}` on the PATH",
            named.display()
        ))),
    }
}

fn on_the_path(name: &Path) -> Option<PathBuf> {
    let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd"] } else { &[""] };
    let named = |folder: &Path, ending: &str| {
        let mut path = folder.join(name).into_os_string();
        path.push(ending);
        PathBuf::from(path)
    };
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .flat_map(|folder| endings.iter().map(move |ending| named(&folder, ending)))
        .find(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|known| known.is_file() && known.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// A simulated service with one account, a Baton that has it, and a CLI with a sign-in of its own.
struct SelfTest {
    program: PathBuf,
    sim: Sim,
    engine: Engine,
    folder: tempfile::TempDir,
}

impl SelfTest {
    async fn set_up(program: PathBuf) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("baton-self-test-")
            .tempdir()
            .map_err(|error| Failure::new(format!("no temporary folder can be made: {error}")))?;
        let sim = simulated::service(
            Scenario::new()
                .cli_account(AccountScript::new("own").backend_origin("https://chatgpt.com"))
                .account(AccountScript::new(POOLED)),
        )
        .await?;
        let engine = simulated::baton(&sim, &folder.path().join("baton")).await?;
        let sign_in = sim.account(POOLED).auth_json();
        engine.add_auth_json(sign_in.as_bytes(), POOLED).await?;
        Ok(Self {
            program,
            sim,
            engine,
            folder,
        })
    }

    async fn try_modes(&self, modes: &[Mode], tried: &Tried, out: Out) -> Result<Verdict, Failure> {
        let version = match self.home("version").await?.version().await {
            Ok(version) => version,
            Err(why) => {
                let why = format!("{} can't be used here ({why})", self.program.display());
                return Ok(Verdict::untried(modes[0], Some(&why)));
            }
        };
        let cli = codex::Cli {
            program: self.program.clone(),
            version,
        };
        let mut failed = Vec::new();
        for mode in modes {
            if tried.has_passed(&cli, *mode) {
                return Ok(Verdict::passed(&cli, *mode, &failed));
            }
            if !out.json {
                out.print(&format!(
                    "Trying {} with {} through Baton, on a simulated service: {} s at most ...",
                    cli.version,
                    what(*mode),
                    LIMIT.as_secs()
                ));
            }
            match self.problem(*mode).await? {
                None => {
                    if let Err(error) = tried.passed(&cli, *mode) {
                        tracing::warn!(%error, "the next `baton connect` tries this Codex again");
                    }
                    return Ok(Verdict::passed(&cli, *mode, &failed));
                }
                Some(why) => failed.push(why),
            }
        }
        let why = modes.iter().zip(&failed);
        let why: Vec<String> = why
            .map(|(mode, why)| format!("with {}, {why}", what(*mode)))
            .collect();
        Err(Failure::new(format!(
            "{} ({}) doesn't work through Baton. On a simulated service:\n{}",
            cli.version,
            cli.program.display(),
            why.join("\n")
        )))
    }

    /// Why the CLI doesn't work in this mode, if it doesn't.
    async fn problem(&self, mode: Mode) -> Result<Option<String>, Failure> {
        let cli = self.home(what(mode)).await?;
        let urls = self
            .engine
            .base_urls()
            .ok_or_else(|| Failure::new("the self-test's Baton doesn't listen"))?;
        cli.config().connect(&urls, mode)?.make()?;
        let (before, _) = self.served();
        let run = cli.exec(PROMPT, LIMIT).await?;
        let (served, past) = self.served();
        Ok(run.problem(LINES).or_else(|| {
            (served == before || past > 0)
                .then(|| "it got its answer, but its request didn't come through Baton".to_owned())
        }))
    }

    /// A new home of the CLI's. What doesn't go through Baton has the simulated service for chatgpt.com, by its other
    /// name: by the same one the CLI would refuse it (docs/protocol.md).
    async fn home(&self, name: &str) -> Result<Cli, Failure> {
        let home = self.folder.path().join(name.replace(' ', "-"));
        let cli = Cli::install(&self.program, &home, &self.sim.cli().auth_json()).await?;
        let base = self.sim.base_url().replace("127.0.0.1", "localhost");
        std::fs::write(
            home.join("config.toml"),
            format!("chatgpt_base_url = \"{base}/\"\n"),
        )
        .map_err(|error| Failure::new(format!("{} can't be used: {error}", home.display())))?;
        Ok(cli)
    }

    /// How many model requests were answered for Baton's account, and for the CLI's own.
    fn served(&self) -> (usize, usize) {
        let log = self.sim.log();
        (log.served_by(POOLED).len(), log.served_by("own").len())
    }

    async fn clear(self) {
        self.engine.shutdown().await;
        self.sim.shutdown().await;
    }
}

fn what(mode: Mode) -> &'static str {
    match mode {
        Mode::Default => "everything",
        Mode::Requests => "model requests",
        Mode::Provider => "a provider of its own",
    }
}
