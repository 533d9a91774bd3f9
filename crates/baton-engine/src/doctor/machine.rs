//! How the machine is, and Baton on it.

use std::time::Duration;

use baton_core::Timestamp;

use super::{
    check::{Check, CheckId, Outcome, Subject},
    ports::{Answered, Listening},
};
use crate::{control::protocol::Snapshot, usage::Clocks, vault::VaultError, words::ago};

/// A clock that is off by more misjudges when tokens expire and windows reset.
const TOLERATED: Duration = Duration::from_secs(60);

/// Whether this Baton shows itself in a tray.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tray {
    /// It runs without a desktop.
    #[default]
    None,
    Shown,
    /// It has an icon; whether there is a place for it nobody says.
    Unknown,
    /// The desktop has no place for tray icons.
    NoHost,
}

#[derive(Debug)]
pub(super) struct Machine<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) keychain: &'a Result<(), VaultError>,
    pub(super) clocks: Option<Clocks>,
    /// `None`: Baton doesn't serve.
    pub(super) listening: Option<Listening>,
    pub(super) tray: Tray,
    pub(super) last_request: Option<Timestamp>,
    pub(super) codex_version: Option<String>,
    pub(super) problems: &'a [String],
}

fn check(id: CheckId, outcome: Outcome, said: impl Into<String>) -> Check {
    Check::new(id, Subject::Machine, outcome, said)
}

