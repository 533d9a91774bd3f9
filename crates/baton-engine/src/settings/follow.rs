//! Notices that `settings.toml` was edited. The OS tells of it, so nothing wakes while nobody edits.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::SettingsFile;
use crate::store::{files, settings::Settings};

/// A file is read once nothing has happened to it for this long: editors empty, write and rename in steps.
const QUIET: Duration = Duration::from_millis(100);
/// But no later than this after the first step.
const LATEST: Duration = Duration::from_millis(500);

/// Takes over every edit, until `stopping`.
pub(crate) async fn follow(settings: Arc<SettingsFile>, stopping: CancellationToken) {
    let steps = Arc::new(Notify::new());
    loop {
        // Anew each time, and before the file is read: a link may lead elsewhere after an edit, and no edit is missed.
        let _watch = match watch(&settings.dir, &steps) {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(%error, "settings.toml can't be watched: an edit counts from the next start on");
                return;
            }
        };
        let reread = Arc::clone(&settings);
        // Its only failure would be a panic, which is told where it happens.
        let _ = tokio::task::spawn_blocking(move || reread.reread()).await;
        tokio::select! {
            () = stopping.cancelled() => return,
            () = steps.notified() => {}
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = quiet(&steps) => {}
        }
    }
}

async fn quiet(steps: &Notify) {
    let latest = Instant::now() + LATEST;
    loop {
        let until = latest.min(Instant::now() + QUIET);
        tokio::select! {
            () = sleep_until(until) => return,
            () = steps.notified() => {}
        }
    }
}

/// Watches folders, for a file that is replaced is another one from then on: the data folder, and the one that a link
/// leads to.
fn watch(dir: &Path, steps: &Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let path = Settings::path(dir);
    let real = files::real(&path).unwrap_or_else(|_| path.clone());
    let names: Vec<OsString> = [&path, &real]
        .into_iter()
        .filter_map(|path| path.file_name().map(OsString::from))
        .collect();
    let steps = Arc::clone(steps);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error may be a sign of events that were lost.
        if event.map_or(true, |event| concerns(&event, &names)) {
            steps.notify_one();
        }
    })?;
    watcher.watch(dir, RecursiveMode::NonRecursive)?;
    let elsewhere = real
        .parent()
        .map(Path::to_path_buf)
        .filter(|folder| folder.canonicalize().ok() != dir.canonicalize().ok());
    if let Some(folder) = elsewhere {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
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
