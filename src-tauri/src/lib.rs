//! The desktop of Baton: a tray over the engine. Thin by design; the rules live in `baton-core`, the machinery in
//! `baton-engine`.
//!
//! A change travels one way: `engine` (hosted here, or another Baton's, looked at through its control socket) turns
//! what it knows into a [`view::View`]; [`tray::menu`] and [`tray::icon`] turn a view into entries and pixels,
//! both as plain values; `tray` applies the differences to the real thing. A click travels back from `tray`.
//!
//! - [`args`]: the command line
//! - [`app`]: puts the parts together, starts and ends them
//! - [`display`]: whether a tray is possible here at all, asked before a toolkit can panic over it
//! - [`engine`]: where views come from
//! - [`view`]: what the desktop shows, free of toolkit and engine
//! - [`tray`]: the menu, the icon, and the adapter for both

mod app;
mod args;
mod display;
mod engine;
mod tray;
mod view;

pub use app::run;
pub use args::{Args, Command};
