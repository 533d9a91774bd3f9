//! The routing rules, run forward: a copy of the pool is asked for the demand to come, step by step, against a simulated
//! upstream. Whatever strategy, pins, thresholds and states do, they do here.

use super::{
    Change, MOST_CHANGES, Outlook, View, When, after,
    demand::{Path, Sums},
};
use crate::{
    AccountId, Because, Cause, Choice, Decision, Eligibility, LimitFamily, Pool, RefuseReason, Request,
    Strategy, Timestamp, choose,
    model::{Answer, Upstream},
};

/// A step whose demand is a smaller part of an hour's work is nobody's work: it is asked for together with the next ones.
const WORTH_ASKING: f64 = 0.05;
/// How often a step is divided where accounts end within it.
const MOST_PARTS: usize = 8;

/// What the pool's forecast says.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) pool: Outlook,
    pub(super) work_left: Option<u64>,
    pub(super) next: Option<AccountId>,
    pub(super) changes: Vec<Change>,
}

pub(super) fn forward(view: &View<'_>) -> Course {
    let now = view.grid.now;
    let mut pool = view.pool.clone();
    pool.settle(now, &mut Vec::new());
    let serving = serves(&pool, now);
    let mut course = Course {
        pool: Outlook::Resting,
        work_left: None,
        next: pool.next(now),
        changes: Vec::new(),
    };
    if let Serves::Nobody { until } = serving {
        course.pool = Outlook::Interrupted { until };
        return course;
    }
    let known = pool.accounts().iter().filter_map(|state| view.metered(state));
    let upstream = Upstream::new(known.collect());
    let run = |path: &Path, which: fn(&Sums) -> f64| Run::new(&pool, &upstream, view).through(path, which);
    let Some(demand) = view.demand else {
        course.pool = Outlook::Unknown {
            account: serving.account(),
            from: now,
        };
        return course;
    };
    if let (End::Nobody(at), _) = run(&Path::constant(demand.working_pace), |sums| sums.likely) {
        course.work_left = Some(at.since(now).as_secs() / 60);
    }
    let Some(path) = view.path else {
        return course;
    };
    let (likely, changes) = run(path, |sums| sums.likely);
    let (much, _) = run(path, |sums| sums.much);
    course.changes = changes;
    course.pool = match (likely, much) {
        (End::Unknown(account, from), much) => Outlook::Unknown {
            account: Some(account),
            from: from.min(much.at()),
        },
        (End::Beyond(_), End::Unknown(account, from)) => Outlook::Unknown {
            account: Some(account),
            from,
        },
        (End::Beyond(horizon), End::Beyond(_)) => Outlook::Beyond { horizon },
        (End::Beyond(_), End::Nobody(earliest)) => Outlook::Until(When {
            earliest,
            likely: None,
            latest: None,
        }),
        (End::Nobody(at), much) => {
            let latest = match run(path, |sums| sums.little).0 {
                End::Nobody(latest) => Some(latest.max(at)),
                End::Beyond(_) | End::Unknown(..) => None,
            };
            Outlook::Until(When {
                earliest: much.at().min(at),
                likely: Some(at),
                latest,
            })
        }
    };
    course
}

/// Who would serve a new turn.
#[derive(Clone, Copy, Debug)]
enum Serves {
    Account(AccountId),
    /// Of these nobody knows how long they last.
    OnCredits(AccountId),
    /// Codex is kept waiting.
    Waits,
    Nobody {
        until: Option<Timestamp>,
    },
}

impl Serves {
    fn account(self) -> Option<AccountId> {
        match self {
            Self::Account(account) | Self::OnCredits(account) => Some(account),
            Self::Waits | Self::Nobody { .. } => None,
        }
    }
}

fn serves(pool: &Pool, now: Timestamp) -> Serves {
    of_decision(&choose(pool, &Request::default(), now))
}

fn of_decision(decision: &Decision) -> Serves {
    match decision.choice {
        // Whether a probe is served, nobody knows.
        Choice::Use {
            because: Because::Probe,
            ..
        } => Serves::Nobody { until: None },
        Choice::Use { account, .. } => {
            let own = decision.lines.iter().find(|line| line.account == account);
            match own.map(|line| line.state) {
                Some(Eligibility::Exhausted { .. }) => Serves::OnCredits(account),
                _ => Serves::Account(account),
            }
        }
        Choice::Wait { .. } => Serves::Waits,
        Choice::Refuse { reason } => Serves::Nobody {
            until: match reason {
                RefuseReason::NobodyUsable { earliest } => earliest,
                RefuseReason::PinnedUnusable { state, .. } => state.until(),
                RefuseReason::NoAccounts | RefuseReason::Braked | RefuseReason::AllTried => None,
            },
        },
    }
}

