//! End to end: the real Codex CLI, through Baton, to a simulated backend. Nothing leaves this machine.
//!
//! - [`cli`]: the CLI as a child, with a `CODEX_HOME` of its own; [`outside`]: a proxy that notes who wants to leave
//! - [`stage`]: backend, Baton and CLI together
//! - [`turns`], [`limits`], [`plan`], [`exhausted`], [`sessions`]: the stories, each on WebSocket and on HTTP
#![cfg(unix)]

mod cli;
mod exhausted;
mod limits;
mod outside;
mod plan;
mod sessions;
mod stage;
mod turns;
