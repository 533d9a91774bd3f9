//! The machine's clock jumps by hours, either way: nothing lasts for hours that was to last for seconds, and what is
//! known goes on being followed.

use std::time::Duration;

use baton_core::{Choice, Eligibility, LimitFamily, Source, Strategy, Timestamp, WindowLength};

use crate::pools::{A, B, HOUR, Story, percent};

#[test]
fn a_cooling_down_lasts_no_longer_than_it_was_to_last() {
    let mut story = Story::draining(2);
    // Failing since a while, so that its beginning isn't ahead of a clock set back a little.
    story.is_throttled(A, 30).after(HOUR).is_throttled(A, 30);
    story.set_back(HOUR / 2);
    assert_eq!(story.serves(), B);
    story.after(31);
    assert_eq!(story.state(A), Eligibility::Eligible);
}

#[test]
fn an_exhausted_account_is_back_by_the_end_that_was_told_for_it() {
    let mut story = Story::draining(2);
    story.hits_limit(A, Some(HOUR)).set_back(5 * HOUR);
    assert_eq!(story.serves(), B);
    story.after(HOUR);
    assert_eq!(story.state(A), Eligibility::Eligible);
}

/// While the clock is ahead, the account seems to be back: the upstream says otherwise, with a reset that has passed
/// here. Once the clock is right again, it is back when it is.
#[test]
fn a_clock_that_was_ahead_for_a_while_costs_a_refusal_and_no_more() {
    let mut story = Story::draining(1);
    story.hits_limit(A, Some(2 * HOUR));
    let reset = story.at(2 * HOUR);
    story.after(5 * HOUR);
    assert_eq!(story.serves(), A);
    story.hits_limit(A, None);
    assert!(matches!(story.ask().choice, Choice::Refuse { .. }));
    story.set_back(5 * HOUR);
    assert!(matches!(story.ask().choice, Choice::Refuse { .. }));
    // Nobody knows until when: asked again after five minutes, not after five hours.
    story.after(300);
    assert_eq!(story.serves(), A);
    // It says so again, and now it can be believed.
    let resets_in = reset.since(story.now).as_secs();
    story.hits_limit(A, Some(resets_in)).after(resets_in);
    assert_eq!(story.state(A), Eligibility::Eligible);
}

#[test]
fn readings_after_the_jump_count() {
    let mut story = Story::draining(2);
    story.has_used(A, 40.0).set_back(5 * HOUR);
    story.has_used(A, 100.0);
    assert_eq!(story.serves(), B);
    story.has_used(A, 10.0);
    let quota = &story.pool.account(A).unwrap().quota;
    let window = quota.window(&LimitFamily::General, WindowLength::FIVE_HOURS);
    assert_eq!(window.unwrap().used, percent(10.0));
}

#[test]
fn a_limit_that_is_lifted_is_noticed_as_soon_as_ever() {
    let mut story = Story::draining(2);
    story.hits_limit(A, Some(HOUR)).set_back(5 * HOUR);
    assert_eq!(story.serves(), B);
    story.after(61);
    let reading = story.reading(
        Source::UsageRoute,
        LimitFamily::General,
        &[(WindowLength::FIVE_HOURS, 10.0, None)],
    );
    story.learns(A, &reading);
    assert_eq!(story.state(A), Eligibility::Eligible);
}

#[test]
fn a_running_turn_and_a_session_stay_whichever_way_the_clock_jumps() {
    for strategy in Strategy::ALL {
        let mut story = Story::under(strategy, 3);
        let account = story.serves_turn(1, 1);
        story.set_back(5 * HOUR);
        assert_eq!(story.serves_turn(1, 1), account, "{strategy}");
        story.after(10 * HOUR);
        assert_eq!(story.serves_turn(1, 1), account, "{strategy}");
        if strategy == Strategy::Affinity {
            assert_eq!(story.serves_turn(1, 2), account);
        }
    }
}

#[test]
fn taking_turns_goes_on_after_the_clock_was_set_back() {
    let mut story = Story::under(Strategy::RoundRobin, 2);
    assert_eq!((story.serves(), story.after(1).serves()), (A, B));
    story.set_back(5 * HOUR);
    // Who was last before the jump isn't known any more: one may be served twice in a row, and no more than that.
    let served: Vec<_> = (0..7).map(|_| story.after(1).serves()).collect();
    assert_eq!(served.split_at(1).1, [A, B, A, B, A, B]);
}

#[test]
fn the_brake_counts_half_an_hour_from_the_jump_on() {
    let mut story = Story::draining(3);
    story.is_refused(A).set_back(5 * HOUR);
    assert_eq!(story.serves(), B);
    story.after(1801).is_refused(B);
    assert!(!story.pool.brake().engaged());

    let mut story = Story::draining(3);
    story.is_refused(A).set_back(5 * HOUR);
    assert_eq!(story.serves(), B);
    story.after(60).is_refused(B);
    assert!(story.pool.brake().engaged(), "a jump hides no refusal");
}

/// As a state that was saved under a clock that was ahead is found by the next start.
#[test]
fn what_was_saved_by_a_clock_that_was_ahead_heals_after_a_restart() {
    let mut story = Story::draining(2);
    story.is_throttled(A, 30);
    let saved = serde_json::to_string(&story.pool).unwrap();
    story.pool = serde_json::from_str(&saved).unwrap();
    story.set_back(24 * HOUR);
    assert_eq!(story.serves(), B);
    story.after(31);
    assert_eq!(story.state(A), Eligibility::Eligible);
}

#[test]
fn no_time_is_too_absurd_to_reckon_with() {
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
    for (now, told) in ends.into_iter().flat_map(|now| ends.map(|told| (now, told))) {
        let mut story = Story::draining(2);
        story.has_used(A, 100.0).is_throttled(B, u64::MAX);
        story.now = Timestamp::from_millis(now);
        let until = Timestamp::from_millis(told).since(story.now).as_secs();
        story.ask();
        story.hits_limit(A, Some(until)).is_throttled(B, until);
        story.ask();
        // However long that is: nothing is believed to last longer than the longest window.
        let month = story.now + Duration::from_secs(32 * 86_400);
        for account in [A, B] {
            let back = story.state(account).until();
            assert!(back.is_none_or(|back| back <= month), "{now} {told}: {back:?}");
        }
    }
}
