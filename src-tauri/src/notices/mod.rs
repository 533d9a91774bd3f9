//! What is told by a notification, as plain values: from what happened, and from what is so before and after.
//! [`desktop`] shows them.

pub(crate) mod desktop;

use baton_core::{AccountId, Cause, Eligibility, Event, EventKind, Switch, Timestamp, WindowLength, explain};
use baton_engine::{
    control::protocol::{About, AccountView, Snapshot},
    words::clock_time,
};

use crate::{
    glance::{self, LITTLE_LEFT},
    tray::action::Action,
    view::general_windows,
    window::Place,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) about: About,
    pub(crate) title: String,
    pub(crate) body: String,
    /// Where a click leads.
    pub(crate) place: Place,
    /// A button beside it.
    pub(crate) button: Option<(&'static str, Action)>,
}

impl Notice {
    /// At login, where the desktop has no place for the icon.
    pub(crate) fn no_panel() -> Self {
        Self {
            about: About::NeedsAttention,
            title: "Baton runs, and has no place for its icon".to_owned(),
            body: "This desktop shows no tray. Click to open the window; `baton doctor` says more in a terminal."
                .to_owned(),
            place: Place::Now,
            button: None,
        }
    }

    /// What was asked for in the menu can't be.
    pub(crate) fn refused(why: String) -> Self {
        Self {
            about: About::NeedsAttention,
            title: "That can't be done".to_owned(),
            body: why,
            place: Place::Now,
            button: None,
        }
    }
}

/// Remembers what was told, so that nothing is told twice.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    before: Option<Snapshot>,
    /// Windows that were low already: whose, which, until when.
    low: Vec<(AccountId, WindowLength, Option<Timestamp>)>,
}

impl Notices {
    /// `events`: what has happened since the last time, in order; `now`: what is so after them.
    pub(crate) fn of(&mut self, events: &[Event], now: &Snapshot) -> Vec<Notice> {
        let mut told: Vec<Notice> = events
            .iter()
            .filter_map(|event| of_event(&event.kind, events, now))
            .collect();
        told.extend(self.running_low(now));
        if let Some(before) = &self.before
            && before.codex.lost.is_empty()
            && !now.codex.lost.is_empty()
        {
            told.push(disconnected());
        }
        self.before = Some(now.clone());
        told.retain(|notice| now.preferences.notifications.wants(notice.about));
        told
    }

    fn running_low(&mut self, now: &Snapshot) -> Option<Notice> {
        let active = glance::account(now, now.active?)?;
        let low = |window: &&baton_engine::control::protocol::WindowView| {
            window.left > 0.0 && window.left <= LITTLE_LEFT
        };
        let windows = general_windows(active);
        let key = |window: &baton_engine::control::protocol::WindowView| {
            (active.id, window.length, window.resets_at)
        };
        // Forgotten once there is more again.
        self.low.retain(|(account, length, _)| {
            *account != active.id
                || windows
                    .iter()
                    .any(|window| window.length == *length && window.left <= LITTLE_LEFT)
        });
        let fresh: Vec<_> = windows
            .iter()
            .copied()
            .filter(low)
            .filter(|window| {
                let known = |(account, length, _): &&(AccountId, WindowLength, Option<Timestamp>)| {
                    *account == active.id && *length == window.length
                };
                !self.low.iter().any(|one| known(&one))
            })
            .collect();
        self.low.extend(fresh.iter().map(|window| key(window)));
        let first = fresh.first()?;
        let next = now.next.and_then(|id| glance::account(now, id));
        let then = match (now.pinned, next) {
            (None, Some(next)) => format!("Next: {}.", next.label),
            (None, None) => "Nobody else is eligible.".to_owned(),
            (Some(_), _) => "Only this account is used.".to_owned(),
        };
        let back = first
            .resets_at
            .map_or_else(String::new, |at| format!(" Resets {}.", clock_time(at, now.at)));
        Some(Notice {
            about: About::Low,
            title: format!("{} is running low", active.label),
            body: format!(
                "{}: {} % left.{back} {then}",
                first.length,
                explain::percent(first.left)
            ),
            place: Place::Account(active.id),
            button: None,
        })
    }
}

