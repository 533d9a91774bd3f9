//! The person's own recorded demand, under each strategy: by the same [`Pool::route`](crate::Pool::route) that routes,
//! against simulated accounts ([`crate::model`]) whose windows cost what the readings taught.
//!
//! - [`history`]: what was recorded; [`demand`]: the work in it, as it would have come had nobody been blocked
//! - [`capacity`]: what a unit of work costs each window; [`trace`]: both together, ready to run
//! - [`run`]: one strategy's outcome; [`compare`]: all five, which is best, and how sure that is; [`words`]: the same in
//!   a sentence
//! - [`week`]: a made-up working week, where too little is recorded yet

pub mod capacity;
pub mod compare;
pub mod demand;
pub mod history;
pub mod run;
pub mod trace;
pub mod week;
pub mod words;

pub use compare::{Comparison, Verdict, compare};
pub use demand::{Demand, Work};
pub use history::{Attempt, History, Stretch, weight};
pub use run::{Expired, Outcome, Step, Switched, run, run_told};
pub use trace::{Basis, Presence, Trace};
