//! What must be done to the menu that is on screen. An open menu closes when it is replaced, so what can be changed in
//! place is, and only another structure makes a new menu.

use super::menu::Entry;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    InPlace(Vec<Edit>),
    /// Entries came, went or moved.
    Structure,
}

/// Of the entry at `path`: its place, and within a submenu the place in there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) path: Vec<usize>,
    pub(crate) text: Option<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) checked: Option<bool>,
}

pub(crate) fn change(old: &[Entry], new: &[Entry]) -> Change {
    let mut edits = Vec::new();
    match compare(old, new, &mut Vec::new(), &mut edits) {
        None => Change::Structure,
        Some(()) if edits.is_empty() => Change::Nothing,
        Some(()) => Change::InPlace(edits),
    }
}

/// `None`: another structure.
fn compare(old: &[Entry], new: &[Entry], path: &mut Vec<usize>, edits: &mut Vec<Edit>) -> Option<()> {
    if old.len() != new.len() {
        return None;
    }
    for (place, pair) in old.iter().zip(new).enumerate() {
        path.push(place);
        let mut edit = Edit {
            path: path.clone(),
            ..Edit::default()
        };
        match pair {
            (Entry::Separator, Entry::Separator) => {}
            (Entry::Note(was), Entry::Note(is)) => edit.text = news(was, is),
            (
                Entry::Action { text, enabled, .. },
                Entry::Action {
                    text: new_text,
                    enabled: new_enabled,
                    ..
                },
            ) => {
                edit.text = news(text, new_text);
                edit.enabled = news(enabled, new_enabled);
            }
            (
                Entry::Check {
                    text,
                    checked,
                    enabled,
                    ..
                },
                Entry::Check {
                    text: new_text,
                    checked: new_checked,
                    enabled: new_enabled,
                    ..
                },
            ) => {
                edit.text = news(text, new_text);
                edit.enabled = news(enabled, new_enabled);
                edit.checked = news(checked, new_checked);
            }
            (
                Entry::Submenu { text, entries },
                Entry::Submenu {
                    text: new_text,
                    entries: new_entries,
                },
            ) => {
                edit.text = news(text, new_text);
                compare(entries, new_entries, path, edits)?;
            }
            _ => return None,
        }
        if edit.text.is_some() || edit.enabled.is_some() || edit.checked.is_some() {
            edits.push(edit);
        }
        path.pop();
    }
    Some(())
}

fn news<T: Clone + PartialEq>(was: &T, is: &T) -> Option<T> {
    (was != is).then(|| is.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tray::{action::Action, menu::entries};
    use crate::view::{
        View,
        samples::{account, exhausted, pool, window},
    };

    fn two() -> View {
        pool(vec![
            account(1, "Personal", vec![window(300, 63.5)]),
            account(2, "Work", vec![window(300, 100.0)]),
        ])
    }

    fn menu(view: &View) -> Vec<Entry> {
        entries(view, Some(false))
    }

    #[test]
    fn the_same_menu_needs_no_change() {
        assert_eq!(change(&menu(&two()), &menu(&two())), Change::Nothing);
    }

    #[test]
    fn a_switch_changes_everything_in_place() {
        let View::Pool(mut after) = two() else {
            unreachable!()
        };
        after.accounts[0].state = exhausted();
        after.accounts[0].state_text = "Used up · back 16:40".to_owned();
        after.active = Some(after.accounts[1].id);
        let Change::InPlace(edits) = change(&menu(&two()), &menu(&View::Pool(after))) else {
            panic!("an open menu would close")
        };
        assert_eq!(edits[0].text.as_deref(), Some("Active: Work"));
        let rows: Vec<_> = edits.iter().filter(|edit| edit.checked.is_some()).collect();
        assert_eq!(rows.len(), 2, "{edits:?}");
        assert_eq!((rows[0].checked, rows[0].enabled), (Some(false), Some(false)));
        assert_eq!((rows[1].checked, rows[1].enabled), (Some(true), None));
    }

    #[test]
    fn a_pin_changes_its_submenu_in_place() {
        let View::Pool(mut after) = two() else {
            unreachable!()
        };
        after.pinned = after.active;
        let Change::InPlace(edits) = change(&menu(&two()), &menu(&View::Pool(after))) else {
            panic!("an open menu would close")
        };
        let within: Vec<_> = edits.iter().filter(|edit| edit.path.len() == 2).collect();
        assert_eq!(
            within.iter().map(|edit| edit.checked).collect::<Vec<_>>(),
            [Some(false), Some(true)]
        );
    }

    #[test]
    fn a_new_account_is_another_structure() {
        let one = pool(vec![account(1, "Personal", Vec::new())]);
        assert_eq!(change(&menu(&one), &menu(&two())), Change::Structure);
        // As many entries, of other kinds.
        let note = [Entry::Note("Starting…".to_owned())];
        assert_eq!(change(&[Entry::Separator], &note), Change::Structure);
    }

    #[test]
    fn another_meaning_of_a_click_is_no_change_of_the_menu() {
        let action = |action| {
            [Entry::Action {
                action,
                text: "Quit".to_owned(),
                enabled: true,
            }]
        };
        assert_eq!(
            change(&action(Action::Quit), &action(Action::QuitNow)),
            Change::Nothing
        );
    }
}
