//! This program's own file, as it was named at the start: an update puts another one in its place, which is then the one
//! to be started, and the system calls the one that runs deleted.

use std::{io, path::PathBuf, sync::OnceLock};

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// To be called first.
pub(crate) fn remember() {
    match std::env::current_exe() {
        // Only the first one counts.
        Ok(program) => drop(PROGRAM.set(program)),
        Err(error) => tracing::warn!(%error, "this program's own file isn't known"),
    }
}

pub(crate) fn path() -> io::Result<PathBuf> {
    match PROGRAM.get() {
        Some(program) => Ok(program.clone()),
        None => std::env::current_exe(),
    }
}
