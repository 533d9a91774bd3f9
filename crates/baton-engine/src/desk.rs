//! The pool as shared by everybody: one lock, one stream of events, one counter of changes.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use baton_core::{
    AccountId, AccountState, Decision, Event, Pool, Reading, Report, Request, Timestamp, trial::Pick,
};
use tokio::sync::{broadcast, watch};

use crate::{
    blocked::Blocked,
    clock::Clock,
    codex::Standing,
    control::protocol::{BlockedTime, Preferences, ReadingLine},
    store::{EventRecord, Writer},
    usage::Demand,
};

/// Events kept for a slow reader; one that falls further behind reads the snapshot anew.
const EVENTS_KEPT: usize = 1024;
/// When a request last came through is shown in minutes.
const A_WHILE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Desk {
    clock: Arc<dyn Clock>,
    pool: Mutex<Pool>,
    last: Mutex<Option<Decision>>,
    events: broadcast::Sender<Event>,
    changes: watch::Sender<u64>,
    /// Keeps what happens here.
    ledger: OnceLock<Arc<Writer>>,
    blocked: Blocked,
    demand: Demand,
    chosen: Mutex<Chosen>,
    /// As in `chosen`: asked at every request.
    bypassed: AtomicBool,
    codex: Mutex<Codex>,
}

/// Codex's folders.
#[derive(Clone, Debug, Default)]
struct Codex {
    standing: Standing,
    /// Since when any of them is lost.
    lost_at: Option<Timestamp>,
}

/// What a person chose that isn't the pool's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Requests pass with Codex's own sign-in.
    pub bypassed: bool,
    pub preferences: Preferences,
}

