//! The desktop on real parts: a panel on a virtual display, with a session bus of its own (`scripts/screen`, whose programs
//! `scripts/setup test` installs), real notifications, a real WebKit.
//!
//! - [`tray`]: the menu is read and clicked as a panel does, over `com.canonical.dbusmenu`
//! - [`session`]: around the tray: notifications, starting at login, a second start
//! - [`panel`]: a panel that comes late, is started again, or isn't there
//! - [`life`]: how it ends, and what it survives: the session's end, a window that crashes, an update, no keychain
//! - [`window`]: the window, driven by WebDriver
//! - [`switch`]: a switch in the real Codex CLI's run, on everything that shows it; [`cli`], [`child`] and [`outside`] are those
//!   of `tests/codex`
//! - [`stage`]: what all of them need; [`hosted`]: a Baton inside the desktop program
#![cfg(target_os = "linux")]

#[path = "../codex/child.rs"]
mod child;
#[path = "../codex/cli.rs"]
#[expect(dead_code, reason = "one story needs less of it than those of tests/codex")]
mod cli;
mod hosted;
mod life;
#[path = "../codex/outside.rs"]
mod outside;
mod panel;
mod session;
mod stage;
mod switch;
mod tray;
mod window;
