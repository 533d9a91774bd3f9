//! `settings.toml`: what a person may edit. Their comments and order are kept, and a file that isn't understood is
//! named with line and column, never written over.

mod save;

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use baton_core::{OnRecovery, Policy, Strategy, policy::LONGEST_WAIT};
use toml_edit::{Document, Item};

pub use self::save::{save, with_settings};
use super::{Retention, files};
use crate::{
    control::protocol::{About, Appearance, Notifications, Preferences},
    toml,
};

const FILE: &str = "settings.toml";
const KEYS: [&str; 9] = [
    "strategy",
    "on_recovery",
    "wait_for_recovery",
    "port",
    "bypass",
    "notifications",
    "appearance",
    "terms_accepted",
    "retention_days",
];
const WAIT_ALLOWED: &str = "a time from \"0s\" to \"6h\", such as \"90s\", \"1m\" or \"1h 30m\"";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub policy: Policy,
    /// `None`: Baton's own choice.
    pub port: Option<u16>,
    /// Requests pass with Codex's own sign-in.
    pub bypass: bool,
    pub preferences: Preferences,
    /// How long the ledger is kept.
    pub retention: Retention,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{} can't be used: {}", .path.display(), files::advice(.source))]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{}, line {line}, column {column}: {reason}. Nothing was changed: correct that line, or remove it to have the \
         default",
        .path.display()
    )]
    Invalid {
        path: PathBuf,
        line: usize,
        column: usize,
        reason: String,
    },
}

impl Settings {
    /// Where a person finds them.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join(FILE)
    }

    /// A missing file is the defaults.
    pub fn load(dir: &Path) -> Result<Self, SettingsError> {
        let path = Self::path(dir);
        Self::parse(&path, &read(&path)?)
    }

    /// The file's text; `path` is what errors name.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        parse(text).map_err(|wrong| wrong.at(path.to_path_buf(), text))
    }
}

