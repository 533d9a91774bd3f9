//! Sees at once when somebody else connects or disconnects Codex: another command, or a program that writes config.toml anew.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use super::{
    keep,
    record::{Connected, Record},
};
use crate::{desk::Desk, edits::Edits};

/// Tells `desk`, until `stopping`.
pub(crate) async fn follow(data_dir: PathBuf, desk: Arc<Desk>, stopping: CancellationToken) {
    let edits = Edits::default();
    loop {
        let watched = watched(&data_dir);
        let _watch = match edits.watch(&watched) {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(%error, "Codex's config.toml can't be watched: who else changes it isn't noticed");
                return;
            }
        };
        let dir = data_dir.clone();
        let looked = tokio::task::spawn_blocking(move || keep::standing(&Record::open(&dir)));
        let looked = looked.await;
        if stopping.is_cancelled() {
            return;
        }
        // Its only failure would be a panic, which is told where it happens.
        if let Ok(standing) = looked {
            desk.stands(standing);
        }
        // What is to be connected may have changed while this looked: then it is looked at anew.
        if watched != self::watched(&data_dir) {
            continue;
        }
        if !edits.next(&stopping).await {
            return;
        }
    }
}

/// The record, and each config.toml that is to be connected. Read without its lock: it is replaced as a whole.
fn watched(data_dir: &Path) -> Vec<PathBuf> {
    let record = Record::path(data_dir);
    let mut files: Vec<PathBuf> = super::record::read::<Connected>(&record)
        .into_iter()
        .filter(|known| known.home.is_dir())
        .map(|known| known.home.join(super::file::FILE))
        .collect();
    files.push(record);
    files
}
