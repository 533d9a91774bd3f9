//! The platform's local socket: a Unix socket in a folder of the owner's, or a named pipe that only its owner may open.
//!
//! Both sides find it by the data directory alone.

use std::{
    io,
    path::{Path, PathBuf},
};

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

pub(super) use platform::{Listener, Stream, connect};

#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error(
        "{} is too long for a socket ({longest} bytes at most): set XDG_RUNTIME_DIR, or use a shorter data directory",
        .path.display()
    )]
    PathTooLong { path: PathBuf, longest: usize },
    #[error("a Baton answers at {} already", .0.display())]
    Taken(PathBuf),
    #[error("{} can't be used: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Where a Baton with this data directory listens.
pub fn socket_path(data_dir: &Path) -> Result<PathBuf, TransportError> {
    platform::socket_path(data_dir)
}

#[cfg(unix)]
mod unix {
    use std::{
        env, fs, io,
        os::unix::fs::MetadataExt,
        path::{Path, PathBuf},
    };

    use tokio::net::{UnixListener, UnixStream};

    use super::TransportError;
    use crate::{instance, store::files};

    /// `sun_path` with its end: 108 bytes on Linux, 104 on the BSDs and macOS.
    const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

    pub(in crate::control) type Stream = UnixStream;

    /// The socket's file goes with it.
    #[derive(Debug)]
    pub(in crate::control) struct Listener {
        inner: UnixListener,
        path: PathBuf,
    }

    pub(super) fn socket_path(data_dir: &Path) -> Result<PathBuf, TransportError> {
        candidates(data_dir, &runtime_dirs(data_dir))
    }

    /// What this process was told, and what systemd's sessions have: so a command from cron or `su`, which was told
    /// nothing, finds the same socket.
    fn runtime_dirs(data_dir: &Path) -> Vec<PathBuf> {
        let told = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let owner = fs::metadata(data_dir).map(|data_dir| data_dir.uid()).ok();
        let usual = owner.map(|uid| PathBuf::from(format!("/run/user/{uid}")));
        let usual = usual.filter(|dir| fs::metadata(dir).is_ok_and(|dir| Some(dir.uid()) == owner));
        told.filter(|dir| dir.is_absolute() && dir.is_dir())
            .into_iter()
            .chain(usual)
            .collect()
    }

    /// The first place whose path fits; the data directory itself is the last.
    pub(super) fn candidates(data_dir: &Path, runtime_dirs: &[PathBuf]) -> Result<PathBuf, TransportError> {
        let name = format!("{}.sock", instance::tag(data_dir));
        let own = data_dir.join("run").join("control.sock");
        let mut paths = runtime_dirs
            .iter()
            .map(|dir| dir.join("baton").join(&name))
            .chain([own.clone()]);
        let fits = |path: &PathBuf| path.as_os_str().len() <= LONGEST;
        paths.find(fits).ok_or(TransportError::PathTooLong {
            path: own,
            longest: LONGEST,
        })
    }

    impl Listener {
        pub(in crate::control) async fn bind(data_dir: &Path) -> Result<Self, TransportError> {
            let path = socket_path(data_dir)?;
            let failed = |source| TransportError::Io {
                path: path.clone(),
                source,
            };
            let folder = path.parent().unwrap_or(data_dir);
            files::private_dir(data_dir).map_err(failed)?;
            files::private_dir(folder).map_err(failed)?;
            // The folder is what keeps others out: a socket's own mode isn't minded everywhere.
            files::restrict(folder, 0o700).map_err(failed)?;
            let inner = match UnixListener::bind(&path) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    // Left behind by a Baton that was killed, unless somebody listens.
                    match UnixStream::connect(&path).await {
                        Ok(_) => return Err(TransportError::Taken(path)),
                        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                        Err(error) => return Err(failed(error)),
                    }
                    fs::remove_file(&path).map_err(failed)?;
                    UnixListener::bind(&path).map_err(failed)?
                }
                bound => bound.map_err(failed)?,
            };
            let listener = Self {
                inner,
                path: path.clone(),
            };
            files::restrict(&path, 0o600).map_err(failed)?;
            Ok(listener)
        }

        pub(in crate::control) async fn accept(&mut self) -> io::Result<Stream> {
            self.inner.accept().await.map(|(stream, _)| stream)
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            // Gone already is as well.
            let _ = fs::remove_file(&self.path);
        }
    }

    pub(in crate::control) async fn connect(path: &Path) -> io::Result<Option<Stream>> {
        match UnixStream::connect(path).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                _ => Err(error),
            },
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::{
        io,
        path::{Path, PathBuf},
    };

    use interprocess::{
        local_socket::{
            GenericFilePath, ListenerOptions, ToFsName,
            tokio::{Listener as Pipe, prelude::*},
        },
        os::windows::{local_socket::ListenerOptionsExt, security_descriptor::SecurityDescriptor},
    };
    use widestring::u16cstr;

    use super::TransportError;
    use crate::instance;

    /// Protected from what would be inherited; all rights to the owner, none to anybody else.
    const OWNER_ONLY: &widestring::U16CStr = u16cstr!("D:P(A;;GA;;;OW)");
    /// Every instance of the pipe is in use: someone serves it.
    const PIPE_BUSY: i32 = 231;

    pub(in crate::control) type Stream = interprocess::local_socket::tokio::Stream;

    #[derive(Debug)]
    pub(in crate::control) struct Listener(Pipe);

    pub(super) fn socket_path(data_dir: &Path) -> Result<PathBuf, TransportError> {
        Ok(PathBuf::from(format!(
            r"\\.\pipe\baton-{}",
            instance::tag(data_dir)
        )))
    }

    impl Listener {
        // Async as on the other platforms.
        pub(in crate::control) async fn bind(data_dir: &Path) -> Result<Self, TransportError> {
            let path = socket_path(data_dir)?;
            let bound = (|| {
                let name = path.as_path().to_fs_name::<GenericFilePath>()?;
                let descriptor = SecurityDescriptor::deserialize(OWNER_ONLY)?;
                ListenerOptions::new()
                    .name(name)
                    .security_descriptor(descriptor)
                    .create_tokio()
            })();
            match bound {
                Ok(pipe) => Ok(Self(pipe)),
                // The first instance of a name must be ours: another's, whosever, refuses us so.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    Err(TransportError::Taken(path))
                }
                Err(source) => Err(TransportError::Io { path, source }),
            }
        }

        pub(in crate::control) async fn accept(&mut self) -> io::Result<Stream> {
            self.0.accept().await
        }
    }

    pub(in crate::control) async fn connect(path: &Path) -> io::Result<Option<Stream>> {
        match Stream::connect(path.to_fs_name::<GenericFilePath>()?).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "Baton is busy: try again",
            )),
            Err(error) => Err(error),
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_in_the_runtime_folder_or_else_in_the_data_directory() {
        let data = Path::new("/data/baton");
        let run = PathBuf::from("/run/user/1000");
        let tag = crate::instance::tag(data);
        let path = unix::candidates(data, std::slice::from_ref(&run)).unwrap();
        assert_eq!(path, run.join(format!("baton/{tag}.sock")));
        let long = PathBuf::from(format!("/{}", "x".repeat(90)));
        let own = Path::new("/data/baton/run/control.sock");
        assert_eq!(unix::candidates(data, std::slice::from_ref(&long)).unwrap(), own);
        assert_eq!(unix::candidates(data, &[]).unwrap(), own);
        let error = unix::candidates(&long.join("baton"), std::slice::from_ref(&long)).unwrap_err();
        assert!(matches!(error, TransportError::PathTooLong { .. }), "{error}");
    }
}
