//! Around the tray: what tells of a switch, and what starts Baton.

use std::{fs, path::PathBuf};

use crate::stage::{
    PATIENCE, Stage, desktop, displayed, displayed_are, exists, menu_says, notifications, on_a_screen,
    on_the_bus, quit, said, told, tray_menu, until, windows, windows_are,
};

#[test]
fn a_switch_is_told_by_a_notification_once() {
    on_a_screen("session::a_switch_is_told_by_a_notification_once", || async {
        let mut service = notifications().await;
        let stage = Stage::new(1.0).await;
        let desktop = stage.desktop();
        menu_says("Next: Personal");
        let mut client = stage.client();
        for turn in ["one", "two", "three"] {
            assert!(client.turn(turn).await.completed);
        }
        displayed_are(1).await;
        menu_says("(x) Work — ");
        let told = told();
        assert!(told.contains("Switched to Work"), "{told}");
        assert!(told.contains("From Personal: limit reached."), "{told}");
        assert_eq!(told.matches("\"summary\"").count(), 1, "{told}");

        assert!(quit(desktop).await.success());
        service.kill().await.expect("it ends");
        stage.baton.shutdown().await;
    });
}

#[test]
fn a_config_toml_that_another_program_resets_is_told_once_and_a_person_s_own_click_isnt() {
    on_a_screen(
        "session::a_config_toml_that_another_program_resets_is_told_once_and_a_person_s_own_click_isnt",
        || async {
            let _service = notifications().await;
            let stage = Stage::new(100.0).await;
            let desktop = stage.desktop();
            menu_says("( ) Codex goes through Baton");
            tray_menu(&["click", "Codex goes through Baton"]);
            menu_says("(x) Codex goes through Baton");
            let config = stage.folder.path().join("codex/config.toml");
            fs::write(&config, "model = \"mine\"\n").unwrap();
            displayed_are(1).await;
            menu_says("Codex isn't connected");
            menu_says("Codex no longer goes through Baton");
            tray_menu(&["click", "Codex goes through Baton"]);
            menu_says("(x) Codex goes through Baton");
            tray_menu(&["click", "Codex goes through Baton"]);
            menu_says("Codex isn't connected");
            assert_eq!(displayed(), Some(1));
            let told = told();
            assert!(told.contains("Codex is disconnected"), "{told}");
            assert_eq!(fs::read_to_string(&config).unwrap(), "model = \"mine\"\n");
            assert!(quit(desktop).await.success());
            stage.baton.shutdown().await;
        },
    );
}

/// As by two quick clicks.
#[test]
fn of_two_windows_that_are_opened_at_once_one_shows() {
    on_a_screen(
        "session::of_two_windows_that_are_opened_at_once_one_shows",
        || async {
            let data = tempfile::tempdir().expect("a folder");
            let data = data.path().to_string_lossy().into_owned();
            let baton = desktop(&["--data-dir", &data]);
            menu_says("No account yet");
            let (mut one, mut other) = (
                desktop(&["window", "--data-dir", &data]),
                desktop(&["window", "--data-dir", &data]),
            );
            let first = tokio::select! {
                status = one.wait() => status,
                status = other.wait() => status,
                () = tokio::time::sleep(PATIENCE) => panic!("{} windows show", windows()),
            };
            assert!(first.expect("its status").success());
            windows_are(1).await;
            assert!(quit(baton).await.success());
        },
    );
}

/// However many there are, and however long ago they came.
#[test]
fn a_click_on_the_oldest_of_three_notifications_opens_the_window() {
    on_a_screen(
        "session::a_click_on_the_oldest_of_three_notifications_opens_the_window",
        || async {
            let _service = notifications().await;
            let stage = Stage::new(1.0).await;
            let desktop = stage.desktop();
            menu_says("Next: Personal");
            let mut client = stage.client();
            for turn in ["one", "two"] {
                assert!(client.turn(turn).await.completed);
            }
            displayed_are(1).await;
            tray_menu(&["click", "Codex goes through Baton"]);
            menu_says("(x) Codex goes through Baton");
            let config = stage.folder.path().join("codex/config.toml");
            fs::write(&config, "[tui\n").unwrap();
            displayed_are(2).await;
            menu_says("( ) Codex goes through Baton");
            // Nothing can be written into such a file.
            tray_menu(&["click", "Codex goes through Baton"]);
            displayed_are(3).await;
            said("dunstctl", &["action", "0"]);
            windows_are(1).await;
            assert!(quit(desktop).await.success());
            stage.baton.shutdown().await;
        },
    );
}

