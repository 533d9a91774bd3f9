//! The rules of routing, told as stories and held as properties.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod histories;
mod pools;

mod brake;
mod breaking_off;
mod clock;
mod commands;
mod explanations;
mod families;
mod forecast;
mod judging;
mod limits;
mod model;
mod picture;
mod polling;
mod properties;
mod ranked;
mod replay;
mod sequential;
mod temporary_failover;
mod thresholds;
mod trials;
mod waiting;
