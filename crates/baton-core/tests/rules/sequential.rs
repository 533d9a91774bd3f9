//! Drain first: one active account serves everything; the next is the first eligible one after it in the order.

use baton_core::{Because, Cause, EventKind, OnRecovery, Pool, Request, Turn};

use crate::pools::{A, B, C, HOUR, SPARK_MODEL, Story, because};

#[test]
fn the_first_request_makes_the_first_account_active() {
    let mut story = Story::sequential(3);
    assert_eq!(story.pool.active(), None);
    let decision = story.ask();
    let cause = Cause::FirstUse;
    assert_eq!(because(&decision), Because::BecameActive { cause });
    assert_eq!(story.switches(), [(None, A, cause)]);
    assert_eq!(story.pool.active_cause(), Some(cause));
}

#[test]
fn the_first_request_passes_over_whom_the_person_skips() {
    let mut story = Story::sequential(2);
    story
        .command(|pool, now, events| pool.skip(A, true, now, events))
        .unwrap();
    assert_eq!(story.serves(), B);
}

#[test]
fn one_account_serves_all_sessions_and_models() {
    let mut story = Story::draining(3);
    for thread in 0..20 {
        assert_eq!(story.after(60).serves_turn(thread, 1), A);
    }
    assert_eq!(story.ask_model(SPARK_MODEL).choice.account(), Some(A));
    assert_eq!(story.told(), []);
    assert_eq!(story.pool.account(B).unwrap().last_used, None);
}

#[test]
fn a_limit_moves_on_to_the_next_in_the_order_and_wraps_round() {
    let mut story = Story::draining(3);
    for (from, to) in [(A, B), (B, C)] {
        story.after(60).hits_limit(from, Some(10 * HOUR));
        assert_eq!(story.serves(), to);
        assert_eq!(story.switches(), [(Some(from), to, Cause::LimitReached)]);
    }
    // A is back after its reset; C's limit wraps round to it.
    story.after(11 * HOUR);
    assert_eq!(story.serves(), C);
    story.hits_limit(C, Some(HOUR));
    assert_eq!(story.serves(), A);
    assert_eq!(story.switches(), [(Some(C), A, Cause::LimitReached)]);
}

#[test]
fn a_recovered_account_waits_its_turn_behind_the_others() {
    let mut story = Story::draining(3);
    story.hits_limit(A, Some(HOUR));
    assert_eq!(story.serves(), B);
    story.after(2 * HOUR);
    assert!(matches!(story.state(A), baton_core::Eligibility::Eligible));
    assert_eq!(story.serves(), B, "the active account stays");
    story.hits_limit(B, Some(HOUR));
    assert_eq!(story.serves(), C, "A follows C");
    story.hits_limit(C, Some(HOUR));
    assert_eq!(story.serves(), A);
}

#[test]
fn a_recovery_is_told_once() {
    let mut story = Story::draining(2);
    story.hits_limit(A, Some(HOUR));
    story.serves();
    story.told();
    story.after(2 * HOUR);
    for _ in 0..3 {
        story.serves();
    }
    let told = story.told();
    assert!(
        matches!(told[..], [EventKind::StateChanged { account, to, .. }] if account == A && to.usable()),
        "{told:?}"
    );
}

#[test]
fn returning_goes_back_to_the_earliest_that_recovered_between_turns() {
    let mut story = Story::draining(3);
    story.pool.set_on_recovery(OnRecovery::Return);
    story.hits_limit(A, Some(HOUR)).hits_limit(B, Some(2 * HOUR));
    assert_eq!(story.serves_turn(7, 1), C);
    story.told();
    story.after(HOUR);
    assert_eq!(story.serves_turn(7, 1), C, "the running turn stays");
    assert_eq!(story.switches(), []);
    assert_eq!(story.serves_turn(7, 2), A);
    assert_eq!(story.switches(), [(Some(C), A, Cause::ReturnedToPrimary)]);
    story.after(HOUR);
    assert_eq!(story.serves_turn(7, 3), A, "B is later in the order");
}

#[test]
fn returning_respects_a_switch_by_the_person_until_an_earlier_account_recovers() {
    let mut story = Story::draining(3);
    story.pool.set_on_recovery(OnRecovery::Return);
    story.after(1).switches_to(C);
    assert_eq!(story.after(60).serves(), C, "A and B were eligible all the time");
    story.hits_limit(B, Some(HOUR));
    assert_eq!(story.serves(), C);
    assert_eq!(story.after(HOUR).serves(), B);
    assert_eq!(story.pool.active_cause(), Some(Cause::ReturnedToPrimary));
    assert_eq!(story.after(60).serves(), A, "nothing holds B against A");
}

