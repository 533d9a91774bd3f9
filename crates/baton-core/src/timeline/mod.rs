//! A picture of time: a lane per account, what was used of its windows, who served, who was blocked, and what is expected.
//!
//! A value first ([`Timeline`]), drawn by [`svg`]: the window and `baton timeline --svg` show the same.

mod draw;
mod scale;
mod svg;
mod tracks;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Percent, Timestamp, WindowLength, forecast::When};

pub use svg::{Look, svg};
pub use tracks::stretches;

/// Everything that a picture shows. Times in milliseconds since the epoch, percents *used*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Timeline {
    pub from: Timestamp,
    pub now: Timestamp,
    pub to: Timestamp,
    /// Where the axis is marked.
    pub ticks: Vec<Tick>,
    /// In the person's order.
    pub lanes: Vec<Lane>,
    pub switches: Vec<SwitchMark>,
    /// When nobody could serve although somebody asked.
    pub blocked: Vec<Blocked>,
    /// When nobody will be able to, as far as that can be foretold.
    pub interruption: Option<When>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Tick {
    pub at: Timestamp,
    pub label: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Lane {
    pub account: AccountId,
    pub label: String,
    /// What is left, or what is the matter, in a few words.
    pub said: String,
    /// When it served requests.
    pub served: Vec<Span>,
    /// The shortest window first.
    pub tracks: Vec<Track>,
}

/// One kind of window of one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Track {
    pub length: WindowLength,
    pub stretches: Vec<Stretch>,
    pub expected: Option<Expected>,
}

/// One window from its first use to its reset, as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Stretch {
    pub from: Timestamp,
    /// When it was reset, or will be; `None`: nobody has said.
    pub resets_at: Option<Timestamp>,
    /// In order of time.
    pub levels: Vec<Level>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Level {
    pub at: Timestamp,
    pub used: Percent,
}

/// What a window is expected to come to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Expected {
    /// Nothing left of it; `None`: it lasts until its reset, or nothing is known.
    pub depleted: Option<When>,
    /// Whole again.
    pub recovers: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SwitchMark {
    pub at: Timestamp,
    pub from: Option<AccountId>,
    pub to: AccountId,
    /// Why, in a few words.
    pub said: String,
    /// It is foretold, not past.
    pub expected: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Blocked {
    pub from: Timestamp,
    /// `None`: still.
    pub to: Option<Timestamp>,
    pub said: String,
}

#[cfg(test)]
mod tests;
