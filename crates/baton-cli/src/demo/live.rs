//! The demo as it runs: redrawn in place on a terminal, plain lines elsewhere, one JSON object an event with `--json`.

use std::fmt::Write as _;

use baton_core::{Event, EventKind, Timestamp};
use baton_engine::{
    control::protocol::{AccountView, Snapshot},
    words::clock_time,
};
use serde_json::json;

use super::{scenario::CAST, stage::Stage};
use crate::{
    error::Failure,
    show::{Labels, Out, Style, Tint, happened, percent_left, state, window_name},
};

const BAR: usize = 26;
/// The newest things that happened, on screen.
const SHOWN: usize = 8;
const HOUR_MS: i64 = 3_600_000;

pub(super) struct Live {
    out: Out,
    heading: String,
    /// Lines drawn, to be drawn over.
    drawn: usize,
    told: usize,
    next_hour: Option<i64>,
}

impl Live {
    pub(super) fn new(out: Out, heading: String) -> Self {
        if out.terminal() && !out.json {
            // No cursor in the middle of the bars; and a line too long for the terminal is cut, or drawing over it would
            // miss its second half.
            out.print_raw("\x1b[?25l\x1b[?7l");
        } else if !out.json {
            out.print(&heading);
        }
        Self {
            out,
            heading,
            drawn: 0,
            told: 0,
            next_hour: None,
        }
    }

    /// `stages`: the first is looked at closely, the others in a line.
    pub(super) async fn draw(&mut self, stages: &mut [&mut Stage]) -> Result<(), Failure> {
        for stage in stages.iter_mut() {
            stage.listen();
        }
        let Some((stage, others)) = stages.split_first() else {
            return Ok(());
        };
        let snapshot = stage.snapshot().await?;
        if self.out.json {
            self.tell_json(stage);
        } else if self.out.terminal() {
            let mut beside = Vec::new();
            for other in others {
                beside.push((other.strategy.title(), other.snapshot().await?));
            }
            let screen = self.screen(stage, &snapshot, &beside);
            self.redraw(&screen);
        } else {
            self.tell(stage, &snapshot);
        }
        Ok(())
    }

    fn screen(&self, stage: &Stage, snapshot: &Snapshot, beside: &[(&str, Snapshot)]) -> String {
        let style = self.out.style;
        let mut screen = format!("{}\n\n", style.paint(Tint::Strong, &self.heading));
        let _ = writeln!(
            screen,
            "{}  {}",
            style.paint(Tint::Strong, stage.strategy.title()),
            style.paint(Tint::Faint, &clock_time(snapshot.at, snapshot.at))
        );
        for (index, view) in snapshot.accounts.iter().enumerate() {
            let active = snapshot.active == Some(view.id);
            let requests = requests_of(stage, index);
            let (words, tint) = state(view);
            let _ = writeln!(
                screen,
                "  {} {:<10} {:>4} requests   {}",
                style.paint(Tint::Good, if active { "●" } else { " " }),
                view.label,
                requests,
                style.paint(tint, &words)
            );
            for line in bars(view, snapshot.at, colour(index), style) {
                let _ = writeln!(screen, "      {line}");
            }
        }
        for (title, other) in beside {
            let left: Vec<String> = other
                .accounts
                .iter()
                .map(|view| {
                    format!(
                        "{} {}",
                        view.label,
                        view.windows
                            .first()
                            .map_or(String::new(), |w| percent_left(w.left))
                    )
                })
                .collect();
            let _ = writeln!(
                screen,
                "\n{}  {}",
                style.paint(Tint::Strong, title),
                left.join(" · ")
            );
        }
        screen.push('\n');
        let words = Labels::from(snapshot);
        let told: Vec<&Event> = stage.events.iter().filter(|event| worth_telling(event)).collect();
        for event in told.iter().skip(told.len().saturating_sub(SHOWN)) {
            let line = happened(event, &words);
            let tint = if matches!(event.kind, EventKind::Switched(_)) {
                Tint::Strong
            } else {
                Tint::Plain
            };
            let time = style.paint(Tint::Faint, &clock_time(event.at, snapshot.at));
            let _ = writeln!(screen, "  {time}  {}", style.paint(tint, &line));
        }
        screen
    }

