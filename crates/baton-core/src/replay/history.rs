//! What was recorded, as a ledger can tell it. Everything oldest first.

use crate::{AccountId, Event, Series, Timestamp, Turn};

#[derive(Clone, Debug, Default)]
pub struct History {
    /// Requests that the general limit meters.
    pub attempts: Vec<Attempt>,
    /// When somebody asked and nobody could serve.
    pub blocked: Vec<Stretch>,
    /// Readings of the general limit.
    pub series: Vec<Series>,
    /// Of them only when accounts came, were skipped or needed their person is looked at.
    pub events: Vec<Event>,
}

/// One request of a client's.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// When it came.
    pub at: Timestamp,
    pub session: Option<u64>,
    pub thread: Option<u64>,
    pub turn: Turn,
    pub model: Option<Box<str>>,
    /// Who served it; `None`: nobody did.
    pub account: Option<AccountId>,
    /// How much it was ([`weight`]); `None`: the answer didn't say.
    pub units: Option<f64>,
}

/// Work in tokens of input that isn't cached, in about the proportions in which models are priced. What a unit costs is
/// learned, so only the proportions matter.
pub fn weight(input_tokens: u64, cached_input_tokens: u64, output_tokens: u64) -> f64 {
    let fresh = input_tokens.saturating_sub(cached_input_tokens);
    fresh as f64 + cached_input_tokens as f64 / 10.0 + output_tokens as f64 * 8.0
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub began: Timestamp,
    pub ended: Timestamp,
}
