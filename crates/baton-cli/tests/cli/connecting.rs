//! Codex's config.toml, connected and disconnected, with and without a running Baton.

use std::{fs, path::PathBuf};

use super::Place;

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

    fn config(&self, home: &str) -> String {
        fs::read_to_string(self.path(home).join("config.toml")).unwrap()
    }
}

#[test]
fn connecting_needs_a_baton_that_has_run_and_disconnecting_needs_nothing() {
    let place = Place::new();
    place.codex_home(".codex", CONFIG);
    let said = place.baton(&["connect"]).refused(1);
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
    let said = place.baton(&["connect"]).fine();
    assert!(said.contains("goes through Baton now"), "{said}");
    let connected = place.config(".codex");
    for key in ["openai_base_url", "chatgpt_base_url"] {
        let line = format!("\r\n{key} = {} ", serving.said["base_urls"][key]);
        assert!(connected.contains(&line), "{connected}");
    }
    let said = place.baton(&["connect"]).fine();
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
    let json = place.baton(&["connect", "--mode", "requests", "--json"]).json();
    assert_eq!(
        (&json["running"], &json["homes"][0]["mode"]),
        (&false.into(), &"requests".into())
    );
    let connected = place.config(".codex");
    assert!(connected.contains(urls["openai_base_url"].as_str().unwrap()));
    assert!(!connected.contains("chatgpt_base_url"));
    let said = place.baton(&["connect"]).fine();
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
    let said = place.baton(&["connect", "--dry-run"]).fine();
    for line in [
        "+++ ",
        "@@ -1,6 +1,10 @@",
        "+openai_base_url = \"http://127.0.0.1:",
        "-openai_base_url = 'https://mine' # for now",
        "+#<baton> openai_base_url = 'https://mine' # for now",
        "\\ No newline at end of file",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(place.config(".codex"), CONFIG);
    place.baton(&["connect"]).fine();
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
    let done = place.baton(&["connect", "--home", broken, "--home", fine]);
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
    place.codex_home(".codex", "model_provider = \"ollama\"\n");
    let _serving = place.serve();
    let said = place.baton(&["connect"]).fine();
    assert!(
        said.contains("! Line 5 has `model_provider = \"ollama\"`"),
        "{said}"
    );
    let json = place.baton(&["connect", "--mode", "provider", "--json"]).json();
    let warnings = json["homes"][0]["warnings"].to_string();
    assert!(!warnings.contains("model_provider"), "{warnings}");
}
