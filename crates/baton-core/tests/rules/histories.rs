//! Random histories: pools, and what may happen to them.

use std::time::Duration;

use baton_core::{
    AccountId, AccountState, CoolingReason, Decision, Effect, Event, ExhaustedReason, LimitFamily, LimitKind,
    LimitReading, OnRecovery, Percent, Policy, Pool, Reading, Refusal, Report, Request, Source, Strategy,
    Timestamp, Turn, Window, WindowLength,
};
use proptest::{prelude::*, strategy::Strategy as Arbitrarily};

use crate::pools::{SPARK, SPARK_MODEL, account, spark};

/// Something that happens to a pool. Accounts are meant by their position, modulo their number.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Passes(Duration),
    Asked(Asked),
    Reported(usize, Effect),
    ReportedLate(usize, Effect),
    Learned(usize, Source, bool, f64, Option<i64>),
    Compacted(u64, usize),
    Switched(usize),
    Pinned(usize),
    Unpinned,
    Skipped(usize, bool),
    Removed(usize),
    Added(u32),
    Moved(usize, usize),
    Renewed(usize),
    Threshold(usize, f64, bool),
    Credits(usize, bool),
    Uses(Strategy),
    OnRecovery(OnRecovery),
    ReleasedBrake,
}

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) thread: Option<u64>,
    pub(crate) turn: Turn,
    spark: bool,
    tried: Vec<usize>,
}

fn asked() -> impl Arbitrarily<Value = Asked> {
    let turn = prop_oneof![
        4 => (0..3u64).prop_map(Turn::Id),
        1 => Just(Turn::Continues),
        2 => Just(Turn::New),
        1 => Just(Turn::Prewarm),
    ];
    let tried = prop::collection::vec(0..5usize, 0..2);
    (prop::option::of(0..4u64), turn, prop::bool::weighted(0.2), tried).prop_map(
        |(thread, turn, spark, tried)| Asked {
            thread,
            turn,
            spark,
            tried,
        },
    )
}

fn effect() -> impl Arbitrarily<Value = Effect> {
    let family = prop_oneof![Just(None), Just(Some(LimitFamily::General)), Just(Some(spark()))];
    let until = prop::option::of(0..100_000i64);
    prop_oneof![
        3 => Just(Effect::Success),
        3 => (family, until).prop_map(|(family, until)| Effect::Exhausted {
            family,
            until: until.map(at),
            reason: ExhaustedReason::Limit(LimitKind::UsageLimit),
        }),
        2 => (0..200u64, any::<bool>(), 0..1000i64).prop_map(|(secs, throttled, failed)| Effect::CoolingDown {
            lasting: Duration::from_secs(secs),
            reason: if throttled { CoolingReason::Throttled } else { CoolingReason::ServerTrouble },
            first_failure: at(failed),
        }),
        1 => Just(Effect::NeedsAttention { reason: Refusal::GrantRefused }),
        1 => Just(Effect::LacksModel { model: SPARK_MODEL.into() }),
    ]
}

pub(crate) fn strategy() -> impl Arbitrarily<Value = Strategy> {
    prop::sample::select(&Strategy::ALL[..])
}

pub(crate) fn used() -> impl Arbitrarily<Value = f64> {
    prop_oneof![
        Just(94.9),
        Just(95.0),
        Just(99.6),
        Just(100.0),
        (0..1000u32).prop_map(|tenths| f64::from(tenths) / 10.0)
    ]
}

fn happening() -> impl Arbitrarily<Value = Happening> {
    use Happening::*;
    let who = 0..5usize;
    let source = prop::sample::select(&[Source::Headers, Source::Frame, Source::UsageRoute][..]);
    prop_oneof![
        6 => (0..20_000u64).prop_map(|secs| Passes(Duration::from_secs(secs))),
        3 => (0..30u64).prop_map(|secs| Passes(Duration::from_secs(secs))),
        20 => asked().prop_map(Asked),
        8 => (who.clone(), effect()).prop_map(|(who, effect)| Reported(who, effect)),
        2 => (who.clone(), effect()).prop_map(|(who, effect)| ReportedLate(who, effect)),
        5 => (who.clone(), source, prop::bool::weighted(0.3), used(), prop::option::of(0..100_000i64))
            .prop_map(|(who, source, named, used, reset)| Learned(who, source, named, used, reset)),
        1 => (0..4u64, who.clone()).prop_map(|(thread, who)| Compacted(thread, who)),
        2 => who.clone().prop_map(Switched),
        1 => who.clone().prop_map(Pinned),
        2 => Just(Unpinned),
        1 => (who.clone(), prop::bool::weighted(0.3)).prop_map(|(who, skipped)| Skipped(who, skipped)),
        1 => who.clone().prop_map(Removed),
        1 => (1..8u32).prop_map(Added),
        1 => (who.clone(), who.clone()).prop_map(|(who, to)| Moved(who, to)),
        2 => who.clone().prop_map(Renewed),
        1 => (who.clone(), used(), any::<bool>()).prop_map(|(who, at, reserve)| Threshold(who, at, reserve)),
        1 => (who, any::<bool>()).prop_map(|(who, spent)| Credits(who, spent)),
        1 => strategy().prop_map(Uses),
        1 => prop::sample::select(&[baton_core::OnRecovery::Stay, baton_core::OnRecovery::Return][..]).prop_map(OnRecovery),
        2 => Just(ReleasedBrake),
    ]
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) pool: Pool,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<Event>,
}

