//! `baton forecast`, `baton timeline` and `baton replay` in a terminal.

use std::{fmt::Write as _, time::Duration};

use baton_core::{
    Percent, Timestamp, explain,
    forecast::{AccountForecast, Depletion},
    replay::{Comparison, Outcome},
    timeline::{Lane, Timeline},
};
use baton_engine::control::protocol::{ForecastView, ReplayView, Snapshot};

use super::{Labels, Style, Table, Tint};

pub(crate) fn forecast(view: &ForecastView, snapshot: &Snapshot, style: Style) -> String {
    let words = Labels::from(snapshot);
    let mut out = format!("{}\n", style.paint(Tint::Strong, &view.said));
    for expected in &view.expected {
        let _ = writeln!(out, "  {expected}");
    }
    let mut table = Table::default();
    for account in &view.forecast.accounts {
        windows(&mut table, account, &words);
    }
    if !table.is_empty() {
        out.push_str("\nIf one account served everything from now on:\n");
        out.push_str(&table.render(style, 2));
    }
    let _ = writeln!(out, "\n{}", style.paint(Tint::Faint, &view.rests_on));
    out
}

fn windows(table: &mut Table, account: &AccountForecast, words: &dyn explain::Words) {
    let mut label = words.label(account.account);
    for window in &account.windows {
        let depletes = match window.depletes {
            Depletion::At(when) => format!("used up {}", explain::about(&when, words)),
            Depletion::UsedUp => "used up".to_owned(),
            Depletion::Lasts => "lasts until its reset".to_owned(),
            Depletion::Resting => "not in use".to_owned(),
            Depletion::Unknown => "unknown".to_owned(),
        };
        let pace = window.pace.map_or_else(String::new, |pace| {
            format!("{} % an hour of work", explain::percent(pace))
        });
        let recovers = window
            .recovers
            .map_or_else(String::new, |at| format!("whole again {}", words.time(at)));
        table.row([
            (std::mem::take(&mut label), Tint::Strong),
            (window.length.to_string(), Tint::Faint),
            (depletes, Tint::Plain),
            (recovers, Tint::Plain),
            (pace, Tint::Faint),
        ]);
    }
}

/// Cells of the axis.
const CELLS: u32 = 72;
const HEIGHTS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The shortest window of each account, as it was used and when it is whole again.
pub(crate) fn timeline(timeline: &Timeline, style: Style) -> String {
    let cell = timeline.to.since(timeline.from) / CELLS;
    let column = |at: Timestamp| {
        let cells = at.since(timeline.from).as_secs_f64() / cell.as_secs_f64().max(1.0);
        (cells as usize).min(CELLS as usize - 1)
    };
    let labels = timeline.lanes.iter().map(|lane| lane.label.chars().count());
    let indent = labels.max().unwrap_or(0).max("blocked".len()) + 2;
    let row = |label: &str, tint: Tint, cells: String| {
        let space = " ".repeat(indent.saturating_sub(label.chars().count()));
        format!("{label}{space}{}\n", style.paint(tint, cells.trim_end()))
    };
    let mut axis = vec![' '; CELLS as usize + 8];
    let now = std::iter::once((timeline.now, "now"));
    let ticks = timeline.ticks.iter().map(|tick| (tick.at, tick.label.as_str()));
    for (at, label) in now.chain(ticks) {
        let start = column(at);
        let ends = start + label.chars().count();
        let taken = axis[start.saturating_sub(1)..(ends + 1).min(axis.len())]
            .iter()
            .any(|cell| *cell != ' ');
        if !taken {
            for (place, letter) in axis[start..].iter_mut().zip(label.chars()) {
                *place = letter;
            }
        }
    }
    let mut out = row("", Tint::Faint, axis.into_iter().collect());
    for lane in &timeline.lanes {
        let cells = (0..CELLS).map(|index| {
            let from = timeline.from + cell * index;
            if column(timeline.now) == index as usize {
                '│'
            } else {
                mark(lane, from, cell, timeline.now)
            }
        });
        out.push_str(&row(&lane.label, Tint::Plain, cells.collect()));
        let _ = writeln!(
            out,
            "{}{}",
            " ".repeat(indent),
            style.paint(Tint::Faint, &lane.said)
        );
    }
    if !timeline.blocked.is_empty() {
        let cells = (0..CELLS).map(|index| {
            let (from, to) = (timeline.from + cell * index, timeline.from + cell * (index + 1));
            let blocked = timeline
                .blocked
                .iter()
                .any(|time| time.from < to && time.to.unwrap_or(timeline.now) > from && from <= timeline.now);
            if blocked { '×' } else { ' ' }
        });
        out.push_str(&row("blocked", Tint::Bad, cells.collect()));
    }
    let legend = "height: used of the shortest window · ◆ expected to be used up · ↺ whole again · × nobody could serve";
    let _ = writeln!(out, "{}{}", " ".repeat(indent), style.paint(Tint::Faint, legend));
    out
}

