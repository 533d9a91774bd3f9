//! Files of one's own: for the owner's eyes only, and replaced as a whole or not at all.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Owner only, where the platform has modes. On Windows a profile's folders are the owner's already.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

pub(crate) const FULL: &str = "the disk is full: make room";
pub(crate) const READ_ONLY: &str = "it is read-only, or somebody else's: make it and its folder writable for you, or name \
                                    another folder with --data-dir";

/// What went wrong with a file and what to do about it.
pub(crate) fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FULL.to_owned(),
        io::ErrorKind::FileTooLarge => "no file may grow any more (`ulimit -f`): raise this limit".to_owned(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => READ_ONLY.to_owned(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            format!("its folder can't be made ({error}): name another with --data-dir")
        }
        _ => error.to_string(),
    }
}

/// A write beyond the limit of the process (`ulimit -f`) ends it, unless somebody listens to the signal: then it fails as
/// on a full disk. For as long as the process lives.
#[cfg(unix)]
pub(crate) fn survive_size_limits() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    /// Linux, macOS and the BSDs agree on this one.
    const SIGXFSZ: i32 = 25;
    // Listening goes on although nobody does.
    signal(SignalKind::from_raw(SIGXFSZ)).map(drop)
}

#[cfg(not(unix))]
pub(crate) fn survive_size_limits() -> io::Result<()> {
    Ok(())
}

/// By these a data directory is known.
const OURS: [&str; 4] = ["baton.db", "baton.lock", "private.json", "settings.toml"];

/// Makes the folder and those above it. One of ours that others may enter is closed to them; a folder that somebody
/// uses for other things too is not ours to close, and the files in it are private all the same.
pub(crate) fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir)?;
    let mut entries = fs::read_dir(dir)?.peekable();
    let empty = entries.peek().is_none();
    if empty || OURS.iter().any(|name| dir.join(name).exists()) {
        restrict(dir, 0o700)?;
    }
    Ok(())
}

/// Takes from others what `mode` doesn't give them; the owner's own bits stay as they are.
#[cfg(unix)]
pub(crate) fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 & !mode != 0 {
        fs::set_permissions(
            path,
            PermissionsExt::from_mode(permissions.mode() & 0o700 | mode & 0o077),
        )?;
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn restrict(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// No file that a person writes is longer (bytes).
const LONGEST: u64 = 1024 * 1024;

/// A text that a person may edit; `None` where there is no file.
pub(crate) fn read_text(path: &Path) -> io::Result<Option<String>> {
    let text = fs::metadata(path).and_then(|file| match file.len() {
        0..=LONGEST => fs::read_to_string(path),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 1 MiB")),
    });
    match text {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some),
    }
}

/// Links followed, also to a file that isn't there.
pub(crate) fn real(path: &Path) -> io::Result<PathBuf> {
    /// As the systems do: more are taken for a circle.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            known => return known,
        }
        match fs::read_link(&path) {
            // A relative one begins at its own folder.
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Ok(path)
}

/// Removes the file, not the link to it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let path = real(path)?;
    fs::remove_file(&path)?;
    sync_folder(folder(&path))
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Replaces the file in one step. A link stays a link, and permissions stay what they were; a new file is private.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let path = real(path)?;
    let temporary = temporary(&path);
    let written = (|| {
        let mut file =
            private(OpenOptions::new().write(true).create(true).truncate(true)).open(&temporary)?;
        file.write_all(contents)?;
        if let Ok(known) = fs::metadata(&path) {
            file.set_permissions(known.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        sync_folder(folder(&path))
    })();
    if written.is_err() {
        // Nothing of it may stay; that it can't be removed either adds nothing.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// The rename itself must survive a power cut.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn permissions_and_links_stay_and_new_files_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.toml"), dir.path().join("link.toml"));
        replace(&real, b"1").unwrap();
        assert_eq!(mode(&real), 0o600);
        fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        replace(&link, b"2").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read(&real).unwrap(), mode(&real)), (b"2".to_vec(), 0o640));
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            2,
            "no temporary file stays"
        );
    }

    #[test]
    fn a_folder_open_to_others_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        private_dir(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);

        let shared = dir.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::write(shared.join("somebody's.txt"), "").unwrap();
        fs::set_permissions(&shared, PermissionsExt::from_mode(0o755)).unwrap();
        private_dir(&shared).unwrap();
        assert_eq!(mode(&shared), 0o755);
    }
}
