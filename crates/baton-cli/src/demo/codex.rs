//! The plan with the real Codex CLI in place of the built-in client. It lives in real time, so the demo moves the
//! simulated clock on between its turns, and a few requests use an account up.

use std::{process::ExitCode, time::Duration};

use baton_core::{Strategy, Timestamp};
use baton_engine::codex::Mode;
use tokio::time;

use super::{
    FRAME, LONGEST_PAUSE, conclude, exit,
    live::Live,
    record::{Record, Span, Turn},
    scenario::{self, FIVE_HOURS},
    stage::{Folders, Stage},
    tray::Tray,
    verdict,
};
use crate::{args::DemoArgs, error::Failure, installed::Cli, show::Out};

/// Requests that fit into an account's five hours.
const QUOTA: u32 = 4;
const TURN_LIMIT: Duration = Duration::from_secs(90);

/// What happens, one after the other. A turn with a tool call is two requests.
const SCRIPT: [Act; 9] = [
    Act::Turn {
        text: "hello",
        tools: 0,
    },
    Act::Turn {
        text: "look around [tool: echo looking]",
        tools: 1,
    },
    // So that the second account's five hours begin well after the first one's.
    Act::Later(Duration::from_secs(45 * 60)),
    // The first account runs out in mid-turn, after the tool call.
    Act::Turn {
        text: "go on [tool: echo going on]",
        tools: 1,
    },
    Act::Turn {
        text: "and now",
        tools: 0,
    },
    Act::Turn {
        text: "once more",
        tools: 0,
    },
    Act::FirstRecovers,
    // The second one runs out in mid-turn, and the first is back.
    Act::Turn {
        text: "finish it [tool: echo finishing]",
        tools: 1,
    },
    Act::Turn {
        text: "thank you",
        tools: 0,
    },
];

#[derive(Clone, Copy)]
enum Act {
    Turn {
        text: &'static str,
        tools: usize,
    },
    Later(Duration),
    /// To just after the first account's reset.
    FirstRecovers,
}

pub(super) async fn play(args: &DemoArgs, folders: &Folders, out: Out) -> Result<ExitCode, Failure> {
    let mut stage = Stage::set(
        Strategy::Sequential,
        scenario::for_codex(args.seed, QUOTA),
        folders.first(),
    )
    .await?;
    let tray = args
        .tray
        .as_deref()
        .map(|program| Tray::show(program, folders.first()))
        .transpose()?;
    let cli = Cli::install(
        &args.codex_bin,
        &folders.other("codex"),
        &stage.sim.cli().auth_json(),
    )
    .await?;
    cli.config().connect(&stage.base_urls()?, Mode::Default)?.make()?;
    let version = cli.version().await.map_err(|why| {
        Failure::new(format!(
            "{} can't be used ({why}); install the Codex CLI, or name it with --codex-bin",
            args.codex_bin.display()
        ))
    })?;
    let heading = format!("Baton on two simulated accounts, with the Codex CLI ({version})");
    let mut live = Live::new(out, heading);
    let clock = stage.sim.clock();
    let mut working = Box::pin(perform(&cli, &clock, stage.started));
    let mut frames = time::interval(FRAME);
    frames.set_missed_tick_behavior(time::MissedTickBehavior::Skip);
    let performed = loop {
        tokio::select! {
            done = &mut working => break done?,
            _ = frames.tick() => live.draw(&mut [&mut stage]).await?,
        }
    };
    let day = stage.now().since(stage.started);
    let mut record = Record::of(&mut stage, performed.turns, day, QUOTA).await?;
    record.skipped = performed.skipped;
    live.draw(&mut [&mut stage]).await?;
    drop(live);
    let steps = verdict::verdict(&record, LONGEST_PAUSE);
    let passed = conclude(&record, None, &steps, args, out)?;
    drop(tray);
    stage.clear().await;
    Ok(exit(passed))
}

struct Performed {
    turns: Vec<Turn>,
    skipped: Vec<Span>,
}

async fn perform(cli: &Cli, clock: &baton_sim::Clock, started: Timestamp) -> Result<Performed, Failure> {
    let now = || Timestamp::from_millis(clock.now_unix_millis());
    let mut turns: Vec<Turn> = Vec::new();
    let mut skipped = Vec::new();
    for act in SCRIPT {
        let from = now();
        match act {
            Act::Turn { text, tools } => turns.push(turn(cli, text, tools, from).await?),
            Act::Later(by) => clock.advance(by),
            // The first turn's first request may have come a moment after the start.
            Act::FirstRecovers => {
                let first = turns.get(1).map_or(started, |second| second.started);
                clock.advance((first + FIVE_HOURS).since(from));
            }
        }
        if !matches!(act, Act::Turn { .. }) {
            skipped.push((from, now()));
        }
    }
    Ok(Performed { turns, skipped })
}

/// A turn of the CLI's, as the record counts it.
async fn turn(cli: &Cli, text: &str, tools: usize, started: Timestamp) -> Result<Turn, Failure> {
    let run = cli.exec(text, TURN_LIMIT).await?;
    let repeated = run.told.messages.saturating_sub(1) + run.told.commands.saturating_sub(tools);
    Ok(Turn {
        started,
        lost: run.problem(1),
        repeated,
    })
}
