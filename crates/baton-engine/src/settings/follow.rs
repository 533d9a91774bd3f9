//! Takes over what was edited in `settings.toml`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::SettingsFile;
use crate::{edits::Edits, store::settings::Settings};

/// Takes over every edit, until `stopping`.
pub(crate) async fn follow(settings: Arc<SettingsFile>, stopping: CancellationToken) {
    let edits = Edits::default();
    loop {
        let _watch = match edits.watch(&[Settings::path(&settings.dir)]) {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(%error, "settings.toml can't be watched: an edit counts from the next start on");
                return;
            }
        };
        let reread = Arc::clone(&settings);
        // Its only failure would be a panic, which is told where it happens.
        let _ = tokio::task::spawn_blocking(move || reread.reread()).await;
        if !edits.next(&stopping).await {
            return;
        }
    }
}
