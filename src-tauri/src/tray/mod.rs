//! The tray: the adapter between plain values and the toolkit. It decides nothing.

pub(crate) mod action;
mod canvas;
mod change;
pub(crate) mod icon;
pub(crate) mod menu;

use std::sync::{Arc, Mutex, PoisonError};

use tauri::image::Image;
use tauri::menu::{CheckMenuItem, IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Wry};
use tokio::sync::mpsc;

use self::action::Action;
use self::canvas::Picture;
use self::change::{Change, Edit, change};
use self::icon::Ink;
use self::menu::Entry;
use crate::view::View;

/// What the person clicked, in order.
pub(crate) type Clicks = mpsc::UnboundedReceiver<Action>;

/// Twice what most panels give an icon: it is only ever made smaller, and by a whole factor.
const ICON_SIZE: u32 = if cfg!(target_os = "macos") { 44 } else { 48 };
const INK: Ink = if cfg!(target_os = "macos") {
    Ink::Template
} else {
    Ink::Colour
};

/// The icon and the menu on screen.
pub(crate) struct Tray {
    app: AppHandle,
    icon: TrayIcon,
    /// What is on screen: to find the next difference by, and what a click on it means.
    shown: Arc<Mutex<Shown>>,
    /// As many as `entries`.
    items: Vec<Item>,
    picture: Picture,
}

/// A menu, and which one of this tray's it is.
struct Shown {
    /// Goes up with every new structure.
    menu: u64,
    entries: Vec<Entry>,
}

/// What the toolkit needs to be told again when something changes.
enum Item {
    Text(MenuItem<Wry>),
    Check(CheckMenuItem<Wry>),
    Separator(PredefinedMenuItem<Wry>),
    Submenu(Submenu<Wry>, Vec<Item>),
}

impl Tray {
    pub(crate) fn new(
        app: &AppHandle,
        view: &View,
        at_login: Option<bool>,
        clicks: mpsc::UnboundedSender<Action>,
    ) -> tauri::Result<Self> {
        let entries = menu::entries(view, at_login);
        let shown = Shown { menu: 0, entries };
        let items = build(app, &shown.entries, &shown.ids())?;
        let shown = Arc::new(Mutex::new(shown));
        let picture = icon::draw(view, ICON_SIZE, INK);
        let meaning = Arc::clone(&shown);
        let icon = TrayIconBuilder::with_id("baton")
            .icon(image(&picture))
            .icon_as_template(INK == Ink::Template)
            .menu(&menu_of(app, &items)?)
            .on_menu_event(move |_, event| {
                let shown = meaning.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(action) = shown.clicked(event.id().as_ref()) {
                    // Nobody listens once the program is ending, and then nothing is left to do.
                    let _ = clicks.send(action);
                }
            })
            .build(app)?;
        Ok(Self {
            app: app.clone(),
            icon,
            shown,
            items,
            picture,
        })
    }

    /// `clicked`: the toolkit has checked or unchecked what was clicked, whatever comes of that.
    pub(crate) fn show(&mut self, view: &View, at_login: Option<bool>, clicked: bool) {
        if let Err(error) = self.show_menu(menu::entries(view, at_login), clicked) {
            tracing::error!(%error, "the tray's menu could not be changed");
        }
        if let Err(error) = self.show_icon(view) {
            tracing::error!(%error, "the tray's icon could not be changed");
        }
    }

    fn show_menu(&mut self, entries: Vec<Entry>, clicked: bool) -> tauri::Result<()> {
        let changed = change(&self.shown().entries, &entries);
        match changed {
            Change::Nothing => {}
            Change::InPlace(edits) => {
                for edit in edits {
                    if let Some(item) = at(&self.items, &edit.path) {
                        item.apply(&edit)?;
                    }
                }
            }
            Change::Structure => {
                let next = Shown {
                    menu: self.shown().menu + 1,
                    entries: entries.clone(),
                };
                let items = build(&self.app, &entries, &next.ids())?;
                let menu = menu_of(&self.app, &items)?;
                // Number and meaning change together, and only with the menu itself.
                let before = std::mem::replace(&mut *self.shown(), next);
                if let Err(error) = self.icon.set_menu(Some(menu)) {
                    *self.shown() = before;
                    return Err(error);
                }
                self.items = items;
            }
        }
        if clicked {
            check_again(&self.items, &entries)?;
        }
        self.shown().entries = entries;
        Ok(())
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show_icon(&mut self, view: &View) -> tauri::Result<()> {
        let picture = icon::draw(view, ICON_SIZE, INK);
        if picture != self.picture {
            self.icon
                .set_icon_with_as_template(Some(image(&picture)), INK == Ink::Template)?;
            self.picture = picture;
        }
        Ok(())
    }
}

impl Item {
    fn apply(&self, edit: &Edit) -> tauri::Result<()> {
        let text = edit.text.as_deref().map(escaped);
        match self {
            Self::Text(item) => {
                text.map_or(Ok(()), |text| item.set_text(text))?;
                edit.enabled.map_or(Ok(()), |enabled| item.set_enabled(enabled))
            }
            Self::Check(item) => {
                text.map_or(Ok(()), |text| item.set_text(text))?;
                edit.enabled.map_or(Ok(()), |enabled| item.set_enabled(enabled))?;
                edit.checked.map_or(Ok(()), |checked| item.set_checked(checked))
            }
            Self::Submenu(item, _) => text.map_or(Ok(()), |text| item.set_text(text)),
            Self::Separator(_) => Ok(()),
        }
    }
}

fn at<'a>(items: &'a [Item], path: &[usize]) -> Option<&'a Item> {
    let (place, rest) = path.split_first()?;
    match (items.get(*place)?, rest) {
        (item, []) => Some(item),
        (Item::Submenu(_, items), rest) => at(items, rest),
        _ => None,
    }
}

