//! Commands while no Baton runs, and what is said when they make no sense.

use std::{fs, process::Stdio};

use super::{Place, auth_json, with_accounts};

#[test]
fn status_says_that_baton_is_not_running() {
    let place = Place::new();
    let text = place.baton(&["status"]).fine();
    assert!(
        text.starts_with("Baton isn't running: `baton serve` starts it."),
        "{text}"
    );
    assert!(text.contains("No accounts yet. `baton accounts add"), "{text}");
    let json = place.baton(&["status", "--json"]).json();
    assert_eq!(
        (json["running"].as_bool(), json["base_urls"].is_null()),
        (Some(false), true)
    );
    assert_eq!(json["strategy"], "sequential");
    assert_eq!(json["accounts"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_was_chosen_offline_is_kept() {
    let place = Place::new();
    let said = place
        .baton(&["use", "drain-first", "--on-recovery", "return", "--wait", "2h"])
        .fine();
    assert_eq!(said.lines().count(), 3, "{said}");
    let json = place.baton(&["status", "--json"]).json();
    assert_eq!(json["strategy"], "sequential");
    assert_eq!(json["on_recovery"], "return");
    assert_eq!(json["wait_for_recovery_secs"], 7200);
    place.baton(&["use", "soonest_reset"]).fine();
    assert_eq!(
        place.baton(&["status", "--json"]).json()["strategy"],
        "soonest_reset"
    );
}

#[test]
fn an_unknown_strategy_is_a_usage_error_that_lists_them_all() {
    let place = Place::new();
    let said = place.baton(&["use", "fastest"]).refused(2);
    for name in [
        "sequential",
        "balanced",
        "affinity",
        "round_robin",
        "soonest_reset",
    ] {
        assert!(said.contains(name), "{said}");
    }
    let said = place.baton(&["use", "fastest", "--json"]).refused(2);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(
        json["error"]
            .as_str()
            .is_some_and(|error| error.contains("round_robin")),
        "{said}"
    );
}

#[test]
fn an_unknown_account_is_refused_with_those_that_exist() {
    let place = Place::new();
    let said = place.baton(&["switch", "Home"]).refused(1);
    assert!(
        said.contains("no account `Home`") && said.contains("baton accounts add"),
        "{said}"
    );
    with_accounts(&place.data());
    let said = place.baton(&["switch", "Home"]).refused(1);
    assert!(said.contains("Personal, Work"), "{said}");
    let said = place.baton(&["pin", "Home", "--json"]).refused(1);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(
        json["error"]
            .as_str()
            .is_some_and(|error| error.contains("Personal, Work")),
        "{said}"
    );
}

#[test]
fn a_threshold_is_a_percentage_used_and_told_as_what_is_left() {
    let place = Place::new();
    let said = place.baton(&["threshold", "101"]).refused(2);
    assert!(
        said.contains("`101` is no threshold: it must be from 0 to 100"),
        "{said}"
    );
    with_accounts(&place.data());
    let said = place
        .baton(&["threshold", "work", "95", "--window", "5h", "--reserve"])
        .fine();
    assert!(
        said.contains("Work") && said.contains("5 % left of the 5 h window"),
        "{said}"
    );
    let json = place.baton(&["accounts", "list", "--json"]).json();
    let work = &json["accounts"][1];
    assert_eq!(work["window_thresholds"], serde_json::json!([[300, 95.0]]));
    assert_eq!(work["reserve"], true);
    let said = place.baton(&["threshold", "100"]).fine();
    assert!(said.contains("Personal, Work: no threshold"), "{said}");
    let said = place
        .baton(&["threshold", "95", "--window", "fortnight"])
        .refused(2);
    assert!(said.contains("`5h`, `week`"), "{said}");
}

#[test]
fn accounts_are_listed_ordered_renamed_and_skipped() {
    let place = Place::new();
    with_accounts(&place.data());
    place.baton(&["accounts", "move", "Work", "1"]).fine();
    place.baton(&["accounts", "rename", "personal", "Home"]).fine();
    place.baton(&["accounts", "skip", "Home"]).fine();
    place.baton(&["accounts", "credits", "Work", "on"]).fine();
    let list = place.baton(&["accounts", "list"]).fine();
    let lines: Vec<&str> = list.lines().collect();
    assert!(
        lines[0].contains("Work") && lines[0].contains("Eligible"),
        "{list}"
    );
    assert!(
        lines[1].contains("Home") && lines[1].contains("Skipped"),
        "{list}"
    );
    let why = place.baton(&["why"]).fine();
    assert!(
        why.starts_with("Next request: Work (the active account from now on (first use))"),
        "{why}"
    );
    let log = place.baton(&["log", "--limit", "5"]).fine();
    assert!(
        log.contains("Home added") && log.contains("Home: Skipped"),
        "{log}"
    );
    let why = place.baton(&["why", "--json"]).json();
    assert_eq!(why["next"]["lines"][1]["text"], "Skipped");
}

#[test]
fn adding_asks_first_and_says_what_is_wrong_with_the_file() {
    let place = Place::new();
    let add = |extra: &[&str]| {
        let args = ["accounts", "add", "--from", "auth.json", "--label", "Personal"];
        place.baton(&[args.as_slice(), extra].concat()).refused(1)
    };
    assert!(
        add(&["--yes"]).contains("there is no file"),
        "a file that isn't there"
    );
    fs::write(place.path("auth.json"), "not json").unwrap();
    let said = add(&[]);
    assert!(
        said.contains("--yes") && said.contains("nothing is done"),
        "{said}"
    );
    let said = add(&["--yes"]);
    assert!(said.contains("auth.json"), "{said}");
    fs::write(place.path("auth.json"), r#"{"OPENAI_API_KEY":"sk-secret"}"#).unwrap();
    let said = add(&["--yes"]);
    assert!(said.contains("error: ") && !said.contains("sk-secret"), "{said}");
}

#[test]
fn without_a_keychain_nothing_is_moved() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let text = runtime.block_on(auth_json("Personal"));
    fs::write(place.path("auth.json"), &text).unwrap();
    let said = place
        .baton(&[
            "accounts",
            "add",
            "--from",
            "auth.json",
            "--label",
            "Personal",
            "--yes",
        ])
        .refused(1);
    assert!(said.contains("keychain"), "{said}");
    assert!(
        !said.contains("eyJ") && !said.contains('@'),
        "no token, no e-mail: {said}"
    );
    assert_eq!(fs::read_to_string(place.path("auth.json")).unwrap(), text);
    assert_eq!(
        place.baton(&["accounts", "list", "--json"]).json()["accounts"],
        serde_json::json!([])
    );
}

#[test]
fn commands_at_the_same_time_wait_for_each_other() {
    let place = Place::new();
    let started: Vec<_> = ["balanced", "affinity", "round_robin", "balanced"]
        .map(|strategy| {
            place
                .command(&["use", strategy])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .into();
    for child in started {
        assert!(child.wait_with_output().unwrap().status.success());
    }
}

#[test]
fn stop_needs_a_running_baton() {
    let said = Place::new().baton(&["stop"]).refused(1);
    assert!(
        said.contains("Baton isn't running: start it with `baton serve`"),
        "{said}"
    );
}

#[test]
fn an_unreadable_settings_file_is_named_with_its_place() {
    let place = Place::new();
    fs::create_dir_all(place.data()).unwrap();
    fs::write(place.data().join("settings.toml"), "strategy = \"fastest\"\n").unwrap();
    let said = place.baton(&["status"]).refused(1);
    assert!(
        said.contains("settings.toml, line 1") && said.contains("round_robin"),
        "{said}"
    );
}

/// No keychain is needed: nothing of the sign-in is kept.
#[test]
fn a_linked_account_is_told_by_its_file_which_stays_as_it_is() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let text = runtime.block_on(auth_json("Personal"));
    let folder = place.path("codex home");
    let link = ["accounts", "add", "--link", "codex home", "--label", "Personal"];
    let said = place.baton(&link).refused(1);
    assert!(said.contains("isn't there"), "{said}");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("auth.json");
    for (content, why) in [
        (r#"{"OPENAI_API_KEY":"sk-secret"}"#, "API key"),
        (&text[..text.len() / 2], "not the JSON that Codex writes"),
    ] {
        fs::write(&file, content).unwrap();
        let said = place.baton(&link).refused(1);
        assert!(said.contains(why) && !said.contains("sk-secret"), "{said}");
    }
    let accounts = || place.baton(&["accounts", "list", "--json"]).json()["accounts"].clone();
    assert_eq!(accounts(), serde_json::json!([]));

    fs::write(&file, &text).unwrap();
    let shown = file.display().to_string();
    let said = place.baton(&link).fine();
    assert!(
        said.contains(&format!("Personal is linked to {shown}")) && !said.contains('@'),
        "{said}"
    );
    assert!(place.baton(&link).fine().contains("as before"));
    assert_eq!(accounts()[0]["linked"], *shown);
    let status = place.baton(&["status"]).fine();
    assert!(
        status.contains(&format!("Personal is linked to {shown}")),
        "{status}"
    );
    assert_eq!(
        place.baton(&["status", "--json"]).json()["accounts"][0]["linked"],
        *shown
    );
    let doctor = || place.baton(&["doctor", "Personal"]).stdout();
    assert!(doctor().contains(&format!("✓ Linked to {shown}")), "{}", doctor());
    fs::remove_file(&file).unwrap();
    assert!(
        doctor().contains(&format!("! Linked to {shown}, which is gone.")),
        "{}",
        doctor()
    );
    fs::write(&file, &text).unwrap();
    let login: serde_json::Value = serde_json::from_str(&text).unwrap();
    for kept in fs::read_dir(place.data()).unwrap() {
        let kept = fs::read(kept.unwrap().path()).unwrap_or_default();
        for token in ["id_token", "access_token", "refresh_token"] {
            let token = login["tokens"][token].as_str().unwrap().as_bytes();
            assert!(!kept.windows(token.len()).any(|part| part == token));
        }
    }
    let said = place.baton(&["accounts", "remove", "Personal"]).fine();
    assert!(
        said.contains(&shown) && said.contains("left as it is") && !said.contains("keychain"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(accounts(), serde_json::json!([]));
}

#[test]
fn the_log_is_picked_from_exported_and_deleted_without_a_running_baton() {
    let place = Place::new();
    with_accounts(&place.data());
    place.baton(&["switch", "Work"]).fine();
    place.baton(&["switch", "Personal"]).fine();
    place.baton(&["accounts", "skip", "Work"]).fine();

    let switches = place.baton(&["log", "--kind", "switches", "--json"]).json();
    let entries = switches["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "{switches}");
    let of_work = place.baton(&["log", "--account", "work", "--since", "1h"]).fine();
    assert!(
        of_work.contains("Work: Skipped") && !of_work.contains("Personal added"),
        "{of_work}"
    );
    let before = place
        .baton(&["log", "--since", "0m", "--kind", "requests"])
        .fine();
    assert_eq!(before.trim(), "Nothing has happened.");
    let said = place.baton(&["log", "--since", "yesterday"]).refused(2);
    assert!(said.contains("`2026-11-20`"), "{said}");
    let said = place.baton(&["log", "--account", "nobody"]).refused(1);
    assert!(said.contains("no account `nobody`"), "{said}");
    let said = place.baton(&["why", "4711"]).refused(1);
    assert!(said.contains("no request 4711"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let said = place.baton(&["export", &file("all.csv")]).fine();
    assert!(said.contains("lines are in"), "{said}");
    let csv = fs::read_to_string(file("all.csv")).unwrap();
    assert!(csv.contains("switched_by_person"), "{csv}");
    place.baton(&["export", &file("all.JSON")]).fine();
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(file("all.JSON")).unwrap()).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(csv.lines().count() - 1));
    let said = place.baton(&["export", &file("all.txt")]).refused(1);
    assert!(said.contains(".csv") && said.contains(".json"), "{said}");
    let said = place.baton(&["export", &file("all.csv")]).refused(1);
    assert!(said.contains("is there already"), "{said}");

    let said = place.baton(&["delete-history"]).refused(1);
    assert!(said.contains("--yes"), "{said}");
    assert_ne!(place.baton(&["log"]).fine().trim(), "Nothing has happened.");
    place.baton(&["delete-history", "--yes"]).fine();
    assert_eq!(place.baton(&["log"]).fine().trim(), "Nothing has happened.");
    let accounts = place.baton(&["accounts", "list"]).fine();
    assert!(
        accounts.contains("Work") && accounts.contains("Personal"),
        "{accounts}"
    );
}

#[test]
fn bypass_and_notifications_are_chosen_offline_too() {
    let place = Place::new();
    assert!(place.baton(&["bypass", "on"]).fine().contains("bypassed"));
    assert_eq!(place.baton(&["status", "--json"]).json()["bypassed"], true);
    place.baton(&["bypass", "off"]).fine();
    assert_eq!(place.baton(&["status", "--json"]).json()["bypassed"], false);
    place.baton(&["notifications", "temporary-failover", "on"]).fine();
    place.baton(&["notifications", "low", "off"]).fine();
    let told = place.baton(&["notifications", "--json"]).json();
    assert_eq!(told["notifications"]["temporary_failover"], true);
    assert_eq!(told["notifications"]["low"], false);
    let table = place.baton(&["notifications"]).fine();
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("low ") && line.ends_with("off")),
        "{table}"
    );
    let said = place.baton(&["notifications", "lo", "on"]).refused(2);
    assert!(said.contains("temporary_failover"), "{said}");
    place.baton(&["notifications", "low"]).refused(2);
}
