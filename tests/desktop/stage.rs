//! A screen, a Baton on a simulated service, and the program on it.

use std::{
    future::Future,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::Arc,
    time::{Duration, Instant},
};

use baton_engine::{Engine, Options, SystemClock, control::protocol::Snapshot, vault::MemoryVault};
use baton_sim::{AccountScript, Client, Login, Scenario, Sim, WindowScript};
use tempfile::TempDir;
use tokio::process::{Child, Command as Process};

/// A menu is right long before this; whoever waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const INSIDE: &str = "BATON_TEST_INSIDE_SCREEN";

/// Two accounts, "Personal" and "Work", of which the first has this many requests in five hours.
pub(crate) struct Stage {
    pub(crate) sim: Sim,
    pub(crate) baton: Engine,
    pub(crate) data: PathBuf,
    pub(crate) keychain: Arc<MemoryVault>,
    pub(crate) folder: TempDir,
}

impl Stage {
    pub(crate) async fn new(first: f64) -> Self {
        let stage = Self::empty([("a", first), ("b", 100.0)]).await;
        for (name, label) in [("a", "Personal"), ("b", "Work")] {
            let auth = stage.sim.account(name).auth_json();
            stage
                .baton
                .add_auth_json(auth.as_bytes(), label)
                .await
                .expect("an account");
        }
        stage
    }

    /// No account in the pool yet.
    pub(crate) async fn empty(accounts: [(&str, f64); 2]) -> Self {
        let account = |(name, requests): (&str, f64)| {
            AccountScript::new(name).window(WindowScript::five_hours(requests))
        };
        let scenario = accounts
            .into_iter()
            .fold(Scenario::new(), |scenario, one| scenario.account(account(one)));
        let sim = Sim::start(scenario).await;
        let folder = tempfile::tempdir().expect("a folder");
        let codex = folder.path().join("codex");
        std::fs::create_dir(&codex).expect("a folder");
        let keychain = Arc::new(MemoryVault::new());
        let options = Options {
            data_dir: folder.path().join("baton"),
            upstream: sim.base_url().parse().expect("a URL"),
            issuer: sim.issuer_url().parse().expect("a URL"),
            port: Some(0),
            sign_in_ports: vec![0],
            codex_homes: vec![codex],
            clock: Arc::new(SystemClock),
            vault: Some(keychain.clone()),
            read_usage: false,
        };
        let data = options.data_dir.clone();
        let baton = Box::pin(Engine::start(options)).await.expect("Baton starts");
        Self {
            sim,
            baton,
            data,
            keychain,
            folder,
        }
    }

    pub(crate) fn client(&self) -> Client {
        let urls = self.baton.base_urls().expect("it serves");
        let login = Login::from_auth_json(&self.sim.cli().auth_json()).expect("a login");
        Client::new(urls.openai_base_url.trim_end_matches("/codex"), login)
    }

    /// The tray of this Baton.
    pub(crate) fn desktop(&self) -> Child {
        desktop(&["--attach", "--data-dir", &self.data.to_string_lossy()])
    }

    /// Once Baton shows it.
    pub(crate) async fn until(&self, wanted: impl Fn(&Snapshot) -> bool) {
        let mut changes = self.baton.changes();
        let shown = async {
            while !wanted(&self.baton.snapshot()) {
                changes.changed().await.expect("Baton runs");
            }
        };
        tokio::time::timeout(PATIENCE, shown)
            .await
            .unwrap_or_else(|_| panic!("Baton shows {:?}", self.baton.snapshot()));
    }
}

/// Runs the story inside a screen of its own: outside one, this very test is run again in it.
pub(crate) fn on_a_screen<F: Future<Output = ()>>(name: &str, story: impl FnOnce() -> F) {
    on_this_screen(&[], name, story);
}

