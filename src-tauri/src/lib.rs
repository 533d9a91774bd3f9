//! The desktop of Baton: a tray over the engine. Thin by design; the rules live in `baton-core`, the machinery in
//! `baton-engine`.
//!
//! A change travels one way: `engine` (hosted here, or another Baton's, looked at through its control socket) turns
//! what it knows into a [`view::View`]; [`glance`], [`tray::menu`], [`tray::icon`] and [`notices`] turn a view, and what has
//! happened, into plain values; `tray` and [`notices::desktop`] put them on screen. A click travels back from there.
//!
//! - [`args`]: the command line
//! - [`app`]: puts the parts together, starts and ends them
//! - [`autostart`]: starting at login
//! - [`display`]: whether a tray is possible here at all, asked before a toolkit can panic over it
//! - [`engine`]: where views come from
//! - [`view`]: what the desktop shows, free of toolkit and engine; [`glance`]: the one thing to know of it
//! - [`tray`]: the menu, the icon, and the adapter for both
//! - [`program`]: this program's own file
//! - [`notices`]: what is told by a notification
//! - [`window`]: the window, in a process of its own

mod app;
mod args;
mod autostart;
mod display;
mod engine;
mod glance;
mod notices;
mod program;
mod tray;
mod view;
mod window;

pub use app::run;
pub use args::{Args, Command};
pub use window::Place;
