//! `baton connect` and `baton disconnect`. Codex's files are changed here, so that it works whether or not Baton runs.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
};

use baton_engine::{
    Options,
    codex::{self, Change, Connected, Mode, Owner, Record},
    control::{
        client::{Client, ConnectError},
        protocol::{BaseUrls, Command, Reply},
    },
    store::private::Private,
};
use serde_json::{Value, json};

use crate::{
    args::{ConnectArgs, HomeArgs},
    baton::{absolute, unexpected},
    error::Failure,
    self_test::{self, Verdict},
    show::{Out, diff},
};

pub(crate) async fn connect(
    data_dir: Option<&Path>,
    args: &ConnectArgs,
    out: Out,
) -> Result<ExitCode, Failure> {
    let options = Options::from_env(data_dir, None)?;
    let homes = homes(&args.homes, &options)?;
    let (urls, running) = base_urls(&options.data_dir).await?;
    let Verdict {
        mode,
        json: self_test,
        text,
    } = self_test::mode(&options.data_dir, args, out).await?;
    if let Some(text) = text.filter(|_| !out.json) {
        out.print(&text);
    }
    let record = Record::open(&options.data_dir);
    let told = each(&homes, out, |home| connect_one(&record, home, &urls, mode, args));
    drop(record);
    tell_baton(&options.data_dir, args.homes.dry_run).await;
    if out.json {
        out.print_json(&json!({
            "running": running,
            "dry_run": args.homes.dry_run,
            "self_test": self_test,
            "homes": told.done,
        }));
    } else if !running && !args.homes.dry_run && !told.done.is_empty() {
        out.print(
            "Baton isn't running, and until it does Codex finds nobody there: start it with `baton serve`.",
        );
    }
    told.end()
}

pub(crate) async fn disconnect(
    data_dir: Option<&Path>,
    args: &HomeArgs,
    out: Out,
) -> Result<ExitCode, Failure> {
    let options = Options::from_env(data_dir, None)?;
    let record = Record::open(&options.data_dir);
    let homes = if args.homes.is_empty() {
        known_homes(&options, &record.list())?
    } else {
        homes(args, &options)?
    };
    let told = each(&homes, out, |home| disconnect_one(&record, home, args.dry_run));
    drop(record);
    tell_baton(&options.data_dir, args.dry_run).await;
    if out.json {
        out.print_json(&json!({ "dry_run": args.dry_run, "homes": told.done }));
    }
    told.end()
}

/// What its screens show of Codex has changed. Where none runs, nobody has to know.
async fn tell_baton(data_dir: &Path, dry_run: bool) {
    if dry_run {
        return;
    }
    if let Ok(mut client) = Client::connect(data_dir).await {
        // The files are as they were asked to be, whatever it says.
        let _ = client.call(Command::LookAtCodex).await;
    }
}

/// Where a Codex of this person's goes.
pub(crate) struct Way {
    config: PathBuf,
    /// How it is connected, if it is; or why nobody knows.
    mode: Result<Option<Mode>, String>,
    /// Than this one.
    another: Option<Owner>,
}

/// Of every Codex that is known.
pub(crate) fn ways(data_dir: Option<&Path>) -> Result<Vec<Way>, Failure> {
    let options = Options::from_env(data_dir, None)?;
    let record = Record::open(&options.data_dir);
    let way = |home: PathBuf| {
        let file = record.file(&home);
        Way {
            config: file.path().to_path_buf(),
            mode: file.connected().map_err(|error| error.to_string()),
            another: file.connected_by_another().ok().flatten(),
        }
    };
    Ok(known_homes(&options, &record.list())?
        .into_iter()
        .map(way)
        .collect())
}

impl Way {
    pub(crate) fn text(&self) -> String {
        let config = self.config.display();
        if let (Ok(None), Some(another)) = (&self.mode, &self.another) {
            return codex::another_baton(config, another);
        }
        match &self.mode {
            Ok(Some(Mode::Default)) => format!("Codex goes through Baton ({config})."),
            Ok(Some(Mode::Requests)) => format!("Codex's model requests go through Baton ({config})."),
            Ok(Some(Mode::Provider)) => {
                format!("Codex goes through Baton as a provider of its own ({config}).")
            }
            Ok(None) => {
                format!("Codex goes its own way ({config}): `baton connect` lets it go through Baton.")
            }
            Err(why) => format!("Where Codex goes isn't known: {why}."),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "config": self.config,
            "mode": self.mode.as_ref().ok(),
            "another_baton": self.another.is_some(),
            "error": self.mode.as_ref().err(),
        })
    }
}

