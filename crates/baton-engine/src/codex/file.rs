//! The config.toml of a `CODEX_HOME`, as one of several Batons has it: read, and replaced as a whole. First the change, so that it can be shown; then, if
//! nobody has written meanwhile, it is made.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    edit::{self, EditError, Mode},
    exposure,
    lines::Owner,
    overrides,
};
use crate::{control::protocol::BaseUrls, doctor::Check, store::files};

pub(super) const FILE: &str = "config.toml";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    path: PathBuf,
    owner: Owner,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no folder {}: run `codex` once, or name Codex's folder with --home", .0.display())]
    NoHome(PathBuf),
    #[error("{} can't be used: {}", .path.display(), advice(.source))]
    Io { path: PathBuf, source: io::Error },
    #[error("{}, {source}. Nothing was changed", .path.display())]
    Edit { path: PathBuf, source: EditError },
    #[error("{} was written by another program just now, so Baton left it alone: try again", .0.display())]
    ChangedMeanwhile(PathBuf),
}

fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "it is read-only, or somebody else's: make it and its folder writable for you".to_owned()
        }
        _ => files::advice(error),
    }
}

/// What the file has, and would have; `None` is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: PathBuf,
    pub before: Option<String>,
    pub after: Option<String>,
    owner: Owner,
}