/// On a screen that no panel is on.
pub(crate) fn without_a_panel<F: Future<Output = ()>>(name: &str, story: impl FnOnce() -> F) {
    on_this_screen(&[("BATON_SCREEN_PANEL", "none")], name, story);
}

fn on_this_screen<F: Future<Output = ()>>(screen: &[(&str, &str)], name: &str, story: impl FnOnce() -> F) {
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
        .envs(screen.iter().copied())
        .output()
        .expect("scripts/screen runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success() && said(&output.stdout).contains("1 passed"),
        "{}{}",
        said(&output.stdout),
        said(&output.stderr)
    );
}

pub(crate) fn desktop(arguments: &[&str]) -> Child {
    Process::new(env!("CARGO_BIN_EXE_baton-desktop"))
        .args(arguments)
        .kill_on_drop(true)
        .spawn()
        .expect("baton-desktop starts")
}

/// Reads the menu until an entry begins so. Each look takes its time, so this is no busy loop.
pub(crate) fn menu_says(entry: &str) {
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

pub(crate) async fn quit(mut desktop: Child) -> ExitStatus {
    tray_menu(&["click", "Quit"]);
    tokio::time::timeout(PATIENCE, desktop.wait())
        .await
        .expect("it quits")
        .expect("its status")
}

pub(crate) fn tray_menu(arguments: &[&str]) -> String {
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

/// Looks until something is there.
pub(crate) async fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        // Another process is at it: it shall have the processor.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The windows of Baton that show.
pub(crate) fn windows() -> usize {
    said("xdotool", &["search", "--onlyvisible", "--name", "^Baton$"])
        .lines()
        .count()
}

pub(crate) async fn windows_are(wanted: usize) {
    until("so many windows", || (windows() == wanted).then_some(())).await;
}

/// The process of the one that shows.
pub(crate) async fn window_process() -> u32 {
    let found = || {
        let id = said(
            "xdotool",
            &["search", "--onlyvisible", "--name", "^Baton$", "getwindowpid"],
        );
        id.trim().parse().ok()
    };
    until("the window's process", found).await
}

pub(crate) fn panel() -> Child {
    Process::new("xfce4-panel")
        .arg("--disable-wm-check")
        .kill_on_drop(true)
        .spawn()
        .expect("a panel")
}

/// Whether somebody has this name on the session's bus.
pub(crate) fn on_the_bus(name: &str) -> bool {
    let asked = format!("string:{name}");
    said(
        "dbus-send",
        &[
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus.NameHasOwner",
            &asked,
        ],
    )
    .contains("boolean true")
}

/// Real notifications, for as long as it lives. They stay until they are clicked.
pub(crate) async fn notifications() -> Child {
    let home = PathBuf::from(std::env::var_os("BATON_SCREEN_HOME").expect("the screen's"));
    let config = home.join("dunstrc");
    std::fs::write(&config, "[urgency_normal]\ntimeout = 0\n").expect("a file");
    let service = Process::new("dunst")
        .arg("-config")
        .arg(config)
        .kill_on_drop(true)
        .spawn()
        .expect("dunst");
    until("the notification service", || displayed().map(drop)).await;
    service
}

/// How many show.
pub(crate) fn displayed() -> Option<u32> {
    said("dunstctl", &["count", "displayed"]).trim().parse().ok()
}

pub(crate) async fn displayed_are(wanted: u32) {
    let deadline = Instant::now() + PATIENCE;
    while displayed() != Some(wanted) {
        assert!(
            Instant::now() < deadline,
            "not {wanted} notifications show, but {:?}; those before: {}\nThe menu:\n{}",
            displayed(),
            told(),
            tray_menu(&[])
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Closes those that show, and says what all were, as JSON.
pub(crate) fn told() -> String {
    said("dunstctl", &["close-all"]);
    said("dunstctl", &["history"])
}

/// What a program of the session prints.
pub(crate) fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn exists(path: &Path) -> Option<()> {
    path.exists().then_some(())
}
