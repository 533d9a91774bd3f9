//! One of Codex's folders, connected or disconnected because a person says so.

use std::{fmt::Display, io, path::Path};

use super::{
    edit::Mode,
    file::{Change, ConfigError, ConfigFile},
    layers::{MANAGED, managed},
    lines::{ANOTHER, Owner},
    record::Record,
};
use crate::control::protocol::BaseUrls;

#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("that Codex is connected can't be kept: {0}")]
    NotKept(io::Error),
    #[error("{path} is disconnected, but the next start connects it again: {source}")]
    StaysKept { path: String, source: io::Error },
}

/// What was made of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub change: Change,
    /// What a person should know of it.
    pub warnings: Vec<String>,
    /// Without the warnings.
    pub text: String,
}

impl Made {
    /// All of it in words.
    pub fn told(&self) -> String {
        let warnings = self.warnings.iter().map(|warning| format!("\n! {warning}"));
        [self.text.clone()].into_iter().chain(warnings).collect()
    }
}

/// What connecting would change. `take_over`: from another Baton, where one has it.
pub fn connecting(
    record: &Record,
    home: &Path,
    urls: &BaseUrls,
    mode: Mode,
    take_over: bool,
) -> Result<Change, ConfigError> {
    let file = record.file(home);
    if take_over {
        file.take_over(urls, mode)
    } else {
        file.connect(urls, mode)
    }
}

/// Makes the change of [`connecting`].
pub fn connect_home(record: &Record, home: &Path, mode: Mode, change: Change) -> Result<Made, HomeError> {
    // First, so that an end of Baton disconnects whatever comes of this.
    let was_known = record.list().iter().any(|known| known.home == home);
    record.add(home, mode).map_err(HomeError::NotKept)?;
    if let Err(error) = change.make() {
        if !was_known {
            // It would be tried again at the next start.
            let _ = record.remove(home);
        }
        return Err(error.into());
    }
    let path = change.path.display();
    let text = if change.changes() {
        format!(
            "Codex goes through Baton now ({path}); a Codex that runs already, from its next start on. `baton disconnect` \
             undoes it."
        )
    } else {
        format!("Codex goes through Baton already ({path}).")
    };
    let past = change.overrides().into_iter().chain(managed(Path::new(MANAGED)));
    let past = past.map(|check| [check.said, check.to_do.unwrap_or_default()].join(" "));
    let warnings = record.file(home).exposures().into_iter().chain(past).collect();
    Ok(Made {
        change,
        warnings,
        text,
    })
}

pub fn disconnect_home(record: &Record, home: &Path) -> Result<Made, HomeError> {
    let file = record.file(home);
    let change = file.disconnect()?;
    change.make()?;
    let path = change.path.display();
    record.remove(home).map_err(|source| HomeError::StaysKept {
        path: path.to_string(),
        source,
    })?;
    let text = match another(&file, &change)? {
        _ if change.changes() => format!("Codex goes its own way again ({path})."),
        Some(another) => another_baton(path, &another),
        None => format!("Codex goes its own way already ({path})."),
    };
    Ok(Made {
        change,
        warnings: Vec::new(),
        text,
    })
}

/// That a config.toml has another Baton's lines, and what to do.
pub fn another_baton(config: impl Display, another: &Owner) -> String {
    format!("Codex goes through another Baton ({config}, by the lines with {another}): {ANOTHER}.")
}

fn another(file: &ConfigFile, change: &Change) -> Result<Option<Owner>, ConfigError> {
    if change.changes() {
        return Ok(None);
    }
    file.connected_by_another()
}
