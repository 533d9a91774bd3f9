//! Signing in against the simulated issuer, with a browser that follows where it is sent.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod browser;
mod device;
mod stage;