/// How a run ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Nobody(Timestamp),
    Beyond(Timestamp),
    /// It is the turn of an account of which too little is known.
    Unknown(AccountId, Timestamp),
}

impl End {
    fn at(self) -> Timestamp {
        match self {
            Self::Nobody(at) | Self::Beyond(at) | Self::Unknown(_, at) => at,
        }
    }
}

struct Run {
    pool: Pool,
    upstream: Upstream,
    start: Timestamp,
    /// Of an hour, in units: less isn't asked for by itself.
    least: f64,
    served_by: Option<AccountId>,
    changes: Vec<Change>,
}

impl Run {
    fn new(pool: &Pool, upstream: &Upstream, view: &View<'_>) -> Self {
        Self {
            pool: pool.clone(),
            upstream: upstream.clone(),
            start: view.grid.now,
            least: view
                .demand
                .map_or(0.0, |demand| demand.working_pace * WORTH_ASKING),
            // Another may take over with the very next turn.
            served_by: pool
                .active()
                .filter(|_| pool.policy().strategy == Strategy::Sequential),
            changes: Vec::new(),
        }
    }

    fn through(mut self, path: &Path, which: fn(&Sums) -> f64) -> (End, Vec<Change>) {
        let (mut from, mut asked) = (0.0, 0.0);
        for (to, sums) in &path.steps {
            let units = which(sums) - asked;
            if units >= self.least * (to - from) {
                if let Err(end) = self.step(from, *to, units) {
                    return (end, self.changes);
                }
                asked = which(sums);
            }
            from = *to;
        }
        (End::Beyond(after(self.start, Path::HOURS)), self.changes)
    }

    /// Asks for so much in this time, in parts where accounts end within it.
    fn step(&mut self, from: f64, to: f64, units: f64) -> Result<(), End> {
        let mut left = units;
        for part in 1..=MOST_PARTS {
            let now = after(self.start, from + (to - from) * (1.0 - left / units));
            let mut events = Vec::new();
            let decision = self.pool_decides(now);
            let account = match of_decision(&decision) {
                Serves::Account(account) => account,
                Serves::OnCredits(account) => return Err(End::Unknown(account, now)),
                Serves::Waits => return Ok(()),
                Serves::Nobody { .. } => {
                    self.ended(None, None, now);
                    return Err(End::Nobody(now));
                }
            };
            self.ended(Some(account), decision.switch.map(|switch| switch.cause), now);
            let Some(lasts) = self.lasts(account, now) else {
                return Err(End::Unknown(account, now));
            };
            let now_asked = if part < MOST_PARTS {
                left.min(lasts.max(units * 1e-3))
            } else {
                left
            };
            let answer = self
                .upstream
                .ask(&mut self.pool, &Request::default(), now_asked, now, &mut events);
            if let Answer::Blocked { .. } = answer {
                self.ended(None, None, now);
                return Err(End::Nobody(now));
            }
            left -= now_asked;
            if left <= units * 1e-9 {
                break;
            }
        }
        Ok(())
    }

    fn pool_decides(&mut self, now: Timestamp) -> Decision {
        self.pool.settle(now, &mut Vec::new());
        choose(&self.pool, &Request::default(), now)
    }

    /// Units until one of its windows is full.
    fn lasts(&mut self, account: AccountId, now: Timestamp) -> Option<f64> {
        self.upstream.settle(now);
        let metered = self
            .upstream
            .accounts()
            .iter()
            .find(|metered| metered.id == account)?;
        let meters = metered.limits.iter().flat_map(|limit| &limit.meters);
        let lasts = meters.map(|meter| (100.0 - meter.used()) / meter.per_unit.max(1e-12));
        lasts.min_by(f64::total_cmp)
    }

    /// Remembers that another account serves from now on, where that is the end of the one before.
    fn ended(&mut self, to: Option<AccountId>, switched: Option<Cause>, now: Timestamp) {
        let before = std::mem::replace(&mut self.served_by, to);
        let Some(from) = before.filter(|from| to != Some(*from)) else {
            return;
        };
        let state = self
            .pool
            .account(from)
            .map(|state| state.eligibility(&LimitFamily::General, now));
        let cause = switched.or(match state {
            Some(Eligibility::Exhausted { .. }) => Some(Cause::LimitReached),
            Some(Eligibility::HeldBack { .. }) => Some(Cause::ThresholdReached),
            // It goes on: its turn comes again.
            _ => None,
        });
        if let Some(cause) = cause.filter(|_| self.changes.len() < MOST_CHANGES) {
            self.changes.push(Change {
                at: now,
                from,
                to,
                cause,
            });
        }
    }
}
