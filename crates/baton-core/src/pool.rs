//! The pool: the accounts in the person's order, and what routing remembers. One value, changed only by the methods
//! here; each returns what happened.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Account, AccountId, AccountState, Because, Cause, Choice, Decision, Effect, Eligibility, Event,
    EventKind, LimitFamily, OnRecovery, Percent, Policy, Reading, RefuseReason, Request, Strategy, Switch,
    Timestamp, Turn, WindowLength, brake::Brake, choose, eligibility::Tier, threads::Threads,
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

#[derive(Clone, Debug, PartialEq)]
pub enum CommandError {
    UnknownAccount,
    LabelTaken(String),
    EmptyLabel,
    AlreadyThere(AccountId),
    NotUsable { account: AccountId, state: Eligibility },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAccount => f.write_str("there is no such account"),
            Self::LabelTaken(label) => write!(f, "another account is called `{label}` already"),
            Self::EmptyLabel => f.write_str("a label can't be empty"),
            Self::AlreadyThere(_) => f.write_str("this account is in the pool already"),
            Self::NotUsable { .. } => f.write_str("this account can't serve now"),
        }
    }
}

impl std::error::Error for CommandError {}

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

    /// The account that answered `thread` with compacted history: only it may be able to read that again.
    pub fn compacted(&mut self, thread: u64, account: AccountId) {
        self.threads.compacted(thread, account);
    }

    /// Lets time pass: what has recovered is told.
    pub fn settle(&mut self, now: Timestamp, events: &mut Vec<Event>) {
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

    // === the person's commands ===

    pub fn add(
        &mut self,
        account: Account,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), CommandError> {
        let same = |state: &&AccountState| {
            state.account.id == account.id || state.account.identity == account.identity
        };
        if let Some(known) = self.accounts.iter().find(same) {
            return Err(CommandError::AlreadyThere(known.account.id));
        }
        self.check_label(&account.label, None)?;
        events.push(Event {
            at: now,
            kind: EventKind::Added { account: account.id },
        });
        self.accounts.push(AccountState::new(account));
        Ok(())
    }

    pub fn remove(
        &mut self,
        id: AccountId,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), CommandError> {
        let index = self.index(id)?;
        let removed = self.accounts.remove(index);
        self.threads.forget(id);
        if self.pinned == Some(id) {
            self.unpin(now, events);
        }
        self.chosen_by_person = self.chosen_by_person.filter(|chosen| *chosen != id);
        let label = removed.account.label;
        events.push(Event {
            at: now,
            kind: EventKind::Removed { account: id, label },
        });
        if self.active() == Some(id) {
            let count = self.accounts.len();
            // What stood after it now stands at its index.
            let after = |step: usize| (index + step) % count.max(1);
            let usable = |index: &usize| {
                self.accounts[*index]
                    .eligibility(&LimitFamily::General, now)
                    .usable()
            };
            let next = (0..count)
                .map(after)
                .find(usable)
                .or((count > 0).then(|| after(0)));
            match next.map(|index| self.accounts[index].account.id) {
                Some(to) => self.make_active(to, Cause::Removed, now, events),
                None => self.active = None,
            }
        }
        Ok(())
    }

    pub fn rename(&mut self, id: AccountId, label: &str) -> Result<(), CommandError> {
        self.check_label(label, Some(id))?;
        let index = self.index(id)?;
        self.accounts[index].account.label = label.into();
        Ok(())
    }

    /// Moves to a position of the order, 0 being the primary; past the end is the end.
    pub fn move_to(&mut self, id: AccountId, position: usize) -> Result<(), CommandError> {
        let index = self.index(id)?;
        let state = self.accounts.remove(index);
        self.accounts.insert(position.min(self.accounts.len()), state);
        Ok(())
    }

    pub fn skip(
        &mut self,
        id: AccountId,
        skipped: bool,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), CommandError> {
        let index = self.index(id)?;
        self.accounts[index].skip(skipped);
        self.settle(now, events);
        Ok(())
    }

    /// Signed in again: whatever needed a person is mended.
    pub fn renewed(
        &mut self,
        id: AccountId,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), CommandError> {
        let index = self.index(id)?;
        self.accounts[index].renewed();
        self.release_brake(now, events);
        self.settle(now, events);
        Ok(())
    }

    pub fn set_threshold(
        &mut self,
        id: AccountId,
        length: Option<WindowLength>,
        at: Percent,
        reserve: Option<bool>,
    ) -> Result<(), CommandError> {
        let index = self.index(id)?;
        let thresholds = &mut self.accounts[index].account.thresholds;
        thresholds.set(length, at);
        thresholds.reserve = reserve.unwrap_or(thresholds.reserve);
        Ok(())
    }

    pub fn set_use_credits(&mut self, id: AccountId, use_credits: bool) -> Result<(), CommandError> {
        let index = self.index(id)?;
        self.accounts[index].account.use_credits = use_credits;
        Ok(())
    }

    /// Makes an account active and keeps the strategy; running turns end where they are. One that can't serve is
    /// refused, and nothing changes; so is one on credits while others have included quota, for it would be left again
    /// at once. One that is held back serves all the same: the person said so.
    pub fn switch_now(
        &mut self,
        id: AccountId,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), CommandError> {
        let index = self.index(id)?;
        let state = self.accounts[index].eligibility(&LimitFamily::General, now);
        let held_back = matches!(state, Eligibility::HeldBack { .. });
        let comes_last = state.tier() == Some(Tier::Credits) && self.best_tier(now) < Some(Tier::Credits);
        if comes_last || (!state.usable() && !held_back) {
            return Err(CommandError::NotUsable { account: id, state });
        }
        self.release_brake(now, events);
        if held_back {
            self.accounts[index].waive_thresholds(true);
        }
        if self.policy.strategy != Strategy::Sequential {
            self.chosen_by_person = Some(id);
        }
        if self.active() != Some(id) {
            self.make_active(id, Cause::SwitchedByPerson, now, events);
        }
        self.active = self.active.map(|active| Active {
            asked_for: Some(now),
            ..active
        });
        self.settle(now, events);
        Ok(())
    }

    /// Use only this: overrules strategy and thresholds. Moves nothing else, so that unpinning restores what was.
    pub fn pin(
        &mut self,
        id: AccountId,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), CommandError> {
        self.index(id)?;
        if self.pinned.replace(id) != Some(id) {
            events.push(Event {
                at: now,
                kind: EventKind::Pinned { account: id },
            });
        }
        Ok(())
    }

    pub fn unpin(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        if let Some(account) = self.pinned.take() {
            events.push(Event {
                at: now,
                kind: EventKind::Unpinned { account },
            });
        }
    }

    /// From the next request on. Going (back) to `sequential` goes on with the account used last, whose caches are
    /// warm.
    pub fn set_strategy(&mut self, strategy: Strategy, now: Timestamp, events: &mut Vec<Event>) {
        let from = std::mem::replace(&mut self.policy.strategy, strategy);
        if from == strategy {
            return;
        }
        for state in &mut self.accounts {
            state.waive_thresholds(false);
        }
        self.chosen_by_person = None;
        events.push(Event {
            at: now,
            kind: EventKind::StrategyChanged { from, to: strategy },
        });
        self.release_brake(now, events);
        let last = self.last_used().and_then(|id| self.account(id));
        let usable =
            last.filter(|state| state.eligibility(&LimitFamily::General, now) == Eligibility::Eligible);
        if strategy == Strategy::Sequential
            && let Some(to) = usable.map(|state| state.account.id)
            && self.active() != Some(to)
        {
            self.make_active(to, Cause::StrategyChanged, now, events);
        }
    }

    pub fn set_on_recovery(&mut self, on_recovery: OnRecovery) {
        self.policy.on_recovery = on_recovery;
    }

    pub fn set_wait_for_recovery(&mut self, wait: std::time::Duration) {
        self.policy.set_wait_for_recovery(wait);
    }

    pub fn release_brake(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        if self.brake.release() {
            events.push(Event {
                at: now,
                kind: EventKind::BrakeReleased,
            });
        }
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

    /// Whether `label` can be given; `own`: to this account.
    pub fn check_label(&self, label: &str, own: Option<AccountId>) -> Result<(), CommandError> {
        if label.trim().is_empty() {
            return Err(CommandError::EmptyLabel);
        }
        let taken = |state: &AccountState| {
            Some(state.account.id) != own && state.account.label.eq_ignore_ascii_case(label)
        };
        if self.accounts.iter().any(taken) {
            return Err(CommandError::LabelTaken(label.to_owned()));
        }
        Ok(())
    }

    fn index(&self, id: AccountId) -> Result<usize, CommandError> {
        self.accounts
            .iter()
            .position(|state| state.account.id == id)
            .ok_or(CommandError::UnknownAccount)
    }

    fn state_mut(&mut self, id: AccountId) -> Option<&mut AccountState> {
        self.accounts.iter_mut().find(|state| state.account.id == id)
    }
}
