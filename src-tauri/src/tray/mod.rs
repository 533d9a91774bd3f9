//! The tray: the adapter between plain values and the toolkit. It decides nothing.

pub(crate) mod icon;
pub(crate) mod menu;

use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Wry};
use tokio::sync::mpsc;

use self::icon::Picture;
use self::menu::{Action, Change, Entry};
use crate::view::View;

/// What the person clicked, in order.
pub(crate) type Clicks = mpsc::UnboundedReceiver<Action>;

/// Panels scale it to their own height; larger than any of them, so that it is only ever made smaller.
const ICON_SIZE: u32 = 64;

/// The icon and the menu on screen.
pub(crate) struct Tray {
    app: AppHandle,
    icon: TrayIcon,
    /// What is on screen, to find the next difference by.
    entries: Vec<Entry>,
    /// As many as `entries`.
    items: Vec<Item>,
    picture: Picture,
}

/// What the toolkit needs to be told again when a text changes.
enum Item {
    Text(MenuItem<Wry>),
    Separator(PredefinedMenuItem<Wry>),
}

impl Tray {
    pub(crate) fn new(
        app: &AppHandle,
        view: &View,
        clicks: mpsc::UnboundedSender<Action>,
    ) -> tauri::Result<Self> {
        let entries = menu::entries(view);
        let items = build(app, &entries)?;
        let picture = icon::draw(view, ICON_SIZE);
        let icon = TrayIconBuilder::with_id("baton")
            .icon(image(&picture))
            .menu(&menu_of(app, &items)?)
            .on_menu_event(move |_, event| {
                if let Some(action) = Action::from_id(event.id().as_ref()) {
                    // Nobody listens once the program is ending, and then nothing is left to do.
                    let _ = clicks.send(action);
                }
            })
            .build(app)?;
        Ok(Self {
            app: app.clone(),
            icon,
            entries,
            items,
            picture,
        })
    }

    /// Brings what is on screen to this view. What fails is tried again with the next view.
    pub(crate) fn show(&mut self, view: &View) {
        if let Err(error) = self.show_menu(view).and_then(|()| self.show_icon(view)) {
            tracing::warn!(%error, "the tray could not be brought up to date");
        }
    }

    fn show_menu(&mut self, view: &View) -> tauri::Result<()> {
        let entries = menu::entries(view);
        match menu::change(&self.entries, &entries) {
            Change::Nothing => {}
            Change::Texts(texts) => {
                for (place, text) in texts {
                    if let Some(Item::Text(item)) = self.items.get(place) {
                        item.set_text(escaped(&text))?;
                    }
                }
            }
            Change::Structure => {
                let items = build(&self.app, &entries)?;
                self.icon.set_menu(Some(menu_of(&self.app, &items)?))?;
                self.items = items;
            }
        }
        self.entries = entries;
        Ok(())
    }

    fn show_icon(&mut self, view: &View) -> tauri::Result<()> {
        let picture = icon::draw(view, ICON_SIZE);
        if picture != self.picture {
            self.icon.set_icon(Some(image(&picture)))?;
            self.picture = picture;
        }
        Ok(())
    }
}

fn build(app: &AppHandle, entries: &[Entry]) -> tauri::Result<Vec<Item>> {
    entries.iter().map(|entry| item(app, entry)).collect()
}

fn item(app: &AppHandle, entry: &Entry) -> tauri::Result<Item> {
    const NO_SHORTCUT: Option<&str> = None;
    Ok(match entry {
        Entry::Note(text) => Item::Text(MenuItem::new(app, escaped(text), false, NO_SHORTCUT)?),
        Entry::Separator => Item::Separator(PredefinedMenuItem::separator(app)?),
        Entry::Action { action, text } => Item::Text(MenuItem::with_id(
            app,
            action.id(),
            escaped(text),
            true,
            NO_SHORTCUT,
        )?),
    })
}

fn menu_of(app: &AppHandle, items: &[Item]) -> tauri::Result<Menu<Wry>> {
    let items: Vec<&dyn IsMenuItem<Wry>> = items
        .iter()
        .map(|item| match item {
            Item::Text(item) => item as &dyn IsMenuItem<Wry>,
            Item::Separator(item) => item,
        })
        .collect();
    Menu::with_items(app, &items)
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
    #[test]
    fn an_ampersand_in_a_label_stays_one() {
        assert_eq!(super::escaped("R&D"), "R&&D");
    }
}
