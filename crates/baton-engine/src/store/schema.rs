//! The database's format: a list of steps, each taken once, and a copy of the file before any is.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, TransactionBehavior};

use super::{StoreError, files};

/// Step n leads from format n to n + 1. Never edited once released: only added to.
const STEPS: &[&str] = &[
    "
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        position INTEGER NOT NULL,
        user_id TEXT NOT NULL,
        account_id TEXT NOT NULL,
        label TEXT NOT NULL,
        plan TEXT,
        state TEXT NOT NULL
    ) STRICT;
    CREATE TABLE routing (one INTEGER PRIMARY KEY CHECK (one = 1), state TEXT NOT NULL) STRICT;
    CREATE TABLE issued (one INTEGER PRIMARY KEY CHECK (one = 1), last_account_id INTEGER NOT NULL) STRICT;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        event TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_at ON events (at);
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        account INTEGER,
        thread TEXT,
        model TEXT,
        transport TEXT NOT NULL,
        outcome TEXT NOT NULL,
        first_output_ms INTEGER,
        failovers INTEGER NOT NULL,
        input_tokens INTEGER,
        output_tokens INTEGER
    ) STRICT;
    CREATE INDEX requests_at ON requests (at);
",
    "
    ALTER TABLE accounts ADD COLUMN linked TEXT;
",
    // Hashes are 64 bits; times milliseconds. `explanation` is the content's hash.
    "
    DROP INDEX requests_at;
    ALTER TABLE requests RENAME TO former;
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        account INTEGER,
        session INTEGER,
        thread INTEGER,
        turn INTEGER,
        turn_mark TEXT NOT NULL,
        model TEXT,
        transport TEXT NOT NULL,
        outcome TEXT NOT NULL,
        first_byte_ms INTEGER,
        first_output_ms INTEGER,
        waited_ms INTEGER NOT NULL,
        failovers INTEGER NOT NULL,
        input_tokens INTEGER,
        cached_tokens INTEGER,
        output_tokens INTEGER,
        explanation INTEGER
    ) STRICT;
    INSERT INTO requests (id, at, account, turn_mark, model, transport, outcome, first_output_ms, waited_ms, failovers,
                          input_tokens, output_tokens)
        SELECT id, at, account, 'new', model, transport, outcome, first_output_ms, 0, failovers, input_tokens,
               output_tokens
        FROM former;
    DROP TABLE former;
    CREATE INDEX requests_at ON requests (at);
    CREATE INDEX requests_account ON requests (account, at);

    ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT '';
    ALTER TABLE events ADD COLUMN request INTEGER;
    ALTER TABLE events ADD COLUMN explanation INTEGER;
    UPDATE events SET kind = coalesce(json_extract(event, '$.kind.event'), '');
    CREATE INDEX events_kind ON events (kind, at);
    CREATE INDEX events_request ON events (request) WHERE request IS NOT NULL;

    CREATE TABLE explanations (id INTEGER PRIMARY KEY, used INTEGER NOT NULL, decision TEXT NOT NULL) STRICT;

    CREATE TABLE windows (
        id INTEGER PRIMARY KEY,
        account INTEGER NOT NULL,
        family TEXT NOT NULL,
        minutes INTEGER NOT NULL,
        UNIQUE (account, family, minutes)
    ) STRICT;
    CREATE TABLE readings (
        window INTEGER NOT NULL,
        at INTEGER NOT NULL,
        used REAL NOT NULL,
        resets_at INTEGER,
        source TEXT NOT NULL,
        PRIMARY KEY (window, at)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE blocked (
        began INTEGER PRIMARY KEY,
        ended INTEGER,
        until INTEGER,
        why TEXT NOT NULL,
        request INTEGER,
        requests INTEGER NOT NULL,
        asked_last INTEGER NOT NULL
    ) STRICT;
",
];

pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    run(connection, path, STEPS)
}

