//! The least that a tray made with Tauri can be: an icon and a menu of two entries. `make bench` measures Baton's beside it.

use tauri::image::Image;
use tauri::menu::{Menu, MenuItem};
use tauri::tray::TrayIconBuilder;

/// As large as Baton's own.
const SIZE: u32 = 48;

fn main() -> tauri::Result<()> {
    tauri::Builder::default()
        .setup(|app| {
            let open = MenuItem::with_id(app, "open", "Open", true, None::<&str>)?;
            let quit = MenuItem::with_id(app, "quit", "Quit", true, None::<&str>)?;
            let grey = vec![0x80; (SIZE * SIZE * 4) as usize];
            TrayIconBuilder::new()
                .icon(Image::new_owned(grey, SIZE, SIZE))
                .menu(&Menu::with_items(app, &[&open, &quit])?)
                .on_menu_event(|app, event| {
                    if event.id() == "quit" {
                        app.exit(0);
                    }
                })
                .build(app)?;
            Ok(())
        })
        .run(tauri::generate_context!())
}
