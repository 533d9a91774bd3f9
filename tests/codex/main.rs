//! End to end: the real Codex CLI, through Baton, to a simulated backend. Nothing leaves this machine.
//!
//! - [`turns`], [`limits`], [`plan`], [`exhausted`], [`sessions`], [`troubles`]: the stories, each on WebSocket and on
//!   HTTP, with a Baton inside the test; [`stage`] sets them up
//! - [`ledger`]: what Baton keeps of the CLI's requests is what the service received
//! - [`linked`]: the CLI's own sign-in is an account of Baton's, which the CLI alone renews
//! - [`doctor`]: what is said of Codex's files is what the CLI makes of them
//! - [`signed_in`]: the whole job from signing in on, until nobody is left
//! - [`whole`]: the program `baton` with a real keychain, and an upstream on https and wss; [`machine`] sets it up
//! - [`restarts`]: that program ended in the middle of an answer, and started again
//! - [`refresh`]: that program killed in the middle of a refresh
//! - [`keychain`]: that program while its keychain is locked
//! - [`connect`]: that program connects and disconnects Codex, and its guardian does where it was killed
//! - [`secrets`], [`disk`]: the same program while everything goes wrong that could make it tell a secret, and on a disk
//!   without room
//! - [`cli`]: the CLI as a child, with a `CODEX_HOME` of its own; [`child`]: children that end with the test
//! - [`outside`]: a proxy that refuses, and notes who wants to leave
#![cfg(unix)]

mod child;
mod cli;
#[cfg(target_os = "linux")]
mod connect;
#[cfg(target_os = "linux")]
mod disk;
mod doctor;
mod exhausted;
#[cfg(target_os = "linux")]
mod keychain;
mod ledger;
mod limits;
mod linked;
#[cfg(target_os = "linux")]
mod machine;
mod outside;
mod plan;
#[cfg(target_os = "linux")]
mod refresh;
#[cfg(target_os = "linux")]
mod restarts;
#[cfg(target_os = "linux")]
mod secrets;
mod sessions;
mod signed_in;
mod stage;
mod troubles;
mod turns;
#[cfg(target_os = "linux")]
mod whole;
