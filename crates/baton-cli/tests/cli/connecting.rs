//! Codex's config.toml, connected and disconnected, with and without a running Baton.

use std::{fs, path::PathBuf};

use super::{Done, Place};

const CONFIG: &str =
    "# mine\r\nmodel = \"m\"\r\nopenai_base_url = 'https://mine' # for now\r\n\r\n[tui]\r\nx = 1";

impl Place {
    /// A folder of Codex's with this configuration.
    fn codex_home(&self, name: &str, config: &str) -> PathBuf {
        let home = self.path(name);
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("config.toml"), config).unwrap();
        home
    }

    /// `baton connect` where the only programs are those of [`Place::program`]: none of the machine's own is tried.
    fn connect(&self, args: &[&str]) -> Done {
        let mut command = self.command(&[["connect"].as_slice(), args].concat());
        Done(command.env("PATH", self.path("bin")).output().unwrap())
    }

    /// A shell script on the PATH.
    #[cfg(unix)]
    fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::create_dir_all(self.path("bin")).unwrap();
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn config(&self, home: &str) -> String {
        fs::read_to_string(self.path(home).join("config.toml")).unwrap()
    }
}

#[test]
fn connecting_needs_a_baton_that_has_run_and_disconnecting_needs_nothing() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let said = place.connect(&[]).refused(1);
    assert!(said.contains("start it with `baton serve`"), "{said}");
    let said = place.baton(&["disconnect"]).fine();
    assert!(said.contains("its own way already"), "{said}");
    assert_eq!(place.config(".codex"), CONFIG);
    assert!(!place.data().exists());
}

#[test]
fn codex_is_connected_to_the_running_baton_and_disconnected_byte_for_byte() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let serving = place.serve();
    let said = place.connect(&[]).fine();
    assert!(said.contains("goes through Baton now"), "{said}");
    let connected = place.config(".codex");
    for key in ["openai_base_url", "chatgpt_base_url"] {
        let line = format!("\r\n{key} = {} ", serving.said["base_urls"][key]);
        assert!(connected.contains(&line), "{connected}");
    }
    let said = place.connect(&[]).fine();
    assert!(said.contains("goes through Baton already"), "{said}");
    assert_eq!(place.config(".codex"), connected);
    let json = place.baton(&["status", "--json"]).json();
    assert_eq!(json["codex"][0]["mode"], "default");
    let said = place.baton(&["status"]).fine();
    assert!(said.contains("Codex goes through Baton ("), "{said}");

    let said = place.baton(&["disconnect"]).fine();
    assert!(said.contains("its own way again"), "{said}");
    assert_eq!(place.config(".codex"), CONFIG);
    let said = place.baton(&["status"]).fine();
    assert!(said.contains("Codex goes its own way ("), "{said}");
}

#[test]
fn without_a_running_baton_the_last_ones_address_is_used() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let mut serving = place.serve();
    let urls = serving.said["base_urls"].clone();
    place.baton(&["stop"]).fine();
    serving.ended();
    let json = place.connect(&["--mode", "requests", "--json"]).json();
    assert_eq!(
        (&json["running"], &json["homes"][0]["mode"]),
        (&false.into(), &"requests".into())
    );
    let connected = place.config(".codex");
    assert!(connected.contains(urls["openai_base_url"].as_str().unwrap()));
    assert!(!connected.contains("chatgpt_base_url"));
    let said = place.connect(&[]).fine();
    assert!(said.contains("start it with `baton serve`"), "{said}");
    assert!(
        place
            .config(".codex")
            .contains(urls["chatgpt_base_url"].as_str().unwrap())
    );
    place.baton(&["disconnect"]).fine();
    assert_eq!(place.config(".codex"), CONFIG);
}

#[test]
fn a_dry_run_shows_the_difference_and_changes_nothing() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let _serving = place.serve();
    let said = place.connect(&["--dry-run"]).fine();
    let set_aside = format!(
        "+#<baton {}> openai_base_url = 'https://mine' # for now",
        baton_engine::instance::tag(&place.data())
    );
    for line in [
        "+++ ",
        "@@ -1,6 +1,10 @@",
        "+openai_base_url = \"http://127.0.0.1:",
        "-openai_base_url = 'https://mine' # for now",
        &set_aside,
        "\\ No newline at end of file",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(place.config(".codex"), CONFIG);
    place.connect(&[]).fine();
    let connected = place.config(".codex");
    let json = place.baton(&["disconnect", "--dry-run", "--json"]).json();
    let diff = json["homes"][0]["diff"].as_str().unwrap();
    assert!(
        diff.contains("\n+openai_base_url = 'https://mine' # for now\r\n"),
        "{diff}"
    );
    assert_eq!(place.config(".codex"), connected);
}

