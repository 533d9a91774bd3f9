//! Whether a tray is possible here at all.
//!
//! Asked before Tauri starts: without a display GTK's start-up panics inside Tauri, and without the tray library the
//! first tray icon does.

use std::fmt;
use std::process::ExitCode;

use baton_engine::doctor::Tray;
#[cfg(target_os = "linux")]
use gtk::{gio, glib::prelude::ToVariant};

/// Why there can be no tray.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "other systems always have a tray")
)]
pub(crate) enum NoTray {
    /// Neither `DISPLAY` nor `WAYLAND_DISPLAY` is set.
    DisplayUnset,
    /// A display is named, and does not open.
    DisplayClosed { name: String },
    /// The library that puts icons into the tray is not installed.
    LibraryMissing,
}

impl NoTray {
    /// Apart from 1 (any other failure) and 2 (wrong arguments), so that a script can fall back on `baton serve`.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::DisplayUnset | Self::DisplayClosed { .. } => ExitCode::from(3),
            Self::LibraryMissing => ExitCode::from(4),
        }
    }
}

impl fmt::Display for NoTray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DisplayUnset => write!(
                f,
                "there is no display here (DISPLAY and WAYLAND_DISPLAY are not set), so there is no tray to be in.\n\
                 `baton serve` runs Baton without a desktop."
            ),
            Self::DisplayClosed { name } => write!(
                f,
                "the display {name:?} cannot be opened, so there is no tray to be in.\n\
                 `baton serve` runs Baton without a desktop."
            ),
            Self::LibraryMissing => write!(
                f,
                "the tray library is not installed. On Debian and Ubuntu:\n    \
                 sudo apt-get install libayatana-appindicator3-1"
            ),
        }
    }
}

#[cfg(target_os = "linux")]
pub(crate) fn check() -> Result<(), NoTray> {
    let name = display_name(|key| std::env::var(key).ok()).ok_or(NoTray::DisplayUnset)?;
    gtk::init().map_err(|_| NoTray::DisplayClosed { name })?;
    if has_tray_library() {
        Ok(())
    } else {
        Err(NoTray::LibraryMissing)
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn check() -> Result<(), NoTray> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn display_name(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    ["WAYLAND_DISPLAY", "DISPLAY"]
        .into_iter()
        .filter_map(variable)
        .find(|name| !name.is_empty())
}

/// The names that the tray icon's own crate tries, in its order.
#[cfg(target_os = "linux")]
const TRAY_LIBRARIES: [&str; 4] = [
    "libayatana-appindicator3.so.1",
    "libappindicator3.so.1",
    "libayatana-appindicator3.so",
    "libappindicator3.so",
];

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "loading a library runs its initialisers: of the very library that the tray loads next"
)]
fn has_tray_library() -> bool {
    TRAY_LIBRARIES
        .iter()
        .any(|name| unsafe { libloading::Library::new(name) }.is_ok())
}

/// Whether the desktop has a place for the icon, as it is now.
#[cfg(not(target_os = "linux"))]
pub(crate) fn tray() -> Tray {
    Tray::Shown
}

/// Whether the desktop has a place for the icon, as it is now: a panel may come and go.
#[cfg(target_os = "linux")]
pub(crate) fn tray() -> Tray {
    if host_is_registered() == Some(true) {
        return Tray::Shown;
    }
    // An old X11 panel takes icons without saying so on the bus.
    let old = match std::env::var_os("WAYLAND_DISPLAY") {
        Some(_) => Some(false),
        None => old_panel_is_there(),
    };
    match old {
        Some(true) => Tray::Shown,
        Some(false) => Tray::NoHost,
        None => Tray::Unknown,
    }
}

/// Who takes icons on the first X11 screen owns this selection (freedesktop.org's System Tray Protocol). `None` where that
/// can't be asked.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "Xlib is C: on a connection of its own, closed before it returns"
)]
fn old_panel_is_there() -> Option<bool> {
    use std::ptr;
    const SELECTION: &std::ffi::CStr = c"_NET_SYSTEM_TRAY_S0";
    let xlib = x11_dl::xlib::Xlib::open().ok()?;
    unsafe {
        let display = (xlib.XOpenDisplay)(ptr::null());
        if display.is_null() {
            return None;
        }
        let selection = (xlib.XInternAtom)(display, SELECTION.as_ptr(), x11_dl::xlib::False);
        let owner = (xlib.XGetSelectionOwner)(display, selection);
        (xlib.XCloseDisplay)(display);
        Some(owner != 0)
    }
}

/// As the desktop says on the session bus; `None` where nobody does.
#[cfg(target_os = "linux")]
fn host_is_registered() -> Option<bool> {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    const ANSWERS_WITHIN_MILLIS: i32 = 2000;
    let bus = gio::bus_get_sync(gio::BusType::Session, gio::Cancellable::NONE).ok()?;
    let answer = bus.call_sync(
        Some(WATCHER),
        "/StatusNotifierWatcher",
        "org.freedesktop.DBus.Properties",
        "Get",
        Some(&(WATCHER, "IsStatusNotifierHostRegistered").to_variant()),
        None,
        gio::DBusCallFlags::NONE,
        ANSWERS_WITHIN_MILLIS,
        gio::Cancellable::NONE,
    );
    answer.ok()?.child_value(0).as_variant()?.get()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_names_no_display() {
        assert_eq!(display_name(|_| None), None);
        assert_eq!(display_name(|_| Some(String::new())), None);
        assert_eq!(
            display_name(|key| (key == "DISPLAY").then(|| ":7".to_owned())),
            Some(":7".to_owned())
        );
    }

    #[test]
    fn every_reason_says_what_to_do() {
        for reason in [
            NoTray::DisplayUnset,
            NoTray::DisplayClosed {
                name: ":7".to_owned(),
            },
            NoTray::LibraryMissing,
        ] {
            let text = reason.to_string();
            assert!(
                text.contains("baton serve") || text.contains("apt-get install"),
                "{text}"
            );
        }
    }
}
