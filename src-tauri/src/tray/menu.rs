//! The tray menu as a plain value: [`entries`] says what the menu is for a view.

use baton_core::{AccountId, Eligibility, Strategy, explain};
use baton_engine::{
    control::protocol::{AccountView, Snapshot, WindowView},
    words::clock_time,
};

use super::action::Action;
use crate::{
    glance::{account, glance},
    view::{View, general_windows},
    window::Place,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Says something; cannot be clicked.
    Note(String),
    Separator,
    Action {
        action: Action,
        text: String,
        enabled: bool,
    },
    /// Of a group of which one is checked, or by itself on or off.
    Check {
        action: Action,
        text: String,
        checked: bool,
        enabled: bool,
    },
    Submenu {
        text: String,
        entries: Vec<Entry>,
    },
}

impl Entry {
    fn action(action: Action, text: impl Into<String>) -> Self {
        Self::Action {
            action,
            text: text.into(),
            enabled: true,
        }
    }

    fn check(action: Action, text: impl Into<String>, checked: bool) -> Self {
        Self::Check {
            action,
            text: text.into(),
            checked,
            enabled: true,
        }
    }
}

/// `at_login`: whether Baton starts at login; `None` where that can't be known.
pub(crate) fn entries(view: &View, at_login: Option<bool>) -> Vec<Entry> {
    let mut entries = vec![Entry::Note(glance(view).headline())];
    if let Some(snapshot) = view.pool() {
        about_active(&mut entries, view, snapshot);
        problems(&mut entries, snapshot);
        entries.push(Entry::Separator);
        strategies(&mut entries, snapshot);
        if !snapshot.accounts.is_empty() {
            entries.push(Entry::Separator);
            accounts(&mut entries, snapshot);
        }
        entries.push(Entry::Separator);
        codex(&mut entries, snapshot);
    }
    if let Some(at_login) = at_login {
        entries.push(Entry::check(
            Action::StartAtLogin(!at_login),
            "Start at login",
            at_login,
        ));
    }
    entries.push(Entry::Separator);
    if !matches!(view, View::Quitting) {
        entries.push(Entry::action(Action::Open(Place::Now), "Open Baton"));
        entries.push(Entry::action(Action::Quit, "Quit"));
    }
    entries.push(Entry::action(Action::QuitNow, "Quit without waiting"));
    entries
}

fn about_active(entries: &mut Vec<Entry>, view: &View, snapshot: &Snapshot) {
    if let Some(active) = view.active() {
        let windows = general_windows(active);
        let lines = windows.into_iter().map(|window| window_line(window, snapshot));
        entries.extend(lines.map(Entry::Note));
    }
    // In a bypass no account of these serves.
    if let Some(forecast) = &snapshot.forecast
        && forecast.is_known()
        && !snapshot.bypassed
    {
        let said = shortened(&forecast.said);
        entries.push(Entry::action(Action::Open(Place::Outlook), said));
    }
    if snapshot.accounts.len() > 1 {
        // Where nobody is active yet, the next request decides.
        let first = snapshot
            .next_request
            .account()
            .filter(|_| snapshot.active.is_none());
        let next = snapshot.next.or(first).and_then(|id| account(snapshot, id));
        let who = match (snapshot.pinned, next) {
            (Some(_), _) => "nobody, while only one is used",
            (None, None) => "nobody else is eligible",
            (None, Some(next)) => &next.label,
        };
        entries.push(Entry::Note(format!("Next: {who}")));
    }
}

fn window_line(window: &WindowView, snapshot: &Snapshot) -> String {
    let left = format!("{}: {} % left", window.length, explain::percent(window.left));
    match window.resets_at {
        Some(at) => format!("{left} · resets {}", clock_time(at, snapshot.at)),
        None => left,
    }
}

fn problems(entries: &mut Vec<Entry>, snapshot: &Snapshot) {
    if !snapshot.problems.is_empty() {
        entries.push(Entry::Separator);
        entries.extend(
            snapshot
                .problems
                .iter()
                .map(|problem| Entry::Note(shortened(problem))),
        );
    }
}

