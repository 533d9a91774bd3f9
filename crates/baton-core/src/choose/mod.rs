//! The choice of an account for a request. Pure: the same pool, request and time give the same decision; nothing
//! changes until the pool commits it.

mod ranked;
mod sequential;

use std::time::Duration;

use crate::{
    AccountId, AccountState, Because, Choice, Decision, Eligibility, LimitFamily, Line, PassedOver, Pool,
    RefuseReason, Request, Standing, Strategy, Switch, Timestamp, eligibility::Tier,
};

/// Waits this short are waited out rather than failed over.
const BRIEF: Duration = Duration::from_secs(5);
/// A trouble that ends within this time of its first failure is passing: the active account stays what it is.
const PASSING: Duration = Duration::from_secs(60);

const ALL_TRIED: Choice = Choice::Refuse {
    reason: RefuseReason::AllTried,
};

pub fn choose(pool: &Pool, request: &Request<'_>, now: Timestamp) -> Decision {
    let mut field = Field::new(pool, request, now);
    let (choice, switch) = field.choose();
    let lines = field
        .candidates
        .into_iter()
        .map(|candidate| candidate.line)
        .collect();
    Decision {
        at: now,
        strategy: pool.policy().strategy,
        choice,
        switch,
        lines,
    }
}

#[derive(Clone, Copy)]
struct Candidate {
    line: Line,
    /// Why this request can't go there, whatever the account's state.
    barred: Option<PassedOver>,
    /// `None`: not usable for this request.
    tier: Option<Tier>,
}

impl Candidate {
    /// Could serve if thresholds didn't count.
    fn able(&self) -> bool {
        matches!(
            self.line.state,
            Eligibility::Eligible | Eligibility::HeldBack { .. }
        )
    }

    /// Its state is well; it is this request that it has failed.
    fn failed_here(&self) -> bool {
        self.barred == Some(PassedOver::Tried) && (self.able() || self.line.state.usable())
    }
}

/// The accounts as they stand for one request.
struct Field<'a> {
    pool: &'a Pool,
    request: &'a Request<'a>,
    now: Timestamp,
    family: LimitFamily,
    candidates: Vec<Candidate>,
}

type Outcome = (Choice, Option<Switch>);

impl<'a> Field<'a> {
    fn new(pool: &'a Pool, request: &'a Request<'a>, now: Timestamp) -> Self {
        let family = pool.metering(request);
        let lacks =
            |account: &AccountState| request.model.is_some_and(|model| account.lacks_model(model, now));
        // Where every plan lacks the model, the upstream's own answer says so best.
        let somebody_has_it = !pool.accounts().iter().all(lacks);
        let candidates = pool
            .accounts()
            .iter()
            .map(|account| {
                let id = account.account.id;
                let state = account.eligibility(&family, now);
                let barred = if somebody_has_it && lacks(account) {
                    Some(PassedOver::LacksModel)
                } else if request.tried.contains(&id) {
                    Some(PassedOver::Tried)
                } else {
                    None
                };
                let tier = if barred.is_none() { state.tier() } else { None };
                let standing = Standing::PassedOver(barred.unwrap_or(PassedOver::NotUsable));
                Candidate {
                    line: Line {
                        account: id,
                        state,
                        standing,
                    },
                    barred,
                    tier,
                }
            })
            .collect();
        let mut field = Self {
            pool,
            request,
            now,
            family,
            candidates,
        };
        field.pass_over_who_breaks_off();
        field
    }

    /// A temporary failover, if somebody else can serve; nobody's state changes.
    fn pass_over_who_breaks_off(&mut self) {
        let breaks_off = self.pool.threads().breaks_off(self.request);
        let Some(index) = breaks_off.and_then(|id| self.position(id)) else {
            return;
        };
        let others = self.candidates.iter().enumerate();
        let somebody_else = others
            .filter(|(other, _)| *other != index)
            .any(|(_, other)| other.tier == Some(Tier::Included));
        if somebody_else && !self.pool.brake().engaged() && self.pool.pinned().is_none() {
            let candidate = &mut self.candidates[index];
            candidate.barred = Some(PassedOver::BreaksOff);
            candidate.tier = None;
            candidate.line.standing = Standing::PassedOver(PassedOver::BreaksOff);
        }
    }

