//! A limit, once: told by the upstream or read, lifted early or at its reset.

use std::time::Duration;

use baton_core::{
    Cause, Credits, Effect, Eligibility, ExhaustedReason, LimitFamily, LimitKind, Report, Source,
    WindowLength,
};

use crate::pools::{A, B, C, HOUR, Story};

#[test]
fn twenty_in_flight_make_one_switch() {
    let mut story = Story::draining(3);
    let late: Vec<_> = (0..20)
        .map(|_| {
            story.serves();
            story.report_of(
                A,
                Effect::Exhausted {
                    family: Some(LimitFamily::General),
                    until: Some(story.at(HOUR)),
                    reason: ExhaustedReason::Limit(LimitKind::UsageLimit),
                },
            )
        })
        .collect();
    for report in &late {
        story.report(report);
        assert_eq!(story.after(1).serves(), B);
    }
    assert_eq!(story.switches(), [(Some(A), B, Cause::LimitReached)]);
    assert_eq!(story.state(C), Eligibility::Eligible);
}

#[test]
fn a_late_limit_does_not_exhaust_an_account_that_came_back() {
    let mut story = Story::draining(2);
    let report = story.report_of(
        A,
        Effect::Exhausted {
            family: None,
            until: None,
            reason: ExhaustedReason::Limit(LimitKind::UsageLimit),
        },
    );
    story.hits_limit(A, Some(HOUR));
    story.after(HOUR + 1).serves();
    let before = story.pool.clone();
    story.report(&report);
    assert_eq!(story.pool, before);
}

#[test]
fn a_window_at_a_hundred_percent_is_exhaustion_and_just_below_is_not() {
    let mut story = Story::draining(2);
    story.has_used(A, 99.6);
    assert_eq!(story.serves(), A);
    story.after(1).has_used(A, 100.0);
    assert!(matches!(
        story.state(A),
        Eligibility::Exhausted { reason: ExhaustedReason::UsedUp, until, .. } if until == Some(story.at(HOUR))
    ));
    assert_eq!(story.serves(), B);
    assert_eq!(story.switches(), [(Some(A), B, Cause::LimitReached)]);
    assert_eq!(story.after(HOUR).state(A), Eligibility::Eligible);
}

#[test]
fn of_two_full_windows_the_later_reset_counts() {
    let mut story = Story::draining(2);
    story.has_used_of(A, WindowLength::WEEK, 100.0, 90 * HOUR);
    story.has_used_of(A, WindowLength::FIVE_HOURS, 100.0, HOUR);
    assert_eq!(story.state(A).until(), Some(story.at(90 * HOUR)));
}

#[test]
fn a_limit_without_a_reset_takes_it_from_the_full_window_and_else_stays_unknown() {
    let mut story = Story::draining(2);
    story.hits_limit(A, None);
    assert_eq!(story.state(A).until(), None);
    let windows = [(WindowLength::FIVE_HOURS, 100.0, Some(HOUR))];
    let reading = story.reading(Source::UsageRoute, LimitFamily::General, &windows);
    story.learns(A, &reading);
    assert_eq!(story.state(A).until(), Some(story.at(HOUR)));
}

#[test]
fn a_reset_in_the_past_is_no_reset() {
    let mut story = Story::draining(2);
    let until = Some(story.now);
    story.after(10);
    let reason = ExhaustedReason::Limit(LimitKind::UsageLimit);
    let effect = Effect::Exhausted {
        family: None,
        until,
        reason,
    };
    let report = story.report_of(A, effect);
    story.report(&report);
    assert!(matches!(
        story.state(A),
        Eligibility::Exhausted { until: None, .. }
    ));
}

#[test]
fn a_lagging_usage_reading_does_not_lift_a_fresh_limit() {
    let mut story = Story::draining(2);
    story.hits_limit(A, Some(HOUR));
    story.after(59);
    let windows = [(WindowLength::FIVE_HOURS, 97.0, Some(HOUR))];
    let lagging = story.reading(Source::UsageRoute, LimitFamily::General, &windows);
    story.learns(A, &lagging);
    assert!(!story.state(A).usable());
}

#[test]
fn a_limit_lifted_before_its_reset_is_noticed_by_a_reading() {
    let mut story = Story::draining(2);
    story.hits_limit(A, Some(100 * HOUR));
    assert_eq!(story.serves(), B);
    story.after(300);
    let windows = [(WindowLength::FIVE_HOURS, 0.0, None)];
    let reading = story.reading(Source::UsageRoute, LimitFamily::General, &windows);
    story.learns(A, &reading);
    assert_eq!(story.state(A), Eligibility::Eligible);
}

#[test]
fn an_answer_from_before_the_limit_lifts_nothing() {
    let mut story = Story::draining(2);
    let generation = story.pool.account(A).unwrap().generation();
    story.hits_limit(A, Some(HOUR)).after(120);
    let windows = [(WindowLength::FIVE_HOURS, 98.0, Some(HOUR))];
    let reading = story.reading(Source::Headers, LimitFamily::General, &windows);
    story.command(|pool, now, events| pool.learn(A, generation, &reading, now, events));
    assert!(!story.state(A).usable());
}