#[test]
fn of_several_homes_a_broken_one_is_named_and_keeps_none_of_the_others() {
    let place = Place::new();
    let broken = place.codex_home("broken", "a = 1\n[tui\n");
    let fine = place.codex_home("fine", CONFIG);
    let (broken, fine) = (broken.to_str().unwrap(), fine.to_str().unwrap());
    let _serving = place.serve();
    let done = place.connect(&["--home", broken, "--home", fine]);
    let said = done.stderr();
    assert_eq!(done.status(), Some(1));
    assert!(
        said.contains("config.toml, line 2, column") && said.contains("Nothing was changed"),
        "{said}"
    );
    assert_eq!(place.config("broken"), "a = 1\n[tui\n");
    assert_ne!(place.config("fine"), CONFIG);
    // What is connected is known.
    place.baton(&["disconnect"]).fine();
    assert_eq!(place.config("fine"), CONFIG);
}

#[test]
fn what_leads_codex_past_baton_is_said() {
    let place = Place::new();
    place.codex_home(".codex", "model_provider = \"ollama\"\nprofile = \"old\"\n");
    fs::write(place.path(".codex/deep.config.toml"), "openai_base_url = 'x'").unwrap();
    let _serving = place.serve();
    let said = place.connect(&[]).fine();
    for warning in [
        "! Line 5 has `model_provider = \"ollama\"`, which leads Codex past Baton. Remove that line",
        "! `profile = \"old\"` in config.toml: Codex from 0.134 on doesn't start with that. Move",
        "! `codex --profile deep` goes past Baton: ",
    ] {
        assert!(said.contains(warning), "{warning}: {said}");
    }
    let json = place.connect(&["--mode", "provider", "--json"]).json();
    let warnings = json["homes"][0]["warnings"].to_string();
    assert!(!warnings.contains("model_provider"), "{warnings}");
}

/// The secret in the base URLs.
fn secret(config: &str) -> &str {
    let url = config.split("http://127.0.0.1:").nth(1).unwrap();
    url.split('/').nth(1).unwrap()
}

#[test]
fn a_new_secret_is_told_to_what_is_connected_whether_or_not_baton_runs() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    place.codex_home("other", CONFIG);
    let mut serving = place.serve();
    place.connect(&["--mode", "requests"]).fine();
    let first = place.config(".codex");

    let said = place.connect(&["--renew"]).fine();
    assert!(said.contains("start a Codex that runs again"), "{said}");
    let second = place.config(".codex");
    assert_ne!(secret(&first), secret(&second));
    assert_eq!(
        first.replace(secret(&first), secret(&second)),
        second,
        "and nothing else"
    );
    assert!(!said.contains(secret(&second)), "{said}");
    let json = place.baton(&["status", "--json"]).json();
    assert!(json["base_urls"].to_string().contains(secret(&second)));

    // While none runs, only what is connected all the same is told.
    place.baton(&["stop"]).fine();
    serving.ended();
    let said = place.connect(&["--renew"]).fine();
    assert!(!said.contains("start a Codex"), "{said}");
    assert_eq!(place.config(".codex"), CONFIG);
    place.connect(&["--home", "other"]).fine();
    let third = place.config("other");
    assert_ne!(secret(&third), secret(&second), "the one of last time");
    place.connect(&["--renew"]).fine();
    let fourth = place.config("other");
    assert_ne!(secret(&third), secret(&fourth));
    assert_eq!(place.config(".codex"), CONFIG);
    let _serving = place.serve();
    assert_eq!(secret(&place.config(".codex")), secret(&fourth), "and it is kept");

    place.connect(&["--renew", "--mode", "requests"]).refused(2);
}