    fn choose(&mut self) -> Outcome {
        if self.candidates.is_empty() {
            return (
                Choice::Refuse {
                    reason: RefuseReason::NoAccounts,
                },
                None,
            );
        }
        if let Some(pinned) = self.pool.pinned().and_then(|id| self.position(id)) {
            return (self.pinned(pinned), None);
        }
        let running = self
            .pool
            .threads()
            .running_turn(self.request)
            .and_then(|id| self.position(id));
        if let Some(index) = running {
            if self.turn_stays(index) {
                return (
                    self.pick(index, Because::TurnStays, PassedOver::TurnElsewhere),
                    None,
                );
            }
            if let Some(wait) = self.brief_wait(index, PassedOver::TurnElsewhere) {
                return (wait, None);
            }
        }
        if self.pool.brake().engaged() {
            return (self.braked(running), None);
        }
        match self.pool.policy().strategy {
            Strategy::Sequential => sequential::choose(self, running.is_none()),
            strategy => (ranked::choose(self, strategy), None),
        }
    }

    /// Thresholds take effect between turns, even hard ones; credits only where nothing else is left.
    fn turn_stays(&self, index: usize) -> bool {
        let candidate = &self.candidates[index];
        let best_there_is = candidate.tier.is_some() && candidate.tier == self.best_tier();
        candidate.barred.is_none() && (candidate.able() || best_there_is)
    }

    /// Only this one, whatever strategy, thresholds and plan say.
    fn pinned(&mut self, index: usize) -> Choice {
        self.mark_others(index, PassedOver::OtherPinned);
        let candidate = self.candidates[index];
        let Line { account, state, .. } = candidate.line;
        if candidate.failed_here() {
            return ALL_TRIED;
        }
        if candidate.able() || state.usable() {
            return self.pick(index, Because::Pinned, PassedOver::OtherPinned);
        }
        self.return_of(index, PassedOver::OtherPinned)
            .unwrap_or(Choice::Refuse {
                reason: RefuseReason::PinnedUnusable { account, state },
            })
    }

    /// Running turns were served above where they could be; of the rest, only what needs no failover is, if it has to
    /// wait for that.
    fn braked(&mut self, running: Option<usize>) -> Choice {
        let (settled, because) = match self.pool.policy().strategy {
            Strategy::Sequential => (self.pool.active(), Because::Active),
            Strategy::Affinity => (self.pool.threads().session(self.request), Because::SessionStays),
            _ => (None, Because::Active),
        };
        let settled = settled.and_then(|id| self.position(id));
        if let Some(index) = settled.filter(|index| self.candidates[*index].tier.is_some()) {
            return self.pick(index, because, PassedOver::Braked);
        }
        for candidate in self.candidates.iter_mut().filter(|known| known.tier.is_some()) {
            candidate.line.standing = Standing::PassedOver(PassedOver::Braked);
        }
        let own = running.or(settled);
        if own.is_some_and(|index| self.candidates[index].failed_here()) {
            return ALL_TRIED;
        }
        own.and_then(|index| self.return_of(index, PassedOver::Braked))
            .unwrap_or(Choice::Refuse {
                reason: RefuseReason::Braked,
            })
    }

    /// For a request that only this account may serve: a probe, or a wait.
    fn return_of(&mut self, index: usize, others: PassedOver) -> Option<Choice> {
        if self.probe_due(index) {
            return Some(self.pick(index, Because::Probe, others));
        }
        let until = self.worth_waiting_until(index)?;
        let account = self.candidates[index].line.account;
        self.soon(until).then_some(Choice::Wait { until, account })
    }

