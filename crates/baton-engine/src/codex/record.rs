//! `connected.json`: which of Codex's folders are to go through Baton, so that a start connects what an end disconnected.
//! `disconnected.json`: which went through it before a person disconnected them, so that they are connected again as they were.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use baton_core::Timestamp;
use serde::de::DeserializeOwned;

use super::{edit::Mode, file::ConfigFile, lines::Owner};
use crate::{
    clock::{Clock, SystemClock},
    store::files,
};

const FILE: &str = "connected.json";
const LEFT: &str = "disconnected.json";
const LOCK: &str = "connected.lock";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    pub home: PathBuf,
    pub mode: Mode,
}

/// One that a person has disconnected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Left {
    #[serde(flatten)]
    was: Connected,
    at: Timestamp,
}

/// Of a data directory. Command line, serving Baton and guardian write it and Codex's files one after the other.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    left: PathBuf,
    owner: Owner,
    /// Released by the OS however the process ends. Absent where no file can be made: disconnecting goes on without.
    _lock: Option<File>,
}

impl Record {
    /// Waits for whoever else is at it.
    pub fn open(data_dir: &Path) -> Self {
        let lock = lock(&data_dir.join(LOCK));
        if let Err(error) = &lock {
            tracing::debug!(%error, "Codex's files are written without a lock");
        }
        Self {
            path: Self::path(data_dir),
            left: data_dir.join(LEFT),
            owner: Owner::of(data_dir),
            _lock: lock.ok(),
        }
    }

    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// What is there of this folder of Codex's, to this Baton.
    pub fn file(&self, home: &Path) -> ConfigFile {
        ConfigFile::of(home, &self.owner)
    }

    /// A file that isn't there, or none of Baton's, names nobody: what is connected says so itself.
    pub fn list(&self) -> Vec<Connected> {
        read(&self.path)
    }

    /// How this folder is to be connected, or was before a person disconnected it.
    pub(crate) fn mode(&self, home: &Path) -> Option<Mode> {
        let left = read::<Left>(&self.left).into_iter().map(|left| left.was);
        let mut all = self.list().into_iter().chain(left);
        all.find(|known| known.home == home).map(|known| known.mode)
    }

    /// When a person last disconnected one.
    pub(crate) fn left_at(&self) -> Option<Timestamp> {
        read::<Left>(&self.left).iter().map(|left| left.at).max()
    }

    pub fn add(&self, home: &Path, mode: Mode) -> io::Result<()> {
        let mut list = self.without(home);
        list.push(Connected {
            home: home.to_path_buf(),
            mode,
        });
        self.save(&list)
    }

    pub fn remove(&self, home: &Path) -> io::Result<()> {
        let list = self.list();
        let Some(was) = list.into_iter().find(|known| known.home == home) else {
            return Ok(());
        };
        self.save(&self.without(home))?;
        let mut left: Vec<Left> = read(&self.left);
        left.retain(|left| left.was.home != home);
        left.push(Left {
            was,
            at: SystemClock.now(),
        });
        if let Err(error) = files::replace(&self.left, &serde_json::to_vec_pretty(&left)?) {
            tracing::debug!(%error, "how Codex was connected isn't remembered");
        }
        Ok(())
    }

    fn without(&self, home: &Path) -> Vec<Connected> {
        let mut list = self.list();
        list.retain(|known| known.home != home);
        list
    }

    fn save(&self, list: &[Connected]) -> io::Result<()> {
        if list == self.list() {
            return Ok(());
        }
        files::replace(&self.path, &serde_json::to_vec_pretty(list)?)
    }
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = files::read_text(path).ok().flatten().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn lock(path: &Path) -> io::Result<File> {
    let file = files::private(OpenOptions::new().write(true).create(true).truncate(false)).open(path)?;
    file.lock()?;
    Ok(file)
}
