//! The window: a process of its own, the same program started as `baton-desktop window`. It ends when it is closed, so
//! that an idle Baton costs what a tray costs, and a broken page takes no request with it.
//!
//! - [`page`]: what the page may ask for
//! - [`process`]: the process itself; only one shows at a time

mod page;
mod process;

use std::{
    fmt, io,
    path::Path,
    process::{Child, Command, Stdio},
    str::FromStr,
};

use baton_core::AccountId;

pub(crate) use process::run;

use crate::program;

/// Where the window opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Now,
    Outlook,
    Activity,
    Settings,
    Account(AccountId),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Outlook => f.write_str("outlook"),
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
            "outlook" => Some(Self::Outlook),
            "activity" => Some(Self::Activity),
            "settings" => Some(Self::Settings),
            other => other.strip_prefix("account/").and_then(account),
        }
        .ok_or_else(|| {
            "it must be `now`, `outlook`, `activity`, `settings` or `account/` and a number".to_owned()
        })
    }
}

/// Starts the window's process; one that shows already comes to the front instead. `why`: there is no Baton.
pub(crate) fn open(data_dir: &Path, place: Place, why: Option<&str>) -> io::Result<()> {
    let mut window = Command::new(program::path()?);
    window.arg("window").arg("--place").arg(place.to_string());
    if let Some(why) = why {
        window.arg("--why").arg(why);
    }
    start(window, data_dir).map(wait_for)
}

fn start(mut program: Command, data_dir: &Path) -> io::Result<Child> {
    let started = program
        .arg("--data-dir")
        .arg(data_dir)
        .stdin(Stdio::null())
        .spawn();
    started.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::other(format!(
            "{} isn't there any more. Quit, and start Baton from where it is now",
            Path::new(program.get_program()).display()
        )),
        _ => error,
    })
}

/// Aside, so that it doesn't stay as a zombie.
fn wait_for(mut child: Child) {
    let waiting = std::thread::Builder::new().name("baton-child".to_owned());
    if let Err(error) = waiting.spawn(move || child.wait()) {
        tracing::debug!(%error, "a process isn't waited for");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_written() {
        for place in [
            Place::Now,
            Place::Outlook,
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
