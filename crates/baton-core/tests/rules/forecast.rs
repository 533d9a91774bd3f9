//! The forecast says what the router then does.

use std::time::Duration;

use baton_core::{
    Account, AccountId, Because, Cause, Choice, Effect, Event, EventKind, ExhaustedReason, Forecast,
    LimitFamily, LimitKind, OnRecovery, Percent, Policy, Pool, Report, Request, Sample, Series, Source,
    Strategy, Switch, Timestamp, WindowLength, explain,
    explain::Words,
    forecast,
    forecast::{Asked, Depletion, History, Outlook},
    model::{Answer, Limit, Meter, Metered, Upstream},
};
use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use crate::{
    histories::{Happening, histories, strategy},
    pools::{A, B, HOUR, Story, account, percent},
};

const FIVE: WindowLength = WindowLength::FIVE_HOURS;

/// Somebody who asks for as much in every five minutes, on accounts of one plan.
struct Worker {
    pool: Pool,
    upstream: Upstream,
    history: History,
    now: Timestamp,
    events: Vec<Event>,
}

impl Worker {
    /// `per_hour`: percent of five hours that an hour of it uses; a week has eight times as much.
    fn new(strategy: Strategy, accounts: u32, per_hour: f64) -> Self {
        let mut policy = Policy::default();
        policy.strategy = strategy;
        let now = Timestamp::from_secs(1_800_000_000);
        let (mut pool, mut metered) = (Pool::new(policy), Vec::new());
        for number in 1..=accounts {
            let id = AccountId::new(number);
            let plan = Some("plus".into());
            pool.add(
                Account {
                    plan,
                    ..account(number)
                },
                now,
                &mut Vec::new(),
            )
            .unwrap();
            let meters = vec![
                Meter::new(FIVE, per_hour / 12.0),
                Meter::new(WindowLength::WEEK, per_hour / 96.0),
            ];
            metered.push(Metered {
                id,
                limits: vec![Limit::general(meters)],
            });
        }
        let mut upstream = Upstream::new(metered);
        upstream.tell(&mut pool, now, &mut Vec::new());
        Self {
            pool,
            upstream,
            history: History::default(),
            now,
            events: Vec::new(),
        }
    }

    /// One request, and what the answer says, kept.
    fn asks(&mut self) -> Option<AccountId> {
        let Self {
            pool,
            upstream,
            now,
            events,
            ..
        } = self;
        let answer = upstream.ask(pool, &Request::default(), 1.0, *now, events);
        let Answer::Served { by } = answer else {
            return None;
        };
        self.history.asked.push(Asked {
            at: self.now,
            account: by,
            weight: 1.0,
        });
        self.keeps(by);
        Some(by)
    }

    fn keeps(&mut self, account: AccountId) {
        for window in self
            .pool
            .account(account)
            .unwrap()
            .quota
            .windows(&LimitFamily::General)
        {
            let sample = Sample {
                at: self.now,
                used: window.used,
                resets_at: window.resets_at,
            };
            let own = |series: &&mut Series| series.account == account && series.length == window.length;
            match self.history.series.iter_mut().find(own) {
                Some(series) => series.samples.push(sample),
                None => self.history.series.push(Series {
                    account,
                    length: window.length,
                    samples: vec![sample],
                }),
            }
        }
    }

    fn works(&mut self, minutes: u64) {
        for _ in 0..minutes / 5 {
            self.asks();
            self.rests(5);
        }
    }

    fn rests(&mut self, minutes: u64) {
        self.now = self.now + Duration::from_secs(60 * minutes);
    }

    fn forecast(&self) -> Forecast {
        forecast(&self.pool, &self.history, self.now)
    }

    /// Goes on until nobody serves; the switches on the way.
    fn works_until_interrupted(
        &mut self,
        at_most: Duration,
    ) -> (Option<Timestamp>, Vec<(Timestamp, Switch)>) {
        self.events.clear();
        let start = self.now;
        let mut interrupted = None;
        while self.now.since(start) < at_most && interrupted.is_none() {
            if self.asks().is_none() {
                interrupted = Some(self.now);
            }
            self.rests(5);
        }
        let switches = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Switched(switch) => Some((event.at, *switch)),
            _ => None,
        });
        (interrupted, switches.collect())
    }
}

struct Plain;

