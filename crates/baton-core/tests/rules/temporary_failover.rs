//! Passing trouble: others serve for a while, and the active account stays what it is.

use baton_core::{Because, Cause, Choice, Effect, Eligibility, EventKind, Request, Turn};

use crate::pools::{A, B, HOUR, Story, because};

#[test]
fn a_trouble_of_a_minute_is_a_detour_and_is_counted() {
    let mut story = Story::draining(2);
    story.has_server_trouble(A, 60);
    let decision = story.turn(1, 1);
    assert_eq!(decision.choice.account(), Some(B));
    assert_eq!(because(&decision), Because::TemporaryFailover { instead_of: A });
    assert_eq!(story.pool.active(), Some(A));
    assert_eq!(story.pool.temporary_failovers(), 1);
    let told = story.told();
    assert!(told.contains(&EventKind::TemporaryFailover { from: A, to: B }));
    assert!(!told.iter().any(|kind| matches!(kind, EventKind::Switched(_))));
}

#[test]
fn a_detour_lasts_until_the_end_of_its_turn() {
    let mut story = Story::draining(2);
    story.is_throttled(A, 30);
    assert_eq!(story.serves_turn(1, 1), B);
    story.after(31);
    assert_eq!(story.serves_turn(1, 1), B, "A is back, but the turn stays");
    assert_eq!(story.serves_turn(2, 1), A, "a new turn doesn't");
    assert_eq!(story.serves_turn(1, 2), A);
    assert_eq!(story.pool.temporary_failovers(), 1, "one turn, one detour");
}

#[test]
fn a_running_turn_takes_the_detour_too() {
    let mut story = Story::draining(2);
    assert_eq!(story.serves_turn(1, 1), A);
    story.is_throttled(A, 30);
    assert_eq!(story.serves_turn(1, 1), B);
    assert_eq!(story.serves_turn(1, 1), B);
    assert_eq!(story.pool.temporary_failovers(), 1);
}

#[test]
fn a_prewarm_is_no_turn_and_not_counted() {
    let mut story = Story::draining(2);
    story.is_throttled(A, 30);
    let request = |turn| Request {
        thread: Some(1),
        turn,
        ..Request::default()
    };
    assert_eq!(story.route(&request(Turn::Prewarm)).choice.account(), Some(B));
    assert_eq!(story.pool.temporary_failovers(), 0);
    assert_eq!(story.route(&request(Turn::Id(1))).choice.account(), Some(B));
    assert_eq!(story.pool.temporary_failovers(), 1);
}

#[test]
fn more_than_a_minute_switches() {
    let mut story = Story::draining(2);
    story.is_throttled(A, 61);
    assert_eq!(story.serves(), B);
    assert_eq!(story.switches(), [(Some(A), B, Cause::CoolingDown)]);
}

#[test]
fn the_minute_counts_from_the_first_failure_without_a_success() {
    let mut story = Story::draining(2);
    story.is_throttled(A, 30).after(31).is_throttled(A, 29);
    assert_eq!(story.serves(), B);
    assert_eq!(story.pool.active(), Some(A), "exactly a minute in all");
    story.after(30).is_throttled(A, 10);
    story.serves();
    assert_eq!(story.pool.active(), Some(B), "71 seconds since it began");
}

#[test]
fn a_success_in_between_starts_the_minute_anew() {
    let mut story = Story::draining(2);
    story.is_throttled(A, 30).after(31).succeeds(A);
    story.after(30).is_throttled(A, 30);
    story.serves();
    assert_eq!(story.pool.active(), Some(A));
}

#[test]
fn a_late_blame_is_void_where_the_account_has_served_since() {
    let mut story = Story::draining(2);
    let reason = baton_core::CoolingReason::ServerTrouble;
    let late = Effect::CoolingDown {
        lasting: std::time::Duration::from_secs(30),
        reason,
        first_failure: story.now,
    };
    story.after(120).succeeds(A);
    let late = story.report_of(A, late);
    story.after(120).report(&late);
    assert_eq!(story.state(A), Eligibility::Eligible);
}

#[test]
fn five_seconds_are_waited_out_and_six_are_not() {
    for (secs, waits) in [(5, true), (6, false)] {
        let mut story = Story::draining(2);
        story.is_throttled(A, secs);
        let until = story.at(secs);
        let decision = story.ask();
        if waits {
            assert_eq!(decision.choice, Choice::Wait { until, account: A });
        } else {
            assert_eq!(decision.choice.account(), Some(B));
        }
    }
}

#[test]
fn a_brief_wait_is_no_alarm() {
    let mut story = Story::draining(2);
    story.is_throttled(A, 5);
    story.told();
    story.ask();
    assert_eq!(
        story.told(),
        [],
        "B could serve: nobody is told that all are exhausted"
    );
    assert_eq!(story.after(5).serves(), A);
}

#[test]
fn there_is_no_brief_wait_for_an_account_that_failed_for_this_very_request() {
    let mut story = Story::draining(2);
    story.is_throttled(A, 5);
    let request = Request {
        tried: &[A],
        ..Request::default()
    };
    assert_eq!(story.route(&request).choice.account(), Some(B));
    assert_eq!(story.pool.active(), Some(A));
}

#[test]
fn with_nobody_to_detour_to_codex_waits() {
    let mut story = Story::draining(2);
    story.hits_limit(B, Some(HOUR)).is_throttled(A, 40);
    let until = story.at(40);
    assert_eq!(story.ask().choice, Choice::Wait { until, account: A });
}

#[test]
fn an_account_that_failed_for_this_request_is_left_for_this_request_only() {
    let mut story = Story::draining(2);
    let request = Request {
        tried: &[A],
        ..Request::default()
    };
    let decision = story.route(&request);
    assert_eq!(because(&decision), Because::TemporaryFailover { instead_of: A });
    assert_eq!(story.serves(), A);
    assert_eq!(story.switches(), []);
}
