//! What happened, for as long as the person wants it kept: requests, events, readings, blocked time, and why each request
//! went where it went.
//!
//! - [`rows`]: each kind of line, as it is written and read; [`explained`]: decisions, each kept once
//! - [`news`]: which readings are worth a line
//! - [`log`]: the lines as a person reads them; [`history`]: stretches of time, as views draw them
//! - [`retention`]: what is forgotten

mod explained;
mod history;
mod log;
mod news;
mod retention;
mod rows;

use baton_core::{Decision, Event, Timestamp};
use rusqlite::{Connection, Transaction};

pub use self::{
    history::{Sample, Served, WindowHistory},
    log::Only,
    retention::Retention,
};
pub(super) use self::{news::News, retention::prune};
use super::{Store, StoreError, schema};
use crate::control::protocol::{BlockedTime, DataView, ReadingLine, RequestLine};

/// A request, and the decision that chose its account.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    pub line: RequestLine,
    pub decision: Option<Decision>,
}

/// An event, with the request and the decision that brought it where one did.
#[derive(Clone, Debug)]
pub struct EventRecord {
    pub event: Event,
    pub request: Option<u64>,
    pub decision: Option<Decision>,
}

impl From<Event> for EventRecord {
    fn from(event: Event) -> Self {
        Self {
            event,
            request: None,
            decision: None,
        }
    }
}

/// What is written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<EventRecord>,
    pub(super) requests: Vec<RequestRecord>,
    pub(super) readings: Vec<ReadingLine>,
    /// As each stands by now.
    pub(super) blocked: Vec<BlockedTime>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            events,
            requests,
            readings,
            blocked,
        } = self;
        events.is_empty() && requests.is_empty() && readings.is_empty() && blocked.is_empty()
    }

    /// What came later, as far as there is room for so many; how many there is none for.
    pub(super) fn append(&mut self, mut later: Self, lines: usize, events: usize) -> usize {
        fn add<T>(to: &mut Vec<T>, later: &mut Vec<T>, most: usize) -> usize {
            to.append(later);
            let over = to.len().saturating_sub(most);
            to.truncate(most);
            over
        }
        self.blocked
            .retain(|time| later.blocked.iter().all(|newer| newer.began != time.began));
        add(&mut self.events, &mut later.events, events)
            + add(&mut self.requests, &mut later.requests, lines)
            + add(&mut self.readings, &mut later.readings, lines)
            + add(&mut self.blocked, &mut later.blocked, lines)
    }

    fn newest(&self) -> Option<Timestamp> {
        let events = self.events.iter().map(|record| record.event.at);
        let requests = self.requests.iter().map(|record| record.line.at);
        let readings = self.readings.iter().map(|line| line.at);
        events.chain(requests).chain(readings).max()
    }

    fn insert(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        for record in &self.events {
            let explanation = explained::keep(transaction, record.decision.as_ref(), record.event.at)?;
            rows::insert_event(transaction, record, explanation)?;
        }
        for record in &self.requests {
            let explanation = explained::keep(transaction, record.decision.as_ref(), record.line.at)?;
            rows::insert_request(transaction, &record.line, explanation)?;
        }
        for line in &self.readings {
            rows::insert_reading(transaction, line)?;
        }
        for time in &self.blocked {
            rows::upsert_blocked(transaction, time)?;
        }
        Ok(())
    }
}

impl Store {
    /// What is stored, and where.
    pub fn summary(&self) -> Result<DataView, StoreError> {
        let folder = self.path.parent().unwrap_or(&self.path).to_path_buf();
        self.with(|connection| {
            let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
            let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
            let oldest = "SELECT MIN(at) FROM (SELECT MIN(at) AS at FROM events UNION ALL SELECT MIN(at) FROM requests)";
            let oldest: Option<i64> = connection.query_row(oldest, [], |row| row.get(0))?;
            Ok(DataView {
                folder,
                size: unsigned(count(
                    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
                )?),
                requests: unsigned(count("SELECT COUNT(*) FROM requests")?),
                events: unsigned(count("SELECT COUNT(*) FROM events")?),
                oldest: oldest.map(Timestamp::from_millis),
                retention_days: self.retention().days(),
            })
        })
    }

    /// The whole ledger, in a way that leaves nothing of it in the file.
    pub fn delete_history(&self) -> Result<(), StoreError> {
        self.with(|connection| {
            connection.execute_batch(
                "BEGIN; DELETE FROM events; DELETE FROM requests; DELETE FROM readings; DELETE FROM windows;
                 DELETE FROM blocked; DELETE FROM explanations; COMMIT; VACUUM;",
            )?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        })?;
        // They have it all, too.
        schema::remove_backups(&self.path).map_err(|source| StoreError::Io {
            path: self.path.clone(),
            source,
        })
    }

    /// The highest number that a request has had.
    pub(super) fn last_request(&self) -> Result<u64, StoreError> {
        self.with(|connection| {
            let last = "SELECT max(coalesce((SELECT max(id) FROM requests), 0),
                                   coalesce((SELECT max(request) FROM events WHERE request IS NOT NULL), 0))";
            let last: i64 = connection.query_row(last, [], |row| row.get(0))?;
            Ok(u64::try_from(last).unwrap_or(0))
        })
    }

    pub(super) fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            batch.insert(&transaction)?;
            transaction.commit()?;
            if let Some(newest) = batch.newest().filter(|newest| self.prune_is_due(*newest)) {
                // Written is written: what could not be forgotten goes with the next hour.
                if let Err(error) = prune(connection, self.retention(), newest) {
                    tracing::warn!(%error, "old records stay for now");
                }
            }
            Ok(())
        })
    }
}

/// A Baton that was killed never said when these ended: they lasted until they were last met, at least.
pub(super) fn end_open_stretches(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE blocked SET ended = asked_last WHERE ended IS NULL", [])?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
