//! Commands to a running Baton, over its real control socket.

use super::{Place, with_accounts};

#[test]
fn a_running_baton_is_asked_and_told_over_its_socket() {
    let place = Place::new();
    with_accounts(&place.data());
    let mut serving = place.serve();
    let json = place.baton(&["status", "--json"]).json();
    assert_eq!(json["running"], true);
    assert_eq!(json["base_urls"], serving.said["base_urls"]);
    let openai = json["base_urls"]["openai_base_url"].as_str().unwrap();
    let chatgpt = json["base_urls"]["chatgpt_base_url"].as_str().unwrap();
    assert!(
        openai.starts_with("http://127.0.0.1:") && openai.ends_with("/backend-api/codex"),
        "{openai}"
    );
    assert!(
        chatgpt.starts_with("http://localhost:") && chatgpt.ends_with("/backend-api/"),
        "{chatgpt}"
    );

    assert!(place.baton(&["use", "balanced"]).fine().contains("Balanced"));
    assert!(place.baton(&["use", "sequential"]).fine().contains("drain first"));
    assert!(
        place
            .baton(&["switch", "work"])
            .fine()
            .contains("Work is the active account")
    );
    let json = place.baton(&["status", "--json"]).json();
    assert_eq!(json["active"], json["accounts"][1]["id"]);
    place.baton(&["pin", "Personal"]).fine();
    let text = place.baton(&["status"]).fine();
    assert!(text.contains("Use only Personal (no failover)"), "{text}");
    let secret = openai.split('/').nth(3).unwrap();
    assert!(!text.contains(secret), "a status may be shown to others: {text}");
    place.baton(&["unpin"]).fine();

    assert!(place.baton(&["stop"]).fine().contains("stopping"));
    assert!(serving.ended().success());
    let json = place.baton(&["status", "--json"]).json();
    assert_eq!(
        (json["running"].as_bool(), &json["active"]),
        (Some(false), &json["accounts"][1]["id"])
    );
}

#[test]
fn a_second_baton_on_one_data_directory_is_refused() {
    let place = Place::new();
    let serving = place.serve();
    let said = place.baton(&["serve", "--port", "0"]).refused(1);
    assert!(said.contains("a Baton runs already"), "{said}");
    assert!(
        said.contains(&serving.child.id().to_string()) && said.contains("baton stop"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_in_order() {
    let place = Place::new();
    let mut serving = place.serve();
    let killed = std::process::Command::new("kill")
        .arg(serving.child.id().to_string())
        .status()
        .unwrap();
    assert!(killed.success());
    assert!(serving.ended().success());
    assert_eq!(place.baton(&["status", "--json"]).json()["running"], false);
}

#[test]
fn what_serve_prints_can_be_put_into_codexs_configuration() {
    let place = Place::new();
    let mut child = place
        .command(&["serve", "--port", "0"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lines = super::lines(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("Ctrl-C ends Baton") {
        text.push_str(&lines.recv_timeout(super::SOON).expect("more lines"));
        text.push('\n');
    }
    place.baton(&["stop"]).fine();
    assert!(child.wait().unwrap().success());
    assert!(text.contains("above any [table]"), "{text}");
    for key in [
        "\n  openai_base_url = \"http://127.0.0.1:",
        "\n  chatgpt_base_url = \"http://localhost:",
    ] {
        assert!(text.contains(key), "{text}");
    }
}
