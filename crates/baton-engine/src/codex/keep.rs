//! What is to be connected is so while Baton runs, and only then.

use std::path::{Path, PathBuf};

use baton_core::Timestamp;

use super::{
    edit::Mode,
    file::{Change, ConfigError, ConfigFile},
    record::{Connected, Record},
};
use crate::control::protocol::{BaseUrls, CodexHome};

/// Codex itself may be writing.
const TRIES: usize = 3;

/// What came of all that is to be connected.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// How many files are as they are to be.
    pub(crate) done: usize,
    /// Why others are not, each with what to do.
    pub(crate) problems: Vec<String>,
}

/// To these base URLs, whichever stood there.
pub(crate) fn connect_all(data_dir: &Path, urls: &BaseUrls) -> Kept {
    let record = Record::open(data_dir);
    each(&record, |file, mode| file.connect(urls, mode))
}

pub(crate) fn disconnect_all(record: &Record) -> Kept {
    each(record, |file, _| file.disconnect())
}

/// Those that are connected are to these base URLs now; [`Kept::done`] counts them alone.
pub(crate) fn readdress_all(data_dir: &Path, urls: &BaseUrls) -> Kept {
    let record = Record::open(data_dir);
    let mut connected = record.list();
    // One that can't be read is asked all the same: that is then told.
    connected.retain(|known| !matches!(record.file(&known.home).connected(), Ok(None)));
    of(&record, connected, |file, mode| file.connect(urls, mode))
}

/// What has become of all that is to be connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) homes: Vec<CodexHome>,
    /// Somebody else has changed their config.toml.
    pub(crate) lost: Vec<PathBuf>,
    /// When a person last disconnected one.
    pub(crate) left_at: Option<Timestamp>,
}

pub(crate) fn standing(record: &Record) -> Standing {
    let mut standing = Standing {
        left_at: record.left_at(),
        ..Standing::default()
    };
    for Connected { home, .. } in record.list() {
        match record.file(&home).connected().ok().flatten() {
            Some(mode) => standing.homes.push(CodexHome { home, mode }),
            None => standing.lost.push(home),
        }
    }
    standing
}

fn each(record: &Record, change: impl Fn(&ConfigFile, Mode) -> Result<Change, ConfigError>) -> Kept {
    of(record, record.list(), change)
}

fn of(
    record: &Record,
    known: Vec<Connected>,
    change: impl Fn(&ConfigFile, Mode) -> Result<Change, ConfigError>,
) -> Kept {
    let mut kept = Kept::default();
    for Connected { home, mode } in known {
        let file = record.file(&home);
        let mut made = Ok(());
        for _ in 0..TRIES {
            made = change(&file, mode).and_then(|change| change.make());
            if !matches!(made, Err(ConfigError::ChangedMeanwhile(_))) {
                break;
            }
        }
        match made {
            Ok(()) => kept.done += 1,
            Err(error) => kept.problems.push(error.to_string()),
        }
    }
    kept
}
