//! A Codex backend on loopback to test against: accounts with scripted quotas and faults.
//!
//! It writes the bytes of the protocol by hand and leans on no other crate of this workspace: a wrong field
//! name must not encode and decode alike.
//!
//! - [`scenario`]: what a simulation starts from: how the model answers, how limits show; [`script`]: its accounts
//!   and their windows.
//! - [`sim`]: the running thing: [`Sim`] listens; [`handle`]: an account moved by hand.
//! - [`clock`]: simulated time, compressed and advanced by hand.
//! - [`fault`] says which request is struck where and by what; [`failure`] holds every error body.
//! - [`log`]: what was received and what became of it.
//! - [`client`]: a small Codex-like client, for the demo, soaks and benches.
//!
//! ```
//! use baton_sim::{AccountScript, At, Client, Fault, FaultRule, Login, Scenario, Sim, WindowScript};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let account = AccountScript::new("acct-a").window(WindowScript::five_hours(20.0));
//! let sim = Sim::start(Scenario::new().account(account)).await;
//! sim.fault(FaultRule::new(At::Output(1), Fault::Reset).account("acct-a").nth(1));
//!
//! let login = Login::from_auth_json(&sim.account("acct-a").auth_json()).ok_or("no auth.json")?;
//! let report = Client::new(sim.base_url(), login).turn("hello [tool: ls]").await;
//! assert!(report.completed && report.reconnects == 1);
//! assert_eq!(sim.log().served_by("acct-a").len(), 2);
//! assert!(sim.log().violations().is_empty());
//! # Ok(()) }
//! ```
//!
//! Inside, a request's way: `wire` (a socket that can be cut) → `tls` → `http` (routes) → `post` or `websocket`
//! → `ask` (what is wanted) → `admit` (refuse, or charge `meter` and answer) → `answer` (the model's events) →
//! `strike` (plays them, faults included). `quota` writes readings, `token` issues JWTs, `issuer` hands them out for
//! refresh tokens and codes, `sign_in` hands out the codes, `ids` is the seeded source of every id, `backend` what all of them share.

pub mod client;
pub mod clock;
pub mod failure;
pub mod fault;
pub mod handle;
pub mod log;
pub mod scenario;
pub mod script;
pub mod sim;

mod admit;
mod answer;
mod ask;
mod backend;
mod http;
mod ids;
mod issuer;
mod meter;
mod port;
mod post;
mod quota;
mod sign_in;
mod strike;
mod tls;
mod token;
mod websocket;
mod wire;

pub use client::{Client, Login, Mode, TurnError, TurnReport};
pub use clock::Clock;
pub use failure::Failure;
pub use fault::{At, Facts, Fault, FaultHandle, FaultRule};
pub use handle::AccountHandle;
pub use log::{Entry, Kind, Log, Outcome, Transport, Violation, ViolationKind};
pub use port::lasting_port;
pub use scenario::{Crossing, LimitForm, Output, Percent, Scenario};
pub use script::{AccountScript, FamilyScript, Slot, WindowScript};
pub use sign_in::Consent;
pub use sim::Sim;