    fn redraw(&mut self, screen: &str) {
        let mut text = String::new();
        if self.drawn > 0 {
            let _ = write!(text, "\x1b[{}A", self.drawn);
        }
        for line in screen.lines() {
            let _ = writeln!(text, "\x1b[2K{line}");
        }
        text.push_str("\x1b[J");
        self.drawn = screen.lines().count();
        self.out.print_raw(&text);
    }

    fn tell(&mut self, stage: &Stage, snapshot: &Snapshot) {
        let words = Labels::from(snapshot);
        for event in stage
            .events
            .iter()
            .skip(self.told)
            .filter(|event| worth_telling(event))
        {
            self.out.print(&format!(
                "{}  {}",
                clock_time(event.at, snapshot.at),
                happened(event, &words)
            ));
        }
        self.told = stage.events.len();
        let hour = snapshot.at.as_millis().div_euclid(HOUR_MS);
        if self.next_hour.is_none_or(|next| hour >= next) {
            self.next_hour = Some(hour + 1);
            self.out.print(&hourly(stage, snapshot));
        }
    }

    fn tell_json(&mut self, stage: &Stage) {
        for event in &stage.events[self.told..] {
            self.out
                .print_json(&json!({ "strategy": stage.strategy.name(), "event": event }));
        }
        self.told = stage.events.len();
    }
}

/// The cursor comes back however the demo ends.
impl Drop for Live {
    fn drop(&mut self) {
        if self.out.terminal() && !self.out.json {
            self.out.print_raw("\x1b[?7h\x1b[?25h");
        }
    }
}

pub(super) fn colour(index: usize) -> Tint {
    if index == 0 { Tint::First } else { Tint::Second }
}

/// Adding the accounts is the demo's own doing.
fn worth_telling(event: &Event) -> bool {
    !matches!(
        event.kind,
        EventKind::Added { .. } | EventKind::StrategyChanged { .. }
    )
}

fn requests_of(stage: &Stage, index: usize) -> usize {
    let name = CAST.get(index).map(|role| role.name);
    stage
        .sim
        .log()
        .count(|entry| entry.generates() && entry.completed() && entry.account.as_deref() == name)
}

fn hourly(stage: &Stage, snapshot: &Snapshot) -> String {
    let accounts: Vec<String> = snapshot
        .accounts
        .iter()
        .enumerate()
        .map(|(index, view)| {
            let left = view.windows.first().map_or("unused".to_owned(), |window| {
                format!("{} of {} left", percent_left(window.left), window_name(window))
            });
            format!("{} {left}, {} requests", view.label, requests_of(stage, index))
        })
        .collect();
    format!(
        "{}  {}",
        clock_time(snapshot.at, snapshot.at),
        accounts.join(" · ")
    )
}

fn bars(view: &AccountView, now: Timestamp, tint: Tint, style: Style) -> Vec<String> {
    if view.windows.is_empty() {
        return vec![style.paint(Tint::Faint, "not used yet"), String::new()];
    }
    let bar = |window: &baton_engine::control::protocol::WindowView| {
        let filled = (window.left / 100.0 * BAR as f64).round() as usize;
        // What isn't empty shows.
        let filled = if window.left > 0.0 {
            filled.clamp(1, BAR)
        } else {
            0
        };
        let resets = window
            .resets_at
            .map_or_else(String::new, |at| format!("resets {}", clock_time(at, now)));
        format!(
            "{:<5}{}{} {:>6} left  {}",
            window_name(window),
            style.paint(tint, &"█".repeat(filled)),
            style.paint(Tint::Faint, &"░".repeat(BAR - filled)),
            percent_left(window.left),
            style.paint(Tint::Faint, &resets)
        )
    };
    view.windows.iter().map(bar).collect()
}
