//! `connected.json`: which of Codex's folders are to go through Baton, so that a start connects what an end disconnected.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{edit::Mode, file::ConfigFile, lines::Owner};
use crate::store::files;

const FILE: &str = "connected.json";
const LOCK: &str = "connected.lock";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    pub home: PathBuf,
    pub mode: Mode,
}

/// Of a data directory. Command line, serving Baton and guardian write it and Codex's files one after the other.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
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
            path: data_dir.join(FILE),
            owner: Owner::of(data_dir),
            _lock: lock.ok(),
        }
    }

    /// What is there of this folder of Codex's, to this Baton.
    pub fn file(&self, home: &Path) -> ConfigFile {
        ConfigFile::of(home, &self.owner)
    }

    /// A file that isn't there, or none of Baton's, names nobody: what is connected says so itself.
    pub fn list(&self) -> Vec<Connected> {
        let text = files::read_text(&self.path).ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
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
        let list = self.without(home);
        if list.len() == self.list().len() {
            return Ok(());
        }
        self.save(&list)
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

fn lock(path: &Path) -> io::Result<File> {
    let file = files::private(OpenOptions::new().write(true).create(true).truncate(false)).open(path)?;
    file.lock()?;
    Ok(file)
}
