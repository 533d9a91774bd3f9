//! `self-test.json`: which Codex CLIs have worked through this version of Baton, so that none is tried twice. Without the
//! file they are tried again.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::edit::Mode;
use crate::store::files;

const FILE: &str = "self-test.json";
const BATON: &str = env!("CARGO_PKG_VERSION");
/// The oldest are forgotten.
const KEPT: usize = 20;

/// A CLI, as it says who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cli {
    pub program: PathBuf,
    /// E.g. `codex-cli 0.169.0`.
    pub version: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Passed {
    #[serde(flatten)]
    cli: Cli,
    mode: Mode,
    baton: String,
}

/// Of a data directory.
#[derive(Debug)]
pub struct Tried(PathBuf);

impl Tried {
    pub fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    pub fn has_passed(&self, cli: &Cli, mode: Mode) -> bool {
        self.list().contains(&Passed::now(cli, mode))
    }

    pub fn passed(&self, cli: &Cli, mode: Mode) -> io::Result<()> {
        let mut list = self.list();
        let new = Passed::now(cli, mode);
        list.retain(|known| *known != new);
        list.push(new);
        let surplus = list.len().saturating_sub(KEPT);
        list.drain(..surplus);
        files::replace(&self.0, &serde_json::to_vec_pretty(&list)?)
    }

    /// Whether CLIs have passed, but none of this version, such as `0.169.0`, with whichever Baton.
    pub(crate) fn is_news(&self, version: &str) -> bool {
        let list = self.list();
        let of_it = |known: &Passed| known.cli.version.split_whitespace().last() == Some(version);
        !list.is_empty() && !list.iter().any(of_it)
    }

    /// A file that can't be read knows nobody.
    fn list(&self) -> Vec<Passed> {
        let text = files::read_text(&self.0).ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

impl Passed {
    fn now(cli: &Cli, mode: Mode) -> Self {
        Self {
            cli: cli.clone(),
            mode,
            baton: BATON.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cli(version: &str) -> Cli {
        Cli {
            program: "/usr/bin/codex".into(),
            version: version.to_owned(),
        }
    }

    #[test]
    fn what_has_passed_is_known_in_that_version_and_mode_only() {
        let dir = tempfile::tempdir().unwrap();
        let tried = Tried::of(dir.path());
        assert!(!tried.has_passed(&cli("1"), Mode::Default));
        tried.passed(&cli("1"), Mode::Default).unwrap();
        assert!(tried.has_passed(&cli("1"), Mode::Default));
        assert!(!tried.has_passed(&cli("1"), Mode::Requests));
        assert!(!tried.has_passed(&cli("2"), Mode::Default));

        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        let older = text.replace(&format!("\"{BATON}\""), "\"0.0.1\"");
        assert_ne!(text, older);
        for text in [&older, "", "{"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert!(!tried.has_passed(&cli("1"), Mode::Default), "{text}");
        }
        tried.passed(&cli("1"), Mode::Default).unwrap();
        assert!(tried.has_passed(&cli("1"), Mode::Default), "and is mended");
    }
}