#[test]
fn asking_for_the_account_that_is_active_already_holds_as_well() {
    let mut story = Story::draining(2);
    story.pool.set_on_recovery(OnRecovery::Return);
    story.hits_limit(A, Some(HOUR));
    assert_eq!(story.serves(), B);
    story.after(HOUR).command(Pool::settle);
    story.told();
    story.switches_to(B);
    assert_eq!(story.switches(), [], "nothing changed");
    assert_eq!(story.after(60).serves(), B);
}

#[test]
fn a_request_of_a_named_limit_returns_to_nobody_whom_the_general_limit_blocks() {
    let mut story = Story::draining(2);
    story.pool.set_on_recovery(OnRecovery::Return);
    let spark = story.reading(
        baton_core::Source::Headers,
        crate::pools::spark(),
        &[(baton_core::WindowLength::FIVE_HOURS, 3.0, Some(HOUR))],
    );
    story.learns(A, &spark).hits_limit(A, Some(HOUR));
    assert_eq!(story.serves(), B);
    story.told();
    assert_eq!(story.ask_model(SPARK_MODEL).choice.account(), Some(B));
    assert_eq!(story.serves(), B);
    assert_eq!(story.switches(), []);
}

#[test]
fn needing_attention_and_being_skipped_move_it_with_their_names() {
    let mut story = Story::draining(3);
    story.is_refused(A);
    assert_eq!(story.serves(), B);
    assert_eq!(story.switches(), [(Some(A), B, Cause::NeedsAttention)]);
    story
        .command(|pool, now, events| pool.skip(B, true, now, events))
        .unwrap();
    assert_eq!(story.serves(), C);
    assert_eq!(story.switches(), [(Some(B), C, Cause::Skipped)]);
}

#[test]
fn what_is_the_matter_with_the_account_itself_moves_it_for_requests_of_any_model() {
    let mut story = Story::draining(2);
    let spark = story.reading(
        baton_core::Source::Headers,
        crate::pools::spark(),
        &[(baton_core::WindowLength::FIVE_HOURS, 3.0, Some(HOUR))],
    );
    story.learns(A, &spark).is_refused(A);
    assert_eq!(story.ask_model(SPARK_MODEL).choice.account(), Some(B));
    assert_eq!(story.switches(), [(Some(A), B, Cause::NeedsAttention)]);
}

#[test]
fn a_turn_goes_on_where_it_runs_whatever_becomes_active() {
    let mut story = Story::draining(2);
    assert_eq!(story.serves_turn(1, 1), A);
    story.switches_to(B);
    let decision = story.turn(1, 1);
    assert_eq!(decision.choice.account(), Some(A));
    assert_eq!(because(&decision), Because::TurnStays);
    assert_eq!(
        story.serves_turn(2, 1),
        B,
        "another thread's turn begins on the active one"
    );
    assert_eq!(story.serves_turn(1, 2), B, "and so does the thread's next turn");
}

#[test]
fn a_tools_output_continues_the_turn_where_no_id_is_given() {
    let mut story = Story::draining(2);
    let request = |turn| Request {
        thread: Some(1),
        turn,
        ..Request::default()
    };
    story.route(&request(Turn::New));
    story.switches_to(B);
    assert_eq!(story.route(&request(Turn::Continues)).choice.account(), Some(A));
    assert_eq!(story.route(&request(Turn::New)).choice.account(), Some(B));
}

#[test]
fn a_prewarm_begins_no_turn() {
    let mut story = Story::draining(2);
    story.turn(1, 1);
    story.switches_to(B);
    let prewarm = Request {
        thread: Some(1),
        turn: Turn::Prewarm,
        ..Request::default()
    };
    assert_eq!(story.route(&prewarm).choice.account(), Some(B));
    assert_eq!(story.pool.account(B).unwrap().last_used, None);
    assert_eq!(story.serves_turn(1, 1), A, "the running turn was not disturbed");
}

#[test]
fn it_survives_a_restart() {
    let mut story = Story::draining(3);
    story.hits_limit(A, Some(HOUR));
    story.serves_turn(1, 1);
    let kept = serde_json::to_string(&story.pool).unwrap();
    story.pool = serde_json::from_str(&kept).unwrap();
    assert_eq!(story.pool.active(), Some(B));
    assert_eq!(story.after(2 * HOUR).serves_turn(1, 1), B);
}
