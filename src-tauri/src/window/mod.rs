//! The window: a process of its own, the same program started as `baton-desktop window`. It ends when it is closed, so
//! that an idle Baton costs what a tray costs, and a broken page takes no request with it.
//!
//! - [`page`]: what the page may ask for
//! - [`process`]: the process itself; only one shows at a time

mod page;
mod process;

use std::{fmt, path::Path, process::Command, str::FromStr};

use baton_core::AccountId;

pub(crate) use process::run;

/// Where the window opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Now,
    Activity,
    Settings,
    Account(AccountId),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Activity => f.write_str("activity"),
            Self::Settings => f.write_str("settings"),
            Self::Account(id) => write!(f, "account/{id}"),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let account = |id: &str| id.parse().map(AccountId::new).ok().map(Self::Account);
        match text {
            "now" => Some(Self::Now),
            "activity" => Some(Self::Activity),
            "settings" => Some(Self::Settings),
            other => other.strip_prefix("account/").and_then(account),
        }
        .ok_or_else(|| "it must be `now`, `activity`, `settings` or `account/` and a number".to_owned())
    }
}

/// Starts the window's process; one that shows already comes to the front instead.
pub(crate) fn open(data_dir: &Path, place: Place) {
    let started = std::env::current_exe().and_then(|program| {
        Command::new(program)
            .arg("window")
            .arg("--data-dir")
            .arg(data_dir)
            .arg("--place")
            .arg(place.to_string())
            .stdin(std::process::Stdio::null())
            .spawn()
    });
    match started {
        Ok(mut child) => {
            // Waited for, so that it doesn't stay as a zombie.
            let waiting = std::thread::Builder::new().name("baton-window".to_owned());
            if let Err(error) = waiting.spawn(move || child.wait()) {
                tracing::debug!(%error, "the window's end will not be noticed");
            }
        }
        Err(error) => tracing::error!(%error, "the window could not be opened"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_written() {
        for place in [
            Place::Now,
            Place::Activity,
            Place::Settings,
            Place::Account(AccountId::new(7)),
        ] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for wrong in ["", "elsewhere", "account/", "account/x", "account/1/2"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