impl ConfigFile {
    /// Of this `CODEX_HOME`, for this Baton.
    pub fn of(home: &Path, owner: &Owner) -> Self {
        Self {
            path: home.join(FILE),
            owner: owner.clone(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it is connected to this Baton, if it is.
    pub fn connected(&self) -> Result<Option<Mode>, ConfigError> {
        let text = self.text()?;
        Ok(text.and_then(|text| edit::connected(&text, &self.owner)))
    }

    /// The other Baton that it is connected to, if it is.
    pub fn connected_by_another(&self) -> Result<Option<Owner>, ConfigError> {
        let text = self.text()?;
        Ok(text.and_then(|text| edit::connected_by_another(&text, &self.owner)))
    }

    pub fn connect(&self, urls: &BaseUrls, mode: Mode) -> Result<Change, ConfigError> {
        self.edited(|text| edit::connect(text, urls, mode, &self.owner))
    }

    /// [`Self::connect`], in the place of whichever Baton is connected.
    pub fn take_over(&self, urls: &BaseUrls, mode: Mode) -> Result<Change, ConfigError> {
        self.edited(|text| edit::take_over(text, urls, mode, &self.owner))
    }

    fn edited(
        &self,
        edit: impl FnOnce(Option<&str>) -> Result<String, EditError>,
    ) -> Result<Change, ConfigError> {
        if let Some(home) = self.path.parent().filter(|home| !home.is_dir()) {
            return Err(ConfigError::NoHome(home.to_path_buf()));
        }
        let before = self.text()?;
        let after = edit(before.as_deref()).map_err(|error| self.wrong(error))?;
        Ok(self.change(before, Some(after)))
    }

    pub fn disconnect(&self) -> Result<Change, ConfigError> {
        let before = self.text()?;
        // One without anything of this Baton's may be as broken as it likes.
        let after = match before.as_deref() {
            Some(text) if text.contains(self.owner.mark()) => {
                edit::disconnect(text, &self.owner).map_err(|error| self.wrong(error))?
            }
            _ => before.clone(),
        };
        Ok(self.change(before, after))
    }

    /// Who else could learn the secret in it, each with what to do.
    pub fn exposures(&self) -> Vec<String> {
        exposure::of(&self.path)
    }

    pub(super) fn text(&self) -> Result<Option<String>, ConfigError> {
        read(&self.path)
    }

    fn change(&self, before: Option<String>, after: Option<String>) -> Change {
        Change {
            path: self.path.clone(),
            before,
            after,
            owner: self.owner.clone(),
        }
    }

    fn wrong(&self, source: EditError) -> ConfigError {
        ConfigError::Edit {
            path: self.path.clone(),
            source,
        }
    }
}

impl Change {
    /// Whether there is anything to do.
    pub fn changes(&self) -> bool {
        self.before != self.after
    }

    /// What in this folder leads a connected Codex past Baton all the same.
    pub fn overrides(&self) -> Vec<Check> {
        let (text, home) = (self.after.as_deref().unwrap_or_default(), self.path.parent());
        match (edit::connected(text, &self.owner), home) {
            (Some(mode), Some(home)) => overrides::of(home, text, mode),
            _ => Vec::new(),
        }
    }

    /// Makes the change: the whole file in one step, or nothing.
    pub fn make(&self) -> Result<(), ConfigError> {
        if !self.changes() {
            return Ok(());
        }
        // Codex itself writes into this file, too.
        if read(&self.path)? != self.before {
            return Err(ConfigError::ChangedMeanwhile(self.path.clone()));
        }
        let made = match &self.after {
            Some(text) => files::replace(&self.path, text.as_bytes()),
            None => files::remove(&self.path),
        };
        made.map_err(|source| failed(&self.path, source))
    }
}

fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    files::read_text(path).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> ConfigError {
    ConfigError::Io {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::codex::properties::{owner, urls};

    fn home_with(text: &str) -> (tempfile::TempDir, ConfigFile) {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FILE), text).unwrap();
        let file = ConfigFile::of(home.path(), &owner());
        (home, file)
    }

    #[test]
    fn a_file_that_baton_made_goes_with_it_unless_somebody_wrote_into_it() {
        for (written, left) in [("", None), ("model = \"m\"\n", Some("model = \"m\"\n"))] {
            let home = tempfile::tempdir().unwrap();
            let file = ConfigFile::of(home.path(), &owner());
            for port in [1, 2] {
                file.connect(&urls(port), Mode::Default).unwrap().make().unwrap();
            }
            assert_eq!(file.connected().unwrap(), Some(Mode::Default));
            let text = fs::read_to_string(file.path()).unwrap();
            fs::write(file.path(), text + written).unwrap();
            file.disconnect().unwrap().make().unwrap();
            assert_eq!(fs::read_to_string(file.path()).ok().as_deref(), left);
        }
    }

    #[test]
    fn an_empty_file_stays_one() {
        let (_home, file) = home_with("");
        file.connect(&urls(1), Mode::Default).unwrap().make().unwrap();
        file.disconnect().unwrap().make().unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "");
    }

    #[test]
    fn an_unparsable_file_is_left_alone_with_its_line_named() {
        let (home, file) = home_with("model = \"m\"\n[tui\n");
        let said = file.connect(&urls(1), Mode::Default).unwrap_err().to_string();
        assert!(said.contains("config.toml, line 2, column"), "{said}");
        assert!(said.ends_with("Nothing was changed"), "{said}");
        assert!(!file.disconnect().unwrap().changes(), "Baton isn't in it");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_that_broke_while_it_was_connected_is_named_when_it_is_to_be_disconnected() {
        let (_home, file) = home_with("a = 1\n");
        file.connect(&urls(1), Mode::Default).unwrap().make().unwrap();
        let text = fs::read_to_string(file.path()).unwrap() + "[tui\n";
        fs::write(file.path(), &text).unwrap();
        let said = file.disconnect().unwrap_err().to_string();
        assert!(said.contains("config.toml, line 6, column"), "{said}");
        assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
    }

    #[test]
    fn what_another_program_wrote_meanwhile_is_not_overwritten() {
        let (_home, file) = home_with("a = 1\n");
        let change = file.connect(&urls(1), Mode::Default).unwrap();
        fs::write(file.path(), "a = 2\n").unwrap();
        assert!(matches!(change.make(), Err(ConfigError::ChangedMeanwhile(_))));
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "a = 2\n");
    }

    #[test]
    fn a_home_that_is_not_there_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = ConfigFile::of(&home.path().join("nowhere"), &owner());
        let said = file.connect(&urls(1), Mode::Default).unwrap_err().to_string();
        assert!(said.contains("nowhere") && said.contains("--home"), "{said}");
        assert!(!file.disconnect().unwrap().changes());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay_and_a_new_file_is_private() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let dir = tempfile::tempdir().unwrap();
        let (home, real) = (dir.path().join("home"), dir.path().join("dotfiles.toml"));
        fs::create_dir(&home).unwrap();
        symlink("../dotfiles.toml", home.join(FILE)).unwrap();
        let file = ConfigFile::of(&home, &owner());
        let is_link = || fs::symlink_metadata(file.path()).unwrap().is_symlink();

        // The link leads nowhere yet.
        file.connect(&urls(1), Mode::Default).unwrap().make().unwrap();
        assert_eq!((mode(&real), is_link()), (0o600, true));
        file.disconnect().unwrap().make().unwrap();
        assert_eq!((real.exists(), is_link()), (false, true));

        fs::write(&real, "a = 1").unwrap();
        fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
        file.connect(&urls(1), Mode::Default).unwrap().make().unwrap();
        assert_eq!((mode(&real), is_link()), (0o640, true));
        file.disconnect().unwrap().make().unwrap();
        assert_eq!(
            (fs::read_to_string(&real).unwrap(), mode(&real), is_link()),
            ("a = 1".to_owned(), 0o640, true)
        );
    }
}
