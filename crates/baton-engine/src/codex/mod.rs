//! Codex's own configuration: `config.toml` of a `CODEX_HOME`, connected to Baton and disconnected again.
//!
//! - `edit`: the text, changed; `lines`: which lines of it are Baton's
//! - `file`: the file, replaced as a whole; `exposure`: who else could read the secret in it

mod edit;
mod exposure;
mod file;
mod lines;
#[cfg(test)]
mod properties;

pub use edit::{EditError, Mode, connect, connected, disconnect};
pub use file::{Change, ConfigError, ConfigFile};
