//! The window's process: shows the page, and tells it what happens.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

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
/// Locked by the window that shows, or is about to.
const LOCK: &str = "window.lock";
/// WebKit's first start takes long where the machine is busy.
const SHOWS_WITHIN: Duration = Duration::from_secs(25);
const AGAIN: Duration = Duration::from_millis(50);
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
pub(crate) fn run(data_dir: PathBuf, place: Place, why: Option<String>) -> tauri::Result<()> {
    // Kept until the process ends.
    let Claim::Ours(_claim) = tauri::async_runtime::block_on(claim(&data_dir, place)) else {
        return Ok(());
    };
    let page = Page {
        data_dir: data_dir.clone(),
        place,
        why,
    };
    crate::autostart::prepared(tauri::Builder::default())
        .manage(page)
        .invoke_handler(tauri::generate_handler![
            page::call,
            page::place,
            page::why,
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

/// Who is to show.
enum Claim {
    /// The file is locked for as long as this one shows. None where that can't be: then two may.
    Ours(Option<File>),
    Theirs,
}

/// One that was started just before is waited for, until it shows or has ended.
async fn claim(data_dir: &Path, place: Place) -> Claim {
    let deadline = Instant::now() + SHOWS_WITHIN;
    loop {
        // Without a Baton nobody brings a window to the front.
        let Ok(mut client) = Client::connect(data_dir).await else {
            return Claim::Ours(None);
        };
        let place = place.to_string();
        if client.call(Command::ShowWindow { place }).await.is_ok() {
            return Claim::Theirs;
        }
        match lock(data_dir) {
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                tokio::time::sleep(AGAIN).await;
            }
            lock => return Claim::Ours(lock.ok()),
        }
    }
}

fn lock(data_dir: &Path) -> Result<File, TryLockError> {
    let mut options = File::options();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(data_dir.join(LOCK));
    let file = file.map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
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