/// A menu is as wide as its longest line; the window says it all.
fn shortened(problem: &str) -> String {
    const LONGEST: usize = 80;
    match problem.char_indices().nth(LONGEST) {
        None => problem.to_owned(),
        Some((end, _)) => {
            let cut = problem[..end].rfind(' ').unwrap_or(end);
            format!("{}…", &problem[..cut])
        }
    }
}

fn strategies(entries: &mut Vec<Entry>, snapshot: &Snapshot) {
    entries.extend(Strategy::ALL.map(|strategy| {
        Entry::check(
            Action::Use(strategy),
            strategy.title(),
            strategy == snapshot.strategy,
        )
    }));
}

/// A row for each: a click makes it active, or leads to what it needs.
fn accounts(entries: &mut Vec<Entry>, snapshot: &Snapshot) {
    entries.extend(snapshot.accounts.iter().map(|account| {
        let needs = matches!(account.state, Eligibility::NeedsAttention { .. });
        Entry::Check {
            action: if needs {
                Action::Open(Place::Account(account.id))
            } else {
                Action::Switch(account.id)
            },
            text: line(account),
            checked: Some(account.id) == snapshot.active,
            enabled: needs || account.state.usable(),
        }
    }));
    let row = |action: fn(AccountId) -> Action, account: &AccountView, checked: bool| {
        Entry::check(action(account.id), account.label.clone(), checked)
    };
    let mut only = vec![Entry::check(
        Action::Unpin,
        "Any account (failover)",
        snapshot.pinned.is_none(),
    )];
    only.extend(
        snapshot
            .accounts
            .iter()
            .map(|account| row(Action::Pin, account, Some(account.id) == snapshot.pinned)),
    );
    entries.push(Entry::Submenu {
        text: "Use only this".to_owned(),
        entries: only,
    });
    let skip = snapshot.accounts.iter().map(|account| {
        let action = Action::Skip(account.id, !account.skipped);
        Entry::check(action, account.label.clone(), account.skipped)
    });
    entries.push(Entry::Submenu {
        text: "Skip".to_owned(),
        entries: skip.collect(),
    });
}

fn codex(entries: &mut Vec<Entry>, snapshot: &Snapshot) {
    let bypassed = snapshot.bypassed;
    entries.push(Entry::check(Action::Bypass(!bypassed), "Bypass Baton", bypassed));
    let connected = !snapshot.codex.homes.is_empty();
    entries.push(Entry::check(
        Action::Connect(!connected),
        "Codex goes through Baton",
        connected,
    ));
}

/// What is left of an account, and its state where that says more.
fn line(account: &AccountView) -> String {
    let left = general_windows(account)
        .into_iter()
        .map(|window| format!("{} {} % left", window.length, explain::percent(window.left)))
        .collect::<Vec<_>>()
        .join(", ");
    let says = match (&account.state, left.is_empty()) {
        (Eligibility::Eligible, true) => "usage not known yet".to_owned(),
        (Eligibility::Eligible, false) => left,
        // "0 % left" would only repeat what the state says, with the time that matters pushed aside.
        (Eligibility::Exhausted { .. } | Eligibility::HeldBack { .. }, _) | (_, true) => {
            account.state_text.clone()
        }
        (
            Eligibility::CoolingDown { .. } | Eligibility::NeedsAttention { .. } | Eligibility::Skipped,
            false,
        ) => format!("{} · {left}", account.state_text),
    };
    format!("{} — {says}", account.label)
}

#[cfg(test)]
mod tests {
    use baton_core::{
        Forecast, Refusal,
        forecast::{Basis, Outlook, When},
    };
    use baton_engine::control::protocol::ForecastView;

    use super::*;
    use crate::view::samples::{NOW, account, exhausted, pool, snapshot, window};

    fn two() -> Vec<AccountView> {
        vec![
            account(1, "Personal", vec![window(10_080, 88.0), window(300, 63.5)]),
            account(2, "Work", vec![window(300, 100.0)]),
        ]
    }

