//! Which version of the Codex CLI goes through Baton, and whether it has passed the self-test: one that was updated may not
//! work as the one before.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use baton_wire::client::cli_version;
use http::HeaderMap;

use super::tried::Tried;

#[derive(Debug)]
pub(crate) struct Seen {
    tried: Tried,
    /// The latest one's.
    version: Mutex<Option<String>>,
}

impl Seen {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self {
            tried: Tried::of(data_dir),
            version: Mutex::default(),
        }
    }

    /// A model request came with these headers. Nothing is looked up here: no request waits for a file.
    pub(crate) fn request(&self, headers: &HeaderMap) {
        let Some(version) = cli_version(headers) else {
            return;
        };
        let mut latest = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.as_deref() != Some(version) {
            *latest = Some(version.to_owned());
        }
    }

    /// For a person, for as long as it holds. Who tries no CLI isn't told.
    pub(crate) fn problem(&self) -> Option<String> {
        let latest = self
            .version
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let version = latest.filter(|version| self.tried.is_news(version))?;
        Some(format!(
            "Codex {version} goes through Baton and hasn't passed the self-test yet, as an earlier one has: `baton connect` \
             runs it."
        ))
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;
    use crate::codex::{Cli, Mode};

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
