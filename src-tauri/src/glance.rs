//! What there is to know at a glance: one state of the whole, for the icon and the menu's first line.

use baton_core::{AccountId, Because, Choice, CoolingReason, Eligibility, RefuseReason, Timestamp};
use baton_engine::{
    control::protocol::{AccountView, Snapshot},
    words::clock_time,
};

use crate::view::{View, general_windows};

/// At or under this many percent left an account is low.
pub(crate) const LITTLE_LEFT: f64 = 20.0;

/// The most pressing thing first: each hides those below it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Glance {
    /// The engine has not said anything yet, or is finishing.
    Between(&'static str),
    /// No Baton to look at: nothing is routed.
    Offline(String),
    /// Requests go with Codex's own sign-in.
    Bypassed,
    NoAccounts,
    /// Nobody can serve; with the first return, as far as it is known.
    AllExhausted(Option<String>),
    /// Codex is kept waiting.
    Waiting {
        label: String,
        until: String,
    },
    /// A person has to do something before anything is served again.
    Stuck(String),
    /// Codex doesn't go through Baton.
    NotConnected,
    OnlyThis(String),
    /// Somebody serves for the active account until the turn's end.
    Temporary {
        serving: String,
        active: String,
        why: String,
    },
    /// It goes on, but an account needs a person, or the keychain, the disk or a file does.
    NeedsPerson {
        active: Option<String>,
    },
    Low(String),
    Fine(String),
    /// Nothing was routed yet.
    Ready,
}

pub(crate) fn glance(view: &View) -> Glance {
    match view {
        View::Starting => Glance::Between("Starting…"),
        View::Quitting => Glance::Between("Finishing what runs…"),
        View::Away => Glance::Offline("No Baton is running here".to_owned()),
        View::Failed { reason } => Glance::Offline(format!("Baton is not running: {reason}")),
        View::Pool(snapshot) => of_pool(snapshot),
    }
}

fn of_pool(snapshot: &Snapshot) -> Glance {
    let label = |id: AccountId| account(snapshot, id).map_or_else(String::new, |one| one.label.clone());
    let time = |at: Timestamp| clock_time(at, snapshot.at);
    if snapshot.bypassed {
        return Glance::Bypassed;
    }
    if snapshot.accounts.is_empty() {
        return Glance::NoAccounts;
    }
    match snapshot.next_request {
        Choice::Wait { until, account } => {
            return Glance::Waiting {
                label: label(account),
                until: time(until),
            };
        }
        Choice::Refuse { reason } => match reason {
            RefuseReason::NobodyUsable { .. } if all_need_a_person(snapshot) => {
                return Glance::Stuck("No account can serve: each needs you".to_owned());
            }
            RefuseReason::NobodyUsable { earliest } => return Glance::AllExhausted(earliest.map(time)),
            RefuseReason::PinnedUnusable { account, .. } => {
                return Glance::Stuck(format!("Only {} may be used, and it can't serve", label(account)));
            }
            RefuseReason::Braked => {
                return Glance::Stuck("Stopped after refusals: choose an account".to_owned());
            }
            RefuseReason::NoAccounts | RefuseReason::AllTried => {}
        },
        Choice::Use { .. } => {}
    }
    if !snapshot.codex.comes_through {
        return Glance::NotConnected;
    }
    if let Some(pinned) = snapshot.pinned {
        return Glance::OnlyThis(label(pinned));
    }
    if let Choice::Use {
        account: serving,
        because: Because::TemporaryFailover { instead_of },
        ..
    } = snapshot.next_request
    {
        return Glance::Temporary {
            serving: label(serving),
            active: label(instead_of),
            why: account(snapshot, instead_of).map_or_else(String::new, trouble),
        };
    }
    let active = snapshot.active.and_then(|id| account(snapshot, id));
    if snapshot.accounts.iter().any(needs_a_person) || !snapshot.problems.is_empty() {
        return Glance::NeedsPerson {
            active: active.map(|active| active.label.clone()),
        };
    }
    match active {
        Some(active) if is_low(active) => Glance::Low(active.label.clone()),
        Some(active) => Glance::Fine(active.label.clone()),
        None => Glance::Ready,
    }
}

impl Glance {
    /// The menu's first line.
    pub(crate) fn headline(&self) -> String {
        match self {
            Self::Between(what) => (*what).to_owned(),
            Self::Offline(why) | Self::Stuck(why) => why.clone(),
            Self::Bypassed => "Bypassed: Codex uses its own sign-in".to_owned(),
            Self::NoAccounts => "No account yet".to_owned(),
            Self::AllExhausted(Some(first)) => format!("All exhausted · first back {first}"),
            Self::AllExhausted(None) => "All exhausted · return unknown".to_owned(),
            Self::Waiting { label, until } => format!("Waiting for {label} until {until}"),
            Self::NotConnected => "Codex isn't connected".to_owned(),
            Self::OnlyThis(label) => format!("Use only {label} (no failover)"),
            Self::Temporary { serving, active, why } => {
                format!("Temporarily on {serving}: {active} {why}")
            }
            Self::NeedsPerson { active: None } | Self::Ready => "No account is active yet".to_owned(),
            Self::NeedsPerson { active: Some(label) } | Self::Low(label) | Self::Fine(label) => {
                format!("Active: {label}")
            }
        }
    }
}