fn read(path: &Path) -> Result<String, SettingsError> {
    match files::read_text(path) {
        Ok(text) => Ok(text.unwrap_or_default()),
        Err(source) => Err(SettingsError::Io {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// What is wrong, and where in the text.
struct Wrong {
    span: Option<Range<usize>>,
    reason: String,
}

impl From<toml_edit::TomlError> for Wrong {
    fn from(error: toml_edit::TomlError) -> Self {
        Self {
            span: error.span(),
            reason: toml::reason(&error),
        }
    }
}

impl Wrong {
    fn at(self, path: PathBuf, text: &str) -> SettingsError {
        let (line, column) = toml::place(text, self.span.map_or(0, |span| span.start));
        SettingsError::Invalid {
            path,
            line,
            column,
            reason: self.reason,
        }
    }
}

fn parse(text: &str) -> Result<Settings, Wrong> {
    let document = Document::parse(text)?;
    let mut settings = Settings::default();
    for (name, item) in document.as_table() {
        let wrong = |reason| Wrong {
            span: item.span(),
            reason,
        };
        match name {
            "strategy" => {
                let name =
                    string(item).ok_or_else(|| wrong(format!("`strategy` must be {}", strategies())))?;
                settings.policy.strategy = name.parse().map_err(|_| {
                    wrong(format!(
                        "there is no strategy {name:?}: it must be {}",
                        strategies()
                    ))
                })?;
            }
            "on_recovery" => {
                settings.policy.on_recovery = match string(item) {
                    Some("stay") => OnRecovery::Stay,
                    Some("return") => OnRecovery::Return,
                    _ => return Err(wrong("`on_recovery` must be \"stay\" or \"return\"".to_owned())),
                };
            }
            "wait_for_recovery" => {
                let wait = string(item)
                    .and_then(duration)
                    .filter(|wait| *wait <= LONGEST_WAIT);
                let wait =
                    wait.ok_or_else(|| wrong(format!("`wait_for_recovery` must be {WAIT_ALLOWED}")))?;
                settings.policy.set_wait_for_recovery(wait);
            }
            "port" => {
                let port = item
                    .as_integer()
                    .and_then(|port| u16::try_from(port).ok())
                    .filter(|port| *port >= 1024);
                let port =
                    port.ok_or_else(|| wrong("`port` must be a number from 1024 to 65535".to_owned()))?;
                settings.port = Some(port);
            }
            "bypass" => settings.bypass = switch(name, item).map_err(wrong)?,
            "terms_accepted" => settings.preferences.terms_accepted = switch(name, item).map_err(wrong)?,
            "notifications" => settings.preferences.notifications = notifications(item).map_err(wrong)?,
            "appearance" => {
                let appearance = string(item).and_then(Appearance::from_name);
                let allowed = "`appearance` must be \"system\", \"light\" or \"dark\"";
                settings.preferences.appearance = appearance.ok_or_else(|| wrong(allowed.to_owned()))?;
            }
            "retention_days" => {
                let days = item
                    .as_integer()
                    .and_then(|days| u32::try_from(days).ok())
                    .and_then(Retention::of_days);
                let (least, most) = Retention::ALLOWED.into_inner();
                settings.retention = days.ok_or_else(|| {
                    wrong(format!(
                        "`retention_days` must be a number of days from {least} to {most}"
                    ))
                })?;
            }
            unknown => {
                let span = document
                    .as_table()
                    .key(unknown)
                    .and_then(toml_edit::Key::span)
                    .or(item.span());
                let reason = format!("there is no setting `{unknown}`; there are {}", KEYS.join(", "));
                return Err(Wrong { span, reason });
            }
        }
    }
    Ok(settings)
}

fn string(item: &Item) -> Option<&str> {
    item.as_str().map(str::trim)
}

fn switch(name: &str, item: &Item) -> Result<bool, String> {
    item.as_bool()
        .ok_or_else(|| format!("`{name}` must be true or false"))
}

/// Those that are named are told, and no other.
fn notifications(item: &Item) -> Result<Notifications, String> {
    let wrong = || {
        let all = About::ALL.map(About::name).join(", ");
        format!("`notifications` must be a list, such as [\"switched\"], of some of {all}")
    };
    let mut told = Notifications::default();
    for about in About::ALL {
        told.set(about, false);
    }
    for named in item.as_array().ok_or_else(wrong)? {
        let about = named
            .as_str()
            .and_then(|name| About::ALL.into_iter().find(|about| about.name() == name));
        told.set(about.ok_or_else(wrong)?, true);
    }
    Ok(told)
}

fn strategies() -> String {
    let quoted = Strategy::ALL.map(|strategy| format!("\"{strategy}\""));
    let (last, others) = quoted
        .split_last()
        .map_or(("", quoted.as_slice()), |(last, others)| (last.as_str(), others));
    format!("{} or {last}", others.join(", "))
}

fn on_recovery_name(on_recovery: OnRecovery) -> &'static str {
    match on_recovery {
        OnRecovery::Stay => "stay",
        OnRecovery::Return => "return",
    }
}

/// `90s`, `1m`, `6h`, `1h 30m`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        let after = rest[digits..].trim_start();
        let unit = after.chars().next()?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
        rest = after[unit.len_utf8()..].trim_start();
    }
    Some(Duration::from_secs(seconds))
}

/// In the largest unit that is exact.
fn written(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn with(text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(Settings::path(dir.path()), text).unwrap();
        dir
    }

    fn of(policy: Policy) -> Settings {
        Settings {
            policy,
            ..Settings::default()
        }
    }

    fn text(dir: &tempfile::TempDir) -> String {
        fs::read_to_string(Settings::path(dir.path())).unwrap()
    }

    #[test]
    fn a_missing_file_and_an_empty_one_are_the_defaults() {
        assert_eq!(
            Settings::load(tempfile::tempdir().unwrap().path()).unwrap(),
            Settings::default()
        );
        assert_eq!(
            Settings::load(with("# nothing yet\n").path()).unwrap(),
            Settings::default()
        );
    }

    #[test]
    fn everything_is_read() {
        let dir = with(
            "strategy = \"round-robin\"\non_recovery = \"return\"\nwait_for_recovery = \"1h 30m\"\nport = 4000\nretention_days = 365\n",
        );
        let settings = Settings::load(dir.path()).unwrap();
        assert_eq!(settings.policy.strategy, Strategy::RoundRobin);
        assert_eq!(settings.policy.on_recovery, OnRecovery::Return);
        assert_eq!(settings.policy.wait_for_recovery(), Duration::from_secs(5400));
        assert_eq!(settings.port, Some(4000));
        assert_eq!(settings.retention.days(), 365);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_what_is_allowed() {
        let all = "\"sequential\", \"balanced\", \"affinity\", \"round_robin\" or \"soonest_reset\"";
        for (text, place, reason) in [
            (
                "# é\nstrategy = \"fastest\"",
                (2, 12),
                format!("there is no strategy \"fastest\": it must be {all}"),
            ),
            ("strategy = 3", (1, 12), format!("`strategy` must be {all}")),
            (
                "\n\n  on_recovery = \"back\"",
                (3, 17),
                "`on_recovery` must be \"stay\" or \"return\"".to_owned(),
            ),
            (
                "wait_for_recovery = \"7h\"",
                (1, 21),
                format!("`wait_for_recovery` must be {WAIT_ALLOWED}"),
            ),
            (
                "wait_for_recovery = \"soon\"",
                (1, 21),
                format!("`wait_for_recovery` must be {WAIT_ALLOWED}"),
            ),
            (
                "port = 80",
                (1, 8),
                "`port` must be a number from 1024 to 65535".to_owned(),
            ),
            (
                "bypass = \"on\"",
                (1, 10),
                "`bypass` must be true or false".to_owned(),
            ),
            (
                "notifications = [\"switched\", \"lo\"]",
                (1, 17),
                "`notifications` must be a list, such as [\"switched\"], of some of switched, temporary_failover, recovered, \
                 low, all_exhausted, needs_attention, codex_disconnected, pin_stopped"
                    .to_owned(),
            ),
            (
                "appearance = \"blue\"",
                (1, 14),
                "`appearance` must be \"system\", \"light\" or \"dark\"".to_owned(),
            ),
            (
                "retention_days = 0",
                (1, 18),
                "`retention_days` must be a number of days from 1 to 3660".to_owned(),
            ),
            (
                "port = 4000\nstratgy = \"balanced\"",
                (2, 1),
                "there is no setting `stratgy`; there are strategy, on_recovery, wait_for_recovery, port, bypass, \
                 notifications, appearance, terms_accepted, retention_days"
                    .to_owned(),
            ),
        ] {
            let dir = with(text);
            let error = Settings::load(dir.path()).unwrap_err();
            let SettingsError::Invalid {
                line,
                column,
                reason: said,
                ..
            } = &error
            else {
                panic!("{error}")
            };
            assert_eq!(((*line, *column), said), (place, &reason), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_toml_is_placed_and_never_written_over() {
        let broken = "strategy = \"balanced\"\nport = = 3\n";
        let dir = with(broken);
        let error = save(dir.path(), &Settings::default()).unwrap_err();
        assert!(matches!(error, SettingsError::Invalid { line: 2, .. }), "{error}");
        assert_eq!(text(&dir), broken);
    }

    #[test]
    fn saving_keeps_comments_order_and_what_is_not_ours_to_change() {
        let dir = with("# Mine.\nport = 4000 # firewall\n\n# Why not\nstrategy = 'balanced' # for now\n");
        let mut policy = Policy::default();
        policy.set_wait_for_recovery(Duration::from_secs(7200));
        save(dir.path(), &of(policy)).unwrap();
        assert_eq!(
            text(&dir),
            "# Mine.\nport = 4000 # firewall\n\n# Why not\nstrategy = \"sequential\" # for now\nwait_for_recovery = \
             \"2h\"\n"
        );
        assert_eq!(
            Settings::load(dir.path()).unwrap(),
            Settings {
                port: Some(4000),
                ..of(policy)
            }
        );
    }

    #[test]
    fn a_file_written_on_windows_keeps_its_line_ends_and_its_mark() {
        let dir = with("\u{feff}# Mine.\r\nstrategy = 'balanced' # for now\r\nport = 4000");
        let mut policy = Policy::default();
        policy.set_wait_for_recovery(Duration::from_secs(7200));
        save(dir.path(), &of(policy)).unwrap();
        assert_eq!(
            text(&dir),
            "\u{feff}# Mine.\r\nstrategy = \"sequential\" # for now\r\nport = 4000\r\nwait_for_recovery = \"2h\"\r\n"
        );
        let error = Settings::load(with("\u{feff}port = 80\n").path()).unwrap_err();
        assert!(
            matches!(
                error,
                SettingsError::Invalid {
                    line: 1,
                    column: 8,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn what_a_window_changes_is_read_as_it_was_saved() {
        let dir = with("notifications = [] # quiet\nbypass = true\n");
        let quiet = Settings::load(dir.path()).unwrap();
        assert!(quiet.bypass && !quiet.preferences.notifications.wants(About::Switched));
        let mut settings = Settings {
            bypass: false,
            ..quiet
        };
        settings.preferences.notifications.set(About::Low, true);
        settings.preferences.notifications.set(About::Switched, true);
        settings.preferences.appearance = Appearance::Dark;
        settings.preferences.terms_accepted = true;
        save(dir.path(), &settings).unwrap();
        assert_eq!(
            text(&dir),
            "notifications = [\"switched\", \"low\"] # quiet\nbypass = false\nappearance = \"dark\"\nterms_accepted = true\n"
        );
        assert_eq!(Settings::load(dir.path()).unwrap(), settings);
    }

    #[test]
    fn saving_what_stands_there_already_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &Settings::default()).unwrap();
        assert!(!Settings::path(dir.path()).exists());
    }

    #[test]
    fn times_come_back_as_written() {
        for seconds in [0, 1, 59, 60, 90, 3600, 5400, 21_600] {
            let time = Duration::from_secs(seconds);
            assert_eq!(duration(&written(time)), Some(time));
        }
        assert_eq!(duration("5 m"), Some(Duration::from_secs(300)));
        for wrong in ["", "m", "5", "5d", "-5m", "5m6", "99999999999999999999h"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
