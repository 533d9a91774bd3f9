//! Stretches of time, as a timeline, a forecast and a replay want them: oldest first, each by an index.

use std::time::Duration;

use baton_core::{AccountId, Event, LimitFamily, Percent, Source, Timestamp, WindowLength};
use rusqlite::{OptionalExtension, params};

use super::rows;
use crate::{
    control::protocol::{BlockedTime, RequestLine},
    store::{Store, StoreError},
};

/// What was read of one window of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowHistory {
    pub account: AccountId,
    pub family: LimitFamily,
    pub window: WindowLength,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub at: Timestamp,
    pub used: Percent,
    pub resets_at: Option<Timestamp>,
    pub source: Source,
}

/// An account answered requests after a moment, within as long as was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    pub from: Timestamp,
    pub account: AccountId,
}

/// At least a millisecond.
fn millis(resolution: Duration) -> i64 {
    i64::try_from(resolution.as_millis()).unwrap_or(i64::MAX).max(1)
}

impl Store {
    /// The last sample of each stretch of `resolution`, and one from before `from`, if there is any: what held then.
    pub fn readings(
        &self,
        from: Timestamp,
        to: Timestamp,
        resolution: Duration,
    ) -> Result<Vec<WindowHistory>, StoreError> {
        let step = millis(resolution);
        let (from, to) = (from.as_millis(), to.as_millis());
        self.with(|connection| {
            let mut last = connection.prepare_cached(&format!(
                "SELECT {} FROM readings WHERE window = ?1 AND at <= ?2 ORDER BY at DESC LIMIT 1",
                rows::SAMPLE
            ))?;
            let mut all = Vec::new();
            for window in rows::windows(connection)? {
                let mut samples: Vec<Sample> = Vec::new();
                let mut by = Some(to);
                // From stretch to stretch by the index, however many samples lie between.
                while let Some(until) = by {
                    let found = last.query_row(params![window.id, until], rows::sample);
                    let found = found.optional()?;
                    by = found.and_then(|sample| stretch_begins(sample.at, from, step));
                    samples.extend(found);
                }
                samples.reverse();
                if !samples.is_empty() {
                    all.push(WindowHistory {
                        account: window.account,
                        family: window.family,
                        window: window.length,
                        samples,
                    });
                }
            }
            Ok(all)
        })
    }

    pub fn requests(&self, from: Timestamp, to: Timestamp) -> Result<Vec<RequestLine>, StoreError> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {} FROM requests WHERE at BETWEEN ?1 AND ?2 ORDER BY at, id",
                rows::REQUEST
            ))?;
            let lines = query.query_map([from.as_millis(), to.as_millis()], rows::request)?;
            lines.collect()
        })
    }

    /// The stretches of `resolution` in which requests were answered ([`RequestLine::answered_by`]), and by whom.
    pub fn served(
        &self,
        from: Timestamp,
        to: Timestamp,
        resolution: Duration,
    ) -> Result<Vec<Served>, StoreError> {
        let step = millis(resolution);
        let (from, to) = (from.as_millis(), to.as_millis());
        self.with(|connection| {
            let mut last = connection.prepare_cached(&format!(
                "SELECT at FROM requests WHERE account = ?1 AND at <= ?2 AND {} ORDER BY at DESC LIMIT 1",
                rows::ANSWERED
            ))?;
            let mut next =
                connection.prepare_cached("SELECT MIN(account) FROM requests WHERE account > ?1")?;
            let mut all = Vec::new();
            let mut before = -1;
            while let Some(account) = next.query_row([before], |row| row.get::<_, Option<u32>>(0))? {
                let mut until = to;
                while let Some(at) = last
                    .query_row(params![account, until], |row| row.get::<_, i64>(0))
                    .optional()?
                {
                    let Some(begins) = stretch_begins(Timestamp::from_millis(at), from, step) else {
                        break;
                    };
                    all.push(Served {
                        from: Timestamp::from_millis(begins),
                        account: AccountId::new(account),
                    });
                    until = begins;
                }
                before = i64::from(account);
            }
            all.sort_by_key(|served| (served.from, served.account));
            Ok(all)
        })
    }

    /// Changes of the active account and temporary failovers, each with the request that brought it.
    pub fn switches(&self, from: Timestamp, to: Timestamp) -> Result<Vec<(Event, Option<u64>)>, StoreError> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {} FROM events WHERE kind IN ('switched', 'temporary_failover') AND at BETWEEN ?1 AND ?2
                 ORDER BY at, id",
                rows::EVENT
            ))?;
            let events = query.query_map([from.as_millis(), to.as_millis()], rows::event)?;
            events.filter_map(Result::transpose).collect()
        })
    }

    pub fn events(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Event>, StoreError> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {} FROM events WHERE at BETWEEN ?1 AND ?2 ORDER BY at, id",
                rows::EVENT
            ))?;
            let events = query.query_map([from.as_millis(), to.as_millis()], rows::event)?;
            let known = events.filter_map(Result::transpose);
            known.map(|event| Ok(event?.0)).collect()
        })
    }

    /// Those that lie in this time, also in part.
    pub fn blocked(&self, from: Timestamp, to: Timestamp) -> Result<Vec<BlockedTime>, StoreError> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {} FROM blocked WHERE began <= ?2 AND (ended IS NULL OR ended >= ?1) ORDER BY began",
                rows::BLOCKED
            ))?;
            let times = query.query_map([from.as_millis(), to.as_millis()], rows::blocked)?;
            times.collect()
        })
    }
}

/// Where the stretch of `step` begins that this moment is in; `None` up to `from`, before the first one. What is at its
/// very beginning belongs to the one before.
fn stretch_begins(at: Timestamp, from: i64, step: i64) -> Option<i64> {
    // From before all times to after them is more than the type holds.
    let (from, step) = (i128::from(from), i128::from(step));
    let into = i128::from(at.as_millis()) - from;
    (into > 0).then(|| i64::try_from(from + (into - 1) / step * step).ok())?
}
