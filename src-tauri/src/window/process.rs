//! The window's process: shows the page, and tells it what happens.

use std::{path::PathBuf, time::Duration};

use baton_engine::control::{
    Client,
    protocol::{Command, Message},
};
use futures_util::StreamExt;
use serde::Serialize;
use tauri::{AppHandle, Emitter, Manager, WebviewUrl, WebviewWindowBuilder};

use super::{
    Place,
    page::{self, Page},
};

const LABEL: &str = "main";
const EVENT: &str = "baton";
/// Between two looks for a Baton that isn't there, while the window shows.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the page is told.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Told {
    Message(Box<Message>),
    Here(Presence),
}

#[derive(Clone, Serialize)]
#[serde(tag = "message", rename_all = "snake_case")]
enum Presence {
    Here,
    Away,
}

/// Until the window is closed. Where another one shows already, that comes to the front, and this one ends.
pub(crate) fn run(data_dir: PathBuf, place: Place) -> tauri::Result<()> {
    let shown = tauri::async_runtime::block_on(shown_elsewhere(&data_dir, place));
    if shown {
        return Ok(());
    }
    let page = Page {
        data_dir: data_dir.clone(),
        place,
    };
    tauri::Builder::default()
        .plugin(crate::autostart::plugin())
        .manage(page)
        .invoke_handler(tauri::generate_handler![
            page::call,
            page::place,
            page::autostart,
            page::set_autostart,
            page::open_link,
            page::start
        ])
        .setup(move |app| {
            WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
                .title("Baton")
                .inner_size(460.0, 720.0)
                .min_inner_size(320.0, 400.0)
                .build()?;
            tauri::async_runtime::spawn(tell(app.handle().clone(), data_dir));
            Ok(())
        })
        .run(tauri::generate_context!())
}

/// False as well where no Baton runs.
async fn shown_elsewhere(data_dir: &std::path::Path, place: Place) -> bool {
    let Ok(mut client) = Client::connect(data_dir).await else {
        return false;
    };
    let place = place.to_string();
    client.call(Command::ShowWindow { place }).await.is_ok()
}

/// What happens, for as long as the window is there.
async fn tell(app: AppHandle, data_dir: PathBuf) {
    loop {
        if let Ok(client) = Client::connect(&data_dir).await
            && let Ok(mut messages) = client.watch_from_window().await
        {
            say(&app, Told::Here(Presence::Here));
            while let Some(message) = messages.next().await {
                if matches!(message, Message::Show { .. }) {
                    to_front(&app);
                }
                say(&app, Told::Message(Box::new(message)));
            }
        }
        say(&app, Told::Here(Presence::Away));
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn say(app: &AppHandle, told: Told) {
    if let Err(error) = app.emit(EVENT, told) {
        tracing::debug!(%error, "the page could not be told");
    }
}

fn to_front(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        let shown = window
            .unminimize()
            .and_then(|()| window.show())
            .and_then(|()| window.set_focus());
        if let Err(error) = shown {
            tracing::debug!(%error, "the window could not be brought to the front");
        }
    }
}
