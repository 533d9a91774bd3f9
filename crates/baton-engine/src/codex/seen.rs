//! Which version of the Codex CLI goes through Baton, and whether it has passed the self-test: one that was updated may not
//! work as the one before.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use baton_wire::client::cli_version;
use http::HeaderMap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{edit::Mode, tried::Tried};
use crate::desk::Desk;

#[derive(Debug)]
pub(crate) struct Seen {
    tried: Tried,
    data_dir: PathBuf,
    /// The latest one's.
    version: watch::Sender<Option<String>>,
    /// The one that has failed, and why.
    failed: Mutex<Option<(String, String)>>,
}

impl Seen {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self {
            tried: Tried::of(data_dir),
            data_dir: data_dir.to_path_buf(),
            version: watch::channel(None).0,
            failed: Mutex::default(),
        }
    }

    /// A model request came with these headers. Nothing is looked up here: no request waits for a file.
    pub(crate) fn request(&self, headers: &HeaderMap) {
        let Some(version) = cli_version(headers) else {
            return;
        };
        self.version.send_if_modified(|latest| {
            let news = latest.as_deref() != Some(version);
            if news {
                *latest = Some(version.to_owned());
            }
            news
        });
    }

    /// For a person, for as long as it holds. Who tries no CLI isn't told.
    pub(crate) fn problem(&self) -> Option<String> {
        let version = self.news()?;
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match failed.as_ref().filter(|(of, _)| *of == version) {
            Some((_, why)) => format!(
                "Codex {version} doesn't pass the self-test, as an earlier one did: `baton connect` tries it again and connects \
                 what works, `baton disconnect` lets it go its own way. {why}"
            ),
            None => format!(
                "Codex {version} goes through Baton and hasn't passed the self-test yet, as an earlier one has: `baton connect` \
                 runs it."
            ),
        })
    }

    /// The version that goes through Baton, if it hasn't passed where an earlier one has.
    fn news(&self) -> Option<String> {
        let latest = self.version.borrow().clone();
        latest.filter(|version| self.tried.is_news(version))
    }

    /// Has `program self-test` try each new version, once.
    pub(crate) async fn try_news(
        self: Arc<Self>,
        program: PathBuf,
        desk: Arc<Desk>,
        stopping: CancellationToken,
    ) {
        let mut versions = self.version.subscribe();
        loop {
            let seen = Arc::clone(&self);
            let program = program.clone();
            let trying = async {
                // Its only failure would be a panic, which is told where it happens.
                let _ = tokio::task::spawn_blocking(move || seen.try_latest(&program)).await;
                desk.changed();
                versions.changed().await
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                changed = trying => if changed.is_err() { return },
            }
        }
    }

    fn try_latest(&self, program: &Path) {
        let Some(version) = self.news() else {
            return;
        };
        tracing::info!(%version, "a new Codex is tried on a simulated service");
        if let Err(why) = self_test(program, &self.data_dir, None) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, why));
        }
    }
}

/// Has `program` (a `baton`) try the installed CLI, in this mode or in any; why it doesn't work, if it doesn't. It takes a
/// minute at most.
pub(crate) fn self_test(program: &Path, data_dir: &Path, mode: Option<Mode>) -> Result<(), String> {
    let mut command = Command::new(program);
    command.arg("self-test").arg("--data-dir").arg(data_dir);
    if let Some(mode) = mode {
        command.arg("--mode").arg(mode.name());
    }
    match command.stdin(Stdio::null()).output() {
        Ok(tried) if tried.status.success() => Ok(()),
        Ok(tried) => Err(String::from_utf8_lossy(&tried.stderr).trim().to_owned()),
        Err(error) => {
            tracing::warn!(%error, "a Codex can't be tried");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;
    use crate::codex::Cli;

    #[test]
    fn a_new_version_is_told_until_it_has_passed() {
        let dir = tempfile::tempdir().unwrap();
        let seen = Seen::new(dir.path());
        let came = |version: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::USER_AGENT,
                format!("codex_exec/{version} (x)").parse().unwrap(),
            );
            seen.request(&headers);
        };
        let passed = |version: &str| {
            let version = format!("codex-cli {version}");
            let program = "/usr/bin/codex".into();
            Tried::of(dir.path())
                .passed(&Cli { program, version }, Mode::Default)
                .unwrap();
        };
        came("0.169.0");
        assert_eq!(seen.problem(), None, "nothing was ever tried here");
        passed("0.169.0");
        assert_eq!(seen.problem(), None);
        came("0.170.0");
        seen.request(&HeaderMap::new());
        let said = seen.problem().unwrap();
        assert!(
            said.starts_with("Codex 0.170.0 ") && said.contains("`baton connect`"),
            "{said}"
        );
        passed("0.170.0");
        assert_eq!(seen.problem(), None);
    }
}
