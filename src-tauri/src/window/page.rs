//! What the window's page may ask for. All that concerns Baton goes over the control socket, as the command line's does.

#![expect(clippy::needless_pass_by_value, reason = "the toolkit hands arguments over")]

use std::{
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use baton_engine::control::{
    Client, ConnectError,
    protocol::{Command as Call, ControlError, ErrorKind, Reply},
};
use tauri::{AppHandle, State, Url};

use super::Place;
use crate::{autostart, program};

pub(super) struct Page {
    pub(super) data_dir: PathBuf,
    pub(super) place: Place,
    pub(super) why: Option<String>,
}

/// A Baton that is just ending is waited for, too.
const STARTS_WITHIN: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

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
    autostart::is_on(&app).ok_or_else(|| failed("whether Baton starts at login isn't known"))
}

#[tauri::command]
pub(super) async fn set_autostart(
    app: AppHandle,
    page: State<'_, Page>,
    on: bool,
) -> Result<(), ControlError> {
    autostart::set(&app, on).map_err(failed)?;
    // The tray shows it too; where no Baton runs, none does.
    if let Ok(mut client) = Client::connect(&page.data_dir).await {
        let _ = client.call(Call::LookAtCodex).await;
    }
    Ok(())
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

/// Why the tray has opened this window, where it couldn't start Baton.
#[tauri::command]
pub(super) fn why(page: State<'_, Page>) -> Option<String> {
    page.why.clone()
}

/// The tray, where none runs: once its Baton answers. An error is why it can't start.
#[tauri::command]
pub(super) async fn start(page: State<'_, Page>) -> Result<(), ControlError> {
    let mut program = Command::new(program::path().map_err(failed)?);
    program.arg("--told").stdout(Stdio::piped());
    let mut tray = super::start(program, &page.data_dir).map_err(failed)?;
    let deadline = Instant::now() + STARTS_WITHIN;
    while Client::connect(&page.data_dir).await.is_err() {
        if let Some(status) = tray.try_wait().map_err(failed)? {
            let mut said = String::new();
            if let Some(mut output) = tray.stdout.take() {
                output.read_to_string(&mut said).map_err(failed)?;
            }
            return Err(failed(match said.trim() {
                "" => format!("Baton has ended at once ({status})."),
                said => said.to_owned(),
            }));
        }
        if Instant::now() >= deadline {
            super::wait_for(tray);
            return Err(failed("Baton doesn't answer yet."));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    super::wait_for(tray);
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> ControlError {
    ControlError::new(ErrorKind::Failed, error.to_string())
}