impl Words for Plain {
    fn label(&self, account: AccountId) -> String {
        char::from_u32(64 + account.get()).unwrap().to_string()
    }

    fn time(&self, at: Timestamp) -> String {
        let minutes = (at.as_millis() / 60_000 - 1_800_000_000 / 60).rem_euclid(1440);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

fn said(forecast: &Forecast) -> String {
    explain::forecast(forecast, &Plain)
}

/// In minutes.
fn apart(a: Timestamp, b: Timestamp) -> u64 {
    a.since(b).max(b.since(a)).as_secs() / 60
}

#[test]
fn an_account_at_a_steady_pace_is_foretold_to_the_minute() {
    let mut worker = Worker::new(Strategy::Sequential, 1, 30.0);
    worker.works(120);
    let told = worker.forecast();
    let Depletion::At(when) = told.accounts[0].windows[0].depletes else {
        panic!("{told:?}");
    };
    let (interrupted, _) = worker.works_until_interrupted(Duration::from_secs(5 * HOUR));
    assert!(
        apart(when.likely.unwrap(), interrupted.unwrap()) <= 10,
        "{when:?} {interrupted:?}"
    );
    assert!(when.earliest < when.likely.unwrap() && when.likely < when.latest);
    let Outlook::Until(pool) = told.pool else {
        panic!("{told:?}")
    };
    assert!(
        apart(pool.likely.unwrap(), interrupted.unwrap()) <= 10,
        "{pool:?} {interrupted:?}"
    );
    assert!(
        (told.accounts[0].windows[0].pace.unwrap() - 30.0).abs() < 2.0,
        "{told:?}"
    );
    assert!(
        said(&told).starts_with("Uninterrupted until about 03:"),
        "{}",
        said(&told)
    );
}

#[test]
fn a_pace_that_the_window_outlasts_isnt_foretold_to_use_it_up() {
    let mut worker = Worker::new(Strategy::Sequential, 1, 8.0);
    worker.works(180);
    let told = worker.forecast();
    assert_eq!(told.accounts[0].windows[0].depletes, Depletion::Lasts);
    assert!(told.accounts[0].windows[0].recovers.is_some());
}

#[test]
fn who_rests_is_told_how_much_work_is_left() {
    let mut worker = Worker::new(Strategy::Sequential, 1, 30.0);
    worker.works(120);
    worker.rests(90);
    let told = worker.forecast();
    assert!(!told.in_use);
    assert_eq!(told.pool, Outlook::Resting);
    assert_eq!(told.accounts[0].windows[0].depletes, Depletion::Resting);
    assert!(
        told.work_left.is_some_and(|minutes| (65..=85).contains(&minutes)),
        "{told:?}"
    );
    assert!(
        said(&told).starts_with("Idle: at your usual pace about 1 h"),
        "{}",
        said(&told)
    );
}

#[test]
fn who_works_at_the_same_hours_every_day_is_told_when() {
    let mut worker = Worker::new(Strategy::Sequential, 1, 18.0);
    for _ in 0..4 {
        worker.works(8 * 60);
        worker.rests(16 * 60);
    }
    worker.now = Timestamp::from_millis(worker.now.as_millis() - 6 * 3_600_000);
    let told = worker.forecast();
    assert!(!told.in_use && told.basis.usual_hours);
    // A day uses 18 % of a week, and four days are gone: the fifth begins in 6 h, and the sixth has 4 h 27 min left of it.
    let Depletion::At(when) = told.accounts[0].windows[1].depletes else {
        panic!("{told:?}");
    };
    let hours = when.likely.unwrap().since(worker.now).as_secs_f64() / 3600.0;
    assert!((32.0..37.0).contains(&hours), "{hours}");
    let after_work = |at: Timestamp| at.since(worker.now).as_secs() / 60 % 1440 >= 14 * 60;
    assert!(!after_work(when.earliest), "{when:?}");
    assert!(
        said(&told).starts_with("Idle: if you work as usual, uninterrupted until about"),
        "{}",
        said(&told)
    );
}

#[test]
fn nothing_is_foretold_of_an_unknown_account() {
    let story = Story::sequential(2);
    let told = forecast(&story.pool, &History::default(), story.now);
    assert_eq!(
        told.pool,
        Outlook::Unknown {
            account: Some(A),
            from: story.now
        }
    );
    assert_eq!(said(&told), "Unknown: too little is known of A's use yet");
    assert_eq!(told.next, Some(A), "nobody is active yet");
    assert_eq!(told.basis.unknown, [A, B]);

    let none = forecast(&Pool::default(), &History::default(), story.now);
    assert_eq!(none.pool, Outlook::Interrupted { until: None });
}

#[test]
fn what_comes_after_an_unknown_account_is_unknown_but_not_what_comes_before() {
    let mut worker = Worker::new(Strategy::Sequential, 1, 30.0);
    worker.pool.add(account(2), worker.now, &mut Vec::new()).unwrap();
    worker.works(120);
    let told = worker.forecast();
    let Outlook::Unknown { account, from } = told.pool else {
        panic!("{told:?}")
    };
    assert_eq!(account, Some(B));
    assert!(from > worker.now + Duration::from_secs(1800), "{told:?}");
    assert_eq!(told.changes[0].to, Some(B));
    assert_eq!(told.basis.unknown, [B]);
    assert!(said(&told).ends_with("at least; then it is the turn of B, of whose use too little is known"));
}

#[test]
fn an_unused_account_lasts_as_long_as_another_of_its_plan() {
    let mut worker = Worker::new(Strategy::Sequential, 2, 30.0);
    worker.works(120);
    let told = worker.forecast();
    assert_eq!(told.basis.assumed, [B]);
    let switches: Vec<_> = told
        .changes
        .iter()
        .map(|change| (change.from, change.to, change.cause))
        .collect();
    assert_eq!(switches[0], (A, Some(B), Cause::LimitReached));
}

#[test]
fn nobody_who_can_serve_is_an_interruption_until_the_first_return() {
    let mut story = Story::draining(2);
    story.hits_limit(A, Some(3 * HOUR)).hits_limit(B, Some(HOUR));
    let told = forecast(&story.pool, &History::default(), story.now);
    assert_eq!(
        told.pool,
        Outlook::Interrupted {
            until: Some(story.at(HOUR))
        }
    );
    assert_eq!(said(&told), "No account can serve until 01:00");
    assert_eq!(told.next, None);

    // Whether a probe would be served, nobody knows.
    let mut story = Story::draining(1);
    story.hits_limit(A, None).after(600);
    let told = forecast(&story.pool, &History::default(), story.now);
    assert_eq!(told.pool, Outlook::Interrupted { until: None });
}

#[test]
fn a_pin_ends_with_its_account_and_a_threshold_switches_before_the_limit() {
    let mut worker = Worker::new(Strategy::Sequential, 2, 30.0);
    worker.works(120);
    let mut pinned = worker.pool.clone();
    pinned.pin(A, worker.now, &mut Vec::new()).unwrap();
    let told = forecast(&pinned, &worker.history, worker.now);
    assert!(matches!(told.pool, Outlook::Until(_)), "{told:?}");
    assert_eq!((told.next, told.changes[0].to), (None, None));

    worker.pool.set_threshold(A, None, percent(80.0), None).unwrap();
    let told = worker.forecast();
    assert_eq!(
        (told.changes[0].to, told.changes[0].cause),
        (Some(B), Cause::ThresholdReached)
    );
    assert!(apart(told.changes[0].at, worker.now) <= 50, "{told:?}");
}

/// Hours from `now`, percent used, and the reset in hours.
fn read(readings: &[(f64, f64, f64)], now: Timestamp) -> Vec<Sample> {
    let at = |hours: f64| Timestamp::from_millis(now.as_millis() + (hours * 3_600_000.0) as i64);
    let sample = |(hours, used, reset): &(f64, f64, f64)| Sample {
        at: at(*hours),
        used: percent(*used),
        resets_at: Some(at(*reset)),
    };
    readings.iter().map(sample).collect()
}

fn pace_of(readings: &[(f64, f64, f64)]) -> f64 {
    let mut story = Story::draining(1);
    let (_, used, reset) = readings[readings.len() - 1];
    let windows = [(FIVE, used, Some((reset * HOUR as f64) as u64))];
    let reading = story.reading(Source::Headers, LimitFamily::General, &windows);
    story.learns(A, &reading);
    let samples = read(readings, story.now);
    let history = History {
        series: vec![Series {
            account: A,
            length: FIVE,
            samples,
        }],
        asked: Vec::new(),
    };
    let told = forecast(&story.pool, &history, story.now);
    told.accounts[0].windows[0].pace.unwrap()
}

#[test]
fn resets_and_readings_that_lag_are_no_use() {
    let steady = pace_of(&[
        (-2.0, 20.0, 1.0),
        (-1.5, 30.0, 1.0),
        (-1.0, 40.0, 1.0),
        (-0.5, 50.0, 1.0),
        (0.0, 60.0, 1.0),
    ]);
    assert!((steady - 20.0).abs() < 2.0, "{steady}");
    // At its reset, before it, and lifted with its reset left as it was.
    let at = [
        (-2.0, 80.0, -1.0),
        (-1.5, 90.0, -1.0),
        (-1.0, 0.0, 4.0),
        (-0.5, 10.0, 4.0),
        (0.0, 20.0, 4.0),
    ];
    let early = [
        (-2.0, 30.0, 1.0),
        (-1.5, 40.0, 1.0),
        (-1.0, 0.0, 4.0),
        (-0.5, 10.0, 4.0),
        (0.0, 20.0, 4.0),
    ];
    let lifted = [
        (-2.0, 30.0, 1.0),
        (-1.5, 40.0, 1.0),
        (-1.0, 0.0, 1.0),
        (-0.5, 10.0, 1.0),
        (0.0, 20.0, 1.0),
    ];
    for readings in [at, early, lifted] {
        let pace = pace_of(&readings);
        assert!((13.0..=22.0).contains(&pace), "{pace} of {readings:?}");
    }
    let lagging = pace_of(&[
        (-2.0, 20.0, 1.0),
        (-1.0, 40.0, 1.0),
        (-0.9, 30.0, 1.0),
        (-0.5, 50.0, 1.0),
        (0.0, 60.0, 1.0),
    ]);
    assert!((steady - lagging).abs() < 3.0, "{steady} {lagging}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever happened: what it says is next is who comes when the current account is exhausted, or skipped.
    #[test]
    fn next_is_who_comes_next((mut world, happenings) in histories()) {
        for happening in &happenings {
            world.happens(happening);
            if !matches!(happening, Happening::Passes(_) | Happening::Asked(_)) {
                continue;
            }
            let told = forecast(&world.pool, &History::default(), world.now);
            if matches!(told.pool, Outlook::Interrupted { .. }) {
                prop_assert_eq!(told.next, None, "nobody can serve");
            }
            let mut pool = world.pool.clone();
            pool.settle(world.now, &mut Vec::new());
            let comes = |mut pool: Pool| {
                let then = pool.route(&Request::default(), world.now, &mut Vec::new());
                let account = match then.choice {
                    Choice::Use { because: Because::Probe, .. } => None,
                    choice => choice.account(),
                };
                (account, then)
            };
            let Some(current) = pool.current() else {
                let (account, then) = comes(pool);
                prop_assert_eq!(told.next, account, "{:?}", then);
                continue;
            };
            let mut skipped = pool.clone();
            let generation = pool.account(current).expect("it is there").generation();
            let effect = Effect::Exhausted {
                family: Some(LimitFamily::General),
                until: Some(world.now + Duration::from_secs(20 * 86_400)),
                reason: ExhaustedReason::Limit(LimitKind::UsageLimit),
            };
            pool.report(&Report { account: current, generation, effect }, world.now, &mut Vec::new());
            let (account, then) = comes(pool);
            prop_assert_eq!(told.next, account, "{:?}", then);
            skipped.skip(current, true, world.now, &mut Vec::new()).unwrap();
            let (account, then) = comes(skipped);
            prop_assert_eq!(told.next, account, "{:?}", then);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Driven on at the same pace, the pool is interrupted when that was foretold, and drain first switches as foretold.
    #[test]
    fn the_pool_then_does_what_was_foretold(
        strategy in strategy(),
        accounts in 1..4u32,
        per_hour in 15.0..60.0f64,
        minutes in 60..1200u64,
        threshold in prop::option::of(50..100u32),
        pinned in prop::bool::weighted(0.2),
        returns in any::<bool>(),
    ) {
        let mut worker = Worker::new(strategy, accounts, per_hour);
        if let Some(threshold) = threshold {
            worker.pool.set_threshold(A, None, Percent::clamped(threshold.into()).unwrap(), None).unwrap();
        }
        if returns {
            worker.pool.set_on_recovery(OnRecovery::Return);
        }
        worker.works(minutes);
        if pinned {
            worker.pool.pin(AccountId::new(accounts), worker.now, &mut Vec::new()).unwrap();
        }
        let told = worker.forecast();
        let horizon = Duration::from_secs(12 * HOUR);
        let before = worker.now;
        // Requests come every five minutes, and each account's last one may cross its limit; thresholds are seen in whole
        // percents.
        let near = |a: Timestamp, b: Timestamp| apart(a, b) <= 10 + 5 * u64::from(accounts) + apart(a, before) / 20;
        let (interrupted, switches) = worker.works_until_interrupted(horizon);
        // Where somebody comes back at just that moment, minutes decide what happens.
        let windows = told.accounts.iter().flat_map(|account| &account.windows);
        let recoveries: Vec<_> = windows.filter_map(|window| window.recovers).collect();
        let clear = |at: Timestamp| recoveries.iter().all(|recovers| !near(*recovers, at));
        match told.pool {
            Outlook::Interrupted { .. } => prop_assert_eq!(interrupted, Some(before)),
            Outlook::Until(when) => {
                let came = interrupted.unwrap_or(before + horizon);
                let early = interrupted.is_none() || when.earliest <= came || near(when.earliest, came) || !clear(came);
                let late = when.latest.is_none_or(|latest| latest >= came || near(latest, came) || !clear(latest));
                prop_assert!(early && late, "{:?} but {:?}", told, interrupted);
                if let Some(likely) = when.likely
                    && likely.since(before) < Duration::from_secs(5 * HOUR)
                    && clear(likely)
                {
                    prop_assert!(near(likely, came), "{:?} but {:?}", told, interrupted);
                }
            }
            Outlook::Beyond { .. } => prop_assert_eq!(interrupted, None),
            other => prop_assert!(false, "everything is known: {:?}", other),
        }
        if strategy == Strategy::Sequential && !pinned {
            let first = switches.first().zip(told.changes.first());
            if let Some(((at, switch), change)) = first.filter(|(_, change)| clear(change.at)) {
                prop_assert!(near(*at, change.at), "{:?} but {:?}", told.changes, switches);
                prop_assert_eq!((switch.from, Some(switch.to)), (Some(change.from), change.to));
                prop_assert_eq!(switch.cause, change.cause);
            }
        }
    }
}

proptest! {
    /// Whatever was recorded, in whatever order: it says something, and ranges are ranges.
    #[test]
    fn absurd_histories_are_forecast_too(
        strategy in strategy(),
        now_used in 0..101u32,
        samples in prop::collection::vec((any::<i64>(), -50_000..1_000i64, 0..101u32, prop::option::of(-9_000..90_000i64)), 0..40),
        asked in prop::collection::vec((-50_000..1_000i64, prop_oneof![Just(1.0), Just(0.0), Just(f64::NAN), any::<f64>()]), 0..20),
        absurd in any::<bool>(),
    ) {
        let mut story = Story::under(strategy, 2);
        story.has_used(A, f64::from(now_used)).has_used(B, 10.0);
        let now = story.now;
        let at = |secs: i64| Timestamp::from_millis(now.as_millis() + secs * 1000);
        let samples = samples.iter().map(|(odd, secs, used, reset)| Sample {
            at: if absurd && odd % 5 == 0 { Timestamp::from_millis(*odd) } else { at(*secs) },
            used: percent(f64::from(*used)),
            resets_at: reset.map(at),
        });
        let history = History {
            series: vec![Series { account: A, length: FIVE, samples: samples.collect() }],
            asked: asked.iter().map(|(secs, weight)| Asked { at: at(*secs), account: A, weight: *weight }).collect(),
        };
        let told = forecast(&story.pool, &history, now);
        let windows = told.accounts.iter().flat_map(|account| &account.windows);
        let mut ranges: Vec<_> = windows
            .filter_map(|window| match window.depletes {
                Depletion::At(when) => Some(when),
                _ => None,
            })
            .collect();
        if let Outlook::Until(when) = told.pool {
            ranges.push(when);
        }
        for when in ranges {
            prop_assert!(when.earliest >= now);
            prop_assert!(when.likely.is_none_or(|likely| likely >= when.earliest));
            prop_assert!(when.latest.is_none_or(|latest| Some(latest) >= when.likely));
        }
        prop_assert!(!said(&told).is_empty());
    }
}