fn of_event(kind: &EventKind, events: &[Event], now: &Snapshot) -> Option<Notice> {
    match kind {
        EventKind::Switched(switch) => switched(switch, events, now),
        EventKind::TemporaryFailover { from, to } => Some(Notice {
            about: About::TemporaryFailover,
            title: format!("Temporarily on {}", label(now, *to)),
            body: format!("{}: {}.", label(now, *from), state(now, *from)),
            place: Place::Now,
            button: None,
        }),
        EventKind::StateChanged { account, from, to } => state_changed(*account, from, to, events, now),
        EventKind::AllExhausted { earliest } => Some(Notice {
            about: About::AllExhausted,
            title: "All accounts are exhausted".to_owned(),
            body: match earliest {
                Some(at) => format!("The first is back {}.", clock_time(*at, now.at)),
                None => "When the first is back isn't known.".to_owned(),
            },
            place: Place::Now,
            button: None,
        }),
        EventKind::BrakeEngaged => Some(Notice {
            about: About::NeedsAttention,
            title: "Baton has stopped switching".to_owned(),
            body: "Two accounts were refused for good within half an hour. Choose the account to go on with."
                .to_owned(),
            place: Place::Now,
            button: None,
        }),
        EventKind::Added { .. }
        | EventKind::Removed { .. }
        | EventKind::Pinned { .. }
        | EventKind::Unpinned { .. }
        | EventKind::StrategyChanged { .. }
        | EventKind::BrakeReleased
        | EventKind::Serving => None,
    }
}

fn switched(switch: &Switch, events: &[Event], now: &Snapshot) -> Option<Notice> {
    let from = switch.from?;
    // Then what it needs is told, and that it was switched with it.
    if switch.cause == Cause::NeedsAttention && refused(events, from) && wants_attention(now) {
        return None;
    }
    let back = match glance::account(now, from) {
        Some(account) => match account.state.until() {
            Some(at) => format!(" It is back {}.", clock_time(at, now.at)),
            None => String::new(),
        },
        None => String::new(),
    };
    Some(Notice {
        about: About::Switched,
        title: format!("Switched to {}", label(now, switch.to)),
        body: format!(
            "From {}: {}.{back}",
            label(now, from),
            explain::cause(switch.cause)
        ),
        place: Place::Activity,
        button: None,
    })
}

fn state_changed(
    account: AccountId,
    from: &Eligibility,
    to: &Eligibility,
    events: &[Event],
    now: &Snapshot,
) -> Option<Notice> {
    let label = label(now, account);
    if now.pinned == Some(account) && from.usable() && !to.usable() {
        return Some(Notice {
            about: About::PinStopped,
            title: format!("{label} can't serve, and only it is used"),
            body: format!("{}.", state(now, account)),
            place: Place::Now,
            button: Some(("Use the others too", Action::Unpin)),
        });
    }
    match (from, to) {
        (_, Eligibility::NeedsAttention { reason }) => {
            let moved = events.iter().find_map(|event| match &event.kind {
                EventKind::Switched(switch) if switch.from == Some(account) => Some(switch.to),
                _ => None,
            });
            let moved = moved.map_or_else(String::new, |to| {
                format!(
                    " {} serves now.",
                    glance::account(now, to).map_or("Another", |to| &to.label)
                )
            });
            Some(Notice {
                about: About::NeedsAttention,
                title: format!("{label} needs you"),
                body: format!("{}.{moved}", capitalised(explain::refusal(*reason))),
                place: Place::Account(account),
                button: None,
            })
        }
        (Eligibility::Exhausted { .. } | Eligibility::NeedsAttention { .. }, to) if to.usable() => {
            let serves = now.active == Some(account);
            Some(Notice {
                about: About::Recovered,
                title: format!("{label} has recovered"),
                body: if serves {
                    "It is the active account.".to_owned()
                } else {
                    "It is eligible again and waits its turn.".to_owned()
                },
                place: Place::Account(account),
                button: None,
            })
        }
        _ => None,
    }
}

fn disconnected() -> Notice {
    Notice {
        about: About::CodexDisconnected,
        title: "Codex is disconnected".to_owned(),
        body: "Another program has changed its config.toml: it goes its own way, with its own sign-in."
            .to_owned(),
        place: Place::Settings,
        button: Some(("Connect again", Action::Connect(true))),
    }
}

fn refused(events: &[Event], account: AccountId) -> bool {
    events.iter().any(|event| {
        matches!(
            &event.kind,
            EventKind::StateChanged { account: one, to: Eligibility::NeedsAttention { .. }, .. } if *one == account
        )
    })
}

fn wants_attention(now: &Snapshot) -> bool {
    now.preferences.notifications.wants(About::NeedsAttention)
}

fn label(now: &Snapshot, id: AccountId) -> String {
    glance::account(now, id).map_or_else(|| "a removed account".to_owned(), |one| one.label.clone())
}

fn state(now: &Snapshot, id: AccountId) -> String {
    glance::account(now, id).map_or_else(String::new, |one: &AccountView| one.state_text.clone())
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
