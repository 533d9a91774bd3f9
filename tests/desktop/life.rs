//! How Baton ends, and what it survives.

use std::{fs, time::Duration};

use baton_engine::control::protocol::Command;
use baton_sim::{AccountScript, Output, Scenario, WindowScript};
use rustix::process::Signal;
use tokio::process::Child;

use crate::{
    hosted::{Hosted, signal},
    stage::{
        PATIENCE, displayed_are, menu_says, notifications, on_a_screen, on_the_bus, quit, said, told,
        tray_menu, until, window_process, windows, windows_are, without_a_panel,
    },
};

const A_WHILE: Duration = Duration::from_secs(60);

fn one_account() -> Scenario {
    Scenario::new().account(AccountScript::new("a").window(WindowScript::five_hours(100.0)))
}

/// Answers come when the clock is moved on, and not before.
fn answers_are_held() -> Scenario {
    one_account().speed(0.0).output(Output::new().latency(A_WHILE))
}

async fn ended(baton: &mut Child) -> std::process::ExitStatus {
    tokio::time::timeout(PATIENCE, baton.wait())
        .await
        .expect("it ends")
        .expect("its status")
}

/// Logging out, or shutting down, sends one of these.
#[test]
fn the_session_s_end_lets_a_running_turn_finish_and_gives_codex_its_own_way() {
    on_a_screen(
        "life::the_session_s_end_lets_a_running_turn_finish_and_gives_codex_its_own_way",
        || async {
            for end in [Signal::TERM, Signal::HUP] {
                let hosted = Hosted::new(answers_are_held()).await;
                let mut baton = hosted.start(&[]);
                hosted.link("a", "Personal").await;
                hosted.connect_codex().await;
                let mut client = hosted.client().await;
                let turn = tokio::spawn(async move { client.turn("hello").await.completed });
                hosted.asked(1).await;
                signal(baton.id().expect("it runs"), end);
                until("Codex's own way", || (!hosted.is_connected()).then_some(())).await;
                menu_says("Finishing what runs…");
                assert!(!turn.is_finished());
                hosted.sim.clock().advance(A_WHILE);
                assert!(turn.await.expect("an answer"), "{end:?}");
                assert!(ended(&mut baton).await.success(), "{end:?}");
            }
        },
    );
}

/// No program with a window outlives that: its guardian sees to Codex.
#[test]
fn a_display_that_goes_away_gives_codex_its_own_way() {
    on_a_screen(
        "life::a_display_that_goes_away_gives_codex_its_own_way",
        || async {
            let hosted = Hosted::new(one_account()).await;
            let mut baton = hosted.start(&[]);
            hosted.link("a", "Personal").await;
            hosted.connect_codex().await;
            let display = std::env::var("BATON_SCREEN_X").expect("the screen's");
            signal(display.parse().expect("a process"), Signal::TERM);
            ended(&mut baton).await;
            until("Codex's own way", || (!hosted.is_connected()).then_some(())).await;
        },
    );
}

#[test]
fn a_window_that_crashes_takes_no_request_with_it_and_opens_again() {
    on_a_screen(
        "life::a_window_that_crashes_takes_no_request_with_it_and_opens_again",
        || async {
            let hosted = Hosted::new(answers_are_held()).await;
            let baton = hosted.start(&[]);
            hosted.link("a", "Personal").await;
            menu_says("Codex isn't connected");
            tray_menu(&["click", "Open Baton"]);
            windows_are(1).await;
            let mut client = hosted.client().await;
            let turn = tokio::spawn(async move { client.turn("hello").await.completed });
            hosted.asked(1).await;
            signal(window_process().await, Signal::KILL);
            windows_are(0).await;
            hosted.sim.clock().advance(A_WHILE);
            assert!(turn.await.expect("an answer"));
            menu_says("Active: Personal");
            tray_menu(&["click", "Open Baton"]);
            windows_are(1).await;
            assert!(quit(baton).await.success());
        },
    );
}