    /// As a person sees it: `[x]` and `[ ]` for what is checked or not, `(…)` for what can't be clicked.
    fn texts(entries: &[Entry]) -> Vec<String> {
        entries
            .iter()
            .flat_map(|entry| match entry {
                Entry::Note(text) => vec![format!("({text})")],
                Entry::Separator => vec!["----".to_owned()],
                Entry::Action { text, enabled, .. } => vec![clickable(text, *enabled)],
                Entry::Check {
                    text,
                    checked,
                    enabled,
                    ..
                } => {
                    let mark = if *checked { "[x]" } else { "[ ]" };
                    vec![clickable(&format!("{mark} {text}"), *enabled)]
                }
                Entry::Submenu { text, entries } => {
                    let below = texts(entries).into_iter().map(|line| format!("  {line}"));
                    [format!("{text} >")].into_iter().chain(below).collect()
                }
            })
            .collect()
    }

    fn clickable(text: &str, enabled: bool) -> String {
        if enabled {
            text.to_owned()
        } else {
            format!("({text})")
        }
    }

    fn of(view: &View) -> Vec<String> {
        texts(&entries(view, Some(true)))
    }

    fn shows(snapshot: Snapshot, line: &str) {
        let all = of(&View::Pool(Box::new(snapshot)));
        assert!(all.iter().any(|one| one == line), "{line} isn't among {all:#?}");
    }

    #[test]
    fn everything_is_there_in_its_place() {
        let mut snapshot = snapshot(two());
        snapshot.next = Some(snapshot.accounts[1].id);
        assert_eq!(
            of(&View::Pool(Box::new(snapshot))),
            [
                "(Active: Personal)",
                "(5 h: 63.5 % left)",
                "(week: 88 % left)",
                "(Next: Work)",
                "----",
                "[x] Sequential (drain first)",
                "[ ] Balanced",
                "[ ] Affinity",
                "[ ] Round robin",
                "[ ] Soonest reset",
                "----",
                "[x] Personal — 5 h 63.5 % left, week 88 % left",
                "[ ] Work — 5 h 100 % left",
                "Use only this >",
                "  [x] Any account (failover)",
                "  [ ] Personal",
                "  [ ] Work",
                "Skip >",
                "  [ ] Personal",
                "  [ ] Work",
                "----",
                "[ ] Bypass Baton",
                "[x] Codex goes through Baton",
                "[x] Start at login",
                "----",
                "Open Baton",
                "Quit",
                "Quit without waiting",
            ]
        );
    }

    #[test]
    fn every_view_can_be_quit() {
        let failed = View::Failed {
            reason: "the port is taken".to_owned(),
        };
        for view in [View::Starting, failed, View::Away, View::Quitting, pool(two())] {
            let last = of(&view).pop();
            assert_eq!(last.as_deref(), Some("Quit without waiting"), "{view:?}");
        }
    }

    #[test]
    fn an_account_that_can_not_serve_can_not_be_switched_to() {
        let mut snapshot = snapshot(two());
        snapshot.accounts[1].state = exhausted();
        snapshot.accounts[1].state_text = "Used up · back 16:40".to_owned();
        shows(snapshot, "([ ] Work — Used up · back 16:40)");
    }

    #[test]
    fn an_account_that_needs_a_person_leads_to_the_window() {
        let mut snapshot = snapshot(two());
        snapshot.accounts[1].state = Eligibility::NeedsAttention {
            reason: Refusal::GrantRefused,
        };
        snapshot.accounts[1].state_text = "Needs you: sign in again".to_owned();
        let id = snapshot.accounts[1].id;
        let entries = entries(&View::Pool(Box::new(snapshot)), None);
        assert!(
            entries.iter().any(|entry| matches!(
                entry,
                Entry::Check { action: Action::Open(Place::Account(account)), enabled: true, .. } if *account == id
            )),
            "{entries:?}"
        );
    }