impl Machine<'_> {
    pub(super) fn checks(&self) -> Vec<Check> {
        let problems = self.problems.iter();
        let problems = problems.map(|problem| check(CheckId::Baton, Outcome::Problem, problem.clone()));
        let rest = [
            self.ports(),
            self.pool(),
            self.keychain(),
            self.clock(),
            self.last_request(),
            self.tray(),
        ];
        [self.baton()].into_iter().chain(problems).chain(rest).collect()
    }

    fn serves(&self) -> bool {
        self.listening.is_some()
    }

    fn baton(&self) -> Check {
        if self.serves() {
            let said = format!("Baton {} is running.", self.snapshot.version);
            return check(CheckId::Baton, Outcome::Fine, said);
        }
        check(
            CheckId::Baton,
            Outcome::Problem,
            "Baton isn't running, so only what lies on this machine could be checked. Its settings and records can be read.",
        )
        .to_do("Start it with `baton serve` or the desktop program, then ask again.")
    }

    fn ports(&self) -> Check {
        let Some(Listening { port, v4, v6 }) = &self.listening else {
            return check(
                CheckId::Ports,
                Outcome::NotChecked,
                "Nothing listens while Baton isn't running.",
            );
        };
        let wrong: Vec<_> = [("127.0.0.1", v4), ("::1", v6)]
            .into_iter()
            .filter_map(|(address, answered)| match answered {
                Answered::AsItShould | Answered::NoSuchFamily => None,
                Answered::Otherwise(why) => Some(format!("{address} port {port} {why}")),
            })
            .collect();
        if !wrong.is_empty() {
            let said = format!("The proxy doesn't answer as it should: {}.", wrong.join("; "));
            return check(CheckId::Ports, Outcome::Problem, said).to_do(
                "Restart Baton (`baton stop`, then `baton serve`). If another program has that port, end it, or name \
                 another with `port` in settings.toml.",
            );
        }
        let families = match v6 {
            Answered::NoSuchFamily => "127.0.0.1 (this machine has no IPv6)",
            _ => "127.0.0.1 and ::1",
        };
        let said = format!("The proxy answers on {families}, port {port}, and only to who knows its secret.");
        check(CheckId::Ports, Outcome::Fine, said)
    }

    fn pool(&self) -> Check {
        let accounts = self.snapshot.accounts.len();
        let usable = self
            .snapshot
            .accounts
            .iter()
            .filter(|view| view.state.usable())
            .count();
        if accounts == 0 {
            return check(CheckId::Pool, Outcome::Problem, "There is no account yet.")
                .to_do("Add one: `baton accounts add`.");
        }
        if self.snapshot.braked {
            return check(
                CheckId::Pool,
                Outcome::Problem,
                "Automatic failover is stopped: two accounts were refused for good within half an hour, so the others are \
                 left untouched.",
            )
            .to_do("Mend what is said of them below, then go on with `baton switch <account>`.");
        }
        let said = format!("{usable} of {accounts} accounts can serve.");
        if usable == 0 {
            return check(CheckId::Pool, Outcome::Problem, said)
                .to_do("What each one needs, or when it is back, is said below.");
        }
        check(CheckId::Pool, Outcome::Fine, said)
    }

    fn keychain(&self) -> Check {
        match self.keychain {
            Ok(()) => check(CheckId::Keychain, Outcome::Fine, "The keychain answers."),
            Err(error) => check(
                CheckId::Keychain,
                Outcome::Problem,
                format!("The keychain can't be used: {}.", state_of(error)),
            )
            .to_do(to_mend(error)),
        }
    }

    fn clock(&self) -> Check {
        let Some(Clocks { upstream, ours }) = self.clocks else {
            return check(
                CheckId::Clock,
                Outcome::NotChecked,
                "The clock couldn't be compared: no answer told the service's time.",
            );
        };
        let (ahead, behind) = (ours.since(upstream), upstream.since(ours));
        let (off, which) = if ahead > behind {
            (ahead, "ahead of")
        } else {
            (behind, "behind")
        };
        if off <= TOLERATED {
            return check(
                CheckId::Clock,
                Outcome::Fine,
                "The clock agrees with the service's.",
            );
        }
        let said = format!(
            "The clock is {} {which} the service's: expiry and resets are misjudged.",
            apart(off)
        );
        check(CheckId::Clock, Outcome::Problem, said)
            .to_do("Set the clock, or let the system do so (on Linux `timedatectl set-ntp true`).")
    }

    fn last_request(&self) -> Check {
        let version = self
            .codex_version
            .as_deref()
            .map_or_else(String::new, |version| format!(" ({version})"));
        match self.last_request {
            Some(at) => {
                let said = format!("Codex{version} came through last {}.", ago(at, self.snapshot.at));
                check(CheckId::LastRequest, Outcome::Fine, said)
            }
            None => check(
                CheckId::LastRequest,
                Outcome::Note,
                "Codex has never come through.",
            )
            .to_do("`baton connect`, then start Codex anew: one that runs goes on as it was started."),
        }
    }

    fn tray(&self) -> Check {
        match (self.serves(), self.tray) {
            (false, _) => check(CheckId::Tray, Outcome::NotChecked, "There is no tray icon while Baton isn't running."),
            (true, Tray::None) => check(CheckId::Tray, Outcome::Fine, "This Baton runs without a tray (`baton serve`)."),
            (true, Tray::Shown) => check(CheckId::Tray, Outcome::Fine, "The icon is in the tray."),
            (true, Tray::Unknown) => check(
                CheckId::Tray,
                Outcome::NotChecked,
                "This desktop doesn't say whether it shows tray icons.",
            ),
            (true, Tray::NoHost) => check(CheckId::Tray, Outcome::Note, "This desktop shows no tray icons.").to_do(
                "On GNOME, enable the extension \"AppIndicator and KStatusNotifierItem Support\". `baton status` shows the \
                 same meanwhile.",
            ),
        }
    }
}

fn state_of(error: &VaultError) -> String {
    match error {
        VaultError::Absent => "there is no keychain service".to_owned(),
        VaultError::Locked => "it is locked".to_owned(),
        VaultError::Slow(secs) => format!("it has not answered for {secs} s"),
        VaultError::Refused(why) => why.clone(),
    }
}

fn to_mend(error: &VaultError) -> &'static str {
    match error {
        VaultError::Absent => {
            "Start one (on Linux a Secret Service such as gnome-keyring); Baton finds it by itself."
        }
        VaultError::Locked => "Unlock it; Baton goes on by itself.",
        VaultError::Slow(_) => "Look for a prompt of the keychain's that waits to be answered.",
        VaultError::Refused(_) => "Open the keychain's own program and see whether it works there.",
    }
}

fn apart(off: Duration) -> String {
    match off.as_secs() {
        secs @ 0..120 => format!("{secs} s"),
        secs @ 120..7200 => format!("{} min", secs / 60),
        secs => format!("{} h", secs / 3600),
    }
}
