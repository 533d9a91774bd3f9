//! The desktop: what its tray costs beside a bare one (`examples/bare_tray.rs`), and how long it takes to be there.
//!
//! It runs on a screen of its own (`scripts/screen`), with a simulated service and a keychain with two accounts.
//!
//! - [`rounds`]: the measurements; a process on the screen runs them
//! - [`stage`]: the two trays; [`bus`], [`screen`]: what is seen of them from outside

mod bus;
pub(crate) mod rounds;
mod screen;
mod stage;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use self::rounds::{IDLE, Idle, Measured};
use crate::{
    Result,
    process::{Memory, Part},
    report::{Report, megabytes, micros, times},
    run::{median, slowest},
};

/// The role of the process on the screen.
pub(crate) const ROLE: &str = "on-the-screen";
const BATON: &str = "baton-desktop";
/// Names the folder of the simulated accounts' sign-ins.
const SIGN_INS: &str = "BATON_BENCH_SIGN_INS";

/// Aims.
const OF_BARE: f64 = 1.15;
const WAKE_UPS: f64 = 2.0;

pub(crate) async fn section(report: &mut Report) -> Result<()> {
    eprintln!("measuring the desktop");
    let measured = measure().await?;
    memory(report, &measured);
    idle(report, &measured);
    waits(report, &measured);
    Ok(())
}

/// A program of this build.
fn beside(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    if program.exists() {
        Ok(program)
    } else {
        Err(format!("{} isn't built: `make bench` does that", program.display()).into())
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../scripts")
        .join(name)
}

async fn measure() -> Result<Measured> {
    let dir = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
    let folder = dir.path().to_string_lossy();
    let service = Part::start(&beside("baton-sim")?, &["--json", "--auth-dir", &folder]).await?;
    let said: serde_json::Value = serde_json::from_str(&service.said)?;
    let url = |name: &str| said[name].as_str().ok_or("the service doesn't say where it is");
    let codex_home = dir.path().join("codex");
    std::fs::create_dir(&codex_home)?;
    let measured = dir.path().join("measured.json");
    // What the desktop's services have to say there is nobody's business.
    let on_the_screen = Command::new(script("screen"))
        .arg(std::env::current_exe()?)
        .arg(ROLE)
        .arg(&measured)
        .env(SIGN_INS, dir.path())
        .env("BATON_UPSTREAM", url("base_url")?)
        .env("BATON_ISSUER", url("issuer_url")?)
        .env("CODEX_HOME", &codex_home)
        .env("BATON_LOG", "warn")
        .env("BATON_SCREEN_SIZE", "1024x900x24")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .await?;
    if !on_the_screen.success() {
        return Err("the desktop could not be measured".into());
    }
    Ok(serde_json::from_slice(&std::fs::read(measured)?)?)
}

fn memory(report: &mut Report, measured: &Measured) {
    report.heading(
        "The desktop's memory: the tray's process, with the engine and two accounts in it",
        &[
            "",
            "proportional (PSS)",
            "resident (RSS)",
            "of the bare tray's PSS",
        ],
    );
    let bare = middle(&measured.bare);
    let mut row = |what: &str, memory: &[Memory], aim: Option<&str>| {
        let memory = middle(memory);
        let ratio = memory.proportional / bare.proportional;
        let of_bare = aim.map_or_else(String::new, |name| {
            let aim = report.aim(name, ratio <= OF_BARE, "≤ 1.15 ×", &times(ratio));
            format!("{} ({aim})", times(ratio))
        });
        report.row(&[
            what.to_owned(),
            megabytes(memory.proportional),
            megabytes(memory.resident),
            of_bare,
        ]);
    };
    row("a bare Tauri tray", &measured.bare, None);
    row(
        "Baton's, before a window was opened",
        &measured.before,
        Some("memory of the tray before a window"),
    );
    row(
        "Baton's, after one was opened and closed",
        &measured.after,
        Some("memory of the tray after a window"),
    );
    row("besides: its guardian's process", &measured.guardian, None);
    row(
        "besides: the window's processes, while it is open",
        &measured.window,
        None,
    );
}

fn idle(report: &mut Report, measured: &Measured) {
    report.heading(
        &format!("The desktop, idle for {} s", IDLE.as_secs()),
        &["", "processor", "wake-ups", "aim"],
    );
    let mut row = |what: &str, idle: &Idle, aim: Option<&str>| {
        let share = idle.processor.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
        let wake_ups = idle.wake_ups as f64 / IDLE.as_secs_f64();
        let (share_told, wake_ups_told) = (format!("{share:.2} %"), format!("{wake_ups:.2}/s"));
        let aim = aim.map_or_else(String::new, |name| {
            let met = idle.processor.is_zero() && wake_ups < WAKE_UPS;
            let measured = format!("{share_told}, {wake_ups_told}");
            report.aim(name, met, "0.0 %, < 2/s", &measured)
        });
        report.row(&[what.to_owned(), share_told, wake_ups_told, aim]);
    };
    row("a bare Tauri tray", &measured.bare_idle, None);
    row(
        "Baton's, before a window was opened",
        &measured.idle_before,
        Some("the tray idle before a window"),
    );
    row(
        "Baton's, after one was opened and closed",
        &measured.idle_after,
        Some("the tray idle after a window"),
    );
}

fn waits(report: &mut Report, measured: &Measured) {
    report.heading(
        "The desktop: what is waited for",
        &["", "bare tray", "Baton", "slowest"],
    );
    let mut row = |what: &str, bare: &[f64], baton: &[f64]| {
        let told = |seconds: f64| micros(Duration::from_secs_f64(seconds));
        let bare = if bare.is_empty() {
            String::new()
        } else {
            told(median(bare))
        };
        report.row(&[what.to_owned(), bare, told(median(baton)), told(slowest(baton))]);
    };
    row(
        "start to the icon on the panel",
        &measured.bare_on_the_panel,
        &measured.on_the_panel,
    );
    row("start to serving", &[], &measured.serving);
    row(
        "click on *Open Baton* to a page that can be read",
        &[],
        &measured.opening,
    );
}

/// The medians of the rounds.
fn middle(memory: &[Memory]) -> Memory {
    let of = |which: fn(&Memory) -> f64| median(&memory.iter().map(which).collect::<Vec<_>>());
    Memory {
        resident: of(|memory| memory.resident),
        proportional: of(|memory| memory.proportional),
    }
}