    #[test]
    fn what_was_chosen_is_checked() {
        let mut snapshot = snapshot(two());
        snapshot.strategy = Strategy::Balanced;
        snapshot.pinned = Some(snapshot.accounts[1].id);
        snapshot.bypassed = true;
        snapshot.accounts[0].skipped = true;
        let entries = entries(&View::Pool(Box::new(snapshot.clone())), None);
        let clicks: Vec<&Action> = entries
            .iter()
            .flat_map(|entry| match entry {
                Entry::Submenu { entries, .. } => entries.as_slice(),
                other => std::slice::from_ref(other),
            })
            .filter_map(|entry| match entry {
                Entry::Check { action, checked, .. } if *checked => Some(action),
                _ => None,
            })
            .collect();
        let (first, second) = (snapshot.accounts[0].id, snapshot.accounts[1].id);
        assert_eq!(
            clicks,
            [
                &Action::Use(Strategy::Balanced),
                &Action::Switch(first),
                &Action::Pin(second),
                // A click undoes it.
                &Action::Skip(first, false),
                &Action::Bypass(false),
                &Action::Connect(false),
            ]
        );
    }

    fn forecast(pool: Outlook, said: &str) -> Box<ForecastView> {
        Box::new(ForecastView {
            forecast: Forecast {
                at: NOW,
                in_use: true,
                pool,
                work_left: None,
                next: None,
                changes: Vec::new(),
                accounts: Vec::new(),
                basis: Basis::default(),
            },
            said: said.to_owned(),
            expected: Vec::new(),
            rests_on: String::new(),
        })
    }

    #[test]
    fn how_long_it_goes_on_is_said_where_it_is_known_and_leads_to_the_outlook() {
        let said = "Uninterrupted until about 16:40 (between 16:10 and 17:30)";
        let until = Outlook::Until(When {
            earliest: NOW,
            likely: Some(NOW),
            latest: Some(NOW),
        });
        let mut snapshot = snapshot(two());
        snapshot.forecast = Some(forecast(until, said));
        let shown = entries(&View::Pool(Box::new(snapshot.clone())), None);
        let wanted = Entry::action(Action::Open(Place::Outlook), said);
        assert!(shown.contains(&wanted), "{shown:?}");

        let mut bypassed = snapshot.clone();
        bypassed.bypassed = true;
        let mut unknown = snapshot;
        let nothing = Outlook::Unknown {
            account: None,
            from: NOW,
        };
        unknown.forecast = Some(forecast(nothing, "Unknown"));
        for without in [bypassed, unknown] {
            let shown = entries(&View::Pool(Box::new(without)), None);
            let outlook = |entry: &Entry| {
                matches!(
                    entry,
                    Entry::Action {
                        action: Action::Open(Place::Outlook),
                        ..
                    }
                )
            };
            assert!(!shown.iter().any(outlook), "{shown:?}");
        }
    }

    #[test]
    fn a_long_problem_does_not_make_the_menu_wide() {
        let mut snapshot = snapshot(two());
        snapshot.problems.push("word ".repeat(40));
        let all = of(&View::Pool(Box::new(snapshot)));
        let problem = all
            .iter()
            .find(|line| line.contains("word"))
            .expect("it is there");
        assert!(
            problem.chars().count() < 90 && problem.ends_with("word…)"),
            "{problem}"
        );
    }

    #[test]
    fn the_state_is_said_in_the_engine_s_words() {
        let mut work = account(1, "Work", vec![window(300, 0.0)]);
        work.state = exhausted();
        work.state_text = "Used up · back 16:40".to_owned();
        assert_eq!(line(&work), "Work — Used up · back 16:40");

        work.state = Eligibility::Skipped;
        work.state_text = "Skipped".to_owned();
        assert_eq!(line(&work), "Work — Skipped · 5 h 0 % left");

        work.windows.clear();
        assert_eq!(line(&work), "Work — Skipped");
        work.state = Eligibility::Eligible;
        assert_eq!(line(&work), "Work — usage not known yet");
    }
}
