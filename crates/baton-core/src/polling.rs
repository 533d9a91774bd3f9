//! When whose usage is read: at the start, after a switch, at a reset, after a sleep, and every five minutes while
//! somebody uses Baton or waits for an account. Otherwise never: a Baton that nobody uses asks for nothing.
//!
//! It decides only; the engine reads, and tells what came of it ([`Polling::answered`], [`Polling::failed`]).

use std::time::Duration;

use crate::{
    AccountId, AccountState, Eligibility, LimitFamily, Pool, Source, Strategy, Timestamp, random::Random,
};

/// The least time between two reads of an account that no event asks for. Jitter comes on top, up to a fifth.
pub const EVERY: Duration = Duration::from_secs(5 * 60);
/// The least time between two reads of an account, whatever happens.
pub const LEAST_GAP: Duration = Duration::from_secs(60);
/// Where reading fails, the time between two attempts doubles up to this, jitter included.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);
/// Baton counts as used for this long after a request.
pub const IN_USE: Duration = Duration::from_secs(10 * 60);
/// What was observed longer ago is stale. Passing answers put a read off, but no longer than this.
pub const STALE_AFTER: Duration = Duration::from_secs(15 * 60);
/// So often in a row reading must fail before a person is told: by then it has failed for half an hour.
pub const PERSISTENT: u32 = 3;

/// A window starts anew just after its reset, as the upstream's clock has it.
const AFTER_RESET: Duration = Duration::from_secs(5);

/// Who would have anything of a new reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    pub last_request: Option<Timestamp>,
    pub running: bool,
    /// Requests were asked to come back once an exhausted account is back: the last of them then.
    pub awaited_until: Option<Timestamp>,
}

impl Demand {
    pub fn in_use(&self, now: Timestamp) -> bool {
        self.running || self.last_request.is_some_and(|at| now.since(at) < IN_USE)
    }

    fn awaited(&self, now: Timestamp) -> bool {
        self.awaited_until.is_some_and(|until| until > now)
    }
}

/// Why an account is read just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Not read yet: Baton has just started, or the account is new, or signed in again.
    First,
    /// It serves from now on.
    Switched,
    /// The machine slept, or the network was gone.
    Woke,
    /// One of its windows has started anew.
    Reset,
    /// The last reading has become old.
    Regular,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Read(AccountId, Why),
    /// Nothing to do before this moment, or, without one, before something happens.
    Sleep(Option<Timestamp>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// By the upstream or its edge.
    Refused,
    /// No answer; no credentials for now.
    Unreached,
}

#[derive(Clone, Debug)]
struct Watched {
    account: AccountId,
    /// The last attempt, whatever came of it.
    asked: Option<Timestamp>,
    /// What the next regular one keeps from that, jitter included.
    rest: Duration,
    failures: u32,
    last_failure: Option<Failure>,
    /// Something has happened since, so that it needn't wait for its turn.
    event: Option<Why>,
}

