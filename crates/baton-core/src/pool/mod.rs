//! The pool: the accounts in the person's order, and what routing remembers. One value, changed only by the methods
//! here and in `commands`; each tells what happened.

mod commands;

pub use commands::CommandError;

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, AccountState, BankedResets, Because, Cause, Choice, Decision, Effect, Event, EventKind,
    LimitFamily, Policy, Reading, RefuseReason, Request, Strategy, Switch, Timestamp, Turn, brake::Brake,
    choose, eligibility::Tier, threads::Threads,
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    policy: Policy,
    accounts: Vec<AccountState>,
    active: Option<Active>,
    pinned: Option<AccountId>,
    /// Gets the next turn, under a strategy without an active account.
    chosen_by_person: Option<AccountId>,
    brake: Brake,
    threads: Threads,
    /// Turns served by another account than the active one.
    temporary_failovers: u64,
    /// When Codex last asked a model for something.
    last_request: Option<Timestamp>,
    /// Of the Codex that asked last, if it has said so.
    codex_version: Option<Box<str>>,
    /// [`EventKind::AllExhausted`] was told, and nobody has recovered since.
    dark: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Active {
    account: AccountId,
    since: Timestamp,
    cause: Cause,
    /// When the person last asked for just this account.
    asked_for: Option<Timestamp>,
}

/// What a judged answer reports on its account.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub account: AccountId,
    /// The account's when the request was chosen.
    pub generation: u64,
    pub effect: Effect,
}

impl Pool {
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// In the person's order; the first is the primary.
    pub fn accounts(&self) -> &[AccountState] {
        &self.accounts
    }

    pub fn account(&self, id: AccountId) -> Option<&AccountState> {
        self.accounts.iter().find(|state| state.account.id == id)
    }

    /// `sequential`: the account that serves everything. Kept, but not used, under other strategies.
    pub fn active(&self) -> Option<AccountId> {
        self.active.map(|active| active.account)
    }

    pub fn active_since(&self) -> Option<Timestamp> {
        self.active.map(|active| active.since)
    }

    pub fn active_cause(&self) -> Option<Cause> {
        self.active.map(|active| active.cause)
    }

    /// When the person last asked for the account that is active now.
    pub(crate) fn active_asked_for(&self) -> Option<Timestamp> {
        self.active?.asked_for
    }

    pub fn pinned(&self) -> Option<AccountId> {
        self.pinned
    }

    pub fn chosen_by_person(&self) -> Option<AccountId> {
        self.chosen_by_person
    }

    pub fn brake(&self) -> &Brake {
        &self.brake
    }

    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    pub fn temporary_failovers(&self) -> u64 {
        self.temporary_failovers
    }

    /// When Codex last asked a model for something, through whichever account.
    pub fn last_request(&self) -> Option<Timestamp> {
        self.last_request
    }

    /// The version of the Codex that asked last, if it has said so.
    pub fn codex_version(&self) -> Option<&str> {
        self.codex_version.as_deref()
    }

    /// The account that people see as current: the pinned one, the active one, or the one used last.
    pub fn current(&self) -> Option<AccountId> {
        self.pinned.or_else(|| match self.policy.strategy {
            Strategy::Sequential => self.active(),
            _ => self.last_used(),
        })
    }

    fn last_used(&self) -> Option<AccountId> {
        let used = self.accounts.iter().filter(|state| state.last_used.is_some());
        used.max_by_key(|state| state.last_used)
            .map(|state| state.account.id)
    }

    /// Who comes next: once the current account can't serve, or, where there is none yet, with the next request. A probe is
    /// no service.
    pub fn next(&self, now: Timestamp) -> Option<AccountId> {
        let current = self.current();
        let request = Request {
            tried: current.as_slice(),
            ..Request::default()
        };
        match choose(self, &request, now).choice {
            Choice::Use {
                because: Because::Probe,
                ..
            } => None,
            choice => choice.account(),
        }
    }

    /// Who would serve a new turn that the account in `without` couldn't.
    pub fn successor(&self, without: AccountId, now: Timestamp) -> Option<AccountId> {
        let request = Request {
            tried: &[without],
            ..Request::default()
        };
        choose(self, &request, now).choice.account()
    }

    /// The family that meters `model`: the same feature for all accounts, so any account's reading tells.
    pub fn family_of(&self, model: &str) -> LimitFamily {
        let mut families = self.accounts.iter().map(|state| state.quota.family_of(model));
        families
            .find(|family| *family != LimitFamily::General)
            .unwrap_or(LimitFamily::General)
    }

    /// The family that meters `request`.
    pub(crate) fn metering(&self, request: &Request<'_>) -> LimitFamily {
        request
            .model
            .map_or(LimitFamily::General, |model| self.family_of(model))
    }

    // === routing ===

    /// Chooses for a request and commits the choice. Runs for every request.
    pub fn route(&mut self, request: &Request<'_>, now: Timestamp, events: &mut Vec<Event>) -> Decision {
        self.settle(now, events);
        self.last_request = Some(now);
        let decision = choose(self, request, now);
        self.commit(&decision, request, now, events);
        decision
    }

