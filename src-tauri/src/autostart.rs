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

pub(crate) fn set(app: &AppHandle, on: bool) -> Result<(), tauri_plugin_autostart::Error> {
    let autostart = app.autolaunch();
    if on {
        autostart.enable()
    } else {
        autostart.disable()
    }
}

/// It names the program by its path, where a move may have left none.
pub(crate) fn renew(app: &AppHandle) {
    if is_on(app) == Some(true)
        && !names_a_program()
        && let Err(error) = set(app, true)
    {
        tracing::error!(%error, "what starts at login could not be renewed");
    }
}

/// Another copy of Baton than this one is left in its place.
#[cfg(target_os = "linux")]
fn names_a_program() -> bool {
    let entry = std::env::home_dir().map(|home| home.join(".config/autostart/Baton.desktop"));
    let text = entry.and_then(|entry| std::fs::read_to_string(entry).ok());
    text.is_some_and(|text| program_of(&text).is_some_and(|program| std::path::Path::new(program).exists()))
}

#[cfg(target_os = "linux")]
fn program_of(entry: &str) -> Option<&str> {
    let exec = entry.lines().find_map(|line| line.strip_prefix("Exec="))?;
    exec.trim().strip_suffix(AT_LOGIN).map(str::trim_end)
}

/// What is there can't be read simply; naming this program again does no harm.
#[cfg(not(target_os = "linux"))]
fn names_a_program() -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_an_entry_may_have_blanks_in_its_path() {
        let entry = "[Desktop Entry]\nName=Baton\nExec=/opt/my apps/baton-desktop --at-login\nTerminal=false";
        assert_eq!(program_of(entry), Some("/opt/my apps/baton-desktop"));
        assert_eq!(program_of("Exec=/usr/bin/other"), None);
        assert_eq!(program_of(""), None);
    }
}
