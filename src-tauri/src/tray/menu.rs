//! The tray menu as a plain value.
//!
//! [`entries`] says what the menu is for a view; [`change`] says what must be done to the menu that is on screen. An
//! open menu closes when it is replaced, so texts are changed in place and only another structure makes a new menu.

use jiff::Zoned;

use super::words;
use crate::view::{Account, Standing, View};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Says something; cannot be clicked.
    Note(String),
    Separator,
    Action {
        action: Action,
        text: String,
    },
}

/// What a click asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Quit,
}

impl Action {
    /// The name that the toolkit hands back on a click.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Quit => "quit",
        }
    }

    pub(crate) fn from_id(id: &str) -> Option<Self> {
        [Self::Quit].into_iter().find(|action| action.id() == id)
    }
}

/// What turns one menu into another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    /// The entries at these places say something else.
    Texts(Vec<(usize, String)>),
    /// Entries came, went or moved.
    Structure,
}

/// `now` decides only how a time is said (today's without its day).
pub(crate) fn entries(view: &View, now: &Zoned) -> Vec<Entry> {
    let mut entries = vec![Entry::Note(headline(view))];
    if let View::Pool(accounts) = view {
        entries.extend(accounts.iter().map(|account| Entry::Note(line(account, now))));
    }
    entries.push(Entry::Separator);
    entries.push(Entry::Action {
        action: Action::Quit,
        text: "Quit".to_owned(),
    });
    entries
}

fn headline(view: &View) -> String {
    match view {
        View::Starting => "Starting…".to_owned(),
        View::Failed { reason } => format!("Baton could not start: {reason}"),
        View::Away => "No Baton is running here".to_owned(),
        View::Quitting => "Finishing what runs…".to_owned(),
        View::Pool(accounts) if accounts.is_empty() => "No account yet — run `baton accounts add`".to_owned(),
        View::Pool(_) => match view.active() {
            Some(account) => format!("Active: {}", account.label),
            None => "No account is active".to_owned(),
        },
    }
}

fn line(account: &Account, now: &Zoned) -> String {
    format!("{} — {}", account.label, standing(account, now))
}

fn standing(account: &Account, now: &Zoned) -> String {
    match &account.standing {
        Standing::Eligible if account.windows.is_empty() => "usage not known yet".to_owned(),
        Standing::Eligible => windows(account),
        Standing::HeldBack => match account
            .windows
            .iter()
            .map(|window| window.left)
            .min_by(|a, b| a.percent().total_cmp(&b.percent()))
        {
            Some(left) => format!("Set aside at {} left", words::left(left)),
            None => "Set aside".to_owned(),
        },
        Standing::CoolingDown { until: Some(until) } => {
            format!("Cooling down until {}", words::clock(*until, now))
        }
        Standing::CoolingDown { until: None } => "Cooling down".to_owned(),
        Standing::Exhausted { until: Some(until) } => {
            format!("Limit reached · back {}", words::clock(*until, now))
        }
        Standing::Exhausted { until: None } => "Limit reached".to_owned(),
        Standing::NeedsAttention { reason } => format!("Needs attention: {reason}"),
        Standing::Skipped if account.windows.is_empty() => "Skipped".to_owned(),
        Standing::Skipped => format!("Skipped · {}", windows(account)),
    }
}

fn windows(account: &Account) -> String {
    account
        .windows
        .iter()
        .map(|&window| words::window(window))
        .collect::<Vec<_>>()
        .join(", ")
}

