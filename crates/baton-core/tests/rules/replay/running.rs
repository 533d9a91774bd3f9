//! What a blocked person does, and what is counted.

use baton_core::{
    Cause, Percent, Strategy, WindowLength,
    replay::{Attempt, Demand, Expired, Presence, Stretch, Trace, run, week::working_weeks},
};
use proptest::prelude::*;

use super::{DAY, MINUTE, at, policy, trace, work};
use crate::{
    histories::strategy,
    pools::{A, B, HOUR},
};

/// Ten percent every ten minutes, from 9:00 for so many hours.
fn morning(hours: u64) -> Vec<baton_core::replay::Work> {
    let begin = 9 * HOUR;
    (0..hours * 6)
        .map(|n| work(begin + n * 10 * MINUTE, 10.0))
        .collect()
}

#[test]
fn a_blocked_person_waits_for_the_return_and_goes_on_at_their_own_pace() {
    // 100 % are used up at 10:30, as the tenth request is served; the eleventh comes at 10:40. Back at 14:00.
    let outcome = run(&trace(1, morning(6)), policy(Strategy::Sequential));
    assert_eq!((outcome.interruptions, outcome.blocked_minutes), (1, 200.0));
    // From 14:00 to the last request's 14:50 there is time for six more.
    assert_eq!((outcome.served, outcome.undone), (16, 20));
}

#[test]
fn what_no_longer_fits_into_the_hours_is_left_undone_and_the_next_day_begins_on_time() {
    let mut two_days = morning(3);
    two_days.push(work(DAY + 9 * HOUR, 10.0));
    let outcome = run(&trace(1, two_days), policy(Strategy::Sequential));
    // Hours until 11:50, blocked from 10:40.
    assert_eq!((outcome.served, outcome.undone), (11, 8));
    assert_eq!(outcome.blocked_minutes, 70.0);
}

#[test]
fn the_longest_stretch_counts_hours_worked_across_days_and_ends_at_an_interruption() {
    let mut work_of = morning(1);
    work_of.extend(morning(3).into_iter().map(|mut work| {
        work.at = work.at + std::time::Duration::from_secs(DAY);
        work
    }));
    let outcome = run(&trace(1, work_of), policy(Strategy::Sequential));
    assert_eq!(outcome.interruptions, 1);
    // 9:00 to 9:50, and 9:00 to 10:40.
    assert_eq!(outcome.longest_stretch_minutes, 150.0);
}

#[test]
fn what_is_unused_at_a_reset_has_expired() {
    let outcome = run(
        &trace(2, vec![work(0, 30.0), work(6 * HOUR, 20.0), work(8 * DAY, 1.0)]),
        policy(Strategy::Sequential),
    );
    let expired = |window, percent| Expired { window, percent };
    // B was never begun: nothing of it has expired.
    assert_eq!(
        outcome.expired,
        [
            expired(WindowLength::FIVE_HOURS, 70.0 + 80.0),
            expired(WindowLength::WEEK, 95.0)
        ]
    );
}

#[test]
fn an_account_that_is_away_serves_nobody_meanwhile() {
    let mut trace = trace(2, vec![work(0, 1.0), work(HOUR, 1.0), work(2 * HOUR, 1.0)]);
    let change = |secs, present| Presence {
        at: at(secs),
        account: A,
        present,
    };
    trace.presences = vec![change(HOUR / 2, false), change(3 * HOUR / 2, true)];
    let outcome = run(&trace, policy(Strategy::Sequential));
    let switches: Vec<_> = outcome
        .switches
        .iter()
        .map(|it| (it.at, it.to, it.cause))
        .collect();
    assert_eq!(
        switches,
        [(at(0), A, Cause::FirstUse), (at(HOUR), B, Cause::Skipped)]
    );
}

#[test]
fn who_is_blocked_until_somebody_comes_back_waits_for_that() {
    let mut trace = trace(1, vec![work(0, 1.0), work(HOUR, 1.0), work(3 * HOUR, 1.0)]);
    let change = |secs, present| Presence {
        at: at(secs),
        account: A,
        present,
    };
    trace.presences = vec![change(HOUR / 2, false), change(3 * HOUR / 2, true)];
    let outcome = run(&trace, policy(Strategy::Balanced));
    assert_eq!((outcome.interruptions, outcome.blocked_minutes), (1, 30.0));
}

#[test]
fn a_reserve_is_kept_in_replay_as_well() {
    let mut trace = trace(1, morning(3));
    trace.accounts[0].thresholds.every_window = Percent::new(50.0).unwrap();
    trace.accounts[0].thresholds.reserve = true;
    assert_eq!(run(&trace, policy(Strategy::Sequential)).served, 5);
}

fn attempt(secs: u64, account: Option<baton_core::AccountId>) -> Attempt {
    Attempt {
        at: at(secs),
        session: None,
        thread: None,
        turn: baton_core::Turn::New,
        model: None,
        account,
        units: account.map(|_| 1.0),
    }
}

#[test]
fn recorded_blocks_are_taken_out_of_the_demand() {
    let attempts = [
        attempt(0, Some(A)),
        attempt(HOUR, None),
        attempt(HOUR + MINUTE, None),
        attempt(3 * HOUR, Some(A)),
        attempt(4 * HOUR, Some(A)),
        attempt(DAY, Some(A)),
    ];
    let blocked = [Stretch {
        began: at(HOUR),
        ended: at(3 * HOUR),
    }];
    let times = |demand: &Demand| demand.work().iter().map(|work| work.at).collect::<Vec<_>>();
    let demand = Demand::recorded(&attempts, &blocked);
    assert_eq!(times(&demand), [at(0), at(HOUR), at(2 * HOUR), at(DAY)]);
    // What was asked for last, and never served, is demand as well.
    let given_up = Demand::recorded(&attempts[..3], &blocked);
    assert_eq!(times(&given_up), [at(0), at(HOUR)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn all_work_is_served_or_left_undone_and_a_run_is_the_same_every_time(
        strategy in strategy(),
        weeks in 1..3u32,
        requests in 10..200u32,
        threshold in prop::option::of(50..99u32),
    ) {
        let mut trace: Trace = working_weeks(weeks, requests);
        if let Some(threshold) = threshold {
            trace.accounts[0].thresholds.every_window = Percent::new(f64::from(threshold)).unwrap();
        }
        let outcome = run(&trace, policy(strategy));
        prop_assert_eq!((outcome.served + outcome.undone) as usize, trace.demand.work().len());
        prop_assert_eq!(outcome.interruptions == 0, outcome.undone == 0 && outcome.blocked_minutes == 0.0);
        prop_assert!(outcome.blocked_minutes <= f64::from(weeks) * 5.0 * 9.0 * 60.0);
        prop_assert_eq!(&outcome, &run(&trace, policy(strategy)));
    }
}
