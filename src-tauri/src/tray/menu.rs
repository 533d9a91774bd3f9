//! The tray menu as a plain value.
//!
//! [`entries`] says what the menu is for a view; [`change`] says what must be done to the menu that is on screen. An
//! open menu closes when it is replaced, so texts are changed in place and only another structure makes a new menu.

use baton_core::{Eligibility, explain};
use baton_engine::control::protocol::AccountView;

use crate::view::{View, general_windows};

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

pub(crate) fn entries(view: &View) -> Vec<Entry> {
    let mut entries = vec![Entry::Note(headline(view))];
    if let View::Pool(snapshot) = view {
        entries.extend(snapshot.accounts.iter().map(|account| Entry::Note(line(account))));
        if !snapshot.problems.is_empty() {
            entries.push(Entry::Separator);
            entries.extend(snapshot.problems.iter().cloned().map(Entry::Note));
        }
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
        View::Failed { reason } => format!("Baton is not running: {reason}"),
        View::Away => "No Baton is running here".to_owned(),
        View::Quitting => "Finishing what runs…".to_owned(),
        View::Pool(snapshot) if snapshot.accounts.is_empty() => {
            "No account yet — run `baton accounts add`".to_owned()
        }
        View::Pool(_) => match view.active() {
            Some(account) => format!("Active: {}", account.label),
            None => "No account is active yet".to_owned(),
        },
    }
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
    use super::*;
    use crate::view::samples::{account, exhausted, pool, snapshot, window};

    fn two() -> Vec<AccountView> {
        vec![
            account(1, "Personal", vec![window(10_080, 88.0), window(300, 63.5)]),
            account(2, "Work", vec![window(300, 100.0)]),
        ]
    }

    fn texts(view: &View) -> Vec<String> {
        entries(view)
            .into_iter()
            .map(|entry| match entry {
                Entry::Note(text) => text,
                Entry::Separator => "----".to_owned(),
                Entry::Action { action, text } => format!("[{}] {text}", action.id()),
            })
            .collect()
    }

    #[test]
    fn names_the_active_account_and_what_each_has_left() {
        assert_eq!(
            texts(&pool(two())),
            [
                "Active: Personal",
                "Personal — 5 h 63.5 % left, week 88 % left",
                "Work — 5 h 100 % left",
                "----",
                "[quit] Quit",
            ]
        );
    }

    #[test]
    fn an_empty_pool_says_how_to_begin() {
        assert_eq!(
            texts(&pool(Vec::new())),
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
            pool(two()),
        ] {
            assert_eq!(
                texts(&view).last().map(String::as_str),
                Some("[quit] Quit"),
                "{view:?}"
            );
        }
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

    #[test]
    fn problems_stand_below_the_accounts() {
        let mut snapshot = snapshot(two());
        snapshot
            .problems
            .push("The keychain is locked: unlock it".to_owned());
        let texts = texts(&View::Pool(Box::new(snapshot)));
        assert_eq!(texts[3..5], ["----", "The keychain is locked: unlock it"]);
    }

    #[test]
    fn the_same_menu_needs_no_change() {
        let menu = entries(&pool(two()));
        assert_eq!(change(&menu, &menu), Change::Nothing);
    }

    #[test]
    fn a_switch_changes_texts_in_place() {
        let mut after = snapshot(two());
        after.accounts[0].state = exhausted();
        after.accounts[0].state_text = "Used up · back 16:40".to_owned();
        after.active = Some(after.accounts[1].id);
        assert_eq!(
            change(&entries(&pool(two())), &entries(&View::Pool(Box::new(after)))),
            Change::Texts(vec![
                (0, "Active: Work".to_owned()),
                (1, "Personal — Used up · back 16:40".to_owned()),
            ])
        );
    }

    #[test]
    fn a_new_account_is_another_structure() {
        let one = entries(&pool(two()[..1].to_vec()));
        assert_eq!(change(&one, &entries(&pool(two()))), Change::Structure);
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
