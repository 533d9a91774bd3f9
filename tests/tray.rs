//! The tray, on a real tray host: a panel on a virtual display, with a session bus of its own (`scripts/screen`, whose
//! programs `scripts/setup test` installs). The menu is read and clicked as a panel does, over `com.canonical.dbusmenu`.
#![cfg(target_os = "linux")]

use std::{
    path::PathBuf,
    process::{Command, ExitStatus},
    sync::Arc,
    time::{Duration, Instant},
};

use baton_engine::{Engine, Options, SystemClock, vault::MemoryVault};
use baton_sim::{AccountScript, Client, Login, Scenario, Sim, WindowScript};
use tokio::process::{Child, Command as Process};

/// A menu is right long before this; whoever waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const INSIDE: &str = "BATON_TEST_INSIDE_SCREEN";

#[test]
fn the_menu_names_the_active_account_and_follows_a_switch() {
    on_a_screen(
        "the_menu_names_the_active_account_and_follows_a_switch",
        || async {
            let account = |name: &str| AccountScript::new(name).window(WindowScript::five_hours(1.0));
            let sim = Sim::start(Scenario::new().account(account("a")).account(account("b"))).await;
            let data = tempfile::tempdir().expect("a folder");
            let options = Options {
                data_dir: data.path().join("baton"),
                upstream: sim.base_url().parse().expect("a URL"),
                issuer: sim.issuer_url().parse().expect("a URL"),
                port: Some(0),
                sign_in_ports: vec![0],
                codex_homes: Vec::new(),
                clock: Arc::new(SystemClock),
                vault: Some(Arc::new(MemoryVault::new())),
                read_usage: false,
            };
            let data_dir = options.data_dir.clone();
            let baton = Box::pin(Engine::start(options)).await.expect("Baton starts");
            for (name, label) in [("a", "Personal"), ("b", "Work")] {
                let auth = sim.account(name).auth_json();
                baton
                    .add_auth_json(auth.as_bytes(), label)
                    .await
                    .expect("an account");
            }
            let desktop = desktop(&["--attach", "--data-dir", &data_dir.to_string_lossy()]);

            let urls = baton.base_urls().expect("it serves");
            let login = Login::from_auth_json(&sim.cli().auth_json()).expect("a login");
            let mut client = Client::new(urls.openai_base_url.trim_end_matches("/codex"), login);
            for active in ["Active: Personal", "Active: Work"] {
                assert!(client.turn("hello").await.completed);
                menu_says(active);
            }
            menu_says("Personal — ");

            let status = quit(desktop).await;
            assert!(status.success(), "{status}");
            assert!(
                client.turn("Baton itself goes on").await.error.is_some(),
                "both are spent"
            );
            baton.shutdown().await;
        },
    );
}

#[test]
fn the_desktop_hosts_its_own_baton_and_quits() {
    on_a_screen("the_desktop_hosts_its_own_baton_and_quits", || async {
        let data = tempfile::tempdir().expect("a folder");
        let desktop = desktop(&["--data-dir", &data.path().join("baton").to_string_lossy()]);
        menu_says("No account yet");
        let status = quit(desktop).await;
        assert!(status.success(), "{status}");
        assert!(
            data.path().join("baton/baton.db").exists(),
            "it was a Baton of its own"
        );
    });
}

/// Runs the story inside a screen of its own: outside one, this very test is run again in it.
fn on_a_screen<F: Future<Output = ()>>(name: &str, story: impl FnOnce() -> F) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        return runtime.block_on(story());
    }
    let this = std::env::current_exe().expect("this test");
    let output = Command::new(script("screen"))
        .arg(this)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("scripts/screen runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        said(&output.stdout),
        said(&output.stderr)
    );
}

fn desktop(arguments: &[&str]) -> Child {
    Process::new(env!("CARGO_BIN_EXE_baton-desktop"))
        .args(arguments)
        .kill_on_drop(true)
        .spawn()
        .expect("baton-desktop starts")
}

/// Reads the menu until an entry begins so. Each look takes its time, so this is no busy loop.
fn menu_says(entry: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let menu = tray_menu(&[]);
        if menu.lines().any(|line| line.starts_with(entry)) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "no entry `{entry}` in the menu:\n{menu}"
        );
    }
}

async fn quit(mut desktop: Child) -> ExitStatus {
    tray_menu(&["click", "Quit"]);
    tokio::time::timeout(PATIENCE, desktop.wait())
        .await
        .expect("it quits")
        .expect("its status")
}

fn tray_menu(arguments: &[&str]) -> String {
    let output = Command::new(script("tray-menu"))
        .args(arguments)
        .output()
        .expect("scripts/tray-menu runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name)
}