#[test]
fn a_configuration_that_can_not_be_told_a_new_secret_is_named() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let _serving = place.serve();
    place.connect(&[]).fine();
    let broken = place.config(".codex") + "\n[tui\n";
    place.codex_home(".codex", &broken);
    let said = place.connect(&["--renew"]).refused(1);
    assert!(
        said.contains("config.toml, line") && said.contains("Then `baton connect`"),
        "{said}"
    );
    assert_eq!(place.config(".codex"), broken);
}

/// Two data folders, one Codex: who is there stays, until it goes or is told to.
#[test]
fn a_second_baton_is_told_of_the_first_and_neither_touches_the_others_lines() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let data = place.path("other");
    let other = data.to_str().unwrap();
    let mut first = place.serve();
    place.connect(&[]).fine();
    let connected = place.config(".codex");
    let serve_other = || place.serve_with(&["serve", "--data-dir", other, "--port", "0", "--json"]);

    // The second comes, looks, and goes.
    let mut second = serve_other();
    let way_on = |said: &str| {
        assert!(
            said.contains("another Baton")
                && said.contains("`baton disconnect --data-dir`")
                && said.contains("--take-over"),
            "{said}"
        );
    };
    let refused = place.connect(&["--data-dir", other]);
    assert_eq!(refused.status(), Some(1));
    way_on(&refused.stderr());
    way_on(&place.connect(&["--data-dir", other, "--dry-run"]).refused(1));
    way_on(&place.baton(&["disconnect", "--data-dir", other]).fine());
    way_on(&place.baton(&["status", "--data-dir", other]).fine());
    let json = place.baton(&["status", "--data-dir", other, "--json"]).json();
    assert_eq!(json["codex"][0]["another_baton"], true);
    place.baton(&["stop", "--data-dir", other]).fine();
    second.ended();
    assert_eq!(place.config(".codex"), connected);

    // Told so, it takes the place; the first one neither ends that nor fights for it.
    let mut second = serve_other();
    place.connect(&["--data-dir", other, "--take-over"]).fine();
    let taken = place.config(".codex");
    let said = second.said.clone();
    let url = said["base_urls"]["openai_base_url"].as_str().unwrap();
    assert!(
        taken.contains(url) && !taken.contains(secret(&connected)),
        "{taken}"
    );
    way_on(&place.baton(&["status"]).fine());
    place.connect(&["--renew"]).fine();
    place.baton(&["stop"]).fine();
    first.ended();
    let first = place.serve();
    way_on(&place.baton(&["status"]).fine());
    // Killed, with its guardian, and a guardian that is there in time.
    drop(first);
    place.baton(&["guard"]).fine();
    assert_eq!(place.config(".codex"), taken);

    // What it goes back to is what was there before either.
    place.baton(&["stop", "--data-dir", other]).fine();
    second.ended();
    assert_eq!(place.config(".codex"), CONFIG);
    let _first = place.serve();
    let back = place.config(".codex");
    assert!(
        back.contains("http://127.0.0.1:") && !back.contains(url),
        "{back}"
    );
}

/// A Codex that does this when it is to answer.
#[cfg(unix)]
fn codex(exec: &str) -> String {
    format!("if [ \"$1\" = --version ]; then echo codex-cli 1.2.3; exit; fi\n{exec}")
}

