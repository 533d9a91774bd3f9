//! The measurements themselves, in a process that runs on the screen; the other one, which makes the table, reads what
//! they came to.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{process::Command, time::sleep};

use super::{
    screen::Screen,
    script,
    stage::{self, Stage, within_reason},
};
use crate::{
    Result,
    process::{Memory, Part, started_by},
};

const STARTS: usize = 10;
const ROUNDS: usize = 3;
/// Longer than what a start does later: after 5 s it looks for a panel.
const SETTLE: Duration = Duration::from_secs(8);
const SETTLE_AGAIN: Duration = Duration::from_secs(3);
pub(super) const IDLE: Duration = Duration::from_secs(20);

/// One value a round.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) bare: Vec<Memory>,
    /// Before a window was opened, and after it was closed.
    pub(super) before: Vec<Memory>,
    pub(super) after: Vec<Memory>,
    pub(super) guardian: Vec<Memory>,
    /// All processes of an open one.
    pub(super) window: Vec<Memory>,
    /// Seconds.
    pub(super) bare_on_the_panel: Vec<f64>,
    pub(super) on_the_panel: Vec<f64>,
    pub(super) serving: Vec<f64>,
    pub(super) opening: Vec<f64>,
    pub(super) bare_idle: Idle,
    pub(super) idle_before: Idle,
    pub(super) idle_after: Idle,
}

/// Over [`IDLE`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Idle {
    pub(super) processor: Duration,
    pub(super) wake_ups: u64,
}

/// On the screen. What it came to is in the file then.
pub(crate) async fn run(file: &Path) -> Result<()> {
    let home = std::env::var_os("BATON_SCREEN_HOME").ok_or("this is no screen of scripts/screen's")?;
    let home = Path::new(&home);
    let mut screen = Screen::open(&home.join("Xvfb_screen0"))?;
    let mut stage = Stage::new(home).await?;
    let mut all = Measured::default();
    starts(&mut stage, &mut all).await?;
    for round in 1..=ROUNDS {
        eprintln!("measuring the desktop: round {round} of {ROUNDS}");
        one(&mut stage, &mut screen, &mut all, round == ROUNDS).await?;
    }
    Ok(std::fs::write(file, serde_json::to_vec(&all)?)?)
}

/// The first of each isn't counted: it fills the system's caches.
async fn starts(stage: &mut Stage, all: &mut Measured) -> Result<()> {
    eprintln!("measuring the desktop: starts");
    for number in 0..=STARTS {
        let bare = stage.bare().await?;
        bare.part.end().await?;
        let baton = stage.baton().await?;
        stage.end(baton.part).await?;
        if number > 0 {
            all.bare_on_the_panel.push(bare.on_the_panel);
            all.on_the_panel.push(baton.on_the_panel);
            all.serving.extend(baton.serving);
        }
    }
    Ok(())
}

/// One tray at a time: what two of them share would count half for each.
async fn one(stage: &mut Stage, screen: &mut Screen, all: &mut Measured, idle_too: bool) -> Result<()> {
    let bare = stage.bare().await?.part;
    sleep(SETTLE).await;
    all.bare.push(Memory::of(&[bare.id()?])?);
    if idle_too {
        all.bare_idle = idle(&bare).await?;
    }
    bare.end().await?;

    let baton = stage.baton().await?.part;
    let id = baton.id()?;
    sleep(SETTLE).await;
    all.before.push(Memory::of(&[id])?);
    if let Some(guardian) = stage::in_role(&baton, "guard")? {
        all.guardian.push(Memory::of(&[guardian])?);
    }
    if idle_too {
        all.idle_before = idle(&baton).await?;
    }

    all.opening.push(open(stage, screen).await?);
    sleep(SETTLE_AGAIN).await;
    let window = stage::in_role(&baton, "window")?.ok_or("the window is no process of the tray's")?;
    let mut processes = started_by(window)?;
    processes.push(window);
    all.window.push(Memory::of(&processes)?);
    close().await?;
    within_reason("an empty screen", screen.empty()).await?;
    within_reason("the end of the window's process", stage::without_a_window(&baton)).await?;
    sleep(SETTLE_AGAIN).await;
    all.after.push(Memory::of(&[id])?);
    if idle_too {
        all.idle_after = idle(&baton).await?;
    }
    stage.end(baton).await
}

/// Seconds from a click in the menu until the page can be read.
async fn open(stage: &mut Stage, screen: &mut Screen) -> Result<f64> {
    let mut click = Command::new(script("tray-menu"))
        .args(["click", "Open Baton"])
        .spawn()?;
    let clicked = within_reason("the click", stage.bus.clicked()).await?;
    within_reason("the window's page", screen.drawn()).await?;
    let taken = clicked.elapsed().as_secs_f64();
    click.wait().await?;
    Ok(taken)
}

/// As a person does: by a key, which the window manager takes only from the keyboard.
async fn close() -> Result<()> {
    for keys in [
        &["search", "--name", "^Baton$", "windowactivate", "--sync"][..],
        &["key", "alt+F4"],
    ] {
        let done = Command::new("xdotool").args(keys).status().await?;
        if !done.success() {
            return Err(format!("xdotool {}: {done}", keys.join(" ")).into());
        }
    }
    Ok(())
}

async fn idle(part: &Part) -> Result<Idle> {
    let before = (part.processor()?, part.wake_ups()?);
    sleep(IDLE).await;
    Ok(Idle {
        processor: part.processor()?.saturating_sub(before.0),
        wake_ups: part.woken_since(&before.1)?,
    })
}