impl World {
    pub(crate) fn new(strategy: Strategy, accounts: u32) -> Self {
        let mut policy = Policy::default();
        policy.strategy = strategy;
        let mut world = Self {
            pool: Pool::new(policy),
            now: at(0),
            events: Vec::new(),
        };
        for number in 1..=accounts {
            world.happens(&Happening::Added(number));
        }
        world
    }

    pub(crate) fn who(&self, position: usize) -> Option<AccountId> {
        let accounts = self.pool.accounts();
        let index = position.checked_rem(accounts.len())?;
        Some(accounts[index].account.id)
    }

    /// Calls `with` on the request that `asked` means here.
    pub(crate) fn request<T>(&self, asked: &Asked, with: impl FnOnce(&Request<'_>) -> T) -> T {
        let tried: Vec<_> = asked
            .tried
            .iter()
            .filter_map(|position| self.who(*position))
            .collect();
        with(&Request {
            session: asked.thread,
            thread: asked.thread,
            turn: asked.turn,
            model: asked.spark.then_some(SPARK_MODEL),
            tried: &tried,
        })
    }

    /// The decision, where it was a request.
    pub(crate) fn happens(&mut self, happening: &Happening) -> Option<Decision> {
        if let Happening::Passes(time) = happening {
            self.now = self.now + *time;
        }
        if let Happening::Asked(asked) = happening {
            let (mut pool, mut events, now) = (self.pool.clone(), Vec::new(), self.now);
            let decision = self.request(asked, |request| pool.route(request, now, &mut events));
            self.pool = pool;
            self.events.append(&mut events);
            return Some(decision);
        }
        let now = self.now;
        let target = match happening {
            Happening::Reported(who, _)
            | Happening::ReportedLate(who, _)
            | Happening::Learned(who, ..)
            | Happening::Compacted(_, who)
            | Happening::Switched(who)
            | Happening::Pinned(who)
            | Happening::Skipped(who, _)
            | Happening::Removed(who)
            | Happening::Moved(who, _)
            | Happening::Renewed(who)
            | Happening::Threshold(who, ..)
            | Happening::Credits(who, _) => self.who(*who)?,
            _ => AccountId::new(0),
        };
        let generation = self.pool.account(target).map_or(0, AccountState::generation);
        let (pool, events) = (&mut self.pool, &mut self.events);
        // A refused command is one of the things that happen.
        let _refused = match happening {
            Happening::Passes(_) | Happening::Asked(_) => Ok(()),
            Happening::Reported(_, effect) => {
                let effect = effect.clone();
                let report = Report {
                    account: target,
                    generation,
                    effect,
                };
                pool.report(&report, now, events);
                Ok(())
            }
            Happening::ReportedLate(_, effect) => {
                let effect = effect.clone();
                let report = Report {
                    account: target,
                    generation: generation.wrapping_sub(1),
                    effect,
                };
                let before = pool.clone();
                pool.report(&report, now, events);
                assert_eq!(*pool, before, "a late report changes nothing");
                Ok(())
            }
            Happening::Learned(_, source, named, used, reset) => {
                let reading = reading(now, *source, *named, *used, reset.map(at));
                pool.learn(target, generation, &reading, now, events);
                Ok(())
            }
            Happening::Compacted(thread, _) => {
                pool.compacted(*thread, target);
                Ok(())
            }
            Happening::Switched(_) => pool.switch_now(target, now, events),
            Happening::Pinned(_) => pool.pin(target, now, events),
            Happening::Unpinned => {
                pool.unpin(now, events);
                Ok(())
            }
            Happening::Skipped(_, skipped) => pool.skip(target, *skipped, now, events),
            Happening::Removed(_) => pool.remove(target, now, events),
            Happening::Added(number) => pool.add(account(*number), now, events),
            Happening::Moved(_, to) => pool.move_to(target, *to),
            Happening::Renewed(_) => pool.renewed(target, now, events),
            Happening::Threshold(_, at, reserve) => {
                let at = Percent::clamped(*at).unwrap_or(Percent::FULL);
                pool.set_threshold(target, None, at, Some(*reserve))
            }
            Happening::Credits(_, spent) => pool.set_use_credits(target, *spent),
            Happening::Uses(strategy) => {
                pool.set_strategy(*strategy, now, events);
                Ok(())
            }
            Happening::OnRecovery(on_recovery) => {
                pool.set_on_recovery(*on_recovery);
                Ok(())
            }
            Happening::ReleasedBrake => {
                pool.release_brake(now, events);
                Ok(())
            }
        };
        None
    }
}

fn reading(now: Timestamp, source: Source, named: bool, used: f64, resets_at: Option<Timestamp>) -> Reading {
    let family = if named { spark() } else { LimitFamily::General };
    Reading {
        observed_at: now,
        source,
        plan: None,
        limits: vec![LimitReading {
            family,
            name: named.then(|| SPARK.into()),
            windows: vec![Window {
                length: WindowLength::FIVE_HOURS,
                used: Percent::clamped(used).unwrap_or(Percent::ZERO),
                resets_at,
                observed_at: now,
                source,
            }],
            reached: None,
        }],
        credits: Some(baton_core::Credits {
            has_credits: true,
            unlimited: false,
            balance: None,
        }),
    }
}

pub(crate) fn histories() -> impl Arbitrarily<Value = (World, Vec<Happening>)> {
    let world = (strategy(), 1..5u32).prop_map(|(strategy, accounts)| World::new(strategy, accounts));
    (world, prop::collection::vec(happening(), 1..60))
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pool.policy().strategy.fmt(f)
    }
}