pub(crate) fn change(old: &[Entry], new: &[Entry]) -> Change {
    if old.len() != new.len() {
        return Change::Structure;
    }
    let mut texts = Vec::new();
    for (place, pair) in old.iter().zip(new).enumerate() {
        match pair {
            (Entry::Separator, Entry::Separator) => {}
            (Entry::Note(was), Entry::Note(is)) => {
                if was != is {
                    texts.push((place, is.clone()));
                }
            }
            (Entry::Action { action: a, text: was }, Entry::Action { action: b, text: is }) if a == b => {
                if was != is {
                    texts.push((place, is.clone()));
                }
            }
            _ => return Change::Structure,
        }
    }
    if texts.is_empty() {
        Change::Nothing
    } else {
        Change::Texts(texts)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::view::{Left, Window};

    fn now() -> Zoned {
        "2026-11-25T09:00[UTC]".parse().expect("a time")
    }

    fn account(label: &str, standing: Standing, used: &[(u64, f64)]) -> Account {
        Account {
            label: label.to_owned(),
            active: false,
            standing,
            windows: used
                .iter()
                .map(|&(hours, used)| Window {
                    length: Duration::from_secs(hours * 3600),
                    left: Left::from_used(used),
                })
                .collect(),
        }
    }

    fn personal_active() -> Vec<Account> {
        vec![
            Account {
                active: true,
                ..account("Personal", Standing::Eligible, &[(5, 36.5), (168, 12.0)])
            },
            account("Work", Standing::Eligible, &[(5, 0.0)]),
        ]
    }

    fn texts(view: &View) -> Vec<String> {
        entries(view, &now())
            .into_iter()
            .map(|entry| match entry {
                Entry::Note(text) => text,
                Entry::Separator => "----".to_owned(),
                Entry::Action { action, text } => format!("[{}] {text}", action.id()),
            })
            .collect()
    }

    fn said(standing: Standing, used: &[(u64, f64)]) -> String {
        line(&account("Work", standing, used), &now())
    }

    #[test]
    fn names_the_active_account_and_what_each_has_left() {
        assert_eq!(
            texts(&View::Pool(personal_active())),
            [
                "Active: Personal",
                "Personal — 5 h 63 % left, week 88 % left",
                "Work — 5 h 100 % left",
                "----",
                "[quit] Quit",
            ]
        );
    }

    #[test]
    fn an_empty_pool_says_how_to_begin() {
        assert_eq!(
            texts(&View::Pool(Vec::new())),
            ["No account yet — run `baton accounts add`", "----", "[quit] Quit"]
        );
    }

    #[test]
    fn every_view_can_be_quit() {
        for view in [
            View::Starting,
            View::Failed {
                reason: "the port is taken".to_owned(),
            },
            View::Away,
            View::Quitting,
            View::Pool(personal_active()),
        ] {
            assert_eq!(
                texts(&view).last().map(String::as_str),
                Some("[quit] Quit"),
                "{view:?}"
            );
        }
    }

    #[test]
    fn says_why_an_account_is_not_eligible() {
        let at = "2026-11-25T16:40Z".parse().ok();
        assert_eq!(
            said(Standing::Exhausted { until: at }, &[(5, 100.0)]),
            "Work — Limit reached · back 16:40"
        );
        assert_eq!(
            said(Standing::Exhausted { until: None }, &[]),
            "Work — Limit reached"
        );
        assert_eq!(
            said(Standing::CoolingDown { until: at }, &[]),
            "Work — Cooling down until 16:40"
        );
        assert_eq!(
            said(Standing::HeldBack, &[(5, 20.0), (168, 95.0)]),
            "Work — Set aside at 5 % left"
        );
        assert_eq!(
            said(
                Standing::NeedsAttention {
                    reason: "sign in again".to_owned()
                },
                &[]
            ),
            "Work — Needs attention: sign in again"
        );
        assert_eq!(
            said(Standing::Skipped, &[(5, 50.0)]),
            "Work — Skipped · 5 h 50 % left"
        );
        assert_eq!(said(Standing::Eligible, &[]), "Work — usage not known yet");
    }

    #[test]
    fn the_same_menu_needs_no_change() {
        let menu = entries(&View::Pool(personal_active()), &now());
        assert_eq!(change(&menu, &menu), Change::Nothing);
    }

    #[test]
    fn a_switch_changes_texts_in_place() {
        let before = personal_active();
        let mut after = before.clone();
        after[0] = account("Personal", Standing::Exhausted { until: None }, &[(5, 100.0)]);
        after[1].active = true;
        let (before, after) = (
            entries(&View::Pool(before), &now()),
            entries(&View::Pool(after), &now()),
        );
        assert_eq!(
            change(&before, &after),
            Change::Texts(vec![
                (0, "Active: Work".to_owned()),
                (1, "Personal — Limit reached".to_owned()),
            ])
        );
    }

    #[test]
    fn a_new_account_is_another_structure() {
        let one = entries(&View::Pool(personal_active()[..1].to_vec()), &now());
        let two = entries(&View::Pool(personal_active()), &now());
        assert_eq!(change(&one, &two), Change::Structure);
        // As many entries, of other kinds.
        assert_eq!(
            change(&[Entry::Separator], &[Entry::Note("Starting…".to_owned())]),
            Change::Structure
        );
    }

    #[test]
    fn actions_are_known_by_their_id() {
        assert_eq!(Action::from_id("quit"), Some(Action::Quit));
        assert_eq!(Action::from_id("launch"), None);
    }
}
