//! Thresholds: soft or reserved, per window, between turns only.

use baton_core::{Because, Cause, Eligibility, PassedOver, Percent, Standing, WindowLength};

use crate::pools::{A, B, C, HOUR, Story, because, percent};

#[test]
fn exact_at_the_threshold() {
    for (used, held_back) in [(94.9, false), (95.0, true), (95.1, true), (99.6, true)] {
        let mut story = Story::draining(2);
        story.sets_threshold(A, 95.0).has_used(A, used);
        assert_eq!(
            matches!(story.state(A), Eligibility::HeldBack { .. }),
            held_back,
            "{used}"
        );
        assert_eq!(story.serves(), if held_back { B } else { A }, "{used}");
    }
}

#[test]
fn exact_at_a_fraction_and_a_hundred_is_off() {
    for (threshold, used, held_back) in [
        (99.6, 99.5, false),
        (99.6, 99.6, true),
        (100.0, 99.6, false),
        (100.0, 99.999, false),
    ] {
        let mut story = Story::draining(1);
        story.sets_threshold(A, threshold).has_used(A, used);
        assert_eq!(
            matches!(story.state(A), Eligibility::HeldBack { .. }),
            held_back,
            "{used} of {threshold}"
        );
    }
    let mut story = Story::draining(1);
    story.sets_threshold(A, 99.6).has_used(A, 100.0);
    assert!(
        matches!(story.state(A), Eligibility::Exhausted { .. }),
        "100 is exhaustion"
    );
}

#[test]
fn unknown_usage_is_held_back_by_no_threshold() {
    let mut story = Story::draining(2);
    story.sets_threshold(A, 1.0);
    assert_eq!(story.state(A), Eligibility::Eligible);
}

#[test]
fn per_window() {
    let mut story = Story::draining(2);
    story
        .pool
        .set_threshold(A, Some(WindowLength::WEEK), percent(80.0), None)
        .unwrap();
    story.has_used_of(A, WindowLength::FIVE_HOURS, 99.0, HOUR);
    assert_eq!(story.state(A), Eligibility::Eligible);
    story.has_used_of(A, WindowLength::WEEK, 80.0, 50 * HOUR);
    let until = Some(story.at(50 * HOUR));
    assert!(
        matches!(story.state(A), Eligibility::HeldBack { window: WindowLength::WEEK, until: at, .. } if at == until)
    );
    assert_eq!(story.serves(), B);
    story.pool.set_threshold(A, None, Percent::FULL, None).unwrap();
    assert_eq!(
        story.state(A),
        Eligibility::Eligible,
        "one for all forgets those of single windows"
    );
}

#[test]
fn it_takes_effect_between_turns_and_a_limit_at_once() {
    for reserve in [false, true] {
        let mut story = Story::draining(2);
        story
            .pool
            .set_threshold(A, None, percent(90.0), Some(reserve))
            .unwrap();
        assert_eq!(story.serves_turn(1, 1), A);
        story.has_used(A, 93.0);
        let decision = story.turn(1, 1);
        assert_eq!(
            (decision.choice.account(), because(&decision)),
            (Some(A), Because::TurnStays)
        );
        assert_eq!(story.switches(), []);
        assert_eq!(story.serves_turn(1, 2), B);
        assert_eq!(story.switches(), [(Some(A), B, Cause::ThresholdReached)]);

        story.hits_limit(B, Some(HOUR));
        assert_eq!(
            story.turn(1, 2).choice.account(),
            (!reserve).then_some(A),
            "reserve: {reserve}"
        );
    }
}

#[test]
fn held_back_accounts_serve_in_order_when_nobody_below_theirs_can() {
    let mut story = Story::draining(3);
    for account in [A, B, C] {
        story.sets_threshold(account, 90.0);
    }
    story.has_used(A, 91.0);
    assert_eq!(story.serves(), B);
    story.has_used(B, 92.0).has_used(C, 93.0);
    assert_eq!(
        story.serves(),
        B,
        "all are held back: the active one goes on until its limit"
    );
    story.hits_limit(B, Some(2 * HOUR));
    assert_eq!(story.serves(), C);
    story.hits_limit(C, Some(2 * HOUR));
    assert_eq!(story.serves(), A);
    story.hits_limit(A, Some(2 * HOUR));
    assert_eq!(story.ask().choice.account(), None);
}

#[test]
fn a_reserve_is_kept_even_when_nobody_else_can_serve() {
    let mut story = Story::draining(2);
    story.reserves(A, 90.0).has_used(A, 91.0);
    assert_eq!(story.serves(), B);
    story.hits_limit(B, Some(5 * HOUR));
    assert_eq!(story.ask().choice.account(), None);
    assert_eq!(story.after(HOUR).serves(), A, "its window has reset");
}

#[test]
fn whoever_is_below_goes_first_and_the_line_says_so() {
    let mut story = Story::draining(2);
    story.sets_threshold(B, 50.0).has_used(B, 60.0);
    let decision = story.ask();
    assert_eq!(
        decision.lines[1].standing,
        Standing::PassedOver(PassedOver::LaterTier)
    );
}

#[test]
fn switching_to_a_held_back_account_waives_its_threshold_for_now() {
    for reserve in [false, true] {
        let mut story = Story::draining(2);
        story
            .pool
            .set_threshold(B, None, percent(50.0), Some(reserve))
            .unwrap();
        story.has_used(B, 60.0).switches_to(B);
        assert_eq!(story.serves(), B);
        story.switches_to(A);
        assert!(
            matches!(story.state(B), Eligibility::HeldBack { .. }),
            "it is over with the next switch"
        );
    }
}

#[test]
fn a_waiver_ends_with_the_window() {
    let mut story = Story::draining(2);
    story.sets_threshold(B, 50.0).has_used(B, 60.0).switches_to(B);
    assert_eq!(story.after(HOUR).serves(), B);
    story.has_used(B, 60.0);
    assert_eq!(story.serves(), A, "the next window has its threshold again");
}
