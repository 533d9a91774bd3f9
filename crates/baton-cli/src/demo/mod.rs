//! `baton demo`: the main job on a simulated backend. Real engine, real proxy on loopback, real strategies; only the
//! service, the accounts and the clock are made up.
//!
//! - [`scenario`]: accounts, quotas and the day; [`stage`]: backend and engine together
//! - [`workload`]: the work, by the built-in client; [`codex`]: the same plan with the real Codex CLI
//! - [`record`]: what a run came to; [`verdict`]: the validation plan judged from it; [`measure`]: strategies in numbers
//! - [`live`], [`chart`], [`svg`]: on screen while it runs, and the timeline afterwards; [`tray`]: the tray beside it

mod chart;
mod codex;
mod live;
mod measure;
mod record;
mod scenario;
mod stage;
mod svg;
mod tray;
mod verdict;
mod workload;

use std::{path::Path, process::ExitCode, time::Duration};

use baton_core::Strategy;
use chart::Chart;
use live::Live;
use measure::Measures;
use record::Record;
use serde_json::{Value, json};
use stage::{Folders, Stage};
use tray::Tray;
use verdict::Step;
use workload::Workload;

use crate::{
    args::DemoArgs,
    error::Failure,
    serve::{self, Signals},
    show::{Out, Tint},
};

/// Between two pictures.
const FRAME: Duration = Duration::from_millis(100);
/// More than this, where somebody could serve, is no continuous work (simulated).
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Ended by the person.
const INTERRUPTED: u8 = 130;

pub(crate) async fn run(
    data_dir: Option<&Path>,
    args: DemoArgs,
    log: Option<&str>,
    out: Out,
) -> Result<ExitCode, Failure> {
    // The demo breaks things on purpose: what the engine logs about that is for those who ask.
    serve::log_to_stderr(log, "off")?;
    let folders = Folders::new(data_dir)?;
    let mut signals = Signals::new()?;
    tokio::select! {
        done = Box::pin(play(&args, &folders, out)) => done,
        () = signals.next() => Ok(ExitCode::from(INTERRUPTED)),
    }
}

async fn play(args: &DemoArgs, folders: &Folders, out: Out) -> Result<ExitCode, Failure> {
    if args.codex {
        return codex::play(args, folders, out).await;
    }
    let scenario = || scenario::scenario(args.seed, args.speed);
    let mut sequential = Stage::set(Strategy::Sequential, scenario(), folders.first()).await?;
    let tray = args
        .tray
        .as_deref()
        .map(|program| Tray::show(program, folders.first()))
        .transpose()?;
    let mut balanced = Stage::set(Strategy::Balanced, scenario(), &folders.second()).await?;
    let heading = format!(
        "Baton on two simulated accounts: a long day of {} in {:.0} s, through the real proxy",
        measure::hours(scenario::DAY),
        scenario::DAY.as_secs_f64() / args.speed
    );
    let mut live = Live::new(out, heading);
    let first = Workload::start(&sequential, args.seed, scenario::DAY)?;
    let second = Workload::start(&balanced, args.seed, scenario::DAY)?;
    let mut working = Box::pin(async { tokio::join!(first.done(), second.done()) });
    let mut frames = tokio::time::interval(FRAME);
    frames.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (first, second) = loop {
        tokio::select! {
            done = &mut working => break done,
            _ = frames.tick() => live.draw(&mut [&mut sequential, &mut balanced]).await?,
        }
    };
    let ours = Record::of(&mut sequential, first?, scenario::DAY, scenario::QUOTA).await?;
    let theirs = Record::of(&mut balanced, second?, scenario::DAY, scenario::QUOTA).await?;
    live.draw(&mut [&mut sequential, &mut balanced]).await?;
    drop(live);
    let steps = verdict::verdict(&ours, LONGEST_PAUSE);
    let passed = conclude(&ours, Some(&theirs), &steps, args, out)?;
    drop(tray);
    tokio::join!(sequential.clear(), balanced.clear());
    Ok(exit(passed))
}

/// The verdict, and the timeline of all strategies.
fn conclude(
    ours: &Record,
    theirs: Option<&Record>,
    steps: &[Step],
    args: &DemoArgs,
    out: Out,
) -> Result<bool, Failure> {
    let records: Vec<&Record> = std::iter::once(ours).chain(theirs).collect();
    let chart = Chart::new(&records);
    if let Some(path) = &args.svg {
        std::fs::write(path, svg::svg(&chart))
            .map_err(|error| Failure::new(format!("{} can't be written: {error}", path.display())))?;
    }
    let passed = steps.iter().all(|step| step.passed);
    if out.json {
        out.print_json(&summary(&records, steps, passed));
        return Ok(passed);
    }
    out.print(&told(steps, passed, out));
    if let Some(theirs) = theirs {
        out.print(&format!(
            "{}\n",
            out.style
                .paint(Tint::Strong, "The same work under two strategies")
        ));
        out.print(&chart.text(out.style));
        out.print(&format!(
            "\n{}",
            measure::comparison(&Measures::of(ours), &Measures::of(theirs))
        ));
    }
    if let Some(path) = &args.svg {
        out.print(&format!("\nThe timeline is in {}.", path.display()));
    }
    Ok(passed)
}

fn told(steps: &[Step], passed: bool, out: Out) -> String {
    let style = out.style;
    let mut text = format!("\n{}\n", style.paint(Tint::Strong, "The validation plan"));
    for step in steps {
        let mark = if step.passed {
            style.paint(Tint::Good, "✓")
        } else {
            style.paint(Tint::Bad, "✗")
        };
        text.push_str(&format!(
            "  {mark} {}. {}\n       {}\n",
            step.number,
            step.name,
            style.paint(Tint::Faint, &step.seen)
        ));
    }
    text.push_str(&if passed {
        style.paint(Tint::Good, "All steps passed.\n")
    } else {
        style.paint(Tint::Bad, "Not all steps passed.\n")
    });
    text
}

fn summary(records: &[&Record], steps: &[Step], passed: bool) -> Value {
    let lost: usize = records.iter().map(|record| record.lost()).sum();
    let repeated: usize = records.iter().map(|record| record.repeated()).sum();
    let strategies: Vec<Value> = records
        .iter()
        .map(|record| Measures::of(record).json(record))
        .collect();
    json!({
        "validation": verdict::json(steps),
        "passed": passed,
        "lost": lost,
        "repeated": repeated,
        "strategies": strategies,
    })
}

fn exit(passed: bool) -> ExitCode {
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