/// Nothing shows notifications here: that is no error, and everything else goes on.
#[test]
fn without_a_notification_service_the_menu_follows_all_the_same() {
    on_a_screen(
        "session::without_a_notification_service_the_menu_follows_all_the_same",
        || async {
            let stage = Stage::new(1.0).await;
            let desktop = stage.desktop();
            menu_says("Next: Personal");
            let mut client = stage.client();
            for turn in ["one", "two"] {
                assert!(client.turn(turn).await.completed);
            }
            menu_says("(x) Work — ");
            // Nobody came to show it, either.
            assert!(!on_the_bus("org.freedesktop.Notifications"));
            tray_menu(&["click", "Round robin"]);
            menu_says("(x) Round robin");
            assert!(quit(desktop).await.success());
            stage.baton.shutdown().await;
        },
    );
}

#[test]
fn starting_at_login_is_a_file_that_comes_and_goes() {
    on_a_screen(
        "session::starting_at_login_is_a_file_that_comes_and_goes",
        || async {
            let data = tempfile::tempdir().expect("a folder");
            let data = data.path().to_string_lossy().into_owned();
            let config = PathBuf::from(std::env::var_os("XDG_CONFIG_HOME").expect("the screen's"));
            let entry = config.join("autostart/Baton.desktop");
            let baton = desktop(&["--data-dir", &data]);
            menu_says("( ) Start at login");
            tray_menu(&["click", "Start at login"]);
            until("the entry", || exists(&entry)).await;
            menu_says("(x) Start at login");
            let program = format!("Exec={} --at-login", env!("CARGO_BIN_EXE_baton-desktop"));
            let text = fs::read_to_string(&entry).unwrap();
            assert!(text.lines().any(|line| line.trim() == program), "{text}");
            assert!(quit(baton).await.success());

            // After an update or a move the next start names itself.
            fs::write(
                &entry,
                text.replace(&program, "Exec=/opt/old/baton-desktop --at-login"),
            )
            .unwrap();
            let baton = desktop(&["--data-dir", &data]);
            menu_says("(x) Start at login");
            let text = fs::read_to_string(&entry).unwrap();
            assert!(text.lines().any(|line| line.trim() == program), "{text}");
            tray_menu(&["click", "Start at login"]);
            until("its end", || (!entry.exists()).then_some(())).await;
            assert!(quit(baton).await.success());
        },
    );
}

#[test]
fn a_second_start_opens_the_window_and_a_third_brings_it_to_the_front() {
    on_a_screen(
        "session::a_second_start_opens_the_window_and_a_third_brings_it_to_the_front",
        || async {
            let data = tempfile::tempdir().expect("a folder");
            let data = data.path().to_string_lossy().into_owned();
            let baton = desktop(&["--data-dir", &data]);
            menu_says("No account yet");
            let mut window = desktop(&["--data-dir", &data]);
            windows_are(1).await;
            // It watches a moment after it shows.
            let third = async {
                loop {
                    let mut third = desktop(&["window", "--data-dir", &data, "--place", "settings"]);
                    tokio::select! {
                        status = third.wait() => return status.expect("its status"),
                        () = until("another window", || (windows() > 1).then_some(())) => {
                            third.kill().await.expect("it ends");
                            windows_are(1).await;
                        }
                    }
                }
            };
            assert!(third.await.success());
            assert_eq!(windows(), 1);
            // The tray goes on without it, and has it opened again.
            window.kill().await.expect("it ends");
            windows_are(0).await;
            tray_menu(&["click", "Open Baton"]);
            windows_are(1).await;
            assert!(quit(baton).await.success());
        },
    );
}
