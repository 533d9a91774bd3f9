//! The upstream, simulated: accounts whose windows fill, start their timer at first use and reset. Replay and forecast
//! drive a real [`Pool`] against it ([`Upstream::ask`]), so that the pool knows what it would know in reality.
//!
//! Facts (PROTOCOL §3): a request that begins below 100 % is served whole, and may cross; at 100 % it is refused until
//! the last of the full windows resets. At a reset the window is unused, and its timer stands until the next use. Uses
//! are shown in whole percents. Not modelled: resets before their time, credits, passing troubles.

use std::time::Duration;

use crate::{
    AccountId, AccountState, Choice, Effect, Event, LimitFamily, LimitKind, LimitReading, Outcome, Percent,
    Pool, Reading, RefuseReason, Report, Request, SendState, Source, Timestamp, Trial, Window, WindowLength,
    trial::Pick,
};

/// Sums of many small costs don't come to 100 exactly.
const HAIR: f64 = 1e-9;

/// One window of an account, as the upstream keeps it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Meter {
    pub length: WindowLength,
    /// Percent of it that one unit of demand uses.
    pub per_unit: f64,
    used: f64,
    resets_at: Option<Timestamp>,
    served: f64,
    expired: f64,
    crossed: f64,
    ended: u32,
}

/// What became of a window's quota, in percent of it: granted + crossed = served + expired + left.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// 100 for each time that the window began, the present one included.
    pub granted: f64,
    /// Served beyond 100 %, by the requests that crossed it.
    pub crossed: f64,
    pub served: f64,
    /// Unused when its window was reset.
    pub expired: f64,
    pub left: f64,
}

impl Meter {
    /// Unused, its timer not started.
    pub fn new(length: WindowLength, per_unit: f64) -> Self {
        Self {
            length,
            per_unit: per_unit.max(0.0),
            used: 0.0,
            resets_at: None,
            served: 0.0,
            expired: 0.0,
            crossed: 0.0,
            ended: 0,
        }
    }

    /// `percent` of it are used already. Where nobody said when it resets, it is as if it had been begun just now.
    pub fn begun(mut self, percent: f64, resets_at: Option<Timestamp>, now: Timestamp) -> Self {
        if percent > 0.0 || resets_at.is_some() {
            self.used = percent.max(0.0);
            self.served = self.used;
            self.resets_at = resets_at.or(Some(self.end(now)));
        }
        self
    }

    /// Percent used; over 100 where a request has crossed it.
    pub fn used(&self) -> f64 {
        self.used
    }

    pub fn resets_at(&self) -> Option<Timestamp> {
        self.resets_at
    }

    pub fn is_full(&self) -> bool {
        self.used + HAIR >= 100.0
    }

    pub fn tally(&self) -> Tally {
        Tally {
            granted: 100.0 * (f64::from(self.ended) + 1.0),
            crossed: self.crossed + self.over(),
            served: self.served,
            expired: self.expired,
            left: self.left(),
        }
    }

    fn left(&self) -> f64 {
        if self.is_full() { 0.0 } else { 100.0 - self.used }
    }

    fn over(&self) -> f64 {
        (self.used - 100.0).max(0.0)
    }

    /// The end of a window that begins now: whole seconds, as on the wire.
    fn end(&self, now: Timestamp) -> Timestamp {
        let lasting = Duration::from_secs(60 * u64::from(self.length.minutes()));
        Timestamp::from_secs((now + lasting).as_secs_ceil())
    }

    // ## running => unused, its timer stands
    fn settle(&mut self, now: Timestamp) {
        if self.resets_at.is_some_and(|reset| reset <= now) {
            self.expired += self.left();
            self.crossed += self.over();
            self.ended += 1;
            self.used = 0.0;
            self.resets_at = None;
        }
    }

    fn charge(&mut self, units: f64, now: Timestamp) {
        if self.resets_at.is_none() {
            self.resets_at = Some(self.end(now));
        }
        self.used += units * self.per_unit;
        self.served += units * self.per_unit;
    }

    fn shown(&self, now: Timestamp) -> Window {
        let used = if self.is_full() {
            100.0
        } else {
            (self.used + HAIR).floor()
        };
        Window {
            length: self.length,
            used: Percent::clamped(used).unwrap_or(Percent::ZERO),
            resets_at: self.resets_at,
            observed_at: now,
            source: Source::Frame,
        }
    }
}

/// The windows of one limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub family: LimitFamily,
    /// By which a pool finds the models that it meters.
    pub name: Option<Box<str>>,
    pub meters: Vec<Meter>,
}

impl Limit {
    pub fn general(meters: Vec<Meter>) -> Self {
        Self {
            family: LimitFamily::General,
            name: None,
            meters,
        }
    }

    fn full_until(&self) -> Option<Timestamp> {
        let full = self.meters.iter().filter(|meter| meter.is_full());
        full.filter_map(Meter::resets_at).max()
    }
}

/// One account. Without limits it serves everything: of an account whose use isn't known nothing can be said.
#[derive(Clone, Debug, PartialEq)]
pub struct Metered {
    pub id: AccountId,
    pub limits: Vec<Limit>,
}

/// What the upstream does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    Whole,
    LimitReached { resets_at: Timestamp },
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Served {
        by: AccountId,
    },
    /// Codex is kept waiting, or refused; `until` is the first known return.
    Blocked {
        until: Option<Timestamp>,
    },
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upstream {
    accounts: Vec<Metered>,
}

impl Upstream {
    pub fn new(accounts: Vec<Metered>) -> Self {
        Self { accounts }
    }

