//! Named limits: they block the models that they meter, and never change the active account.

use baton_core::{
    Because, Cause, Effect, Eligibility, EventKind, LimitFamily, LimitReading, PassedOver, Reading, Source,
    Standing, WindowLength,
};

use crate::pools::{A, B, HOUR, SPARK, SPARK_MODEL, Story, because, spark};

/// Two accounts, A active, and it is known which limit meters Spark.
fn with_spark() -> Story {
    let mut story = Story::draining(2);
    let windows = [(WindowLength::FIVE_HOURS, 10.0, Some(HOUR))];
    let reading = story.reading(Source::Headers, spark(), &windows);
    story.learns(A, &reading);
    story
}

#[test]
fn a_named_limit_blocks_only_the_requests_of_its_models() {
    let mut story = with_spark();
    story.hits_limit_of(A, Some(spark()), Some(HOUR));
    assert_eq!(story.serves(), A);
    let decision = story.ask_model(SPARK_MODEL);
    assert_eq!(decision.choice.account(), Some(B));
    assert_eq!(because(&decision), Because::TemporaryFailover { instead_of: A });
    assert_eq!(story.ask_model("gpt-5.3-codex").choice.account(), Some(A));
    assert_eq!(story.pool.active(), Some(A));
    assert_eq!(story.switches(), []);
    assert_eq!(story.after(HOUR).ask_model(SPARK_MODEL).choice.account(), Some(A));
}

#[test]
fn a_success_of_another_model_lifts_no_named_limit() {
    let mut story = with_spark();
    story.hits_limit_of(A, Some(spark()), Some(HOUR));
    story.serves();
    story.succeeds(A);
    assert_eq!(story.ask_model(SPARK_MODEL).choice.account(), Some(B));
}

#[test]
fn a_named_limit_reached_by_everybody_is_no_alarm() {
    let mut story = with_spark();
    story.hits_limit_of(A, Some(spark()), Some(HOUR));
    story.hits_limit_of(B, Some(spark()), Some(HOUR));
    story.told();
    assert_eq!(story.ask_model(SPARK_MODEL).choice.account(), None);
    assert_eq!(story.serves(), A);
    assert_eq!(story.told(), []);
}

#[test]
fn a_threshold_on_a_named_window_is_a_detour_too() {
    let mut story = with_spark();
    story.sets_threshold(A, 90.0);
    let windows = [(WindowLength::FIVE_HOURS, 95.0, Some(HOUR))];
    let reading = story.reading(Source::Headers, spark(), &windows);
    story.learns(A, &reading);
    assert_eq!(story.ask_model(SPARK_MODEL).choice.account(), Some(B));
    assert_eq!(story.serves(), A);
    assert_eq!(story.switches(), []);
}

#[test]
fn the_general_limit_moves_the_active_account() {
    let mut story = with_spark();
    story.hits_limit(A, Some(HOUR));
    assert_eq!(story.serves(), B);
    assert_eq!(story.switches(), [(Some(A), B, Cause::LimitReached)]);
}

#[test]
fn a_limit_of_unknown_family_counts_as_general_until_a_reading_contradicts_it() {
    let mut story = with_spark();
    story.hits_limit_of(A, None, Some(HOUR));
    assert!(!story.state(A).usable());
    let contradiction = both(&story, 40.0, 100.0);
    story.learns(A, &contradiction);
    assert_eq!(story.state(A), Eligibility::Eligible);
    assert_eq!(story.ask_model(SPARK_MODEL).choice.account(), Some(B));
}

#[test]
fn a_named_limit_that_was_known_before_explains_no_new_one() {
    let mut story = with_spark();
    let reading = both(&story, 90.0, 100.0);
    story.learns(A, &reading);
    story.after(1).hits_limit_of(A, None, Some(HOUR));
    let reading = both(&story, 99.0, 100.0);
    story.learns(A, &reading);
    assert!(!story.state(A).usable());
}

#[test]
fn one_accounts_reading_tells_which_limit_meters_a_model_for_all() {
    let mut story = with_spark();
    assert_eq!(
        story.pool.account(B).unwrap().quota.family_of(SPARK_MODEL),
        LimitFamily::General
    );
    story.hits_limit_of(B, Some(spark()), Some(HOUR));
    story.switches_to(B);
    assert_eq!(story.ask_model(SPARK_MODEL).choice.account(), Some(A));
    assert_eq!(story.serves(), B);
}

#[test]
fn a_model_that_the_plan_lacks_goes_elsewhere_and_the_account_stays() {
    let mut story = Story::draining(2);
    story.lacks(A, "gpt-6");
    let decision = story.ask_model("gpt-6");
    assert_eq!(decision.choice.account(), Some(B));
    assert_eq!(
        decision.lines[0].standing,
        Standing::PassedOver(PassedOver::LacksModel)
    );
    assert_eq!(story.serves(), A);
    assert!(
        !story
            .told()
            .iter()
            .any(|kind| matches!(kind, EventKind::Switched(_) | EventKind::StateChanged { .. }))
    );
    assert_eq!(
        story.after(6 * HOUR).ask_model("gpt-6").choice.account(),
        Some(A),
        "plans change"
    );
}

#[test]
fn a_model_that_every_plan_lacks_is_asked_for_all_the_same() {
    let mut story = Story::draining(2);
    story.lacks(A, "gpt-6").lacks(B, "gpt-6");
    assert_eq!(
        story.ask_model("gpt-6").choice.account(),
        Some(A),
        "the upstream's answer says it best"
    );
}

#[test]
fn lacking_a_model_is_told_by_no_generation() {
    let mut story = Story::draining(2);
    let limit = story.report_of(
        A,
        Effect::NeedsAttention {
            reason: baton_core::Refusal::TokenInvalidated,
        },
    );
    story.lacks(A, "gpt-6").report(&limit);
    assert!(
        !story.state(A).usable(),
        "the report was of the same generation still"
    );
}

fn both(story: &Story, general: f64, named: f64) -> Reading {
    let of = |family, used| -> LimitReading {
        let windows = [(WindowLength::FIVE_HOURS, used, Some(HOUR))];
        story.reading(Source::Headers, family, &windows).limits.remove(0)
    };
    Reading {
        observed_at: story.now,
        source: Source::Headers,
        plan: None,
        limits: vec![
            of(LimitFamily::General, general),
            LimitReading {
                name: Some(SPARK.into()),
                ..of(spark(), named)
            },
        ],
        credits: None,
    }
}
