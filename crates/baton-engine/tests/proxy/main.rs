//! Stories: a simulated backend, a Baton in this process, a Codex-like client.

mod breaking_off;
mod bypass;
mod concurrency;
mod connected;
mod doctor;
mod drain;
mod faults;
mod foresight;
mod guard;
mod history;
mod linked;
mod nobody_left;
mod restarts;
mod routes;
mod settings;
mod sockets;
mod stage;
mod strategies;
mod streams;
mod stub;
mod switching;
mod usage;
mod waiting;
