//! How one account is.

use std::path::Path;

use baton_core::{Eligibility, Refusal, Timestamp, explain};

use super::check::{Check, CheckId, Outcome, Subject};
use crate::{
    control::protocol::{AccountView, WindowView},
    grants::SignIn,
    vault::VaultError,
    words::clock_time,
};

/// What is known of it, once its usage has been asked for.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pub(super) view: &'a AccountView,
    /// For good, whether or not it is skipped as well.
    pub(super) refused: Option<Refusal>,
    pub(super) now: Timestamp,
    pub(super) usage: Usage,
    pub(super) sign_in: Result<SignIn, VaultError>,
}

#[derive(Debug)]
pub(super) enum Usage {
    Read,
    /// It was asked for, and why there is none.
    Unread(String),
    /// Why it wasn't asked for.
    NotAsked(&'static str),
}

impl Account<'_> {
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![self.state(), self.sign_in(), self.plan(), self.usage()]
    }

    fn check(&self, id: CheckId, outcome: Outcome, said: impl Into<String>) -> Check {
        Check::new(id, Subject::Account(self.view.label.clone()), outcome, said)
    }

    /// As `baton status` has it.
    fn state(&self) -> Check {
        let label = &self.view.label;
        let said = format!("{}.", self.view.state_text);
        let check = |outcome| self.check(CheckId::State, outcome, said.clone());
        let mend = |reason| mend(reason, self.view);
        match (self.view.state, self.refused) {
            (Eligibility::NeedsAttention { reason }, _) => check(Outcome::Problem).to_do(mend(reason)),
            (Eligibility::Skipped, Some(reason)) => self
                .check(
                    CheckId::State,
                    Outcome::Note,
                    format!("Skipped; and besides, {}.", explain::refusal(reason)),
                )
                .to_do(mend(reason)),
            (Eligibility::Skipped, None) => check(Outcome::Note).to_do(format!(
                "To use it again: `baton accounts unskip {}`.",
                quoted(label)
            )),
            (Eligibility::Eligible, _) => check(Outcome::Fine),
            _ => check(Outcome::Note),
        }
    }

    fn sign_in(&self) -> Check {
        let sign_in_again = || sign_in_again(self.view);
        let id = CheckId::SignIn;
        if let Some(reason) = self.void() {
            let said = format!("The sign-in is void: {}.", explain::refusal(reason));
            return self.check(id, Outcome::Problem, said).to_do(sign_in_again());
        }
        match &self.sign_in {
            Ok(SignIn::Renewable { until: Some(until) }) if *until > self.now => self.check(
                id,
                Outcome::Fine,
                format!(
                    "Signed in; the access token lasts until {}, and is renewed by itself.",
                    clock_time(*until, self.now)
                ),
            ),
            Ok(SignIn::Renewable { .. } | SignIn::Refused(_)) => self.check(
                id,
                Outcome::Fine,
                "Signed in; the access token is renewed at the next use.",
            ),
            Ok(SignIn::Linked { path, found }) => self.link(path, *found),
            Ok(SignIn::Missing) => self
                .check(
                    id,
                    Outcome::Problem,
                    "The keychain has no sign-in of this account.",
                )
                .to_do(sign_in_again()),
            Err(_) => self.check(
                id,
                Outcome::NotChecked,
                "The keychain doesn't say whether it is signed in.",
            ),
        }
    }

    /// Of the auth.json that it is linked to.
    fn link(&self, path: &Path, found: Result<Option<Timestamp>, Refusal>) -> Check {
        let (id, path) = (CheckId::SignIn, path.display());
        let reason = match found {
            Ok(until) => {
                let until = until.map_or_else(String::new, |until| {
                    format!(" lasts until {}, and", clock_time(until, self.now))
                });
                let said =
                    format!("Linked to {path}: the access token in it{until} is renewed by its owner only.");
                return self.check(id, Outcome::Fine, said);
            }
            Err(reason) => reason,
        };
        let what = match reason {
            Refusal::LinkGone => "is gone",
            Refusal::LinkUnreadable => "can't be read as a sign-in",
            Refusal::LinkOfAnother => "is another account's by now",
            _ => "holds a token that has expired or was refused, which its owner alone can renew",
        };
        let said = format!("Linked to {path}, which {what}.");
        self.check(id, Outcome::Problem, said)
            .to_do(mend(reason, self.view))
    }

    /// Why this sign-in is none any more, by the keychain's entry or by what the service has said of it.
    fn void(&self) -> Option<Refusal> {
        match (&self.sign_in, self.refused) {
            (Ok(SignIn::Refused(reason)), _) => Some(*reason),
            (_, refused) => refused.filter(|reason| of_the_sign_in(*reason)),
        }
    }

    fn plan(&self) -> Check {
        match &self.view.plan {
            Some(plan) => self.check(CheckId::Plan, Outcome::Fine, format!("Plan: {plan}.")),
            None => self.check(CheckId::Plan, Outcome::NotChecked, "The plan isn't known yet."),
        }
    }

    fn usage(&self) -> Check {
        let id = CheckId::Usage;
        match &self.usage {
            Usage::Read if self.view.windows.is_empty() => {
                self.check(id, Outcome::Note, "The service names no limits for it.")
            }
            Usage::Read => {
                let windows: Vec<_> = self.view.windows.iter().map(|window| self.window(window)).collect();
                self.check(id, Outcome::Fine, format!("Left: {}.", windows.join("; ")))
            }
            // Said above, with what to do.
            Usage::Unread(_) if self.refused.is_some() || self.sign_in.is_err() => {
                self.check(id, Outcome::NotChecked, "Usage couldn't be read with this sign-in.")
            }
            Usage::Unread(why) => self
                .check(id, Outcome::Problem, format!("Usage can't be read from the service: {why}."))
                .to_do(
                    "Requests are served all the same, where the service can be reached. If this lasts, look at the \
                     network, at HTTPS_PROXY, and at the service's status page.",
                ),
            Usage::NotAsked(why) => self.check(id, Outcome::NotChecked, format!("Usage wasn't asked for: {why}.")),
        }
    }

    fn window(&self, window: &WindowView) -> String {
        let name = window
            .name
            .as_ref()
            .map_or_else(String::new, |name| format!("{name} "));
        let resets = window
            .resets_at
            .map_or_else(String::new, |at| format!(", resets {}", clock_time(at, self.now)));
        format!(
            "{name}{} {} %{resets}",
            window.length,
            explain::percent(window.left)
        )
    }
}

