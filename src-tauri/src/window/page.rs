//! What the window's page may ask for. All that concerns Baton goes over the control socket, as the command line's does.

#![expect(clippy::needless_pass_by_value, reason = "the toolkit hands arguments over")]

use std::{path::PathBuf, process::Command};

use baton_engine::control::{
    Client, ConnectError,
    protocol::{Command as Call, ControlError, ErrorKind, Reply},
};
use tauri::{AppHandle, State, Url};
use tauri_plugin_autostart::ManagerExt;

use super::Place;
use crate::{autostart, program};

pub(super) struct Page {
    pub(super) data_dir: PathBuf,
    pub(super) place: Place,
}

/// On a connection of its own: an answer that takes its time (a sign-in) holds up no other.
#[tauri::command]
pub(super) async fn call(page: State<'_, Page>, command: Call) -> Result<Reply, ControlError> {
    match Client::connect(&page.data_dir).await {
        Ok(mut client) => client.call(command).await,
        Err(ConnectError::NotRunning) => Err(failed("Baton isn't running.")),
        Err(error) => Err(failed(error)),
    }
}

#[tauri::command]
pub(super) fn place(page: State<'_, Page>) -> String {
    page.place.to_string()
}

#[tauri::command]
pub(super) fn autostart(app: AppHandle) -> Result<bool, ControlError> {
    app.autolaunch().is_enabled().map_err(failed)
}

#[tauri::command]
pub(super) fn set_autostart(app: AppHandle, on: bool) -> Result<(), ControlError> {
    autostart::set(&app, on).map_err(failed)
}

/// In the person's browser; only pages of the web, and of this machine's simulated service.
#[tauri::command]
pub(super) fn open_link(link: String) -> Result<(), ControlError> {
    let allowed = Url::parse(&link).is_ok_and(|url| match url.scheme() {
        "https" => true,
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "localhost")),
        _ => false,
    });
    if !allowed {
        return Err(ControlError::new(ErrorKind::Invalid, "this is no web page"));
    }
    baton_engine::browser::open(&link).map_err(failed)
}

/// The tray, where none runs.
#[tauri::command]
pub(super) fn start(page: State<'_, Page>) -> Result<(), ControlError> {
    let program = program::path().map_err(failed)?;
    super::start(Command::new(program), &page.data_dir).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> ControlError {
    ControlError::new(ErrorKind::Failed, error.to_string())
}