    fn commit(
        &mut self,
        decision: &Decision,
        request: &Request<'_>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let (account, because) = match decision.choice {
            Choice::Use { account, because, .. } => (account, because),
            Choice::Wait { .. }
            | Choice::Refuse {
                reason: RefuseReason::NobodyUsable { .. },
            } => return self.nobody_serves(now, events),
            Choice::Refuse { .. } => return,
        };
        if let Some(Switch { to, cause, .. }) = decision.switch {
            self.make_active(to, cause, now, events);
        }
        let prewarm = request.turn == Turn::Prewarm;
        let goes_on = self.threads.running_turn(request) == Some(account);
        if let Because::TemporaryFailover { instead_of: from } = because
            && !prewarm
            && !goes_on
        {
            self.temporary_failovers += 1;
            let kind = EventKind::TemporaryFailover { from, to: account };
            events.push(Event { at: now, kind });
        }
        let probed = (because == Because::Probe).then(|| self.metering(request));
        let granted = because == Because::ChosenByPerson && !prewarm;
        if granted {
            self.chosen_by_person = None;
        }
        if let Some(state) = self.state_mut(account) {
            if let Some(family) = probed {
                state.probed(&family, now);
            }
            if granted {
                state.waive_thresholds(false);
            }
            if !prewarm && !goes_on {
                state.last_used = Some(now);
            }
        }
        self.threads.given(request, account, now);
    }

    /// Told once, and only where the accounts are at fault: a pin, a named limit or a brief wait leaves others usable.
    fn nobody_serves(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        if self.dark || self.anybody_usable(now) {
            return;
        }
        self.dark = true;
        let states = self
            .accounts
            .iter()
            .map(|state| state.eligibility(&LimitFamily::General, now));
        let earliest = states.filter_map(|state| state.until()).min();
        let kind = EventKind::AllExhausted { earliest };
        events.push(Event { at: now, kind });
    }

    fn anybody_usable(&self, now: Timestamp) -> bool {
        self.best_tier(now).is_some()
    }

    fn best_tier(&self, now: Timestamp) -> Option<Tier> {
        let states = self.accounts.iter();
        states
            .filter_map(|state| state.eligibility(&LimitFamily::General, now).tier())
            .min()
    }

    /// Takes in what a judged answer reports; a late answer of an older generation changes nothing.
    pub fn report(&mut self, report: &Report, now: Timestamp, events: &mut Vec<Event>) {
        let Some(state) = self.state_mut(report.account) else {
            return;
        };
        if state.generation() != report.generation {
            return;
        }
        state.take(&report.effect, now);
        let refused = matches!(report.effect, Effect::NeedsAttention { reason } if reason.by_upstream());
        if refused && self.brake.refused(report.account, now) {
            events.push(Event {
                at: now,
                kind: EventKind::BrakeEngaged,
            });
        }
        self.settle(now, events);
    }

    /// Takes in what an answer said of the quota. `generation`: the account's when the request was chosen. Returns the
    /// generation under which the same answer's outcome is to be reported: what its own quota headers changed (a full
    /// window) doesn't make it late.
    pub fn learn(
        &mut self,
        account: AccountId,
        generation: u64,
        reading: &Reading,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> u64 {
        let Some(state) = self.state_mut(account) else {
            return generation;
        };
        let late = state.generation() != generation;
        state.learn(reading, late, now);
        let own = if late { generation } else { state.generation() };
        self.settle(now, events);
        own
    }

    /// The file of a linked account is right again. Nothing that the brake counts, so that isn't released either.
    pub fn link_mended(&mut self, account: AccountId, now: Timestamp, events: &mut Vec<Event>) {
        if let Some(state) = self.state_mut(account) {
            state.link_mended();
        }
        self.settle(now, events);
    }

    /// What the account has in the bank by now.
    pub fn banked(&mut self, account: AccountId, banked: BankedResets) {
        if let Some(state) = self.state_mut(account) {
            state.quota.banked = banked;
        }
    }

    /// A Codex of this version comes through.
    pub fn comes_through(&mut self, codex_version: &str) {
        self.codex_version = Some(codex_version.into());
    }

    /// A request comes that nobody is chosen for.
    pub fn passes(&mut self, now: Timestamp) {
        self.last_request = Some(now);
    }

    /// The account that answered `thread` with compacted history: only it may be able to read that again.
    pub fn compacted(&mut self, thread: u64, account: AccountId) {
        self.threads.compacted(thread, account);
    }

    /// An answer in `thread` broke off after output. Whether that is the account's fault can't be told.
    pub fn broke_off(&mut self, thread: u64, account: AccountId) {
        self.threads.broke_off(thread, account);
    }

    /// Lets time pass: what has recovered is told.
    pub fn settle(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        self.brake.follow_clock(now);
        self.last_request.iter_mut().for_each(|at| at.happened_by(now));
        if let Some(active) = &mut self.active {
            active.since.happened_by(now);
            active.asked_for.iter_mut().for_each(|at| at.happened_by(now));
        }
        for state in &mut self.accounts {
            if let Some((from, to)) = state.settle(now) {
                let account = state.account.id;
                events.push(Event {
                    at: now,
                    kind: EventKind::StateChanged { account, from, to },
                });
            }
        }
        if self.dark && self.anybody_usable(now) {
            self.dark = false;
            events.push(Event {
                at: now,
                kind: EventKind::Serving,
            });
        }
    }

    /// The next moment at which time alone changes somebody's state.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let states = self
            .accounts
            .iter()
            .map(|state| state.eligibility(&LimitFamily::General, now));
        states
            .filter_map(|state| state.until())
            .filter(|until| *until > now)
            .min()
    }

    fn make_active(&mut self, to: AccountId, cause: Cause, now: Timestamp, events: &mut Vec<Event>) {
        let from = self.active();
        if let Some(from) = from.and_then(|id| self.state_mut(id)) {
            from.waive_thresholds(false);
        }
        self.active = Some(Active {
            account: to,
            since: now,
            cause,
            asked_for: None,
        });
        let kind = EventKind::Switched(Switch { from, to, cause });
        events.push(Event { at: now, kind });
    }

    fn state_mut(&mut self, id: AccountId) -> Option<&mut AccountState> {
        self.accounts.iter_mut().find(|state| state.account.id == id)
    }
}
