//! Who else could learn the secret in a config.toml: other users of this machine, and whoever reads a git repository.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::store::files;

pub(super) fn of(config: &Path) -> Vec<String> {
    let Ok(config) = files::real(config) else {
        return Vec::new();
    };
    let name = config.display();
    let readable = readable_by_others(&config).then(|| {
        format!(
            "Other users of this machine can read {name}, and with the secret in it use Baton: `chmod 600` closes it."
        )
    });
    let tracked = tracked_by_git(&config).then(|| {
        format!(
            "Git tracks {name}, and the secret in it would be committed: `baton disconnect` before you commit, or take the \
             file out of the repository."
        )
    });
    readable.into_iter().chain(tracked).collect()
}

/// The file, and a way to it through all its folders.
#[cfg(unix)]
fn readable_by_others(config: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| path.metadata().map_or(0, |known| known.permissions().mode());
    let open = |read: u32, enter: u32| {
        mode(config) & read != 0 && config.ancestors().skip(1).all(|folder| mode(folder) & enter != 0)
    };
    // A group may enter where its members or everybody may.
    open(0o004, 0o001) || open(0o040, 0o011)
}

/// A profile's folders are the owner's.
#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}

/// Git is asked only where there is a repository.
fn tracked_by_git(config: &Path) -> bool {
    let Some(folder) = config.parent() else {
        return false;
    };
    let in_repository = folder.ancestors().any(|folder| folder.join(".git").exists());
    in_repository
        && Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["ls-files", "--error-unmatch", "--"])
            .args(config.file_name())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn others_can_read_it_where_file_and_folders_let_them() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.toml");
        fs::write(&config, "").unwrap();
        let with = |folder: u32, file: u32| {
            fs::set_permissions(&config, PermissionsExt::from_mode(file)).unwrap();
            fs::set_permissions(dir.path(), PermissionsExt::from_mode(folder)).unwrap();
            of(&config).len()
        };
        assert_eq!(with(0o755, 0o644), 1);
        assert_eq!(with(0o755, 0o600), 0);
        assert_eq!(with(0o700, 0o644), 0, "nobody else gets there");
        assert_eq!(with(0o750, 0o640), 1);
    }

    #[test]
    fn a_file_that_git_tracks_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.toml");
        fs::write(&config, "").unwrap();
        fs::set_permissions(&config, PermissionsExt::from_mode(0o600)).unwrap();
        let git = |args: &[&str]| {
            let done = Command::new("git").arg("-C").arg(dir.path()).args(args).output();
            assert!(done.unwrap().status.success(), "{args:?}");
        };
        assert!(of(&config).is_empty());
        git(&["init", "--quiet"]);
        assert!(of(&config).is_empty(), "not tracked yet");
        git(&["add", "config.toml"]);
        let said = of(&config);
        assert!(said.len() == 1 && said[0].contains("Git tracks"), "{said:?}");
    }
}