impl Desk {
    pub fn new(pool: Pool, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            pool: Mutex::new(pool),
            last: Mutex::new(None),
            events: broadcast::channel(EVENTS_KEPT).0,
            changes: watch::channel(0).0,
            ledger: OnceLock::new(),
            blocked: Blocked::default(),
            demand: Demand::default(),
            chosen: Mutex::default(),
            bypassed: AtomicBool::new(false),
            codex: Mutex::default(),
        }
    }

    /// From now on what happens is written there; the first one told counts.
    pub(crate) fn keep_in(&self, ledger: Arc<Writer>) {
        let _ = self.ledger.set(ledger);
    }

    pub(crate) fn ledger(&self) -> Option<&Writer> {
        self.ledger.get().map(Arc::as_ref)
    }

    /// Whether requests pass with Codex's own sign-in, as if Baton weren't there.
    pub fn bypassed(&self) -> bool {
        self.bypassed.load(Ordering::Relaxed)
    }

    pub(crate) fn chosen(&self) -> Chosen {
        *self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn choose(&self, change: impl FnOnce(&mut Chosen)) {
        {
            let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut chosen);
            self.bypassed.store(chosen.bypassed, Ordering::Relaxed);
        }
        self.changed();
    }

    pub(crate) fn standing(&self) -> Standing {
        let codex = self.codex.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Standing {
            left_at: codex.standing.left_at.max(codex.lost_at),
            ..codex.standing
        }
    }

    /// As was found out just now.
    pub(crate) fn stands(&self, standing: Standing) {
        {
            let mut codex = self.codex.lock().unwrap_or_else(PoisonError::into_inner);
            if codex.standing == standing {
                return;
            }
            codex.lost_at = match standing.lost.is_empty() {
                true => None,
                false => codex.lost_at.or_else(|| Some(self.now())),
            };
            codex.standing = standing;
        }
        self.changed();
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Goes up with every change that a person could see: quota, state, order, choice.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Something that screens show has changed outside the pool.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Who would have anything of a new reading.
    pub(crate) fn demand(&self) -> &Demand {
        &self.demand
    }

    /// The latest decision on a real request.
    pub fn last_decision(&self) -> Option<Decision> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn read<R>(&self, read: impl FnOnce(&Pool, Timestamp) -> R) -> R {
        read(&self.lock(), self.now())
    }

    /// Changes the pool; what happened is told once the lock is released.
    pub fn change<R>(&self, change: impl FnOnce(&mut Pool, Timestamp, &mut Vec<Event>) -> R) -> R {
        let mut events = Vec::new();
        let (result, over) = {
            let mut pool = self.lock();
            // The time once the lock is held: else a time of before could follow one of after.
            let now = self.now();
            let result = change(&mut pool, now, &mut events);
            (result, self.blocked.look(&pool, now))
        };
        self.tell(events, None);
        self.blocked_for(over);
        self.changed();
        result
    }

    /// `number`: the request's in the ledger, which has what its choice brings with it.
    pub(crate) fn route(&self, request: &Request<'_>, number: Option<u64>) -> Decision {
        let mut events = Vec::new();
        let (decision, now, blocked) = {
            let mut pool = self.lock();
            let now = self.now();
            let decision = pool.route(request, now, &mut events);
            let blocked = self
                .blocked
                .met(request, &decision.choice, number, now)
                .or_else(|| self.blocked.look(&pool, now));
            (decision, now, blocked)
        };
        self.demand.request(&decision.choice, now);
        let told = !events.is_empty();
        self.tell(events, Some((number, &decision)));
        self.blocked_for(blocked);
        let before = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(decision.clone());
        // The hot path: who waits for changes is woken only for what a screen would show.
        if told || before.is_none_or(|before| before.choice.account() != decision.choice.account()) {
            self.changed();
        }
        decision
    }

    /// An account as it stands, for a request that wasn't chosen for.
    pub(crate) fn pick(&self, account: AccountId) -> Option<Pick> {
        self.read(|pool, _| {
            Some(Pick {
                account,
                generation: pool.account(account)?.generation(),
            })
        })
    }

    /// Wakes who waits for changes only if a state has changed: most answers report that all is well, as before.
    pub(crate) fn report(&self, reports: &[Report]) {
        if reports.is_empty() {
            return;
        }
        let mut events = Vec::new();
        let (changed, over) = {
            let mut pool = self.lock();
            let now = self.now();
            let generation =
                |pool: &Pool, report: &Report| pool.account(report.account).map(AccountState::generation);
            let mut changed = false;
            for report in reports {
                let before = generation(&pool, report);
                pool.report(report, now, &mut events);
                changed |= generation(&pool, report) != before;
            }
            (changed, self.blocked.look(&pool, now))
        };
        let told = !events.is_empty();
        self.tell(events, None);
        self.blocked_for(over);
        if changed || told {
            self.changed();
        }
    }

    /// Reports that `pick` serves. What that changes of its state (it has cooled down) doesn't make the rest of the same
    /// answer late.
    pub(crate) fn report_success(&self, pick: &mut Pick, reports: &[Report]) {
        let current = |pick: &Pick| self.pick(pick.account).map(|pick| pick.generation);
        let in_time = current(pick) == Some(pick.generation);
        self.report(reports);
        if let Some(generation) = current(pick).filter(|_| in_time) {
            pick.generation = generation;
        }
    }

    /// `pick` goes on with the generation under which the same answer's outcome is to be reported.
    pub(crate) fn learn(&self, pick: &mut Pick, reading: &Reading) {
        let (generation, lines) = self.change(|pool, now, events| {
            let generation = pool.learn(pick.account, pick.generation, reading, now, events);
            (generation, learned(pool, pick.account, reading))
        });
        pick.generation = generation;
        if let Some(ledger) = self.ledger() {
            ledger.readings(lines);
        }
    }

    /// The ledger was deleted.
    pub(crate) fn forget_blocked(&self) {
        self.blocked.forget();
    }

    /// Baton ends.
    pub(crate) fn close(&self) {
        self.blocked_for(self.blocked.close(self.now()));
    }

    fn blocked_for(&self, time: Option<BlockedTime>) {
        if let (Some(time), Some(ledger)) = (time, self.ledger()) {
            ledger.blocked(time);
        }
    }

    /// A request passes that nothing is chosen for. Screens are told where it is the first for a while.
    pub(crate) fn passes(&self) {
        let (now, before) = {
            let mut pool = self.lock();
            let (now, before) = (self.now(), pool.last_request());
            pool.passes(now);
            (now, before)
        };
        if before.is_none_or(|before| now.since(before) >= A_WHILE) {
            self.changed();
        }
    }

    /// A Codex of this version comes through: noted where that is news.
    pub(crate) fn comes_through(&self, codex_version: &str) {
        let mut pool = self.lock();
        if pool.codex_version() != Some(codex_version) {
            pool.comes_through(codex_version);
            drop(pool);
            self.changed();
        }
    }

    pub(crate) fn compacted(&self, thread: u64, account: AccountId) {
        self.lock().compacted(thread, account);
    }

    pub(crate) fn broke_off(&self, thread: u64, account: AccountId) {
        self.lock().broke_off(thread, account);
    }

    /// `brought`: the request, if it has a number, and the choice that these came with.
    fn tell(&self, events: Vec<Event>, brought: Option<(Option<u64>, &Decision)>) {
        for event in events {
            if let Some(ledger) = self.ledger() {
                ledger.event(EventRecord {
                    event: event.clone(),
                    request: brought.and_then(|(number, _)| number),
                    decision: brought.map(|(_, decision)| decision.clone()),
                });
            }
            tracing::info!(target: "baton::event", at = event.at.as_millis(), kind = ?event.kind);
            // Nobody listening is no error.
            let _ = self.events.send(event);
        }
    }

    // A panic while routing leaves the pool as it was before or after one whole step: going on beats ending all
    // streams.
    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a reading counts: not what was overtaken.
fn learned(pool: &Pool, account: AccountId, reading: &Reading) -> Vec<ReadingLine> {
    let Some(state) = pool.account(account) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for limit in &reading.limits {
        for window in &limit.windows {
            if state.quota.window(&limit.family, window.length) == Some(window) {
                lines.push(ReadingLine {
                    at: window.observed_at,
                    account,
                    family: limit.family.clone(),
                    window: window.length,
                    used: window.used,
                    resets_at: window.resets_at,
                    source: window.source,
                });
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use baton_core::{
        Account, Effect, Eligibility, Identity, LimitFamily, LimitKind, Policy, eligibility::ExhaustedReason,
    };

    use super::*;

    #[derive(Debug)]
    struct At(Mutex<i64>);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(*self.0.lock().unwrap())
        }
    }

    fn desk() -> (Arc<At>, Desk, AccountId) {
        let id = AccountId::new(1);
        let identity = Identity {
            user: "u".into(),
            account: "a".into(),
        };
        let clock = Arc::new(At(Mutex::new(0)));
        let desk = Desk::new(Pool::new(Policy::default()), Arc::clone(&clock) as Arc<dyn Clock>);
        desk.change(|pool, now, events| pool.add(Account::new(id, identity, "A"), now, events))
            .unwrap();
        (clock, desk, id)
    }

    fn exhausted(pick: Pick) -> Report {
        Report {
            account: pick.account,
            generation: pick.generation,
            effect: Effect::Exhausted {
                family: None,
                until: None,
                reason: ExhaustedReason::Limit(LimitKind::UsageLimit),
            },
        }
    }

    fn success(pick: Pick) -> Report {
        Report {
            effect: Effect::Success,
            ..exhausted(pick)
        }
    }

    /// A probe's answer begins, which lifts the limit, and runs into it again after all.
    #[test]
    fn a_limit_after_the_first_output_counts_also_where_that_output_has_changed_the_state() {
        let (clock, desk, id) = desk();
        desk.report(&[exhausted(desk.pick(id).unwrap())]);
        *clock.0.lock().unwrap() += i64::try_from(Duration::from_secs(301).as_millis()).unwrap();
        assert_eq!(desk.route(&Request::default(), None).choice.account(), Some(id));
        let mut pick = desk.pick(id).unwrap();
        let reports = [success(pick)];
        desk.report_success(&mut pick, &reports);
        let state =
            || desk.read(|pool, now| pool.account(id).unwrap().eligibility(&LimitFamily::General, now));
        assert_eq!(state(), Eligibility::Eligible);
        desk.report(&[exhausted(pick)]);
        assert!(matches!(state(), Eligibility::Exhausted { .. }), "{:?}", state());
    }

    #[test]
    fn who_waits_for_changes_sleeps_while_all_is_well() {
        let (_, desk, id) = desk();
        desk.route(&Request::default(), None);
        let mut changes = desk.changes();
        changes.mark_unchanged();
        desk.route(&Request::default(), None);
        let pick = desk.pick(id).unwrap();
        desk.report(&[success(pick)]);
        assert!(!changes.has_changed().unwrap());
        desk.report(&[exhausted(pick)]);
        assert!(changes.has_changed().unwrap());
    }
}
