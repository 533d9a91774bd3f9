//! `baton status` and `baton accounts list`.

use std::fmt::Write as _;

use baton_core::{LimitFamily, OnRecovery, Percent, Strategy, Timestamp, explain};
use baton_engine::{
    control::protocol::{AccountView, Snapshot, WindowView},
    words::{ago, clock_time},
};
use serde_json::{Value, json};

use super::{Labels, Style, Table, Tint};

/// The snapshot's fields, and whether Baton runs.
pub(crate) fn status_json(snapshot: &Snapshot, running: bool) -> Value {
    let mut value = json!(snapshot);
    value["running"] = running.into();
    value
}

pub(crate) fn status(snapshot: &Snapshot, running: bool, next_request: &str, style: Style) -> String {
    let mut out = String::new();
    if !running {
        out.push_str("Baton isn't running: `baton serve` starts it. This is what it knew last.\n");
    }
    let _ = writeln!(out, "{}", headline(snapshot, style));
    out.push('\n');
    if snapshot.accounts.is_empty() {
        out.push_str("No accounts yet. `baton accounts add` adds one.\n");
    } else {
        out.push_str(&accounts(snapshot, style));
        let _ = writeln!(out, "\nNext request: {next_request}");
        // In a bypass no account of these serves.
        if let Some(forecast) = &snapshot.forecast
            && forecast.is_known()
            && !snapshot.bypassed
        {
            let _ = writeln!(out, "Forecast: {}", forecast.said);
        }
        for view in &snapshot.accounts {
            if let Some(path) = &view.linked {
                let _ = writeln!(out, "{} is linked to {}", view.label, path.display());
            }
        }
        for view in snapshot.accounts.iter().filter(|view| view.banked.count > 0) {
            let _ = writeln!(out, "{}", banked(view, snapshot.at));
        }
    }
    if snapshot.braked {
        let _ = writeln!(
            out,
            "{}",
            style.paint(
                Tint::Bad,
                "Automatic failover has stopped; `baton switch <account>` releases it."
            )
        );
    }
    if snapshot.temporary_failovers > 0 {
        let _ = writeln!(
            out,
            "Temporary failovers so far: {}",
            snapshot.temporary_failovers
        );
    }
    for problem in &snapshot.problems {
        let _ = writeln!(out, "{} {problem}", style.paint(Tint::Bad, "!"));
    }
    out
}

fn headline(snapshot: &Snapshot, style: Style) -> String {
    let strategy = style.paint(Tint::Strong, snapshot.strategy.title());
    let label = |id| {
        snapshot
            .accounts
            .iter()
            .find(|view| view.id == id)
            .map_or("?", |view| view.label.as_str())
    };
    if let Some(pinned) = snapshot.pinned {
        return format!("Use only {} (no failover) · {strategy} is kept", label(pinned));
    }
    match (snapshot.strategy, snapshot.on_recovery) {
        (Strategy::Sequential, OnRecovery::Stay) => format!("{strategy} · stay until exhausted"),
        (Strategy::Sequential, OnRecovery::Return) => {
            format!("{strategy} · return to primary when it recovers")
        }
        _ => strategy,
    }
}

/// One account a line, a line more for each further window.
pub(crate) fn accounts(snapshot: &Snapshot, style: Style) -> String {
    let mut table = Table::default();
    for view in &snapshot.accounts {
        let (role, tint) = role(snapshot, view);
        let (state, state_tint) = state(view);
        let mut windows = view.windows.iter();
        let first = windows.next();
        let plan = view.plan.clone().unwrap_or_default();
        let mut cells = vec![
            (
                if tint == Tint::Strong { "●" } else { " " }.to_owned(),
                Tint::Good,
            ),
            (view.label.clone(), tint),
            (plan, Tint::Faint),
            (role.to_owned(), Tint::Plain),
            (state, state_tint),
        ];
        match first {
            Some(window) => cells.extend(window_cells(snapshot, view, window)),
            None => cells.push(("usage not known yet".to_owned(), Tint::Faint)),
        }
        table.row(cells);
        for window in windows {
            let empty = (0..5).map(|_| (String::new(), Tint::Plain));
            table.row(empty.chain(window_cells(snapshot, view, window)));
        }
    }
    table.render(style, 0)
}

