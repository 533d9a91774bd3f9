//! Starting at login.

use tauri::{AppHandle, Runtime, plugin::TauriPlugin};
use tauri_plugin_autostart::{MacosLauncher, ManagerExt};

/// How the desktop starts Baton.
pub(crate) const AT_LOGIN: &str = "--at-login";

pub(crate) fn plugin<R: Runtime>() -> TauriPlugin<R> {
    tauri_plugin_autostart::init(MacosLauncher::LaunchAgent, Some(vec![AT_LOGIN]))
}

/// `None` where the desktop doesn't say.
pub(crate) fn is_on(app: &AppHandle) -> Option<bool> {
    app.autolaunch().is_enabled().ok()
}

pub(crate) fn set(app: &AppHandle, on: bool) {
    let autostart = app.autolaunch();
    let set = if on {
        autostart.enable()
    } else {
        autostart.disable()
    };
    if let Err(error) = set {
        tracing::error!(%error, "starting at login could not be changed");
    }
}

/// It names the program by its path, which an update or a move may have changed.
pub(crate) fn renew(app: &AppHandle) {
    if is_on(app) == Some(true) {
        set(app, true);
    }
}