#[test]
fn an_update_under_a_running_baton_opens_the_new_window() {
    on_a_screen(
        "life::an_update_under_a_running_baton_opens_the_new_window",
        || async {
            let hosted = Hosted::new(one_account()).await;
            let _service = notifications().await;
            let program = hosted.folder.path().join("baton-desktop");
            let new = hosted.folder.path().join("new");
            for copy in [&program, &new] {
                fs::copy(env!("CARGO_BIN_EXE_baton-desktop"), copy).expect("a copy");
            }
            let baton = hosted.start_program(&program, &[]);
            menu_says("( ) Start at login");
            fs::rename(&new, &program).expect("it takes its place");
            tray_menu(&["click", "Start at login"]);
            menu_says("(x) Start at login");
            let entry = std::env::var("XDG_CONFIG_HOME").expect("the screen's") + "/autostart/Baton.desktop";
            let entry = fs::read_to_string(entry).expect("an entry");
            assert!(
                entry.contains(&format!("Exec={} --at-login", program.display())),
                "{entry}"
            );
            tray_menu(&["click", "Open Baton"]);
            windows_are(1).await;
            let shows = fs::read_link(format!("/proc/{}/exe", window_process().await)).expect("a program");
            assert_eq!(shows, program, "not the one that was replaced");
            hosted.ask(Command::Status).await;
            signal(window_process().await, Signal::KILL);
            windows_are(0).await;

            // In the middle of an update, or moved elsewhere.
            fs::remove_file(&program).expect("it goes");
            tray_menu(&["click", "Open Baton"]);
            displayed_are(1).await;
            let told = told();
            assert!(told.contains("isn't there any more"), "{told}");
            assert!(quit(baton).await.success());
        },
    );
}

/// Two tries at once would be two icons: the window does the second one.
#[test]
fn a_baton_that_cant_start_says_why_in_a_window_that_tries_again() {
    without_a_panel(
        "life::a_baton_that_cant_start_says_why_in_a_window_that_tries_again",
        || async {
            let hosted = Hosted::new(one_account()).await;
            fs::create_dir(hosted.data()).expect("a folder");
            fs::write(hosted.data().join("settings.toml"), "port = = 1").expect("a file");
            let mut tray = hosted.start(&[]);
            windows_are(1).await;
            assert!(
                !ended(&mut tray).await.success(),
                "it leaves the rest to the window"
            );

            // As the window starts it.
            let said = hosted.start_told().await;
            assert!(said.contains("settings.toml, line 1"), "{said}");
            assert_eq!(windows(), 1);
        },
    );
}

#[test]
fn a_baton_that_is_stopped_by_the_window_says_that_it_finishes_what_runs() {
    on_a_screen(
        "life::a_baton_that_is_stopped_by_the_window_says_that_it_finishes_what_runs",
        || async {
            let hosted = Hosted::new(answers_are_held()).await;
            let mut baton = hosted.start(&[]);
            hosted.link("a", "Personal").await;
            let mut client = hosted.client().await;
            let turn = tokio::spawn(async move { client.turn("hello").await.completed });
            hosted.asked(1).await;
            hosted.ask(Command::Stop).await;
            menu_says("Finishing what runs…");
            assert!(!turn.is_finished());
            hosted.ask(Command::StopNow).await;
            assert!(ended(&mut baton).await.success());
            turn.abort();
        },
    );
}

/// As when the person logs in, and the keychain is slower.
#[test]
fn a_keychain_that_comes_late_is_named_until_it_is_there_and_codex_waits_for_it() {
    on_a_screen(
        "life::a_keychain_that_comes_late_is_named_until_it_is_there_and_codex_waits_for_it",
        || async {
            let hosted = Hosted::new(one_account()).await;
            unlock_keychain().await;
            let baton = hosted.start(&[]);
            let path = hosted.folder.path().join("auth.json");
            fs::write(&path, hosted.sim.account("a").auth_json()).expect("a file");
            let label = "Personal".to_owned();
            hosted.ask(Command::AddFrom { path, label }).await;
            menu_says("( ) Personal — ");
            assert!(quit(baton).await.success());
            signal(owner(SECRETS), Signal::KILL);
            until("no keychain", || (!on_the_bus(SECRETS)).then_some(())).await;

            let baton = hosted.start(&["--at-login"]);
            menu_says("( ) Personal — ");
            let mut client = hosted.client().await;
            let turn = tokio::spawn(async move { client.turn("hello").await.completed });
            menu_says("there is no keychain service");
            assert!(!turn.is_finished());
            unlock_keychain().await;
            assert!(turn.await.expect("an answer"));
            menu_says("(x) Personal — ");
            assert!(!tray_menu(&[]).contains("keychain"));
            assert!(quit(baton).await.success());
        },
    );
}

const SECRETS: &str = "org.freedesktop.secrets";

async fn unlock_keychain() {
    let unlocked = "printf 'a password' | gnome-keyring-daemon --unlock --components=secrets";
    said("bash", &["-c", unlocked]);
    until("the keychain", || on_the_bus(SECRETS).then_some(())).await;
}

/// The process that has this name on the bus.
fn owner(name: &str) -> u32 {
    let asked = format!("string:{name}");
    let method = "org.freedesktop.DBus.GetConnectionUnixProcessID";
    let told = said(
        "dbus-send",
        &[
            "--session",
            "--print-reply=literal",
            "--dest=org.freedesktop.DBus",
            "/",
            method,
            &asked,
        ],
    );
    told.split_whitespace()
        .last()
        .and_then(|id| id.parse().ok())
        .expect("a process")
}
