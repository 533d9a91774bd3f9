//! One request's failures so far, and whom to blame for them in the end.

use crate::{
    AccountId, Effect, Outcome, Report, SendState, Step, Timestamp, Verdict,
    judge::{Blame, Circumstances, judge},
};

/// Attempts for one request, all accounts together; then what the last one said stands, or the client asks again.
const MOST_ATTEMPTS: u8 = 16;

/// An account as chosen for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    pub account: AccountId,
    pub generation: u64,
}

#[derive(Debug)]
struct Failure {
    pick: Pick,
    at: Timestamp,
    outcome: Outcome,
    pending: Option<(Blame, Effect)>,
}

/// What the proxy does next with the request, and what it reports on the account at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruling {
    pub step: Step,
    pub report: Option<Report>,
    /// The upstream's own words are the client's answer should nobody do better.
    pub stands: bool,
}

#[derive(Debug, Default)]
pub struct Trial {
    model: Option<Box<str>>,
    failures: Vec<Failure>,
    /// Accounts left for another one although their state doesn't say why.
    tried: Vec<AccountId>,
    refreshed: Vec<AccountId>,
    stripped: bool,
    retries: u8,
    attempts: u8,
}

impl Trial {
    pub fn new(model: Option<&str>) -> Self {
        Self {
            model: model.map(Into::into),
            ..Self::default()
        }
    }

    /// Accounts that have failed for this request.
    pub fn tried(&self) -> &[AccountId] {
        &self.tried
    }

    /// Whether anything has failed yet.
    pub fn failed_before(&self) -> bool {
        !self.failures.is_empty()
    }

    pub fn judge(
        &mut self,
        pick: Pick,
        outcome: &Outcome,
        sent: SendState,
        replayable: bool,
        now: Timestamp,
    ) -> Ruling {
        self.attempts = self.attempts.saturating_add(1);
        let alike =
            |failure: &Failure| failure.pick.account != pick.account && same_kind(&failure.outcome, outcome);
        let before = self.failures.iter().find(|failure| failure.pick == pick);
        let circumstances = Circumstances {
            sent,
            replayable,
            retries: self.retries,
            refreshed: self.refreshed.contains(&pick.account),
            stripped: self.stripped,
            alike_elsewhere: self.failures.iter().any(alike),
            model: self.model.as_deref(),
            first_failure: before.map_or(now, |failure| failure.at),
        };
        let Verdict { mut step, effect } = judge(outcome, &circumstances);
        if circumstances.alike_elsewhere && step == Step::PassOn {
            // It is the request: nobody is blamed.
            self.failures
                .retain(|failure| !same_kind(&failure.outcome, outcome));
            return Ruling {
                step,
                report: None,
                stands: true,
            };
        }
        let stands = self.stands(outcome);
        if self.attempts >= MOST_ATTEMPTS && step != Step::Resend {
            step = if stands { Step::PassOn } else { Step::Resend };
        }
        match step {
            Step::Retry { .. } => self.retries += 1,
            Step::Refresh => self.refreshed.push(pick.account),
            Step::Strip => self.stripped = true,
            Step::FailOver => self.retries = 0,
            Step::PassOn | Step::Resend => {}
        }
        let (report, pending) = match effect {
            Some((Blame::Now, effect)) => (Some(report(pick, effect)), None),
            pending => {
                if step == Step::FailOver && !self.tried.contains(&pick.account) {
                    self.tried.push(pick.account);
                }
                (None, pending)
            }
        };
        self.failures.push(Failure {
            pick,
            at: now,
            outcome: outcome.clone(),
            pending,
        });
        Ruling { step, report, stands }
    }

    /// Of a limit, a throttle and a refused token Baton speaks itself, for all accounts. What refuses one account for
    /// good doesn't outweigh a trouble that may have passed when the client asks again.
    fn stands(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::UsageLimit { .. }
            | Outcome::Throttled { .. }
            | Outcome::Unauthorized { .. }
            | Outcome::LinkRefused => false,
            Outcome::AccountRefused(_) | Outcome::ModelUnavailable => {
                !self.failures.iter().any(|failure| failure.outcome.is_trouble())
            }
            _ => true,
        }
    }

    /// `pick` serves it: that it works is reported, and so are the others' failures. To be called at the first output,
    /// not at the last: the others' troubles are dated by it.
    pub fn succeeded(&mut self, pick: Pick) -> Vec<Report> {
        let others = self
            .failures
            .drain(..)
            .filter(|failure| failure.pick.account != pick.account);
        let blamed = others.filter_map(|failure| Some(report(failure.pick, failure.pending?.1)));
        let mut reports: Vec<Report> = blamed.collect();
        reports.push(report(pick, Effect::Success));
        reports
    }

    /// Nobody is left to serve it. A refusal of the account that no other contradicted stands: told once.
    pub fn given_up(&mut self) -> Vec<Report> {
        let uncontradicted = |failure: &mut Failure| {
            let stands = |(blame, _): &mut (Blame, Effect)| *blame == Blame::UnlessAnotherAgrees;
            let (_, effect) = failure.pending.take_if(stands)?;
            Some(report(failure.pick, effect))
        };
        self.failures.iter_mut().filter_map(uncontradicted).collect()
    }
}

fn report(pick: Pick, effect: Effect) -> Report {
    Report {
        account: pick.account,
        generation: pick.generation,
        effect,
    }
}

/// The same verdict, whatever its details.
fn same_kind(a: &Outcome, b: &Outcome) -> bool {
    match (a, b) {
        (Outcome::AccountRefused(a), Outcome::AccountRefused(b)) => a == b,
        (a, b) if a.is_trouble() && b.is_trouble() => true,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}
