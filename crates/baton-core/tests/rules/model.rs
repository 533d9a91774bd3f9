//! The simulated upstream keeps windows as the real one does.

use std::time::Duration;

use baton_core::{
    Cause, EventKind, LimitFamily, Pool, Request, Timestamp, WindowLength,
    model::{Answer, Limit, Meter, Metered, Served, Upstream},
};
use proptest::{prelude::*, strategy::Strategy as Arbitrarily};

use crate::pools::{A, B, HOUR, SPARK, SPARK_MODEL, Story, account, spark};

const GENERAL: LimitFamily = LimitFamily::General;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000) + Duration::from_secs(secs)
}

/// One unit is a percent of the five hours, and a tenth of one of the week.
fn metered(id: baton_core::AccountId) -> Metered {
    let meters = vec![
        Meter::new(WindowLength::FIVE_HOURS, 1.0),
        Meter::new(WindowLength::WEEK, 0.1),
    ];
    Metered {
        id,
        limits: vec![Limit::general(meters)],
    }
}

fn meter(upstream: &Upstream, length: WindowLength) -> Meter {
    let meters = &upstream.accounts()[0].limits[0].meters;
    *meters.iter().find(|meter| meter.length == length).unwrap()
}

#[test]
fn a_timer_starts_at_first_use_and_stands_again_after_its_reset() {
    let mut upstream = Upstream::new(vec![metered(A)]);
    assert_eq!(meter(&upstream, WindowLength::FIVE_HOURS).resets_at(), None);
    upstream.serve(A, &GENERAL, 30.0, at(7 * HOUR));
    let five = meter(&upstream, WindowLength::FIVE_HOURS);
    assert_eq!(five.resets_at(), Some(at(12 * HOUR)));
    upstream.settle(at(12 * HOUR));
    let five = meter(&upstream, WindowLength::FIVE_HOURS);
    assert_eq!((five.used(), five.resets_at()), (0.0, None));
    assert_eq!(meter(&upstream, WindowLength::WEEK).used(), 3.0);
}

#[test]
fn a_request_that_begins_below_the_limit_is_served_whole_and_the_next_is_refused_until_the_last_reset() {
    let mut upstream = Upstream::new(vec![metered(A)]);
    upstream.serve(A, &GENERAL, 99.0, at(0));
    assert_eq!(upstream.serve(A, &GENERAL, 5.0, at(60)), Served::Whole);
    let resets_at = at(5 * HOUR);
    assert_eq!(
        upstream.serve(A, &GENERAL, 1.0, at(120)),
        Served::LimitReached { resets_at }
    );
    assert_eq!(upstream.serve(A, &GENERAL, 896.0, resets_at), Served::Whole);
    let resets_at = at(7 * 24 * HOUR);
    assert_eq!(
        upstream.serve(A, &GENERAL, 1.0, at(11 * HOUR)),
        Served::LimitReached { resets_at }
    );
}

#[test]
fn a_pool_that_asks_it_learns_of_the_limit_and_goes_on_with_the_next_account() {
    let mut pool = Story::sequential(2).pool;
    let mut upstream = Upstream::new(vec![metered(A), metered(B)]);
    let mut events = Vec::new();
    let mut ask = |secs| upstream.ask(&mut pool, &Request::default(), 60.0, at(secs), &mut events);
    assert_eq!(ask(0), Answer::Served { by: A });
    assert_eq!(ask(60), Answer::Served { by: A });
    assert_eq!(ask(120), Answer::Served { by: B });
    assert_eq!(ask(180), Answer::Served { by: B });
    let until = Some(at(5 * HOUR));
    assert_eq!(ask(240), Answer::Blocked { until });
    assert_eq!(ask(5 * HOUR), Answer::Served { by: A });
    let switches: Vec<_> = events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Switched(switch) => Some((event.at, switch.to, switch.cause)),
            _ => None,
        })
        .collect();
    assert_eq!(
        switches,
        [
            (at(0), A, Cause::FirstUse),
            (at(120), B, Cause::LimitReached),
            (at(5 * HOUR), A, Cause::LimitReached)
        ]
    );
}