/// Codex's own, and every other that is to be connected.
pub(crate) fn known_homes(options: &Options, recorded: &[Connected]) -> Result<Vec<PathBuf>, Failure> {
    let recorded = recorded.iter().map(|known| known.home.clone());
    unique(options.codex_homes.iter().cloned().chain(recorded))
}

fn unique(homes: impl Iterator<Item = PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    let homes: Result<BTreeSet<_>, _> = homes.map(|home| absolute(&home)).collect();
    Ok(homes?.into_iter().collect())
}

/// What came of one home: for programs, and for people.
struct Outcome {
    json: Value,
    text: String,
}

#[derive(Default)]
struct Told {
    done: Vec<Value>,
    failed: Vec<String>,
}

impl Told {
    fn end(self) -> Result<ExitCode, Failure> {
        if self.failed.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        Err(Failure::new(self.failed.join("\n")))
    }
}

/// A home that can't be changed keeps none of the others from it.
fn each(homes: &[PathBuf], out: Out, act: impl Fn(&Path) -> Result<Outcome, Failure>) -> Told {
    let mut told = Told::default();
    for home in homes {
        match act(home) {
            Ok(Outcome { json, text }) => {
                told.done.push(json);
                if !out.json {
                    out.print(&text);
                }
            }
            Err(failure) => told.failed.push(failure.to_string()),
        }
    }
    told
}

fn connect_one(
    record: &Record,
    home: &Path,
    urls: &BaseUrls,
    mode: Mode,
    args: &ConnectArgs,
) -> Result<Outcome, Failure> {
    let change = codex::connecting(record, home, urls, mode, args.take_over)?;
    let mut json = json!({ "home": home, "config": change.path, "mode": mode, "changed": change.changes() });
    if args.homes.dry_run {
        return Ok(shown(json, &change));
    }
    let made = codex::connect_home(record, home, mode, change)?;
    let text = made.told();
    json["warnings"] = made.warnings.into();
    Ok(Outcome { json, text })
}

fn disconnect_one(record: &Record, home: &Path, dry_run: bool) -> Result<Outcome, Failure> {
    let outcome =
        |change: &Change| json!({ "home": home, "config": change.path, "changed": change.changes() });
    if dry_run {
        let change = record.file(home).disconnect()?;
        return Ok(shown(outcome(&change), &change));
    }
    let made = codex::disconnect_home(record, home)?;
    Ok(Outcome {
        json: outcome(&made.change),
        text: made.told(),
    })
}

fn shown(mut json: Value, change: &Change) -> Outcome {
    let diff = diff(&change.path, change.before.as_deref(), change.after.as_deref());
    let text = if change.changes() {
        diff.clone()
    } else {
        format!("Nothing would change in {}.", change.path.display())
    };
    json["diff"] = diff.into();
    Outcome { json, text }
}

/// Those that are named, else Codex's own.
fn homes(args: &HomeArgs, options: &Options) -> Result<Vec<PathBuf>, Failure> {
    let homes = if args.homes.is_empty() {
        &options.codex_homes
    } else {
        &args.homes
    };
    let homes = unique(homes.iter().cloned())?;
    if homes.is_empty() {
        return Err(Failure::new(
            "there is no home folder to find Codex's in: name it with --home",
        ));
    }
    Ok(homes)
}

/// Of the running Baton, else of the last one; and whether one runs.
async fn base_urls(data_dir: &Path) -> Result<(BaseUrls, bool), Failure> {
    match Client::connect(data_dir).await {
        Ok(mut client) => match client.call(Command::Status).await? {
            Reply::Status { snapshot } => {
                let urls = snapshot.base_urls;
                let urls = urls.ok_or_else(|| Failure::new("Baton is just starting: try again"))?;
                Ok((urls, true))
            }
            other => Err(unexpected(&other)),
        },
        Err(ConnectError::NotRunning) => {
            let known = Private::last_base_urls(data_dir).map_err(|error| Failure::new(error.to_string()))?;
            let urls = known.ok_or_else(|| {
                Failure::new(
                    "Baton has never run here, so there is nothing to connect Codex to: start it with `baton serve`, then \
                     try again",
                )
            })?;
            Ok((urls, false))
        }
        Err(error) => Err(error.into()),
    }
}
