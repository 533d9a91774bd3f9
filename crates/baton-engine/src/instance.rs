//! One Baton per data directory, and the short name of that directory.

use std::{
    fmt::Write as _,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::time;

use crate::{
    control::client::{Client, ConnectError},
    store::files,
};

const FILE: &str = "baton.lock";
/// For who holds the data directory without answering.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(50);

/// How long a [`tag`] is.
pub(crate) const TAG: usize = 12;

/// The first 12 hex digits of the hash of the data directory's one true path: what keychain entries, sockets and lines in
/// Codex's configuration of several Batons are told apart by. Make the directory first: links in its path can be followed only then.
pub fn tag(data_dir: &Path) -> String {
    let path = data_dir.canonicalize().or_else(|_| std::path::absolute(data_dir));
    let path = path.unwrap_or_else(|_| data_dir.to_path_buf());
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    digest.iter().take(TAG / 2).fold(String::new(), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Held for as long as this Baton runs; the OS releases it however the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error("a Baton runs already with {}{}", .data_dir.display(), said(*.pid))]
    Running { data_dir: PathBuf, pid: Option<u32> },
    #[error("{} can't be used: {}", .path.display(), files::advice(.source))]
    Io { path: PathBuf, source: io::Error },
}

fn said(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

impl Lock {
    /// A command holds the data directory for a moment where no Baton runs, and so does one that is just ending: neither
    /// answers, and both are waited for.
    pub(crate) async fn acquire_in_time(data_dir: &Path) -> Result<Self, InstanceError> {
        let until = time::Instant::now() + PATIENCE;
        loop {
            let error = match Self::acquire(data_dir) {
                Err(error @ InstanceError::Running { .. }) => error,
                done => return done,
            };
            let answered = !matches!(Client::connect(data_dir).await, Err(ConnectError::NotRunning));
            if answered || time::Instant::now() >= until {
                return Err(error);
            }
            time::sleep(AGAIN).await;
        }
    }

    /// Makes the data directory where it isn't there yet.
    pub fn acquire(data_dir: &Path) -> Result<Self, InstanceError> {
        let path = data_dir.join(FILE);
        let failed = |source| InstanceError::Io {
            path: path.clone(),
            source,
        };
        files::private_dir(data_dir).map_err(failed)?;
        // Not truncated before the lock is ours: the other's process id stands there.
        let mut file = files::private(
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false),
        )
        .open(&path)
        .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // On Windows a locked file can't be read: then the process stays unnamed.
                let pid = file
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| text.trim().parse().ok());
                return Err(InstanceError::Running {
                    data_dir: data_dir.to_path_buf(),
                    pid,
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // What locks is the lock: without its process's id, as on a full disk, it does as well.
        let named = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", process::id()));
        if let Err(error) = named {
            tracing::debug!(%error, "the lock bears no process id");
        }
        Ok(Self { _file: file })
    }
}

/// Whether a Baton runs with this data directory.
pub fn is_held(data_dir: &Path) -> bool {
    let lock = File::open(data_dir.join(FILE)).and_then(|file| Ok(file.try_lock_shared()?));
    lock.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_baton_is_told_which_process_runs() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(dir.path()).unwrap();
        let error = Lock::acquire(dir.path()).unwrap_err();
        assert!(matches!(error, InstanceError::Running { pid: Some(pid), .. } if pid == process::id()));
        assert!(error.to_string().contains(&process::id().to_string()));
        assert!(is_held(dir.path()));
        drop(lock);
        assert!(!is_held(dir.path()));
        Lock::acquire(dir.path()).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_starts_waits_for_a_command_that_is_just_at_it_but_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let command = Lock::acquire(dir.path()).unwrap();
        let ends = tokio::spawn(async move {
            time::sleep(PATIENCE / 2).await;
            drop(command);
        });
        let started = Lock::acquire_in_time(dir.path()).await.unwrap();
        assert!(ends.is_finished());

        let before = time::Instant::now();
        let error = Lock::acquire_in_time(dir.path()).await.unwrap_err();
        assert!(matches!(error, InstanceError::Running { .. }));
        assert!(before.elapsed() >= PATIENCE);
        drop(started);
    }

    #[test]
    fn a_lock_file_left_behind_locks_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "123456789\n").unwrap();
        Lock::acquire(dir.path()).unwrap();
        assert_eq!(
            std::fs::read_to_string(dir.path().join(FILE)).unwrap(),
            format!("{}\n", process::id())
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_has_one_tag_by_whatever_path_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(tag(&real), tag(&link));
        assert_ne!(tag(&real), tag(dir.path()));
        assert_eq!(tag(&real).len(), TAG);
    }
}
