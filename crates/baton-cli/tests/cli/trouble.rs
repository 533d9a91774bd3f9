//! Bad settings, ports and folders: a message that says what to do, and nothing that was there is harmed.

use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
};

use super::{Place, with_accounts};

const BROKEN: &str = "strategy = \"balanced\" # mine\nport = = 3\n";

fn broken_settings(place: &Place) {
    fs::create_dir_all(place.data()).unwrap();
    // In one step: a file that is just empty is a whole one.
    fs::write(place.path("broken.toml"), BROKEN).unwrap();
    fs::rename(place.path("broken.toml"), place.data().join("settings.toml")).unwrap();
}

#[track_caller]
fn settings(place: &Place) -> String {
    fs::read_to_string(place.data().join("settings.toml")).unwrap()
}

#[test]
fn settings_that_can_not_be_parsed_are_placed_and_left_alone() {
    let place = Place::new();
    broken_settings(&place);
    for args in [&["status"][..], &["use", "sequential"], &["serve", "--port", "0"]] {
        let said = place.baton(args).refused(1);
        assert!(
            said.contains("settings.toml, line 2, column 8: extra `=`")
                && said.contains("Nothing was changed: correct that line"),
            "{args:?}: {said}"
        );
        assert_eq!(settings(&place), BROKEN);
    }
}

/// The running Baton keeps what it was told when it could read them.
#[test]
fn settings_that_break_while_baton_runs_change_nothing_and_are_not_written_over() {
    let place = Place::new();
    place.baton(&["use", "round_robin"]).fine();
    let _serving = place.serve();
    broken_settings(&place);
    assert_eq!(
        place.baton(&["status", "--json"]).json()["strategy"],
        "round_robin"
    );
    let said = place.baton(&["use", "affinity"]).refused(1);
    assert!(
        said.contains("It holds until Baton ends") && said.contains("line 2, column 8"),
        "{said}"
    );
    assert_eq!(place.baton(&["status", "--json"]).json()["strategy"], "affinity");
    assert_eq!(settings(&place), BROKEN);
}

#[test]
fn a_port_that_another_program_has_is_left_to_it_whichever_family_it_has() {
    let families: [fn() -> std::io::Result<TcpListener>; 2] = [
        || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)),
        || TcpListener::bind((Ipv6Addr::LOCALHOST, 0)),
    ];
    for (bind, family) in families.into_iter().zip(["IPv4", "IPv6"]) {
        let place = Place::new();
        let Ok(other) = bind() else { continue };
        let port = other.local_addr().unwrap().port().to_string();
        let said = place.baton(&["serve", "--port", &port]).refused(1);
        let expected = format!("port {port} is taken by another program ({family}), which was left alone");
        assert!(
            said.contains(&expected) && said.contains("settings.toml"),
            "{said}"
        );
        // It still listens.
        std::net::TcpStream::connect(other.local_addr().unwrap()).unwrap();
    }
}

/// Codex still asks at the port of last time.
#[test]
fn a_move_to_another_port_is_said() {
    let place = Place::new();
    drop(place.serve());
    let private = place.data().join("private.json");
    let known: serde_json::Value = serde_json::from_str(&fs::read_to_string(&private).unwrap()).unwrap();
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    let moved = serde_json::json!({ "path_secret": known["path_secret"], "port": port });
    fs::write(&private, moved.to_string()).unwrap();
    let _serving = place.serve_with(&["serve", "--json"]);
    let json = place.baton(&["status", "--json"]).json();
    let problem = json["problems"][0].as_str().unwrap();
    assert!(
        problem.contains(&format!("Port {port}")) && problem.contains("into Codex's config.toml"),
        "{problem}"
    );
}

#[test]
fn a_folder_that_can_not_be_used_is_named_with_what_to_do() {
    let place = Place::new();
    fs::write(place.path("file"), "mine").unwrap();
    for folder in ["file", "file/below"] {
        for args in [&["status"][..], &["serve", "--port", "0"]] {
            let args = [&["--data-dir", folder], args].concat();
            let said = place.baton(&args).refused(1);
            assert!(
                said.contains(folder) && said.contains("name another with --data-dir"),
                "{said}"
            );
        }
    }
    assert_eq!(fs::read_to_string(place.path("file")).unwrap(), "mine");
}

/// Root may write wherever it likes, also here.
#[cfg(unix)]
#[test]
fn a_read_only_folder_is_said_to_be_one_and_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    with_accounts(&place.data());
    let mode = |mode| fs::set_permissions(place.data(), PermissionsExt::from_mode(mode)).unwrap();
    for file in ["baton.lock", "baton.db"] {
        let file = place.data().join(file);
        fs::set_permissions(file, PermissionsExt::from_mode(0o400)).unwrap();
    }
    mode(0o500);
    let done = place.baton(&["status"]);
    mode(0o700);
    if done.status() == Some(0) {
        return;
    }
    let said = done.refused(1);
    assert!(
        said.contains("read-only") && said.contains("--data-dir"),
        "{said}"
    );
}

#[test]
fn a_damaged_database_is_named_and_left_alone() {
    let place = Place::new();
    with_accounts(&place.data());
    let database = place.data().join("baton.db");
    for left in ["baton.db-wal", "baton.db-shm"] {
        let _ = fs::remove_file(place.data().join(left));
    }
    fs::write(
        &database,
        "no database at all, but long enough to be looked at ".repeat(50),
    )
    .unwrap();
    let before = fs::read(&database).unwrap();
    let said = place.baton(&["status"]).refused(1);
    assert!(
        said.contains("baton.db can't be used: it is damaged") && said.contains("backup"),
        "{said}"
    );
    assert_eq!(fs::read(&database).unwrap(), before);
}