/// Rather than of the account behind it.
fn of_the_sign_in(reason: Refusal) -> bool {
    matches!(
        reason,
        Refusal::TokenInvalidated | Refusal::GrantRefused | Refusal::RefreshInterrupted
    )
}

fn sign_in_again(view: &AccountView) -> String {
    format!(
        "Sign in again: `baton accounts add --label {}`.",
        quoted(&view.label)
    )
}

fn mend(reason: Refusal, view: &AccountView) -> String {
    let label = &view.label;
    match reason {
        reason if of_the_sign_in(reason) => sign_in_again(view),
        reason if reason.of_link() => mend_link(reason, view),
        Refusal::UnsupportedBackend => format!(
            "Baton can't use it: `baton accounts remove {0}`, or leave it out with `baton accounts skip {0}`.",
            quoted(label)
        ),
        _ => format!(
            "Look at this account on the service's own pages; once that is mended, sign in again: `baton accounts add \
             --label {}`.",
            quoted(label)
        ),
    }
}

/// It ends by itself once the file is right.
fn mend_link(reason: Refusal, view: &AccountView) -> String {
    let path = view.linked.as_deref().unwrap_or(Path::new("auth.json"));
    let home = path.parent().unwrap_or(path).display();
    let label = quoted(&view.label);
    let own = format!("give the account a sign-in of its own: `baton accounts add --label {label}`");
    match reason {
        Refusal::LinkStale => format!("Run `codex` once with CODEX_HOME={home}; or {own}."),
        Refusal::LinkOfAnother => {
            format!("Sign in there as this account: `codex login` with CODEX_HOME={home}; or {own}.")
        }
        _ => format!("Sign in there: `codex login` with CODEX_HOME={home}; or {own}."),
    }
}

/// As it is typed in a shell.
fn quoted(label: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.');
    if label.chars().all(plain) && !label.is_empty() {
        label.to_owned()
    } else {
        format!("'{}'", label.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_can_be_typed_as_it_is_shown() {
        assert_eq!(quoted("Work"), "Work");
        assert_eq!(quoted("My work"), "'My work'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
