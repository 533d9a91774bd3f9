//! What the person may tell the pool. Each command changes everything it means to, or nothing.

use std::{fmt, path::PathBuf};

use super::{Active, Pool};
use crate::{
    Account, AccountId, AccountState, Cause, Eligibility, Event, EventKind, LimitFamily, OnRecovery, Percent,
    Strategy, Timestamp, WindowLength, eligibility::Tier,
};

#[derive(Clone, Debug, PartialEq)]
pub enum CommandError {
    UnknownAccount,
    LabelTaken(String),
    EmptyLabel,
    UnprintableLabel,
    AlreadyThere(AccountId),
    NotUsable { account: AccountId, state: Eligibility },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAccount => f.write_str("there is no such account"),
            Self::LabelTaken(label) => write!(f, "another account is called `{label}` already"),
            Self::EmptyLabel => f.write_str("a label can't be empty"),
            Self::UnprintableLabel => f.write_str("a label can't have control characters"),
            Self::AlreadyThere(_) => f.write_str("this account is in the pool already"),
            Self::NotUsable { .. } => f.write_str("this account can't serve now"),
        }
    }
}

impl std::error::Error for CommandError {}

impl Pool {
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
        let accounts = &self.accounts;
        self.brake
            .keep(|id| accounts.iter().any(|state| state.account.id == id));
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

    /// From now on read from this auth.json; `None`: it has a grant of its own.
    pub fn set_linked(&mut self, id: AccountId, to: Option<PathBuf>) -> Result<(), CommandError> {
        let index = self.index(id)?;
        self.accounts[index].account.linked = to;
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

    /// Whether `label` can be given; `own`: to this account.
    pub fn check_label(&self, label: &str, own: Option<AccountId>) -> Result<(), CommandError> {
        if label.trim().is_empty() {
            return Err(CommandError::EmptyLabel);
        }
        // They would reach terminals and pictures.
        if label.chars().any(char::is_control) {
            return Err(CommandError::UnprintableLabel);
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
}
