//! The machinery: keychain, store, proxy, control socket, events.

pub mod clock;
pub mod control;
pub mod desk;
pub mod grants;
pub mod instance;
pub mod net;
pub mod options;
pub mod proxy;
pub mod store;
pub mod vault;

pub use clock::{Clock, SystemClock};
pub use options::Options;
