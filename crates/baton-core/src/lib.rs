//! The rules: accounts, quota windows, strategies, judging. Pure: no I/O, no clock, no async; time is an argument, so
//! that everything here can be tested by property, replayed on history and explained.
//!
//! A request's way: [`Pool::route`] settles what time has changed, [`choose()`] picks an account and explains itself
//! for every account ([`Decision`]), and the pool commits the choice. What the upstream then does becomes an
//! [`Outcome`], which [`Trial::judge`] turns into a [`Verdict`]: the next step for the request and a [`Report`] on the
//! account, taken in by [`Pool::report`]. Quota seen on the way is a [`Reading`], taken in by [`Pool::learn`].
//!
//! - [`account`], [`quota`], [`policy`], [`request`]: the nouns
//! - [`eligibility`], [`state`]: whether an account may serve; its state machine
//! - [`mod@choose`]: the strategies; [`decision`]: a choice and its explanation; [`explain`]: the same in words
//! - [`judge`]: the table from what the upstream did to what Baton does; [`trial`]: one request's failures so far
//! - [`pool`], [`threads`], [`brake`]: what routing remembers; [`event`]: what happened
//! - [`polling`]: when whose usage is read; [`samples`]: what was read, over time
//! - [`mod@forecast`]: how long it goes on; [`replay`]: the recorded demand under each strategy; [`model`]: the upstream
//!   simulated, for both; [`timeline`]: a picture of all of it over time

pub mod account;
pub mod brake;
pub mod choose;
pub mod decision;
pub mod eligibility;
pub mod event;
pub mod explain;
pub mod forecast;
pub mod judge;
pub mod model;
pub mod policy;
pub mod polling;
pub mod pool;
pub mod quota;
mod random;
pub mod replay;
pub mod request;
pub mod samples;
pub mod state;
pub mod threads;
pub mod time;
pub mod timeline;
pub mod trial;

pub use account::{Account, AccountId, Identity, Thresholds};
pub use choose::choose;
pub use decision::{Because, Cause, Choice, Decision, Line, PassedOver, RefuseReason, Standing, Switch};
pub use eligibility::{CoolingReason, Eligibility, ExhaustedReason};
pub use event::{Event, EventKind};
pub use forecast::{Forecast, forecast};
pub use judge::{LimitKind, Outcome, Refusal, SendState, Step, Trouble, Verdict};
pub use policy::{OnRecovery, Policy, Strategy, UnknownStrategy};
pub use pool::{CommandError, Pool, Report};
pub use quota::{
    BankedResets, Credits, InvalidPercent, LimitFamily, LimitReading, Percent, Quota, Reading, Source,
    Window, WindowLength,
};
pub use request::{Request, Turn};
pub use samples::{Sample, Series};
pub use state::{AccountState, Effect};
pub use time::Timestamp;
pub use trial::Trial;
