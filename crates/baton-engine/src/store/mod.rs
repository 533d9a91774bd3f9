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
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use baton_core::Timestamp;
use rusqlite::Connection;

use crate::clock::{Clock, SystemClock};

pub use writer::Writer;

const FILE: &str = "baton.db";
/// Only a backup or a curious person's `sqlite3` ever holds the database.
const BUSY: Duration = Duration::from_secs(5);

/// Calls block on the disk: keep them off the hot path ([`Writer`] does).
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} can't be used: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} can't be used: {source}", .path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error(
        "{} was written by a newer Baton (format {found}, this one knows {known}); update Baton, or restore the backup \
         beside it",
        .path.display()
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
}

impl Store {
    /// Makes the directory and the database where they aren't there yet.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_at(data_dir, SystemClock.now())
    }

    /// `now` decides what is old enough to be forgotten.
    pub fn open_at(data_dir: &Path, now: Timestamp) -> Result<Self, StoreError> {
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
        let mut connection = Connection::open(&path).map_err(database)?;
        connection.busy_timeout(BUSY).map_err(database)?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(database)?;
        connection
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(database)?;
        schema::migrate(&mut connection, &path)?;
        ledger::prune(&connection, now).map_err(database)?;
        Ok(Self {
            connection: Mutex::new(connection),
            path,
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
