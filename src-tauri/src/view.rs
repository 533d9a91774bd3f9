//! What the desktop shows: a plain value, free of toolkit and engine.

use baton_core::LimitFamily;
use baton_engine::control::protocol::{AccountView, Snapshot, WindowView};

use crate::glance::account;

/// Everything on screen is a function of this.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum View {
    /// The engine has not said anything yet.
    Starting,
    /// There is no engine to look at: it could not start, or it has ended. Nothing is routed.
    Failed { reason: String },
    /// Attached, and no Baton answers on the control socket.
    Away,
    /// What the engine said last.
    Pool(Box<Snapshot>),
    /// Quit was asked for; running requests are being finished.
    Quitting,
}

impl View {
    pub(crate) fn pool(&self) -> Option<&Snapshot> {
        match self {
            Self::Pool(snapshot) => Some(snapshot),
            Self::Starting | Self::Failed { .. } | Self::Away | Self::Quitting => None,
        }
    }

    pub(crate) fn active(&self) -> Option<&AccountView> {
        let snapshot = self.pool()?;
        account(snapshot, snapshot.active?)
    }
}

/// The windows that meter everything, shortest first. A named limit's concern a few models only.
pub(crate) fn general_windows(account: &AccountView) -> Vec<&WindowView> {
    let mut windows: Vec<_> = account
        .windows
        .iter()
        .filter(|window| window.family == LimitFamily::General)
        .collect();
    windows.sort_by_key(|window| window.length);
    windows
}

/// Snapshots for the tests of what is made from them.
#[cfg(test)]
pub(crate) mod samples {
    use baton_core::{
        AccountId, Because, Choice, Eligibility, ExhaustedReason, OnRecovery, Percent, RefuseReason,
        Strategy, Timestamp, WindowLength,
    };
    use baton_engine::control::protocol::{CodexHome, CodexView, Mode};

    use super::*;

    pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    pub(crate) fn exhausted() -> Eligibility {
        Eligibility::Exhausted {
            until: None,
            reason: ExhaustedReason::UsedUp,
            on_credits: false,
        }
    }

    pub(crate) fn window(minutes: u32, left: f64) -> WindowView {
        WindowView {
            family: LimitFamily::General,
            name: None,
            length: WindowLength::from_minutes(minutes),
            left,
            resets_at: None,
            observed_at: NOW,
            stale: false,
        }
    }

    pub(crate) fn account(id: u32, label: &str, windows: Vec<WindowView>) -> AccountView {
        AccountView {
            id: AccountId::new(id),
            label: label.to_owned(),
            plan: None,
            state: Eligibility::Eligible,
            state_text: "Eligible".to_owned(),
            windows,
            skipped: false,
            use_credits: false,
            threshold: Percent::FULL,
            window_thresholds: Vec::new(),
            reserve: false,
            last_used: None,
            linked: None,
            banked: Default::default(),
        }
    }

    pub(crate) fn serving(account: AccountId, because: Because) -> Choice {
        Choice::Use {
            account,
            generation: 0,
            because,
        }
    }

    /// Codex is connected, and the first account is active and serves.
    pub(crate) fn snapshot(accounts: Vec<AccountView>) -> Snapshot {
        Snapshot {
            version: "0.0.0".to_owned(),
            at: NOW,
            base_urls: None,
            upstream: String::new(),
            strategy: Strategy::Sequential,
            on_recovery: OnRecovery::Stay,
            wait_for_recovery_secs: 60,
            active: accounts.first().map(|account| account.id),
            next: None,
            next_request: match accounts.first() {
                Some(first) => serving(first.id, Because::Active),
                None => Choice::Refuse {
                    reason: RefuseReason::NoAccounts,
                },
            },
            pinned: None,
            braked: false,
            temporary_failovers: 0,
            running_requests: 0,
            forecast: None,
            accounts,
            problems: Vec::new(),
            bypassed: false,
            codex: CodexView {
                homes: vec![CodexHome {
                    home: "/home/me/.codex".into(),
                    mode: Mode::Default,
                }],
                lost: Vec::new(),
                comes_through: true,
                last_request: None,
            },
            preferences: Default::default(),
        }
    }

    pub(crate) fn pool(accounts: Vec<AccountView>) -> View {
        View::Pool(Box::new(snapshot(accounts)))
    }
}
