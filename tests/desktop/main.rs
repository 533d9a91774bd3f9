//! The desktop on real parts: a panel on a virtual display, with a session bus of its own (`scripts/screen`, whose programs
//! `scripts/setup test` installs), real notifications, a real WebKit.
//!
//! - [`tray`]: the menu is read and clicked as a panel does, over `com.canonical.dbusmenu`
//! - [`session`]: around the tray: notifications, starting at login, a second start, a panel that comes late
//! - [`window`]: the window, driven by WebDriver
//! - [`stage`]: what all of them need
#![cfg(target_os = "linux")]

mod session;
mod stage;
mod tray;
mod window;
