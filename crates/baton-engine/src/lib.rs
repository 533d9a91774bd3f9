//! The machinery: keychain, store, proxy, control socket, events. [`Engine`] builds it all and hands it out.
//!
//! - [`engine`]: the composition root; [`options`]: everything outside that can be named; [`clock`]: time from outside
//! - `background`: what goes on beside the requests: saving, recording, letting time pass
//! - [`desk`]: the pool of `baton-core` as shared by everybody, with its events and changes; `blocked`: when it has nobody
//! - [`proxy`]: what Codex talks to, and `door`: who is let in; [`net`]: connections to the upstream
//! - `usage`: reads the accounts' usage beside the requests
//! - [`vault`]: the OS keychain; [`grants`]: access tokens and their refresh
//! - `signin`: signing in, in the browser or with a device code; `admission`: how a sign-in becomes an account
//! - `settings`: what is decided for the whole pool, the same in the pool and in a person's file; `edits`: that a file was edited
//! - [`store`]: database, settings and state file, none of which holds a token; [`instance`]: one Baton a data directory
//! - [`codex`]: Codex's own config.toml, connected and disconnected
//! - [`control`]: the protocol, its server and client, that command line, tray and window speak
//! - [`doctor`]: how everything is, each with what to do
//! - [`browser`]: a page opened in the person's browser
//! - `housekeeping`: commands about what is around the pool; `history`: about what is stored; `commands`, `snapshot`, [`words`]: a person's commands carried out, and the pool as screens show it

mod admission;
mod background;
mod blocked;
pub mod browser;
pub mod clock;
pub mod codex;
mod commands;
pub mod control;
pub mod desk;
pub mod doctor;
mod door;
mod edits;
pub mod engine;
mod foresight;
pub mod grants;
mod history;
mod housekeeping;
pub mod instance;
pub mod net;
pub mod options;
pub mod proxy;
mod settings;
pub mod signin;
mod snapshot;
pub mod store;
mod toml;
mod usage;
pub mod vault;
pub mod words;

pub use clock::{Clock, SystemClock};
pub use engine::{Engine, StartError};
pub use options::Options;

/// What a Baton runs on: one thread. A request's work is to move bytes that have come, which takes a thread less time than
/// waking another one (`make bench`). What takes long is done on threads aside.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
