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

struct Candidate {
    line: Line,
    /// `None`: not usable for this request.
    tier: Option<Tier>,
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
        let family = request
            .model
            .map_or(LimitFamily::General, |model| pool.family_of(model));
        let candidates = pool
            .accounts()
            .iter()
            .map(|account| {
                let state = account.eligibility(&family, now);
                let lacks = request.model.is_some_and(|model| account.lacks_model(model, now));
                let (tier, why) = if lacks {
                    (None, PassedOver::LacksModel)
                } else if state.usable() && request.tried.contains(&account.account.id) {
                    (None, PassedOver::Tried)
                } else {
                    (state.tier(), PassedOver::NotUsable)
                };
                let standing = Standing::PassedOver(why);
                Candidate {
                    line: Line {
                        account: account.account.id,
                        state,
                        standing,
                    },
                    tier,
                }
            })
            .collect();
        Self {
            pool,
            request,
            now,
            family,
            candidates,
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
        if let Some(pinned) = self.pool.pinned() {
            return (self.pinned(pinned), None);
        }
        let running = self
            .pool
            .threads()
            .running_turn(self.request)
            .and_then(|id| self.position(id));
        if let Some(index) = running {
            // Thresholds take effect between turns, even hard ones; credits only where nothing else is left.
            if self.stays(index) {
                return (
                    self.pick(index, Because::TurnStays, PassedOver::TurnElsewhere),
                    None,
                );
            }
            if let Some(wait) = self.brief_wait(index) {
                return (wait, None);
            }
        }
        if self.pool.brake().engaged() {
            return (self.braked(), None);
        }
        match self.pool.policy().strategy {
            Strategy::Sequential => sequential::choose(self, running.is_none()),
            strategy => (ranked::choose(self, strategy), None),
        }
    }

    fn stays(&self, index: usize) -> bool {
        let candidate = &self.candidates[index];
        let tried_or_lacking = !matches!(
            candidate.line.standing,
            Standing::PassedOver(PassedOver::NotUsable)
        ) && candidate.tier.is_none();
        let usable = matches!(
            candidate.line.state,
            Eligibility::Eligible | Eligibility::HeldBack { .. }
        );
        usable && !tried_or_lacking && !self.request.tried.contains(&candidate.line.account)
    }

    fn pinned(&mut self, account: AccountId) -> Choice {
        let Some(index) = self.position(account) else {
            return Choice::Refuse {
                reason: RefuseReason::NoAccounts,
            };
        };
        let state = self.candidates[index].line.state;
        let held_back = matches!(state, Eligibility::HeldBack { .. });
        if self.stays(index) || self.candidates[index].tier.is_some() {
            return self.pick(index, Because::Pinned, PassedOver::OtherPinned);
        }
        if state.usable() || held_back {
            return Choice::Refuse {
                reason: RefuseReason::AllTried,
            };
        }
        self.mark_others(index, PassedOver::OtherPinned);
        if self.state(index).probe_due(&self.family, self.now) {
            return self.pick(index, Because::Probe, PassedOver::OtherPinned);
        }
        match state.until() {
            Some(until) if until.since(self.now) <= self.pool.policy().wait_for_recovery() => {
                Choice::Wait { until, account }
            }
            _ => Choice::Refuse {
                reason: RefuseReason::PinnedUnusable { account, state },
            },
        }
    }

    /// Running turns were served above; of the rest, only what needs no failover is.
    fn braked(&mut self) -> Choice {
        let settled = match self.pool.policy().strategy {
            Strategy::Sequential => self.pool.active(),
            Strategy::Affinity => self.pool.threads().session(self.request),
            _ => None,
        };
        let index = settled
            .and_then(|id| self.position(id))
            .filter(|index| self.candidates[*index].tier.is_some());
        match index {
            Some(index) => self.pick(index, Because::Active, PassedOver::Braked),
            None => {
                for candidate in &mut self.candidates {
                    if candidate.tier.is_some() {
                        candidate.line.standing = Standing::PassedOver(PassedOver::Braked);
                    }
                }
                Choice::Refuse {
                    reason: RefuseReason::Braked,
                }
            }
        }
    }

    /// Nobody is usable for this request: a probe, a wait, or a refusal.
    fn nobody(&mut self) -> Choice {
        let tried =
            |candidate: &Candidate| candidate.line.standing == Standing::PassedOver(PassedOver::Tried);
        if self.candidates.iter().any(tried) {
            return Choice::Refuse {
                reason: RefuseReason::AllTried,
            };
        }
        let untried = |index: &usize| !self.request.tried.contains(&self.candidates[*index].line.account);
        let probe = (0..self.candidates.len())
            .filter(untried)
            .find(|index| self.state(*index).probe_due(&self.family, self.now));
        if let Some(index) = probe {
            return self.pick(index, Because::Probe, PassedOver::NotUsable);
        }
        let lacks = Standing::PassedOver(PassedOver::LacksModel);
        let able = || {
            self.candidates
                .iter()
                .enumerate()
                .filter(|(_, candidate)| candidate.line.standing != lacks)
        };
        if able().next().is_none() {
            return Choice::Refuse {
                reason: RefuseReason::AllTried,
            };
        }
        let soonest = able()
            .filter_map(|(index, candidate)| {
                let until = candidate.line.state.until();
                let until = until.or_else(|| self.state(index).probe_at(&self.family))?;
                Some((until, candidate.line.account))
            })
            .min();
        let earliest = able()
            .filter_map(|(_, candidate)| candidate.line.state.until())
            .min();
        match soonest {
            Some((until, account)) if until.since(self.now) <= self.pool.policy().wait_for_recovery() => {
                Choice::Wait { until, account }
            }
            _ => Choice::Refuse {
                reason: RefuseReason::NobodyUsable { earliest },
            },
        }
    }

    /// A cooling down so short that it is waited out.
    fn brief_wait(&self, index: usize) -> Option<Choice> {
        let candidate = &self.candidates[index];
        let lacks = candidate.line.standing == Standing::PassedOver(PassedOver::LacksModel);
        match candidate.line.state {
            Eligibility::CoolingDown { until, .. } if !lacks && until.since(self.now) <= BRIEF => {
                Some(Choice::Wait {
                    until,
                    account: candidate.line.account,
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
