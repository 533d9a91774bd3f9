//! Codex's own configuration: `config.toml` of a `CODEX_HOME`, connected to Baton and disconnected again.
//!
//! - `edit`: the text, changed; `lines`: which lines of it are Baton's, and which Baton's
//! - `file`: the file, replaced as a whole; `exposure`: who else could read the secret in it;
//!   `overrides`: what leads Codex past Baton all the same
//! - `one`: a folder that a person names
//! - `record`: which files are to be connected while Baton runs; `keep`: they are, and only then
//! - `follow`: who else changes them is noticed
//! - `health`: how a folder is; `layers`, `environment`: what else decides where its Codex goes; `version`: which it is
//! - `tried`: which CLIs have worked through Baton; `seen`: which one is in use
//! - `guard`: they are disconnected also when Baton is killed

mod edit;
mod environment;
mod exposure;
mod file;
mod follow;
mod guard;
mod health;
mod keep;
mod layers;
mod lines;
mod one;
mod overrides;
#[cfg(test)]
mod properties;
mod record;
mod seen;
mod tried;
mod version;

pub use edit::{EditError, Mode, connect, connected, connected_by_another, disconnect, take_over};
pub use environment::environment;
pub use file::{Change, ConfigError, ConfigFile};
pub(crate) use follow::follow;
pub(crate) use guard::Guardian;
pub use guard::guard;
pub use health::Home;
pub(crate) use keep::{Standing, connect_all, disconnect_all, readdress_all, standing};
pub use layers::{MANAGED, managed, projects};
pub use lines::{ANOTHER, Owner};
pub use one::{HomeError, Made, another_baton, connect_home, connecting, disconnect_home};
pub use record::{Connected, Record};
pub(crate) use seen::{Seen, self_test};
pub use tried::{Cli, Tried};
pub use version::{TESTED, installed};