    /// As the pool knows its accounts' windows now. `per_unit`: percent of a window that one unit of demand uses;
    /// without it the window is left out.
    pub fn known(
        pool: &Pool,
        now: Timestamp,
        mut per_unit: impl FnMut(AccountId, &LimitFamily, WindowLength) -> Option<f64>,
    ) -> Self {
        let mut accounts = Vec::new();
        for state in pool.accounts() {
            let id = state.account.id;
            let mut limits = Vec::new();
            for limit in &state.quota.limits {
                let mut meters = Vec::new();
                for window in &limit.windows {
                    if let Some(per_unit) = per_unit(id, &limit.family, window.length) {
                        let used = window.used_at(now).used();
                        let meter = Meter::new(window.length, per_unit);
                        meters.push(meter.begun(used, window.next_reset(now), now));
                    }
                }
                limits.push(Limit {
                    family: limit.family.clone(),
                    name: limit.name.clone(),
                    meters,
                });
            }
            accounts.push(Metered { id, limits });
        }
        Self { accounts }
    }

    pub fn accounts(&self) -> &[Metered] {
        &self.accounts
    }

    /// Lets time pass: what has reached its reset is unused.
    pub fn settle(&mut self, now: Timestamp) {
        let limits = self.accounts.iter_mut().flat_map(|account| &mut account.limits);
        for meter in limits.flat_map(|limit| &mut limit.meters) {
            meter.settle(now);
        }
    }

    /// A request of this many units, which `family` meters where the account has such a limit.
    pub fn serve(&mut self, id: AccountId, family: &LimitFamily, units: f64, now: Timestamp) -> Served {
        let Some(account) = self.accounts.iter_mut().find(|account| account.id == id) else {
            return Served::Whole;
        };
        let metering = |family: &LimitFamily| account.limits.iter().position(|limit| limit.family == *family);
        let Some(index) = metering(family).or_else(|| metering(&LimitFamily::General)) else {
            return Served::Whole;
        };
        let limit = &mut account.limits[index];
        for meter in &mut limit.meters {
            meter.settle(now);
        }
        if let Some(resets_at) = limit.full_until() {
            return Served::LimitReached { resets_at };
        }
        for meter in &mut limit.meters {
            meter.charge(units, now);
        }
        Served::Whole
    }

    /// What the account's answer says of its quota.
    pub fn reading(&mut self, id: AccountId, now: Timestamp) -> Option<Reading> {
        let account = self.accounts.iter_mut().find(|account| account.id == id)?;
        let mut limits = Vec::with_capacity(account.limits.len());
        for limit in &mut account.limits {
            let mut windows = Vec::with_capacity(limit.meters.len());
            for meter in &mut limit.meters {
                meter.settle(now);
                windows.push(meter.shown(now));
            }
            limits.push(LimitReading {
                family: limit.family.clone(),
                name: limit.name.clone(),
                windows,
                reached: None,
            });
        }
        Some(Reading {
            observed_at: now,
            source: Source::Frame,
            plan: None,
            limits,
            credits: None,
        })
    }

    /// Tells the pool how every account stands, as reading their usage does.
    pub fn tell(&mut self, pool: &mut Pool, now: Timestamp, events: &mut Vec<Event>) {
        let ids: Vec<_> = self.accounts.iter().map(|account| account.id).collect();
        for id in ids {
            let generation = pool.account(id).map_or(0, AccountState::generation);
            self.learned(
                pool,
                Pick {
                    account: id,
                    generation,
                },
                now,
                events,
            );
        }
    }

    /// One request's way, as the proxy goes it: the pool chooses, the upstream serves or refuses, the pool learns, and
    /// chooses again while an account has reached a limit that it didn't know of.
    pub fn ask(
        &mut self,
        pool: &mut Pool,
        request: &Request<'_>,
        units: f64,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Answer {
        let family = pool.metering(request);
        let mut trial: Option<Trial> = None;
        for _ in 0..=self.accounts.len() {
            let pick = match pool.route(request, now, events).choice {
                Choice::Use {
                    account, generation, ..
                } => Pick { account, generation },
                Choice::Wait { until, .. } => return Answer::Blocked { until: Some(until) },
                Choice::Refuse {
                    reason: RefuseReason::NobodyUsable { earliest },
                } => return Answer::Blocked { until: earliest },
                Choice::Refuse {
                    reason: RefuseReason::PinnedUnusable { state, .. },
                } => return Answer::Blocked { until: state.until() },
                Choice::Refuse { .. } => return Answer::Blocked { until: None },
            };
            let served = self.serve(pick.account, &family, units, now);
            let pick = self.learned(pool, pick, now, events);
            let Served::LimitReached { resets_at } = served else {
                let report = Report {
                    account: pick.account,
                    generation: pick.generation,
                    effect: Effect::Success,
                };
                pool.report(&report, now, events);
                return Answer::Served { by: pick.account };
            };
            let refused = Outcome::UsageLimit {
                family: Some(family.clone()),
                resets_at: Some(resets_at),
                kind: LimitKind::UsageLimit,
            };
            let trial = trial.get_or_insert_with(|| Trial::new(request.model));
            if let Some(report) = trial.judge(pick, &refused, SendState::Sent, true, now).report {
                pool.report(&report, now, events);
            }
        }
        Answer::Blocked { until: None }
    }

    fn learned(&mut self, pool: &mut Pool, pick: Pick, now: Timestamp, events: &mut Vec<Event>) -> Pick {
        let Some(reading) = self.reading(pick.account, now) else {
            return pick;
        };
        Pick {
            generation: pool.learn(pick.account, pick.generation, &reading, now, events),
            ..pick
        }
    }
}
