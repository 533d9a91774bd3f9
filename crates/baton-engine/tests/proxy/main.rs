//! Stories: a simulated backend, a Baton in this process, a Codex-like client.

mod faults;
mod guard;
mod routes;
mod stage;
mod switching;
mod waiting;