fn check_again(items: &[Item], entries: &[Entry]) -> tauri::Result<()> {
    for pair in items.iter().zip(entries) {
        match pair {
            (Item::Check(item), Entry::Check { checked, .. }) => item.set_checked(*checked)?,
            (Item::Submenu(_, items), Entry::Submenu { entries, .. }) => check_again(items, entries)?,
            _ => {}
        }
    }
    Ok(())
}

impl Shown {
    /// How the ids of its items begin.
    fn ids(&self) -> String {
        format!("{}/", self.menu)
    }

    /// Nothing, for a click on a menu that another one has taken the place of meanwhile: what stands there now isn't what
    /// the person saw.
    fn clicked(&self, id: &str) -> Option<Action> {
        clicked(&self.entries, id.strip_prefix(&self.ids())?)
    }
}

/// What is at the place that the toolkit's id names, as [`build`] gave it.
fn clicked(entries: &[Entry], id: &str) -> Option<Action> {
    let (place, rest) = match id.split_once('.') {
        Some((place, rest)) => (place, Some(rest)),
        None => (id, None),
    };
    match (entries.get(place.parse::<usize>().ok()?)?, rest) {
        (Entry::Action { action, .. } | Entry::Check { action, .. }, None) => Some(*action),
        (Entry::Submenu { entries, .. }, Some(rest)) => clicked(entries, rest),
        _ => None,
    }
}

/// An item's id is its place in this menu: what stands there may change its meaning.
fn build(app: &AppHandle, entries: &[Entry], within: &str) -> tauri::Result<Vec<Item>> {
    let items = entries.iter().enumerate();
    items
        .map(|(place, entry)| item(app, entry, format!("{within}{place}")))
        .collect()
}

fn item(app: &AppHandle, entry: &Entry, id: String) -> tauri::Result<Item> {
    const NO_SHORTCUT: Option<&str> = None;
    Ok(match entry {
        Entry::Note(text) => Item::Text(MenuItem::with_id(app, id, escaped(text), false, NO_SHORTCUT)?),
        Entry::Separator => Item::Separator(PredefinedMenuItem::separator(app)?),
        Entry::Action { text, enabled, .. } => {
            Item::Text(MenuItem::with_id(app, id, escaped(text), *enabled, NO_SHORTCUT)?)
        }
        Entry::Check {
            text,
            checked,
            enabled,
            ..
        } => Item::Check(CheckMenuItem::with_id(
            app,
            id,
            escaped(text),
            *enabled,
            *checked,
            NO_SHORTCUT,
        )?),
        Entry::Submenu { text, entries } => {
            let items = build(app, entries, &format!("{id}."))?;
            let submenu = Submenu::with_id_and_items(app, id, escaped(text), true, &shown(&items))?;
            Item::Submenu(submenu, items)
        }
    })
}

fn menu_of(app: &AppHandle, items: &[Item]) -> tauri::Result<Menu<Wry>> {
    Menu::with_items(app, &shown(items))
}

fn shown(items: &[Item]) -> Vec<&dyn IsMenuItem<Wry>> {
    items
        .iter()
        .map(|item| match item {
            Item::Text(item) => item as &dyn IsMenuItem<Wry>,
            Item::Check(item) => item,
            Item::Separator(item) => item,
            Item::Submenu(item, _) => item,
        })
        .collect()
}

/// The toolkit takes `&` for the mark of a shortcut letter; in an account's label it is an ampersand.
fn escaped(text: &str) -> String {
    text.replace('&', "&&")
}

fn image(picture: &Picture) -> Image<'static> {
    Image::new_owned(picture.rgba.clone(), picture.size, picture.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ampersand_in_a_label_stays_one() {
        assert_eq!(escaped("R&D"), "R&&D");
    }

    #[test]
    fn a_click_means_what_stands_at_its_place_in_the_menu_that_was_clicked() {
        let quit = |action| Entry::Action {
            action,
            text: String::new(),
            enabled: true,
        };
        let entries = vec![
            Entry::Separator,
            quit(Action::Quit),
            Entry::Submenu {
                text: String::new(),
                entries: vec![quit(Action::Unpin)],
            },
        ];
        let mut shown = Shown { menu: 7, entries };
        assert_eq!(shown.clicked("7/1"), Some(Action::Quit));
        assert_eq!(shown.clicked("7/2.0"), Some(Action::Unpin));
        for nothing in [
            "7/0", "7/2", "7/2.1", "7/1.0", "7/3", "7/", "7/x", "1", "", "6/1", "77/1",
        ] {
            assert_eq!(shown.clicked(nothing), None, "{nothing}");
        }
        shown.menu += 1;
        assert_eq!(shown.clicked("7/1"), None, "it was another menu's");
    }
}
