//! How long a replay takes: two accounts, heavy use, all five strategies and the verdict.

use std::{hint::black_box, time::Instant};

use baton_core::{
    Policy,
    replay::{Trace, compare, week::working_weeks},
};

use crate::{
    Result,
    report::{Report, times},
    run::median,
};

/// 91 days.
const WEEKS: u32 = 13;
const REQUESTS_A_DAY: u32 = 600;
/// The two take turns this often, and the medians count.
const ROUNDS: usize = 10;

/// Aims.
const QUARTER_SECS: f64 = 1.0;
/// Twice the days take twice the time, but for what other programs do to the measurement.
const TWICE: f64 = 2.3;

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    eprintln!("measuring replays");
    report.heading(
        "Replay: two accounts, 600 requests each working day, all five strategies",
        &["", "requests", "measured", "aim"],
    );
    let traces = [WEEKS, 2 * WEEKS].map(|weeks| working_weeks(weeks, REQUESTS_A_DAY));
    let [mut quarters, mut halves, mut ratios] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let [quarter, half] = [taken(&traces[0])?, taken(&traces[1])?];
        quarters.push(quarter);
        halves.push(half);
        ratios.push(half / quarter);
    }
    let [quarter, half, ratio] = [quarters, halves, ratios].map(|values| median(&values));
    let [few, many] = traces.map(|trace| trace.demand.work().len().to_string());

    let measured = format!("{:.0} ms", quarter * 1e3);
    let aim = report.aim("replay of 90 days", quarter <= QUARTER_SECS, "≤ 1 s", &measured);
    report.row(&["90 days".to_owned(), few, measured, aim]);

    let measured = format!("{:.0} ms, {}", half * 1e3, times(ratio));
    let aim = report.aim(
        "replay of 180 days, of 90",
        ratio <= TWICE,
        "about 2 ×",
        &times(ratio),
    );
    report.row(&["180 days".to_owned(), many, measured, aim]);
    Ok(())
}

/// Seconds.
fn taken(trace: &Trace) -> Result<f64> {
    let started = Instant::now();
    black_box(compare(black_box(trace), Policy::default())).ok_or("the weeks hold no work")?;
    Ok(started.elapsed().as_secs_f64())
}
