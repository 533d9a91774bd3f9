//! What Codex says on the wire, as baton-core's types. Pure: no I/O, no clock, no async; time is an argument.
//!
//! A reader's map, in the order in which a request meets the modules:
//!
//! - [`turn`] reads whose request it is (session, thread, turn, model) from headers and metadata; [`client`] who asks;
//! - [`request`] skims a client's body or frame for what routing needs, and strips what belongs to another account;
//! - [`error`] is the one place where a status, a body or an event becomes a [`baton_core::Outcome`];
//! - [`event`] says what one server event means for the proxy: held back, output, failed, completed;
//! - [`sse`] finds these events in a stream split at any byte, [`ws`] judges one WebSocket text frame;
//! - [`headers`] and [`usage`] turn quota in its three disguises (headers, `codex.rate_limits`, `wham/usage`) into
//!   [`baton_core::Reading`]s;
//! - [`accounts_check`] and [`answers`] write what Baton itself says to the client;
//! - [`auth_json`], [`jwt`], [`oauth`] and [`sign_in`] read sign-in payloads. Tokens are never in a `Debug` output.
//!
//! Everything here may come from a hostile or broken peer: nothing panics, and nothing allocates more than a constant
//! (named beside the code) or a small multiple of the bytes it was handed.

pub mod accounts_check;
pub mod answers;
pub mod auth_json;
pub mod client;
pub mod error;
pub mod event;
pub mod headers;
pub mod jwt;
pub mod oauth;
pub mod request;
pub mod sign_in;
pub mod sse;
pub mod turn;
pub mod usage;
pub mod ws;

mod edit;
mod family;
mod json;
mod lenient;
mod quota;
mod type_finder;

pub use event::{HeldKind, TokenUsage, What};
pub use json::NotJson;
pub use sse::{Found, Scanner};
pub use turn::Facts;
pub use usage::CliIdentity;