#[test]
fn a_limit_that_the_pool_did_not_know_of_is_met_and_judged_within_the_request() {
    let mut pool = Story::sequential(2).pool;
    let mut spent = metered(A);
    spent.limits[0].meters[0] = spent.limits[0].meters[0].begun(100.0, Some(at(HOUR)), at(0));
    let mut upstream = Upstream::new(vec![spent, metered(B)]);
    let answer = upstream.ask(&mut pool, &Request::default(), 1.0, at(0), &mut Vec::new());
    assert_eq!(answer, Answer::Served { by: B });
    assert_eq!(pool.active(), Some(B));
}

#[test]
fn it_begins_where_the_pool_knows_the_accounts_to_stand() {
    let mut pool = Story::sequential(2).pool;
    let mut before = Upstream::new(vec![metered(A), metered(B)]);
    before.ask(&mut pool, &Request::default(), 42.0, at(0), &mut Vec::new());
    let known = |secs| Upstream::known(&pool, at(secs), |_, _, _| Some(1.0));
    assert_eq!(meter(&known(60), WindowLength::FIVE_HOURS).used(), 42.0);
    assert_eq!(
        meter(&known(60), WindowLength::FIVE_HOURS).resets_at(),
        Some(at(5 * HOUR))
    );
    assert_eq!(meter(&known(6 * HOUR), WindowLength::FIVE_HOURS).used(), 0.0);
    assert!(known(60).accounts()[1].limits.is_empty(), "nothing is known of B");
}

#[test]
fn a_named_limit_meters_its_model_alone() {
    let mut pool = Story::sequential(2).pool;
    let named = |mut metered: Metered| {
        metered.limits.push(Limit {
            family: spark(),
            name: Some(SPARK.into()),
            meters: vec![Meter::new(WindowLength::FIVE_HOURS, 50.0)],
        });
        metered
    };
    let mut upstream = Upstream::new(vec![named(metered(A)), named(metered(B))]);
    upstream.tell(&mut pool, at(0), &mut Vec::new());
    let request = Request {
        model: Some(SPARK_MODEL),
        ..Request::default()
    };
    let mut by = |request: &Request<'_>| upstream.ask(&mut pool, request, 1.0, at(0), &mut Vec::new());
    assert_eq!([(); 2].map(|()| by(&request)), [Answer::Served { by: A }; 2]);
    assert_eq!(by(&request), Answer::Served { by: B });
    assert_eq!(by(&Request::default()), Answer::Served { by: A });
}

/// How far apart, and how many units.
fn asked() -> impl Arbitrarily<Value = Vec<(u64, f64)>> {
    prop::collection::vec(
        (
            0..40_000u64,
            (0..900u32).prop_map(|tenths| f64::from(tenths) / 10.0),
        ),
        1..80,
    )
}

proptest! {
    #[test]
    fn quota_is_conserved(asked in asked(), strategy in crate::histories::strategy()) {
        let mut pool: Pool = Story::under(strategy, 2).pool;
        let mut upstream = Upstream::new(vec![metered(account(1).id), metered(account(2).id)]);
        let (mut now, mut served) = (0, 0.0);
        for (passes, units) in asked {
            now += passes;
            let full = |upstream: &Upstream| {
                let mut upstream = upstream.clone();
                upstream.settle(at(now));
                upstream.accounts().iter().map(|known| known.limits[0].meters.iter().any(Meter::is_full)).collect::<Vec<_>>()
            };
            let before = full(&upstream);
            match upstream.ask(&mut pool, &Request::default(), units, at(now), &mut Vec::new()) {
                Answer::Served { by } => {
                    served += units;
                    prop_assert!(!before[by.get() as usize - 1], "nobody serves at 100 %");
                }
                Answer::Blocked { until } => {
                    prop_assert_eq!(&before, &[true, true]);
                    prop_assert!(until > Some(at(now)));
                }
            }
        }
        upstream.settle(at(now));
        let mut metered = 0.0;
        for meter in upstream.accounts().iter().flat_map(|known| &known.limits[0].meters) {
            let tally = meter.tally();
            let difference = tally.granted + tally.crossed - tally.served - tally.expired - tally.left;
            prop_assert!(difference.abs() < 1e-6);
            prop_assert!(tally.crossed >= -1e-6 && tally.left >= 0.0 && tally.expired >= 0.0);
            metered += tally.served / meter.per_unit / 2.0;
        }
        prop_assert!((metered - served).abs() < 1e-6, "{metered} of {served} served units are metered");
    }
}
