//! The rules: accounts, quota windows, strategies, judging. Pure: no I/O, no clock, no async.

pub mod judge;
pub mod quota;
pub mod time;

pub use judge::{LimitKind, Outcome, Refusal, Trouble};
pub use quota::{
    Credits, InvalidPercent, LimitFamily, LimitReading, Percent, Quota, Reading, Source, Window, WindowLength,
};
pub use time::Timestamp;
