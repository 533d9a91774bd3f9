//! What survives a restart, in the data directory: `baton.db` (accounts' public facts, routing memory, events, the
//! ledger of requests), [`settings`] and [`private`]. No token, e-mail or prompt is ever in any of them.

pub(crate) mod files;
mod ledger;
mod pool;
pub mod private;
mod schema;
pub mod settings;
mod writer;

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU32},
    },
    time::Duration,
};

use baton_core::Timestamp;
use rusqlite::{Connection, ErrorCode};

use crate::clock::{Clock, SystemClock};

pub use ledger::{EventRecord, Only, RequestRecord, Retention, Sample, Served, WindowHistory};
pub use pool::restored;
pub use writer::Writer;

const FILE: &str = "baton.db";
/// Only a backup or a curious person's `sqlite3` ever holds the database.
const BUSY: Duration = Duration::from_secs(5);

/// Calls block on the disk: keep them off the hot path ([`Writer`] does).
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
    retention_days: AtomicU32,
    /// By the records' own time, in milliseconds.
    pruned_at: AtomicI64,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} can't be used: {}", .path.display(), files::advice(.source))]
    Io { path: PathBuf, source: io::Error },
    #[error("{} can't be used: {}", .path.display(), advice(.source))]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error(
        "{} was written by a newer Baton (format {found}, this one knows {known}); update Baton, or restore the backup \
         beside it",
        .path.display()
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
}

/// What went wrong and what to do about it.
fn advice(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => files::FULL.to_owned(),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => files::READ_ONLY.to_owned(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
            format!("the disk doesn't do what it is asked ({error}): is it full, read-only or broken?")
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => format!(
            "it is damaged ({error}): put a backup in its place, or move it away and add the accounts again"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("another program holds it ({error}): end that program")
        }
        _ => error.to_string(),
    }
}

/// What a disk says that has no room, not even for the file in which connections find each other.
fn no_room(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure)
    )
}

impl Store {
    /// Makes the directory and the database where they aren't there yet.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_at(data_dir, SystemClock.now())
    }

    /// `now` decides what is old enough to be forgotten.
    pub fn open_at(data_dir: &Path, now: Timestamp) -> Result<Self, StoreError> {
        Self::open_keeping(data_dir, now, Retention::default())
    }

    pub fn open_keeping(data_dir: &Path, now: Timestamp, retention: Retention) -> Result<Self, StoreError> {
        let path = data_dir.join(FILE);
        let io = |source| StoreError::Io {
            path: path.clone(),
            source,
        };
        files::private_dir(data_dir).map_err(io)?;
        // Made here, because SQLite would make it readable by others; its -wal and -shm take the modes of this one.
        files::private(OpenOptions::new().create(true).append(true))
            .open(&path)
            .map_err(io)?;
        files::restrict(&path, 0o600).map_err(io)?;
        let database = |source| StoreError::Database {
            path: path.clone(),
            source,
        };
        let mut connection = match connect(&path, false) {
            // Read, at least: it is written as soon as there is room.
            Err(error) if no_room(&error) => connect(&path, true),
            connected => connected,
        }
        .map_err(database)?;
        schema::migrate(&mut connection, &path)?;
        let tidied = shrinkable(&connection)
            .and_then(|()| ledger::end_open_stretches(&connection))
            .and_then(|()| ledger::prune(&connection, retention, now));
        match tidied {
            Err(error) if no_room(&error) => tracing::warn!(%error, "old records stay for now"),
            tidied => tidied.map_err(database)?,
        }
        Ok(Self {
            connection: Mutex::new(connection),
            path,
            retention_days: AtomicU32::new(retention.days()),
            pruned_at: AtomicI64::new(now.as_millis()),
        })
    }

    fn with<T>(&self, run: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        run(&mut self.lock()).map_err(|source| StoreError::Database {
            path: self.path.clone(),
            source,
        })
    }

    // A panic can't leave a transaction half done: dropping rolls back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file of before that could be is made so once.
fn shrinkable(connection: &Connection) -> rusqlite::Result<()> {
    let vacuum: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if vacuum == 0 {
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")?;
    }
    Ok(())
}

/// `alone`: needs no room on the disk, and keeps every other program out as long as it is open.
fn connect(path: &Path, alone: bool) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    if alone {
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}
