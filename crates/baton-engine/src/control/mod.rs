//! How command line, tray and window talk to a running Baton: [`protocol`] over a socket that only its owner can open.
//!
//! - [`server`]: answers, and tells what changes
//! - [`client`]: the other side
//! - [`transport`]: the platform's socket, and where it is

pub mod client;
mod history;
mod lines;
pub mod protocol;
pub mod server;
#[cfg(test)]
mod tests;
pub mod transport;
mod views;

pub use client::{Client, ConnectError};
pub use server::{Handler, ServeError, Server, serve};
pub use transport::socket_path;