fn mark(lane: &Lane, from: Timestamp, cell: Duration, now: Timestamp) -> char {
    let to = from + cell;
    let within = |at: Timestamp| from <= at && at < to;
    let Some(track) = lane.tracks.first() else {
        return ' ';
    };
    if from > now {
        return match track.expected {
            Some(expected) if expected.depleted.and_then(|when| when.likely).is_some_and(within) => '◆',
            Some(expected) if expected.recovers.is_some_and(within) => '↺',
            _ => ' ',
        };
    }
    let of_cell = track
        .stretches
        .iter()
        .rfind(|stretch| stretch.from < to && stretch.resets_at.is_none_or(|reset| reset > from));
    let level = of_cell.and_then(|stretch| {
        let known = stretch.levels.iter().take_while(|level| level.at < to);
        known.last().map(|level| level.used)
    });
    level.map_or(' ', height)
}

fn height(used: Percent) -> char {
    HEIGHTS[((used.used() / 100.0 * 8.0).ceil() as usize).min(8)]
}

pub(crate) fn replay(view: &ReplayView, style: Style) -> String {
    let mut out = format!("{}\n", style.paint(Tint::Strong, &view.said));
    let Some(comparison) = &view.comparison else {
        return out;
    };
    let _ = writeln!(out, "\n{}", strategies(comparison, &comparison.outcomes, style));
    if !comparison.without_thresholds.is_empty() {
        let _ = writeln!(
            out,
            "With no account held back:\n\n{}",
            strategies(comparison, &comparison.without_thresholds, style)
        );
    }
    out.push_str(&style.paint(
        Tint::Faint,
        "Unused at resets counts the longest window: 100 % is one whole window of one account.",
    ));
    out.push('\n');
    out
}

fn strategies(comparison: &Comparison, outcomes: &[Outcome], style: Style) -> String {
    let mut table = Table::default();
    let faint = |text: &str| (text.to_owned(), Tint::Faint);
    table.row([
        faint("Strategy"),
        faint("Interruptions"),
        faint("Blocked"),
        faint("Longest stretch"),
        faint("Unused at resets"),
        faint("Switches"),
    ]);
    for outcome in outcomes {
        let own = outcome.strategy == comparison.present;
        let tint = if own { Tint::Strong } else { Tint::Plain };
        let cell = |text: String| (text, tint);
        let yours = if own { " (yours)" } else { "" };
        let expired = outcome.expired.last();
        table.row([
            cell(format!("{}{yours}", outcome.strategy.title())),
            cell(outcome.interruptions.to_string()),
            cell(minutes(outcome.blocked_minutes)),
            cell(minutes(outcome.longest_stretch_minutes)),
            cell(expired.map_or_else(|| "—".to_owned(), |expired| format!("{:.0} %", expired.percent))),
            cell(outcome.switches.len().to_string()),
        ]);
    }
    table.render(style, 2)
}

fn minutes(length: f64) -> String {
    let minutes = length.round() as u64;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