    /// Nobody is usable for this request: a probe, a wait, or a refusal.
    fn nobody(&mut self) -> Choice {
        let count = self.candidates.len();
        if let Some(index) = (0..count).find(|index| self.probe_due(*index)) {
            return self.pick(index, Because::Probe, PassedOver::NotUsable);
        }
        let failed_here = self.candidates.iter().any(Candidate::failed_here);
        let soonest = (0..count)
            .filter_map(|index| {
                let until = self.worth_waiting_until(index)?;
                Some((until, self.candidates[index].line.account))
            })
            .min_by_key(|(until, _)| *until);
        match soonest {
            // Who has only failed this request may serve again in a moment: others are waited for no longer than a
            // passing trouble lasts.
            Some((until, account))
                if self.soon(until) && (!failed_here || until.since(self.now) <= PASSING) =>
            {
                Choice::Wait { until, account }
            }
            _ if failed_here => ALL_TRIED,
            _ => self.refuse_for_long(),
        }
    }

    fn refuse_for_long(&self) -> Choice {
        let have_the_model = self
            .candidates
            .iter()
            .filter(|known| known.barred != Some(PassedOver::LacksModel));
        let earliest = have_the_model.filter_map(|known| known.line.state.until()).min();
        // Refused for good just now, and nothing better is known: the upstream's own words say why.
        let refused_here = |known: &Candidate| {
            known.barred == Some(PassedOver::Tried)
                && matches!(known.line.state, Eligibility::NeedsAttention { .. })
        };
        if earliest.is_none() && self.candidates.iter().any(refused_here) {
            return ALL_TRIED;
        }
        Choice::Refuse {
            reason: RefuseReason::NobodyUsable { earliest },
        }
    }

    fn probe_due(&self, index: usize) -> bool {
        self.candidates[index].barred.is_none() && self.state(index).probe_due(&self.family, self.now)
    }

    /// When the account is back, or may be probed: what a waiting request waits for.
    fn worth_waiting_until(&self, index: usize) -> Option<Timestamp> {
        let Candidate { line, barred, .. } = &self.candidates[index];
        match line.state {
            _ if barred.is_some() => None,
            Eligibility::Exhausted { until: None, .. } => self.state(index).probe_at(&self.family),
            state => state.until(),
        }
    }

    /// Soon enough for Codex to be kept waiting.
    fn soon(&self, until: Timestamp) -> bool {
        until.since(self.now) <= self.pool.policy().wait_for_recovery().max(BRIEF)
    }

    /// A cooling down so short that it is waited out.
    fn brief_wait(&mut self, index: usize, others: PassedOver) -> Option<Choice> {
        let Candidate { line, barred, .. } = self.candidates[index];
        match line.state {
            Eligibility::CoolingDown { until, .. } if barred.is_none() && until.since(self.now) <= BRIEF => {
                self.mark_others(index, others);
                Some(Choice::Wait {
                    until,
                    account: line.account,
                })
            }
            _ => None,
        }
    }

    fn pick(&mut self, index: usize, because: Because, others: PassedOver) -> Choice {
        self.mark_others(index, others);
        let line = &mut self.candidates[index].line;
        line.standing = Standing::Chosen(because);
        Choice::Use {
            account: line.account,
            generation: self.pool.accounts()[index].generation(),
            because,
        }
    }

    /// What is usable but not picked gets its reason here; what isn't usable has one already.
    fn mark_others(&mut self, picked: usize, why: PassedOver) {
        let tier = self.candidates[picked].tier;
        for (index, candidate) in self.candidates.iter_mut().enumerate() {
            if index == picked || candidate.tier.is_none() {
                continue;
            }
            let later = why != PassedOver::OtherPinned && tier.is_some() && candidate.tier > tier;
            candidate.line.standing = Standing::PassedOver(if later { PassedOver::LaterTier } else { why });
        }
    }

    fn best_tier(&self) -> Option<Tier> {
        self.candidates
            .iter()
            .filter_map(|candidate| candidate.tier)
            .min()
    }

    fn position(&self, account: AccountId) -> Option<usize> {
        self.candidates
            .iter()
            .position(|candidate| candidate.line.account == account)
    }

    fn state(&self, index: usize) -> &'a AccountState {
        &self.pool.accounts()[index]
    }
}