impl Watched {
    fn new(account: AccountId) -> Self {
        Self {
            account,
            asked: None,
            rest: EVERY,
            failures: 0,
            last_failure: None,
            event: None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Polling {
    watched: Vec<Watched>,
    /// The account that serves, as of the last look.
    serving: Option<AccountId>,
    /// What jitter comes from.
    random: Random,
}

impl Polling {
    pub fn new(seed: u64) -> Self {
        Self {
            watched: Vec::new(),
            serving: None,
            random: Random::new(seed),
        }
    }

    /// What to do now. After a [`Next::Read`] it must be told what came of it.
    pub fn next(&mut self, pool: &Pool, demand: &Demand, now: Timestamp) -> Next {
        self.follow(pool, now);
        let current = pool.current();
        let due = self.watched.iter().filter_map(|watched| {
            let state = pool.account(watched.account)?;
            let spared = pool.brake().engaged() && current != Some(watched.account);
            let (at, why) = due(watched, state, demand, now).filter(|_| !spared)?;
            // Of those that are due, the one that serves comes first.
            let order = (at.max(now), current != Some(watched.account), at);
            Some((order, watched.account, why))
        });
        match due.min_by_key(|(order, ..)| *order) {
            Some(((at, ..), account, why)) if at <= now => Next::Read(account, why),
            soonest => Next::Sleep(soonest.map(|((at, ..), ..)| at)),
        }
    }

    pub fn answered(&mut self, account: AccountId, now: Timestamp) {
        self.attempted(account, None, now);
    }

    pub fn failed(&mut self, account: AccountId, failure: Failure, now: Timestamp) {
        self.attempted(account, Some(failure), now);
    }

    /// The machine has slept, or has a network again: what is known may be of another age. Refusals still count.
    pub fn woke(&mut self) {
        for watched in self.watched.iter_mut().filter(|watched| watched.asked.is_some()) {
            watched.event = Some(Why::Woke);
            if watched.last_failure == Some(Failure::Unreached) {
                watched.failures = 0;
            }
        }
    }

    /// Whom reading has failed for so often that a person should know.
    pub fn unreadable(&self) -> impl Iterator<Item = AccountId> {
        let persistent = self
            .watched
            .iter()
            .filter(|watched| watched.failures >= PERSISTENT);
        persistent.map(|watched| watched.account)
    }

    fn attempted(&mut self, account: AccountId, failure: Option<Failure>, now: Timestamp) {
        let jitter = self.jitter();
        let Some(watched) = self.watched.iter_mut().find(|watched| watched.account == account) else {
            return;
        };
        watched.asked = Some(now);
        watched.event = None;
        watched.last_failure = failure;
        watched.failures = match failure {
            Some(_) => watched.failures.saturating_add(1),
            None => 0,
        };
        let doubled = EVERY.saturating_mul(2u32.saturating_pow(watched.failures));
        watched.rest = doubled.min(LONGEST_BACKOFF * 5 / 6).mul_f64(jitter);
    }

    /// 1 to 1.2.
    fn jitter(&mut self) -> f64 {
        1.0 + self.random.fraction() / 5.0
    }

    /// Who came, who went, who serves now, and a clock that was set back.
    fn follow(&mut self, pool: &Pool, now: Timestamp) {
        self.watched
            .retain(|watched| pool.account(watched.account).is_some());
        for state in pool.accounts() {
            if !self
                .watched
                .iter()
                .any(|watched| watched.account == state.account.id)
            {
                self.watched.push(Watched::new(state.account.id));
            }
        }
        for watched in &mut self.watched {
            if let Some(asked) = &mut watched.asked {
                asked.happened_by(now);
            }
            if pool
                .account(watched.account)
                .is_some_and(|state| state.attention().is_some())
            {
                // Once it is mended, it is as good as new.
                *watched = Watched::new(watched.account);
            }
        }
        let serving = pool.pinned().or_else(|| {
            let drains = pool.policy().strategy == Strategy::Sequential;
            drains.then(|| pool.active()).flatten()
        });
        if serving != self.serving && self.serving.is_some() {
            let to = self
                .watched
                .iter_mut()
                .find(|watched| Some(watched.account) == serving);
            if let Some(to) = to.filter(|to| to.asked.is_some()) {
                to.event = Some(Why::Switched);
            }
        }
        self.serving = serving;
    }
}

fn due(watched: &Watched, state: &AccountState, demand: &Demand, now: Timestamp) -> Option<(Timestamp, Why)> {
    if state.attention().is_some() {
        return None;
    }
    let Some(asked) = watched.asked else {
        return Some((now, Why::First));
    };
    let regularly = asked + watched.rest;
    let exhausted = matches!(
        state.eligibility(&LimitFamily::General, now),
        Eligibility::Exhausted { .. }
    );
    let wanted = demand.in_use(now) || (exhausted && demand.awaited(now));
    if watched.failures > 0 {
        return wanted.then_some((regularly, Why::Regular));
    }
    let soon = |at: Timestamp| at.max(asked + LEAST_GAP);
    let event = watched
        .event
        .filter(|why| wanted || *why == Why::Switched)
        .map(|why| (soon(now), why));
    let windows = || state.quota.limits.iter().flat_map(|limit| &limit.windows);
    let reset = windows()
        .filter_map(|window| window.resets_at)
        .filter(|reset| *reset > asked)
        .min();
    let reset = reset.map(|reset| (soon(reset + AFTER_RESET), Why::Reset));
    let passing = windows().filter(|window| window.source != Source::UsageRoute);
    let seen = passing.map(|window| window.observed_at).max();
    let regular = seen.map_or(regularly, |seen| {
        regularly.max((seen + watched.rest).min(asked + STALE_AFTER))
    });
    let wished = [reset, Some((regular, Why::Regular))].into_iter().flatten();
    wished.filter(|_| wanted).chain(event).min_by_key(|(at, _)| *at)
}
