//! `baton doctor`: what a running Baton says of itself, and what of this shell decides where a Codex started here goes.

use std::{
    env,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};

use baton_engine::{
    Options,
    codex::{self, Owner, Record},
    control::protocol::{BaseUrls, Command, Reply},
    doctor::{Check, CheckId, Outcome, Subject},
    store::private::Private,
};
use serde_json::json;
use tokio::{process, time};

use crate::{
    baton::{Baton, unexpected},
    codex::known_homes,
    error::Failure,
    show::{self, Out},
};

/// A CLI that takes longer than this to name its version isn't waited for.
const NAMED_WITHIN: Duration = Duration::from_secs(10);

pub(crate) async fn run(
    data_dir: Option<&Path>,
    account: Option<String>,
    out: Out,
) -> Result<ExitCode, Failure> {
    let only_account = account.is_some();
    let options = Options::from_env(data_dir, None)?;
    let (mut checks, running) = match Box::pin(asked(data_dir, account)).await {
        Ok(asked) => asked,
        Err(failure) if only_account => return Err(failure),
        // Codex can be looked at all the same.
        Err(failure) => (vec![broken(&failure)], None),
    };
    if !only_account {
        checks.extend(codex(&options, running.as_ref()).await?);
    }
    let problems = checks
        .iter()
        .filter(|check| check.outcome == Outcome::Problem)
        .count();
    if out.json {
        out.print_json(&json!({ "checks": checks, "problems": problems }));
    } else {
        out.print(&show::doctor(&checks, out.style));
    }
    Ok(if problems == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What Baton finds, and the base URLs of one that runs.
async fn asked(
    data_dir: Option<&Path>,
    account: Option<String>,
) -> Result<(Vec<Check>, Option<BaseUrls>), Failure> {
    let mut baton = Box::pin(Baton::find(data_dir)).await?;
    let answered = async {
        let checks = match baton.call(Command::Doctor { account }).await? {
            Reply::Checks { checks } => checks,
            other => return Err(unexpected(&other)),
        };
        Ok((checks, baton.snapshot().await?.base_urls))
    };
    let answered = answered.await;
    // Nothing of it has to be kept.
    let _ = baton.close().await;
    answered
}

fn broken(failure: &Failure) -> Check {
    Check::new(
        CheckId::Baton,
        Subject::Machine,
        Outcome::Problem,
        format!("Baton can't be asked, nor started as it is: {failure}."),
    )
}

/// Of every Codex that is known. `running`: the base URLs of a Baton that runs.
async fn codex(options: &Options, running: Option<&BaseUrls>) -> Result<Vec<Check>, Failure> {
    let owner = Owner::of(&options.data_dir);
    let record = Record::open(&options.data_dir).list();
    let mut homes = known_homes(options, &record)?;
    // A Codex that another shell or the desktop starts.
    let usual = env::home_dir()
        .map(|home| home.join(".codex"))
        .filter(|usual| usual.is_dir());
    homes.extend(usual.filter(|usual| !homes.contains(usual)));
    let last = || Private::last_base_urls(&options.data_dir).ok().flatten();
    let urls = running.cloned().or_else(last);
    let mut checks = Vec::new();
    for path in &homes {
        let home = codex::Home {
            path,
            owner: &owner,
            urls: urls.as_ref(),
            running: running.is_some(),
            to_be_connected: record.iter().any(|known| known.home == *path),
        };
        checks.extend(home.checks());
    }
    checks.extend(codex::managed(Path::new(codex::MANAGED)));
    if let Ok(here) = env::current_dir() {
        checks.extend(codex::projects(&here, &homes));
    }
    let var = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    // The one that this shell's Codex reads comes first.
    let own = options.codex_homes.first().cloned().unwrap_or_else(PathBuf::new);
    checks.extend(codex::environment(&own, var));
    checks.push(codex::installed(version().await.as_deref()));
    Ok(checks)
}

/// What `codex --version` says here.
async fn version() -> Option<String> {
    let asked = process::Command::new("codex")
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = time::timeout(NAMED_WITHIN, asked).await.ok()?.ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