fn run(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let database = |source| StoreError::Database {
        path: path.to_path_buf(),
        source,
    };
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let found = version(connection).map_err(database)?;
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_path_buf(),
            found,
            known,
        });
    }
    if found == known {
        return Ok(());
    }
    if found > 0 {
        back_up(connection, path, found)?;
    } else {
        // Before the first table: what is deleted can be given back to the disk.
        connection
            .pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .map_err(database)?;
    }
    // All steps or none.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(database)?;
    for step in steps.iter().skip(found as usize) {
        transaction.execute_batch(step).map_err(database)?;
    }
    transaction
        .pragma_update(None, "user_version", known)
        .map_err(database)?;
    transaction.commit().map_err(database)
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// `baton.db.format-1.bak`: whole, whatever still stands in the write-ahead log.
fn back_up(connection: &Connection, path: &Path, format: u32) -> Result<(), StoreError> {
    let backup = backup_path(path, format);
    let io = |source| StoreError::Io {
        path: backup.clone(),
        source,
    };
    // SQLite copies only into nothing or an empty file; an empty one of ours is private.
    files::private(OpenOptions::new().write(true).create(true).truncate(true))
        .open(&backup)
        .map_err(io)?;
    connection
        .execute("VACUUM INTO ?1", [backup.to_string_lossy()])
        .map_err(|source| StoreError::Database {
            path: backup.clone(),
            source,
        })?;
    Ok(())
}

/// Of formats before this one.
pub(super) fn remove_backups(path: &Path) -> std::io::Result<()> {
    for format in 1..u32::try_from(STEPS.len()).unwrap_or(u32::MAX) {
        match std::fs::remove_file(backup_path(path, format)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn backup_path(path: &Path, format: u32) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".format-{format}.bak"));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "CREATE TABLE a (x INTEGER)";
    const TWO: &str = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7";

    fn scratch() -> (tempfile::TempDir, PathBuf, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("baton.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        (dir, path, connection)
    }

    #[test]
    fn an_existing_file_is_copied_before_its_format_changes() {
        let (_dir, path, mut connection) = scratch();
        run(&mut connection, &path, &[ONE]).unwrap();
        assert!(!backup_path(&path, 0).exists(), "a new file needs no copy");
        connection.execute("INSERT INTO a VALUES (1)", []).unwrap();

        run(&mut connection, &path, &[ONE, TWO]).unwrap();
        let y: i64 = connection
            .query_row("SELECT y FROM a", [], |row| row.get(0))
            .unwrap();
        assert_eq!((version(&connection).unwrap(), y), (2, 7));

        let backup = Connection::open(backup_path(&path, 1)).unwrap();
        let x: i64 = backup.query_row("SELECT x FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!((version(&backup).unwrap(), x), (1, 1));
        assert!(backup.prepare("SELECT y FROM a").is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(backup_path(&path, 1))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_step_that_fails_changes_nothing_and_can_be_tried_again() {
        let (_dir, path, mut connection) = scratch();
        run(&mut connection, &path, &[ONE]).unwrap();
        run(&mut connection, &path, &[ONE, TWO, "NO SQL"]).unwrap_err();
        assert_eq!(version(&connection).unwrap(), 1);
        run(&mut connection, &path, &[ONE, TWO]).unwrap();
        assert_eq!(version(&connection).unwrap(), 2);
    }

    #[test]
    fn the_requests_and_events_of_the_second_format_stay() {
        let (_dir, path, mut connection) = scratch();
        run(&mut connection, &path, &STEPS[..2]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO requests VALUES (7, 1000, 2, 'a1b2', 'gpt', 'http', 'completed', 95, 0, 12, 3);
                 INSERT INTO events VALUES (1, 1000, '{\"at\":1000,\"kind\":{\"event\":\"serving\"}}');",
            )
            .unwrap();
        migrate(&mut connection, &path).unwrap();
        let request: (i64, String, i64) = connection
            .query_row("SELECT id, outcome, input_tokens FROM requests", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(request, (7, "completed".to_owned(), 12));
        let kind: String = connection
            .query_row("SELECT kind FROM events", [], |row| row.get(0))
            .unwrap();
        assert_eq!(kind, "serving");
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let (_dir, path, mut connection) = scratch();
        run(&mut connection, &path, &[ONE, TWO]).unwrap();
        let error = run(&mut connection, &path, &[ONE]).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Newer {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(version(&connection).unwrap(), 2);
    }
}
