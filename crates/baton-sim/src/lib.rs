//! A Codex backend on loopback to test against: accounts with scripted quotas and faults.
//!
//! It writes the bytes of the protocol by hand and leans on no other crate of this workspace: a wrong field
//! name must not encode and decode alike.
//!
//! - [`scenario`]: what a simulation starts from: accounts, windows, how the model answers, how limits show.
//! - [`sim`]: the running thing: [`Sim`] listens, [`AccountHandle`] moves an account by hand.
//! - [`clock`]: simulated time, compressed and advanced by hand.
//! - [`fault`] says which request is struck where and by what; [`failure`] holds every error body.
//! - [`log`]: what was received and what became of it.
//! - [`client`]: a small Codex-like client, for the demo, soaks and benches.
//!
//! Inside, a request's way: `wire` (a socket that can be cut) → `tls` → `http` (routes) → `post` or `websocket`
//! → `ask` (what is wanted) → `backend` (refuse, or charge `meter` and answer) → `answer` (the model's events) →
//! `strike` (plays them, faults included). `quota` writes readings, `token` issues JWTs, `issuer` refreshes them,
//! `ids` is the seeded source of every id.

pub mod client;
pub mod clock;
pub mod failure;
pub mod fault;
pub mod log;
pub mod scenario;
pub mod sim;

mod answer;
mod ask;
mod backend;
mod http;
mod ids;
mod issuer;
mod meter;
mod post;
mod quota;
mod strike;
mod tls;
mod token;
mod websocket;
mod wire;

pub use client::{Client, Login, Mode, TurnError, TurnReport};
pub use clock::Clock;
pub use failure::Failure;
pub use fault::{At, Facts, Fault, FaultHandle, FaultRule};
pub use log::{Entry, Kind, Log, Outcome, Transport, Violation, ViolationKind};
pub use scenario::{
    AccountScript, Crossing, FamilyScript, LimitForm, Output, Percent, Scenario, Slot, WindowScript,
};
pub use sim::{AccountHandle, Sim};
