//! What happened: events and one line per request, kept for 90 days.

use std::time::Duration;

use baton_core::{AccountId, Event, Timestamp};
use rusqlite::{Connection, Row, Transaction, params};

use super::{Store, StoreError, schema};
use crate::control::protocol::{DataView, LogEntry, RequestLine, Transport};

const RETENTION_DAYS: u32 = 90;
const KEPT: Duration = Duration::from_secs(RETENTION_DAYS as u64 * 86_400);

impl Store {
    /// Newest first.
    pub fn log(&self, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.with(|connection| {
            let events = rows(connection, "SELECT id, at, event FROM events ORDER BY at DESC, id DESC LIMIT ?1", limit, event)?;
            let requests = rows(
                connection,
                "SELECT id, at, account, thread, model, transport, outcome, first_output_ms, failovers, input_tokens,
                        output_tokens
                 FROM requests ORDER BY at DESC, id DESC LIMIT ?1",
                limit,
                |row| request(row).map(Some),
            )?;
            let mut entries: Vec<_> = events.into_iter().chain(requests).collect();
            // Stable: what has the same time stays newest first within its kind.
            entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
            entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(entries.into_iter().map(|(_, entry)| entry).collect())
        })
    }

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
                retention_days: RETENTION_DAYS,
            })
        })
    }

    /// Events and requests, in a way that leaves nothing of them in the file.
    pub fn delete_history(&self) -> Result<(), StoreError> {
        self.with(|connection| {
            connection.execute_batch("DELETE FROM events; DELETE FROM requests; VACUUM;")?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        })?;
        // They have it all, too.
        schema::remove_backups(&self.path).map_err(|source| StoreError::Io {
            path: self.path.clone(),
            source,
        })
    }

    pub(super) fn append(&self, events: &[Event], requests: &[RequestLine]) -> Result<(), StoreError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            for event in events {
                insert_event(&transaction, event)?;
            }
            for line in requests {
                insert_request(&transaction, line)?;
            }
            transaction.commit()
        })
    }
}

/// Forgets what is older than 90 days.
pub(super) fn prune(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    let oldest = now.as_millis().saturating_sub(kept);
    connection.execute("DELETE FROM events WHERE at < ?1", [oldest])?;
    connection.execute("DELETE FROM requests WHERE at < ?1", [oldest])?;
    Ok(())
}

fn insert_event(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    let json = serde_json::to_string(event)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mut insert = transaction.prepare_cached("INSERT INTO events (at, event) VALUES (?1, ?2)")?;
    insert.execute(params![event.at.as_millis(), json])?;
    Ok(())
}

fn insert_request(transaction: &Transaction<'_>, line: &RequestLine) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO requests (at, account, thread, model, transport, outcome, first_output_ms, failovers, input_tokens,
                               output_tokens)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    // SQLite's numbers are signed.
    let signed = |number: Option<u64>| number.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    insert.execute(params![
        line.at.as_millis(),
        line.account.map(AccountId::get),
        line.thread,
        line.model,
        match line.transport {
            Transport::Http => "http",
            Transport::WebSocket => "web_socket",
        },
        line.outcome,
        signed(line.first_output_ms),
        line.failovers,
        signed(line.input_tokens),
        signed(line.output_tokens),
    ])?;
    Ok(())
}

/// Read rows with their time; `None` is left out.
fn rows(
    connection: &Connection,
    sql: &str,
    limit: i64,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<LogEntry>>,
) -> rusqlite::Result<Vec<(i64, LogEntry)>> {
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([limit], |row| {
        Ok(read(row)?.map(|entry| (row.get_unwrap::<_, i64>(1), entry)))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// An event that this version doesn't know is no reason to show none.
fn event(row: &Row<'_>) -> rusqlite::Result<Option<LogEntry>> {
    let json: String = row.get(2)?;
    Ok(serde_json::from_str(&json)
        .ok()
        .map(|event| LogEntry::Event { event }))
}

fn request(row: &Row<'_>) -> rusqlite::Result<LogEntry> {
    let unsigned = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    Ok(LogEntry::Request(RequestLine {
        at: Timestamp::from_millis(row.get(1)?),
        account: row.get::<_, Option<u32>>(2)?.map(AccountId::new),
        thread: row.get(3)?,
        model: row.get(4)?,
        transport: match row.get::<_, String>(5)?.as_str() {
            "http" => Transport::Http,
            _ => Transport::WebSocket,
        },
        outcome: row.get(6)?,
        first_output_ms: unsigned(row.get(7)?),
        failovers: row.get(8)?,
        input_tokens: unsigned(row.get(9)?),
        output_tokens: unsigned(row.get(10)?),
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use baton_core::EventKind;

    use super::*;

    pub(in crate::store) fn event_at(secs: i64) -> Event {
        Event {
            at: Timestamp::from_secs(secs),
            kind: EventKind::BrakeReleased,
        }
    }

    pub(in crate::store) fn line_at(secs: i64) -> RequestLine {
        RequestLine {
            at: Timestamp::from_secs(secs),
            account: Some(AccountId::new(2)),
            thread: Some("a1b2".to_owned()),
            model: Some("gpt-5.6".to_owned()),
            transport: Transport::WebSocket,
            outcome: "completed".to_owned(),
            first_output_ms: Some(950),
            failovers: 1,
            input_tokens: Some(12_000),
            output_tokens: None,
        }
    }

    #[test]
    fn the_log_is_newest_first_across_both_kinds() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_at(dir.path(), Timestamp::from_secs(0)).unwrap();
        let nobody = RequestLine {
            account: None,
            transport: Transport::Http,
            ..line_at(30)
        };
        store
            .append(&[event_at(10), event_at(40)], &[line_at(20), nobody.clone()])
            .unwrap();
        let entry = |event| LogEntry::Event { event };
        let all = [
            entry(event_at(40)),
            LogEntry::Request(nobody),
            LogEntry::Request(line_at(20)),
            entry(event_at(10)),
        ];
        assert_eq!(store.log(100).unwrap(), all);
        assert_eq!(store.log(2).unwrap(), all[..2]);
        assert_eq!(store.log(0).unwrap(), []);
    }

    #[test]
    fn what_is_older_than_90_days_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let day = |days: i64| days * 86_400;
        Store::open_at(dir.path(), Timestamp::from_secs(0))
            .unwrap()
            .append(&[event_at(0), event_at(day(10))], &[line_at(0), line_at(day(10))])
            .unwrap();
        let store = Store::open_at(dir.path(), Timestamp::from_secs(day(100))).unwrap();
        let left = [
            LogEntry::Event {
                event: event_at(day(10)),
            },
            LogEntry::Request(line_at(day(10))),
        ];
        assert_eq!(store.log(10).unwrap(), left);
    }

    #[test]
    fn an_event_of_another_version_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_at(dir.path(), Timestamp::from_secs(0)).unwrap();
        store.append(&[event_at(1), event_at(2)], &[]).unwrap();
        store
            .lock()
            .execute(
                "UPDATE events SET event = '{\"kind\":\"new\"}' WHERE at = 2000",
                [],
            )
            .unwrap();
        assert_eq!(store.log(10).unwrap(), [LogEntry::Event { event: event_at(1) }]);
    }
}
