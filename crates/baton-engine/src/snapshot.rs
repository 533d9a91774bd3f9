//! The pool as screens show it.

use std::{path::Path, time::Duration};

use baton_core::{
    AccountState, Eligibility, LimitFamily, Pool, Refusal, Request, Timestamp, choose, explain,
};

use crate::{
    codex::Standing,
    control::protocol::{AccountView, BaseUrls, CodexView, ForecastView, Preferences, Snapshot, WindowView},
    words::PoolWords,
};

/// What the pool doesn't know of itself.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub base_urls: Option<BaseUrls>,
    pub upstream: String,
    pub running_requests: u64,
    pub forecast: Option<Box<ForecastView>>,
    pub problems: Vec<String>,
    pub bypassed: bool,
    pub codex: Standing,
    pub preferences: Preferences,
}

pub(crate) fn of(pool: &Pool, now: Timestamp, around: Surroundings) -> Snapshot {
    let policy = pool.policy();
    let active = pool.current();
    let words = PoolWords::new(pool, now);
    Snapshot {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: now,
        base_urls: around.base_urls,
        upstream: around.upstream,
        strategy: policy.strategy,
        on_recovery: policy.on_recovery,
        wait_for_recovery_secs: policy.wait_for_recovery().as_secs(),
        active,
        next: pool.next(now),
        next_request: choose(pool, &Request::default(), now).choice,
        pinned: pool.pinned(),
        braked: pool.brake().engaged(),
        temporary_failovers: pool.temporary_failovers(),
        running_requests: around.running_requests,
        forecast: around.forecast,
        accounts: pool
            .accounts()
            .iter()
            .map(|state| account(state, now, &words))
            .collect(),
        problems: around.problems,
        bypassed: around.bypassed,
        codex: codex(around.codex, pool.last_request(), now),
        preferences: around.preferences,
    }
}

/// A Codex that was used since is connected, however that was done.
const LATELY: Duration = Duration::from_secs(24 * 3600);

fn codex(standing: Standing, last_request: Option<Timestamp>, now: Timestamp) -> CodexView {
    // By hand, or one that goes on as it was started: then requests come.
    let lately = last_request
        .is_some_and(|at| now.since(at) < LATELY && standing.left_at.is_none_or(|left| at > left));
    CodexView {
        comes_through: !standing.homes.is_empty() || lately,
        homes: standing.homes,
        lost: standing.lost,
        last_request,
    }
}

fn account(state: &AccountState, now: Timestamp, words: &PoolWords<'_>) -> AccountView {
    let eligibility = state.eligibility(&LimitFamily::General, now);
    let account = &state.account;
    AccountView {
        id: account.id,
        label: account.label.to_string(),
        plan: account.plan.as_deref().map(str::to_owned),
        state: eligibility,
        state_text: match &account.linked {
            Some(path) => linked_state(&eligibility, path, words),
            None => explain::state(&eligibility, words),
        },
        windows: windows(state, now),
        skipped: account.skipped,
        use_credits: account.use_credits,
        threshold: account.thresholds.every_window,
        window_thresholds: account.thresholds.windows.clone(),
        reserve: account.thresholds.reserve,
        last_used: state.last_used,
        linked: account.linked.clone(),
        banked: state.quota.banked.left(now),
    }
}

/// What to do, with the folder to do it in.
fn linked_state(state: &Eligibility, path: &Path, words: &PoolWords<'_>) -> String {
    let folder = path.parent().unwrap_or(path).display();
    let said = explain::state(state, words);
    match state {
        Eligibility::NeedsAttention {
            reason: Refusal::LinkStale,
        } => format!("Needs its owner: run `codex` once with CODEX_HOME={folder}, to renew its sign-in"),
        Eligibility::NeedsAttention { reason } if reason.of_link() => format!("{said} ({})", path.display()),
        _ => said,
    }
}

/// The general limit's windows first, short ones before long ones.
fn windows(state: &AccountState, now: Timestamp) -> Vec<WindowView> {
    let mut views: Vec<WindowView> = Vec::new();
    for limit in &state.quota.limits {
        let exhausted = match state.eligibility(&limit.family, now) {
            Eligibility::Exhausted { until, .. } => until,
            _ => None,
        };
        for window in &limit.windows {
            let resets_at = window.next_reset(now);
            // The last reading was taken before the request that the limit refused: "1 % left" would be no help.
            let spent = resets_at
                .zip(exhausted)
                .is_some_and(|(reset, until)| same_moment(reset, until));
            views.push(WindowView {
                family: limit.family.clone(),
                name: limit.name.as_deref().map(str::to_owned),
                length: window.length,
                left: if spent { 0.0 } else { window.used_at(now).left() },
                resets_at,
                observed_at: window.observed_at,
                stale: window.is_stale(now),
            });
        }
    }
    views.sort_by(|a, b| (&a.family, a.length).cmp(&(&b.family, b.length)));
    views
}

/// Resets of one window, as told at different times in whole seconds and rounded up.
fn same_moment(a: Timestamp, b: Timestamp) -> bool {
    a.since(b).max(b.since(a)) <= Duration::from_secs(2)
}
