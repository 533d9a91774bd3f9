//! `baton doctor`, with and without a running Baton. There is no keychain here, and no `codex` but the one a story makes.

use std::{fs, process::Command, sync::Arc};

use baton_engine::{Engine, Options, vault::MemoryVault};
use baton_sim::{AccountScript, Scenario, Sim, WindowScript};
use serde_json::Value;

use super::{Done, Place, with_accounts};

impl Place {
    /// With a PATH of just what stands in `bin`, and nothing of this machine's that would lead past Baton.
    fn doctor(&self, args: &[&str]) -> Command {
        let mut command = self.command(&[["doctor"].as_slice(), args].concat());
        for name in [
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
            "CODEX_API_KEY",
            "CODEX_ACCESS_TOKEN",
            "OPENAI_BASE_URL",
        ] {
            command.env_remove(name);
        }
        command.env("PATH", self.path("bin"));
        command
    }
}

fn done(mut command: Command) -> Done {
    Done(command.output().unwrap())
}

/// Of `--json`, with the exit status.
fn found(command: Command) -> (Option<i32>, Vec<Value>) {
    let done = done(command);
    let json: Value = serde_json::from_str(done.stdout().trim()).unwrap();
    (done.status(), json["checks"].as_array().unwrap().clone())
}

#[track_caller]
fn one<'a>(checks: &'a [Value], id: &str, outcome: &str) -> &'a str {
    let found: Vec<_> = checks
        .iter()
        .filter(|check| check["id"] == id && check["outcome"] == outcome)
        .collect();
    assert_eq!(found.len(), 1, "{id} {outcome}: {checks:?}");
    found[0]["said"].as_str().unwrap()
}

#[test]
fn without_a_running_baton_that_comes_first_and_what_can_be_checked_is() {
    let place = Place::new();
    with_accounts(&place.data());
    fs::create_dir(place.path(".codex")).unwrap();
    let done = done(place.doctor(&[]));
    assert_eq!((done.status(), done.stderr()), (Some(1), String::new()));
    let said = done.stdout();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "Baton");
    assert!(lines[1].starts_with("  ! Baton isn't running"), "{said}");
    assert!(
        lines[2].starts_with("    → Start it with `baton serve`"),
        "{said}"
    );
    for line in [
        "\nPersonal\n  ✓ Eligible.",
        "\nWork\n",
        "\nCodex\n  · Codex goes its own way (",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(
        said.contains("! The keychain can't be used: there is no keychain service."),
        "{said}"
    );
    assert!(
        said.contains("Usage wasn't asked for: Baton isn't running."),
        "{said}"
    );
    assert!(
        said.contains("· There is no `codex` in this shell's PATH"),
        "{said}"
    );
    assert!(lines.last().unwrap().starts_with("2 problems (!), "), "{said}");
}

#[test]
fn settings_that_cant_be_read_keep_nobody_from_looking_at_codex() {
    let place = Place::new();
    fs::create_dir_all(place.data()).unwrap();
    fs::write(place.data().join("settings.toml"), "strategy = \"fastest\"\n").unwrap();
    let (status, checks) = found(place.doctor(&["--json"]));
    assert_eq!(status, Some(1));
    assert!(one(&checks, "baton", "problem").contains("settings.toml, line 1"));
    one(&checks, "config", "note");
    let said = done(place.doctor(&["Work"])).refused(1);
    assert!(said.contains("settings.toml, line 1"), "{said}");
}

/// The Baton runs in this process, for there is no keychain for another.
#[test]
fn a_healthy_machine_is_found_so_and_what_leads_past_baton_is_named() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let account = |name| AccountScript::new(name).window(WindowScript::weekly(100.0));
    let sim = runtime.block_on(Sim::start(
        Scenario::new()
            .account(account("Personal"))
            .account(account("Work")),
    ));
    let mut options = Options::from_env(Some(&place.data()), Some(0)).unwrap();
    options.upstream = sim.base_url().parse().unwrap();
    options.issuer = sim.issuer_url().parse().unwrap();
    options.vault = Some(Arc::new(MemoryVault::new()));
    let engine = runtime.block_on(Box::pin(Engine::start(options))).unwrap();
    for name in ["Personal", "Work"] {
        let json = sim.account(name).auth_json();
        runtime
            .block_on(engine.add_auth_json(json.as_bytes(), name))
            .unwrap();
    }
    fs::create_dir(place.path(".codex")).unwrap();
    codex_that_says(&place, "codex-cli 0.169.0");
    let here = |command| place.reaching_this_process(command);

    done(here(place.command(&["connect"]))).fine();
    let (status, checks) = found(here(place.doctor(&["--json"])));
    assert_eq!(status, Some(0), "{checks:?}");
    for id in [
        "baton",
        "pool",
        "ports",
        "keychain",
        "clock",
        "tray",
        "environment",
        "codex_version",
    ] {
        one(&checks, id, "fine");
    }
    assert!(one(&checks, "config", "fine").starts_with("Codex goes through Baton ("));
    let usage: Vec<_> = checks.iter().filter(|check| check["id"] == "usage").collect();
    assert!(
        usage.len() == 2 && usage.iter().all(|check| check["outcome"] == "fine"),
        "{usage:?}"
    );
    assert!(
        sim.log().entries().iter().all(|entry| !entry.generates()),
        "it spends nothing"
    );

    // Only one, by whatever case.
    let said = done(here(place.doctor(&["work"]))).fine();
    assert!(
        said.starts_with("Work\n  ✓ Eligible.\n") && !said.contains("Personal"),
        "{said}"
    );
    let said = done(here(place.doctor(&["Nobody"]))).refused(1);
    assert!(said.contains("there is no account `Nobody`"), "{said}");

    fs::write(place.path(".codex/deep.config.toml"), "model_provider = 'x'").unwrap();
    let mut behind_a_proxy = here(place.doctor(&["--json"]));
    behind_a_proxy.env("HTTP_PROXY", "http://127.0.0.1:9");
    let (status, checks) = found(behind_a_proxy);
    assert_eq!(status, Some(1));
    assert!(one(&checks, "environment", "problem").contains("127.0.0.1 and localhost"));
    assert!(one(&checks, "profile", "note").contains("--profile deep"));
    done(here(place.command(&["disconnect"]))).fine();
    let secret = engine
        .base_urls()
        .unwrap()
        .openai_base_url
        .split('/')
        .nth(3)
        .unwrap()
        .to_owned();
    let said = format!("{checks:?}");
    assert!(
        !said.contains(&secret) && !said.contains("eyJ") && !said.contains('@'),
        "{said}"
    );
    assert_eq!(runtime.block_on(engine.shutdown()), None);
}

fn codex_that_says(place: &Place, version: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir(place.path("bin")).unwrap();
    let program = place.path("bin/codex");
    fs::write(&program, format!("#!/bin/sh\necho '{version}'\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}
