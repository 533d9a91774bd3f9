//! What was read of windows over time: the past that forecast, replay and timeline look at.

use crate::{AccountId, Percent, Timestamp, WindowLength};

/// One window of one account, as it was read; oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub account: AccountId,
    pub length: WindowLength,
    /// Successive samples that say the same may be left out, but for the first and the last of them.
    pub samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub at: Timestamp,
    pub used: Percent,
    /// `None`: its timer hadn't started, or nobody said.
    pub resets_at: Option<Timestamp>,
}
