//! The desktop on real parts: a panel on a virtual display, with a session bus of its own (`scripts/screen`, whose programs
//! `scripts/setup test` installs), real notifications, a real WebKit.
//!
//! - [`tray`]: the menu is read and clicked as a panel does, over `com.canonical.dbusmenu`
//! - [`session`]: around the tray: notifications, starting at login, a second start
//! - [`panel`]: a panel that comes late, is started again, or isn't there
//! - [`life`]: how it ends, and what it survives: the session's end, a window that crashes, an update, no keychain
//! - [`window`]: the window, driven by WebDriver
//! - [`stage`]: what all of them need; [`hosted`]: a Baton inside the desktop program
#![cfg(target_os = "linux")]

mod hosted;
mod life;
mod panel;
mod session;
mod stage;
mod tray;
mod window;