pub(crate) fn account(snapshot: &Snapshot, id: AccountId) -> Option<&AccountView> {
    snapshot.accounts.iter().find(|account| account.id == id)
}

/// In a few words, after the label.
fn trouble(account: &AccountView) -> String {
    match account.state {
        Eligibility::CoolingDown {
            reason: CoolingReason::Throttled,
            ..
        } => "throttled".to_owned(),
        Eligibility::CoolingDown {
            reason: CoolingReason::ServerTrouble,
            ..
        } => "has server errors".to_owned(),
        _ => account.state_text.clone(),
    }
}

fn needs_a_person(account: &AccountView) -> bool {
    matches!(account.state, Eligibility::NeedsAttention { .. })
}

/// Those left out on purpose don't count.
fn all_need_a_person(snapshot: &Snapshot) -> bool {
    let mut counted = snapshot.accounts.iter().filter(|one| !one.skipped).peekable();
    counted.peek().is_some() && counted.all(needs_a_person)
}

pub(crate) fn is_low(account: &AccountView) -> bool {
    general_windows(account)
        .iter()
        .any(|window| window.left <= LITTLE_LEFT)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::view::samples::{NOW, account, exhausted, pool, serving, snapshot, window};

    fn two() -> Snapshot {
        snapshot(vec![
            account(1, "Personal", vec![window(300, 63.0)]),
            account(2, "Work", vec![window(300, 100.0)]),
        ])
    }

    fn says(snapshot: Snapshot) -> String {
        glance(&View::Pool(Box::new(snapshot))).headline()
    }

    #[test]
    fn all_is_well_until_little_is_left() {
        assert_eq!(
            glance(&View::Pool(Box::new(two()))),
            Glance::Fine("Personal".to_owned())
        );
        let low = pool(vec![account(
            1,
            "Personal",
            vec![window(300, 63.0), window(10_080, 20.0)],
        )]);
        assert_eq!(glance(&low), Glance::Low("Personal".to_owned()));
    }

    #[test]
    fn what_stops_everything_hides_what_does_not() {
        let mut pool = two();
        pool.pinned = Some(pool.accounts[0].id);
        assert_eq!(says(pool.clone()), "Use only Personal (no failover)");
        pool.codex.comes_through = false;
        assert_eq!(says(pool.clone()), "Codex isn't connected");
        pool.next_request = Choice::Refuse {
            reason: RefuseReason::PinnedUnusable {
                account: pool.accounts[0].id,
                state: exhausted(),
            },
        };
        assert_eq!(
            says(pool.clone()),
            "Only Personal may be used, and it can't serve"
        );
        pool.bypassed = true;
        assert_eq!(says(pool), "Bypassed: Codex uses its own sign-in");
    }

    #[test]
    fn exhaustion_names_the_first_return() {
        let mut pool = two();
        pool.next_request = Choice::Refuse {
            reason: RefuseReason::NobodyUsable { earliest: None },
        };
        assert_eq!(says(pool.clone()), "All exhausted · return unknown");
        pool.next_request = Choice::Refuse {
            reason: RefuseReason::NobodyUsable {
                earliest: Some(NOW + Duration::from_secs(3600)),
            },
        };
        assert!(says(pool.clone()).starts_with("All exhausted · first back "));
        for account in &mut pool.accounts {
            account.state = Eligibility::NeedsAttention {
                reason: baton_core::Refusal::GrantRefused,
            };
        }
        assert_eq!(says(pool), "No account can serve: each needs you");
    }

    #[test]
    fn a_detour_names_both_accounts() {
        let mut pool = two();
        let (personal, work) = (pool.accounts[0].id, pool.accounts[1].id);
        pool.accounts[0].state = Eligibility::CoolingDown {
            since: NOW,
            until: NOW,
            reason: CoolingReason::Throttled,
        };
        pool.next_request = serving(work, Because::TemporaryFailover { instead_of: personal });
        assert_eq!(says(pool), "Temporarily on Work: Personal throttled");
    }

    #[test]
    fn somebody_who_needs_a_person_does_not_hide_who_serves() {
        let mut pool = two();
        pool.accounts[1].state = Eligibility::NeedsAttention {
            reason: baton_core::Refusal::GrantRefused,
        };
        let now = glance(&View::Pool(Box::new(pool)));
        assert!(matches!(now, Glance::NeedsPerson { .. }), "{now:?}");
        assert_eq!(now.headline(), "Active: Personal");
    }

    #[test]
    fn what_is_wrong_around_the_accounts_needs_a_person_too() {
        let mut pool = two();
        pool.problems.push("the keychain is locked: unlock it".to_owned());
        let now = glance(&View::Pool(Box::new(pool)));
        assert!(matches!(now, Glance::NeedsPerson { .. }), "{now:?}");
        assert_eq!(now.headline(), "Active: Personal");
    }
}