#[test]
fn a_reading_that_was_overtaken_exhausts_nobody() {
    let mut story = Story::draining(2);
    let windows = [(WindowLength::FIVE_HOURS, 100.0, Some(HOUR))];
    let overtaken = story.reading(Source::Headers, LimitFamily::General, &windows);
    story.after(5).has_used(A, 2.0);
    story.learns(A, &overtaken);
    assert_eq!(story.state(A), Eligibility::Eligible);
}

#[test]
fn credits_are_not_spent_unasked() {
    let mut story = Story::draining(2);
    on_credits(&mut story, false);
    assert_eq!(story.serves(), B);
    story.hits_limit(B, Some(10 * HOUR));
    assert_eq!(story.ask().choice.account(), None);
}

#[test]
fn credits_come_after_all_included_quota() {
    let mut story = Story::draining(3);
    on_credits(&mut story, true);
    assert_eq!(story.serves(), B);
    story.sets_threshold(C, 50.0).has_used(C, 80.0);
    story.hits_limit(B, Some(10 * HOUR));
    assert_eq!(story.serves(), C, "held-back quota is included quota");
    story.hits_limit(C, Some(10 * HOUR));
    assert_eq!(story.serves(), A);
    assert_eq!(story.serves_turn(1, 1), A);
    assert_eq!(story.serves_turn(1, 1), A);
    story.after(10 * HOUR);
    story.has_used(A, 100.0);
    assert_eq!(story.serves(), B, "included quota is back");
}

#[test]
fn a_turn_on_credits_stays_where_everybody_is_on_credits() {
    let mut story = Story::draining(2);
    on_credits(&mut story, true);
    let mut reading = story.reading(
        Source::Headers,
        LimitFamily::General,
        &[(WindowLength::FIVE_HOURS, 100.0, Some(HOUR))],
    );
    reading.credits = Some(available());
    story.pool.set_use_credits(B, true).unwrap();
    assert_eq!(story.serves_turn(1, 1), B);
    story.learns(B, &reading);
    story.switches_to(A);
    assert_eq!(story.serves_turn(1, 1), B);
}

#[test]
fn credits_do_not_help_where_the_upstream_itself_refused() {
    let mut story = Story::draining(1);
    on_credits(&mut story, true);
    story.hits_limit(A, Some(10 * HOUR));
    assert!(!story.state(A).usable());
}

fn available() -> Credits {
    Credits {
        has_credits: true,
        unlimited: false,
        balance: Some(5.0),
    }
}

/// A has used up its included quota, and still answers on credits.
fn on_credits(story: &mut Story, use_credits: bool) {
    let mut reading = story.reading(
        Source::Headers,
        LimitFamily::General,
        &[(WindowLength::FIVE_HOURS, 100.0, Some(20 * HOUR))],
    );
    reading.credits = Some(available());
    story.pool.set_use_credits(A, use_credits).unwrap();
    story.learns(A, &reading);
}

#[test]
fn upstream_hints_are_bounded() {
    let mut story = Story::draining(1);
    story.hits_limit(A, Some(u64::MAX / 1000));
    let until = story.state(A).until().unwrap();
    assert!(until.since(story.now) <= Duration::from_secs(32 * 86_400));
}

#[test]
fn an_answers_own_quota_headers_do_not_make_its_limit_late() {
    let mut story = Story::draining(2);
    let generation = story.pool.account(A).unwrap().generation();
    let windows = [(WindowLength::FIVE_HOURS, 100.0, Some(HOUR))];
    let full = story.reading(Source::Headers, LimitFamily::General, &windows);
    let mut answers = || {
        let generation = story.command(|pool, now, events| pool.learn(A, generation, &full, now, events));
        let effect = Effect::Exhausted {
            family: Some(LimitFamily::General),
            until: Some(story.at(2 * HOUR)),
            reason: ExhaustedReason::Limit(LimitKind::UsageLimit),
        };
        let report = Report {
            account: A,
            generation,
            effect,
        };
        story.report(&report);
        story.pool.clone()
    };
    let first = answers();
    let second = answers();
    assert_eq!(first, second, "those that were in flight with it are late");
    assert!(matches!(
        story.state(A),
        Eligibility::Exhausted { reason: ExhaustedReason::Limit(_), until, .. } if until == Some(story.at(2 * HOUR))
    ));
}

#[test]
fn a_lagging_usage_reading_lowers_no_use_that_was_just_seen() {
    let mut story = Story::draining(2);
    story.sets_threshold(A, 95.0).has_used(A, 95.0);
    let resets = story.at(HOUR);
    for (secs, believed) in [(10, false), (50, true)] {
        story.after(secs);
        let left = resets.since(story.now).as_secs() + 1;
        let windows = [(WindowLength::FIVE_HOURS, 94.0, Some(left))];
        let reading = story.reading(Source::UsageRoute, LimitFamily::General, &windows);
        story.learns(A, &reading);
        assert_eq!(
            story.state(A).usable() && story.serves() == A,
            believed,
            "{secs} seconds later"
        );
        story.switches_to(A);
    }
}
