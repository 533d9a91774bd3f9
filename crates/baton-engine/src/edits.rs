//! Notices that files were edited. The OS tells of it, so nothing wakes while nobody edits.

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::store::files;

/// A file is read once nothing has happened to it for this long: editors empty, write and rename in steps.
const QUIET: Duration = Duration::from_millis(100);
/// But no later than this after the first step.
const LATEST: Duration = Duration::from_millis(500);

/// What has happened to some files.
#[derive(Default)]
pub(crate) struct Edits(Arc<Notify>);

impl Edits {
    /// For as long as the watcher is kept. To be called anew before each look at the files: a link may lead elsewhere after
    /// an edit, and no edit is missed. Folders are watched, for a file that is replaced is another one from then on: the
    /// file's own, and the one that a link leads to.
    pub(crate) fn watch(&self, files: &[PathBuf]) -> notify::Result<RecommendedWatcher> {
        let real = |file: &PathBuf| files::real(file).unwrap_or_else(|_| file.clone());
        let all: Vec<PathBuf> = files.iter().flat_map(|file| [file.clone(), real(file)]).collect();
        let names: Vec<OsString> = all
            .iter()
            .filter_map(|path| path.file_name().map(OsString::from))
            .collect();
        let steps = Arc::clone(&self.0);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may be a sign of events that were lost.
            if event.map_or(true, |event| concerns(&event, &names)) {
                steps.notify_one();
            }
        })?;
        let mut folders: Vec<PathBuf> = Vec::new();
        for folder in all.iter().filter_map(|path| path.parent()) {
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
            if !folders.contains(&folder) {
                watcher.watch(&folder, RecursiveMode::NonRecursive)?;
                folders.push(folder);
            }
        }
        Ok(watcher)
    }

    /// Waits for the next edit, until it is complete. False once it is `stopping`.
    pub(crate) async fn next(&self, stopping: &CancellationToken) -> bool {
        let edited = async {
            self.0.notified().await;
            self.quiet().await;
        };
        tokio::select! {
            () = stopping.cancelled() => false,
            () = edited => true,
        }
    }

    async fn quiet(&self) {
        let latest = Instant::now() + LATEST;
        loop {
            let until = latest.min(Instant::now() + QUIET);
            tokio::select! {
                () = sleep_until(until) => return,
                () = self.0.notified() => {}
            }
        }
    }
}

/// By name alone: the same folder may be told of under several paths.
fn concerns(event: &Event, names: &[OsString]) -> bool {
    let changes = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    let ours = |path: &PathBuf| {
        let name = path.file_name();
        name.is_some_and(|name| names.iter().any(|ours| ours.eq_ignore_ascii_case(name)))
    };
    event.need_rescan() || (changes && event.paths.iter().any(ours))
}