fn role(snapshot: &Snapshot, view: &AccountView) -> (&'static str, Tint) {
    match view.id {
        id if snapshot.pinned == Some(id) => ("Pinned", Tint::Strong),
        id if snapshot.active == Some(id) && snapshot.strategy == Strategy::Sequential => {
            ("Active", Tint::Strong)
        }
        id if snapshot.active == Some(id) => ("Used last", Tint::Strong),
        id if snapshot.next == Some(id) => ("Next", Tint::Plain),
        _ => ("", Tint::Plain),
    }
}

pub(crate) fn state(view: &AccountView) -> (String, Tint) {
    (view.state_text.clone(), Tint::of(&view.state))
}

fn window_cells(snapshot: &Snapshot, view: &AccountView, window: &WindowView) -> Vec<(String, Tint)> {
    let resets = window.resets_at.map_or_else(String::new, |at| {
        format!("resets {}", clock_time(at, snapshot.at))
    });
    let tint = if window.left <= 0.0 {
        Tint::Waiting
    } else {
        Tint::Plain
    };
    vec![
        (window_name(window), Tint::Faint),
        (format!("{:>6} left", percent_left(window.left)), tint),
        (resets, Tint::Plain),
        (age(window, snapshot.at), Tint::Faint),
        (
            threshold(view, window).map_or_else(String::new, |text| format!("· {text}")),
            Tint::Faint,
        ),
    ]
}

/// Baton never uses one: that is for the person to do, in Codex.
fn banked(view: &AccountView, now: Timestamp) -> String {
    let first = view.banked.expire.first();
    let expires = first.map_or_else(String::new, |at| {
        format!(", the first expires {}", clock_time(*at, now))
    });
    format!("Banked resets of {}: {}{expires}", view.label, view.banked.count)
}

/// Of a reading that is too old to go by.
fn age(window: &WindowView, now: Timestamp) -> String {
    if window.stale {
        format!("read {}", ago(window.observed_at, now))
    } else {
        String::new()
    }
}

pub(crate) fn window_name(window: &WindowView) -> String {
    match &window.family {
        LimitFamily::General => window.length.to_string(),
        LimitFamily::Named(feature) => {
            format!("{} {}", window.name.as_deref().unwrap_or(feature), window.length)
        }
    }
}

pub(crate) fn percent_left(left: f64) -> String {
    format!("{} %", explain::percent(left))
}

fn threshold(view: &AccountView, window: &WindowView) -> Option<String> {
    let own = view
        .window_thresholds
        .iter()
        .find(|(length, _)| *length == window.length);
    let at: Percent = own.map_or(view.threshold, |(_, at)| *at);
    (!at.is_full()).then(|| {
        let what = if view.reserve { "reserve" } else { "held back at" };
        format!("{what} {} left", percent_left(at.left()))
    })
}

/// Who says what of whom, for sentences about a snapshot.
impl<'a> From<&'a Snapshot> for Labels<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        Self::new(&snapshot.accounts, snapshot.at)
    }
}

#[cfg(test)]
mod tests {
    use baton_core::WindowLength;

    use super::*;

    #[test]
    fn an_old_reading_says_how_old_it_is_and_a_fresh_one_nothing() {
        let read_before = |secs: i64, stale| {
            let window = WindowView {
                family: LimitFamily::General,
                name: None,
                length: WindowLength::WEEK,
                left: 50.0,
                resets_at: None,
                observed_at: Timestamp::from_secs(1_000_000 - secs),
                stale,
            };
            age(&window, Timestamp::from_secs(1_000_000))
        };
        assert_eq!(read_before(60, false), "");
        assert_eq!(read_before(20 * 60, true), "read 20 min ago");
        assert_eq!(read_before(150 * 60, true), "read 2 h ago");
        assert_eq!(read_before(49 * 3600, true), "read 2 d ago");
    }
}
