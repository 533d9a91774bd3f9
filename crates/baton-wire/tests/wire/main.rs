//! The wire, against literal bytes of the protocol as it was measured, and against hostile ones.

#![allow(
    clippy::unwrap_used,
    reason = "a helper's panic fails the test that called it"
)]

mod errors;
mod hostile;
mod quota;
mod requests;
mod sign_in;
mod signing_in;
mod streams;

use baton_core::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};

/// When the measured examples were taken.
const NOW: Timestamp = Timestamp::from_secs(1_795_329_315);

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}
