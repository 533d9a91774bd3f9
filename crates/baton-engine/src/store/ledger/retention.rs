//! What is forgotten: what is older than the person wants it kept, and the oldest of what would be too much.

use std::sync::atomic::Ordering;

use baton_core::Timestamp;
use rusqlite::{Connection, params};

use super::{explained, rows};
use crate::store::Store;

const DAY: i64 = 86_400_000;
/// While records come, it is looked for so often (milliseconds).
const EVERY: i64 = 3_600_000;

/// However long they are to be kept: some 200 MB.
const MOST_REQUESTS: i64 = 2_000_000;
const MOST_EVENTS: i64 = 500_000;
/// Of each window.
const MOST_READINGS: i64 = 250_000;

/// For how many days the ledger is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention(u32);

impl Retention {
    pub const ALLOWED: std::ops::RangeInclusive<u32> = 1..=3660;

    /// `None` outside [`Self::ALLOWED`].
    pub fn of_days(days: u32) -> Option<Self> {
        Self::ALLOWED.contains(&days).then_some(Self(days))
    }

    pub const fn days(self) -> u32 {
        self.0
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self(90)
    }
}

impl Store {
    pub(crate) fn retention(&self) -> Retention {
        Retention(self.retention_days.load(Ordering::Relaxed))
    }

    /// Counts from the next record on.
    pub(crate) fn retain(&self, retention: Retention) {
        let before = self.retention_days.swap(retention.days(), Ordering::Relaxed);
        if before != retention.days() {
            self.pruned_at.store(i64::MIN, Ordering::Relaxed);
        }
    }

    /// No clock is asked: time is what the records say.
    pub(super) fn prune_is_due(&self, newest: Timestamp) -> bool {
        let now = newest.as_millis();
        let due = self.pruned_at.load(Ordering::Relaxed).saturating_add(EVERY) <= now;
        if due {
            self.pruned_at.store(now, Ordering::Relaxed);
        }
        due
    }
}

pub(in crate::store) fn prune(
    connection: &Connection,
    retention: Retention,
    now: Timestamp,
) -> rusqlite::Result<()> {
    prune_to(
        connection,
        retention,
        now,
        (MOST_REQUESTS, MOST_EVENTS, MOST_READINGS),
    )
}

/// `most`: requests, events, and readings of a window.
pub(super) fn prune_to(
    connection: &Connection,
    retention: Retention,
    now: Timestamp,
    most: (i64, i64, i64),
) -> rusqlite::Result<()> {
    let oldest = now
        .as_millis()
        .saturating_sub(i64::from(retention.days()).saturating_mul(DAY));
    for (table, most) in [("requests", most.0), ("events", most.1)] {
        connection.execute(&format!("DELETE FROM {table} WHERE at < ?1"), [oldest])?;
        // Numbers go up: no need to count.
        connection.execute(
            &format!("DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?1"),
            [most],
        )?;
    }
    for window in rows::windows(connection)? {
        connection.execute(
            "DELETE FROM readings WHERE window = ?1 AND at < max(?2, coalesce(
                 (SELECT at FROM readings WHERE window = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?3), ?2))",
            params![window.id, oldest, most.2 - 1],
        )?;
    }
    connection.execute(
        "DELETE FROM windows WHERE NOT EXISTS (SELECT 1 FROM readings WHERE window = windows.id)",
        [],
    )?;
    connection.execute("DELETE FROM blocked WHERE ended < ?1", [oldest])?;
    explained::prune(connection, oldest)?;
    // Each step gives one page back.
    let mut shrink = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut pages = shrink.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}