#[test]
fn without_a_codex_on_the_path_it_is_connected_and_that_is_said() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let _serving = place.serve();
    let said = place.connect(&[]).fine();
    assert!(said.contains("could not be tried: there is no `codex`"), "{said}");
    assert!(said.contains("goes through Baton now"), "{said}");
    for (named, told) in [
        ("nowhere", "no `nowhere` on the PATH"),
        ("./nowhere", "is no program"),
    ] {
        let said = place.connect(&["--codex", named]).refused(1);
        assert!(said.contains(told), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_codex_that_does_not_work_through_baton_is_left_alone_and_the_reason_is_told() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let _serving = place.serve();
    for (exec, reason) in [
        ("echo this breaks >&2; exit 3", "exit status: 3: this breaks"),
        ("exit 0", "it ended without an answer"),
        // It answers by itself.
        (
            "echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\"}}'; echo '{\"type\":\"turn.completed\"}'",
            "its request didn't come through Baton",
        ),
    ] {
        place.program("codex", &codex(exec));
        let done = place.connect(&[]);
        let said = done.stderr();
        assert_eq!(done.status(), Some(1), "{said}");
        assert!(
            said.contains("codex-cli 1.2.3") && said.contains("Codex was left alone"),
            "{said}"
        );
        for mode in ["with everything", "with model requests"] {
            assert!(said.contains(mode), "{said}");
        }
        assert_eq!(said.matches(reason).count(), 2, "{said}");
        assert_eq!(place.config(".codex"), CONFIG);
    }
    // Only what is asked for is tried, and what failed is tried again.
    let done = place.connect(&["--mode", "requests", "--json"]);
    assert_eq!((done.status(), done.stdout().as_str()), (Some(1), ""));
    assert!(!done.stderr().contains("everything"), "{}", done.stderr());
    assert_eq!(place.config(".codex"), CONFIG);

    let json = place.connect(&["--no-self-test", "--json"]).json();
    assert_eq!(json["self_test"]["passed"], serde_json::Value::Null);
    assert_ne!(place.config(".codex"), CONFIG);
}

#[cfg(unix)]
#[test]
fn a_codex_that_can_not_say_its_version_is_not_tried_and_a_dry_run_tries_none() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let _serving = place.serve();
    let run = place.path("run");
    place.program(
        "codex",
        &format!("echo run > {}; echo no home >&2; exit 1", run.display()),
    );
    place.connect(&["--dry-run"]).fine();
    assert!(!run.exists() && place.config(".codex") == CONFIG);
    let said = place.connect(&[]).fine();
    assert!(
        said.contains("could not be tried") && said.contains("no home"),
        "{said}"
    );
    assert!(run.exists() && place.config(".codex") != CONFIG);
}

/// One that was updated is tried without being asked for, as soon as it is used.
#[cfg(unix)]
#[test]
fn a_new_version_is_tried_when_it_is_used_and_a_failure_is_told() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    // As if an earlier one had passed.
    fs::create_dir_all(place.data()).unwrap();
    let passed = serde_json::json!([{
        "program": "/usr/bin/codex", "version": "codex-cli 1.0.0", "mode": "default", "baton": "0.0.1"
    }]);
    fs::write(place.data().join("self-test.json"), passed.to_string()).unwrap();
    place.program("codex", &codex("echo this breaks >&2; exit 3"));
    let mut serve = place.command(&["serve", "--port", "0", "--json"]);
    serve.env("PATH", place.path("bin"));
    let serving = super::Serving::of(serve);
    let url = serving.said["base_urls"]["openai_base_url"].as_str().unwrap();
    let asked = std::process::Command::new("curl")
        .args(["--silent", "--noproxy", "*", "--max-time", "20", "--data", "{}"])
        .args(["--user-agent", "codex_exec/1.2.3 (x)"])
        .arg(format!("{url}/responses"))
        .output()
        .unwrap();
    assert!(asked.status.success());
    let deadline = std::time::Instant::now() + super::SOON;
    loop {
        let said = place.baton(&["status"]).fine();
        if said.contains("doesn't pass the self-test") {
            assert!(
                said.contains("Codex 1.2.3") && said.contains("this breaks"),
                "{said}"
            );
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{said}");
    }
}

/// The CLI sees neither the person's home, nor what could lead it elsewhere, nor anything to sign in with.
#[cfg(unix)]
#[test]
fn the_codex_that_is_tried_sees_nothing_of_the_persons() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let _serving = place.serve();
    let seen = place.path("seen");
    place.program("codex", &codex(&format!("set > {}; exit 1", seen.display())));
    let mut command = place.command(&["connect", "--mode", "default"]);
    command
        .env("PATH", place.path("bin"))
        .env("OPENAI_API_KEY", "a-secret-key")
        .env("CODEX_HOME", place.path(".codex"))
        .env("XDG_CONFIG_HOME", place.path(".config"))
        .env("HTTPS_PROXY", "http://proxy.invalid");
    assert_eq!(Done(command.output().unwrap()).status(), Some(1));
    let seen = fs::read_to_string(seen).unwrap();
    for theirs in ["a-secret-key", "proxy.invalid", ".codex"] {
        assert!(!seen.contains(theirs), "{theirs}: {seen}");
    }
    let own = place.dir.path().display().to_string();
    for name in ["HOME", "CODEX_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "PWD"] {
        let line = seen
            .lines()
            .find(|line| line.starts_with(&format!("{name}=")))
            .unwrap();
        assert!(
            line.contains("baton-self-test-") && !line.contains(&own),
            "{line}"
        );
    }
}
