//! Starting at login.

#[cfg(target_os = "linux")]
mod entry;

use tauri::{AppHandle, Builder, Wry};
#[cfg(not(target_os = "linux"))]
use tauri_plugin_autostart::{MacosLauncher, ManagerExt};

/// How the desktop starts Baton.
pub(crate) const AT_LOGIN: &str = "--at-login";

/// What an application needs for the others here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn prepared(builder: Builder<Wry>) -> Builder<Wry> {
    builder.plugin(tauri_plugin_autostart::init(
        MacosLauncher::LaunchAgent,
        Some(vec![AT_LOGIN]),
    ))
}

#[cfg(target_os = "linux")]
pub(crate) fn prepared(builder: Builder<Wry>) -> Builder<Wry> {
    builder
}

/// `None` where the desktop doesn't say.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_on(app: &AppHandle) -> Option<bool> {
    app.autolaunch().is_enabled().ok()
}

#[cfg(target_os = "linux")]
pub(crate) fn is_on(_: &AppHandle) -> Option<bool> {
    entry::is_on()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn set(app: &AppHandle, on: bool) -> Result<(), tauri_plugin_autostart::Error> {
    let autostart = app.autolaunch();
    if on {
        autostart.enable()
    } else {
        autostart.disable()
    }
}

#[cfg(target_os = "linux")]
pub(crate) fn set(_: &AppHandle, on: bool) -> std::io::Result<()> {
    entry::set(on)
}

/// It names the program by its path, where a move may have left none. Another copy of Baton than this one is left in its
/// place.
pub(crate) fn renew(app: &AppHandle) {
    #[cfg(target_os = "linux")]
    if entry::names_a_program() {
        return;
    }
    // Elsewhere what is there can't be read simply; naming this program again does no harm.
    if is_on(app) == Some(true)
        && let Err(error) = set(app, true)
    {
        tracing::error!(%error, "what starts at login could not be renewed");
    }
}
