//! The strategies that rank the usable accounts for each new turn.

use baton_core::{Because, PassedOver, Request, Standing, Strategy, Turn, WindowLength};

use crate::pools::{A, B, C, HOUR, Story, because};

const WEEK: WindowLength = WindowLength::WEEK;
const FIVE_HOURS: WindowLength = WindowLength::FIVE_HOURS;

#[test]
fn balanced_takes_the_lowest_weekly_use_then_the_lowest_of_five_hours() {
    let mut story = Story::under(Strategy::Balanced, 3);
    story
        .has_used_of(A, WEEK, 40.0, 50 * HOUR)
        .has_used_of(A, FIVE_HOURS, 0.0, HOUR);
    story
        .has_used_of(B, WEEK, 30.0, 50 * HOUR)
        .has_used_of(B, FIVE_HOURS, 90.0, HOUR);
    story
        .has_used_of(C, WEEK, 30.0, 50 * HOUR)
        .has_used_of(C, FIVE_HOURS, 80.0, HOUR);
    let decision = story.ask();
    assert_eq!(
        (decision.choice.account(), because(&decision)),
        (Some(C), Because::MostHeadroom)
    );
    assert_eq!(
        decision.lines[0].standing,
        Standing::PassedOver(PassedOver::LessHeadroom)
    );
}

#[test]
fn balanced_breaks_ties_by_the_least_recently_used_and_then_by_the_order() {
    let mut story = Story::under(Strategy::Balanced, 3);
    let served: Vec<_> = (0..6).map(|_| story.after(1).serves()).collect();
    assert_eq!(served, [A, B, C, A, B, C]);
}

#[test]
fn balanced_counts_a_window_whose_reset_has_passed_as_unused() {
    let mut story = Story::under(Strategy::Balanced, 2);
    story
        .has_used_of(A, WEEK, 90.0, HOUR)
        .has_used_of(B, WEEK, 10.0, 50 * HOUR);
    assert_eq!(story.serves(), B);
    assert_eq!(story.after(HOUR).serves(), A);
}

#[test]
fn round_robin_takes_turns_not_requests() {
    let mut story = Story::under(Strategy::RoundRobin, 3);
    let turns = [(1, 1), (1, 1), (1, 2), (2, 1), (1, 2), (2, 1), (3, 1)];
    let served: Vec<_> = turns
        .into_iter()
        .map(|(thread, turn)| story.after(1).serves_turn(thread, turn))
        .collect();
    assert_eq!(served, [A, A, B, C, B, C, A]);
}

#[test]
fn a_prewarm_and_its_turn_go_to_one_account() {
    let mut story = Story::under(Strategy::RoundRobin, 2);
    for expected in [A, B, A] {
        let prewarm = Request {
            thread: Some(1),
            turn: Turn::Prewarm,
            ..Request::default()
        };
        assert_eq!(story.after(1).route(&prewarm).choice.account(), Some(expected));
        assert_eq!(story.after(1).serves_turn(1, u64::from(expected.get())), expected);
        story.pool = serde_json::from_str(&serde_json::to_string(&story.pool).unwrap()).unwrap();
        story.serves_turn(1, u64::from(expected.get()));
    }
}

#[test]
fn affinity_keeps_a_session_where_it_is_while_that_is_eligible() {
    let mut story = Story::under(Strategy::Affinity, 2);
    assert_eq!(story.serves_turn(1, 1), A);
    story.after(1).has_used_of(A, WEEK, 50.0, 50 * HOUR);
    assert_eq!(story.serves_turn(2, 1), B, "a new session goes where headroom is");
    let stays = story.turn(1, 2);
    assert_eq!(
        (stays.choice.account(), because(&stays)),
        (Some(A), Because::SessionStays)
    );
    assert_eq!(
        stays.lines[1].standing,
        Standing::PassedOver(PassedOver::SessionElsewhere)
    );
    story.hits_limit(A, Some(HOUR));
    assert_eq!(story.serves_turn(1, 3), B);
    assert_eq!(
        story.after(HOUR).serves_turn(1, 4),
        B,
        "and stays with the new one"
    );
}

#[test]
fn threads_of_a_session_share_its_account() {
    let mut story = Story::under(Strategy::Affinity, 2);
    let of = |thread| Request {
        session: Some(9),
        thread: Some(thread),
        turn: Turn::Id(1),
        ..Request::default()
    };
    assert_eq!(story.route(&of(1)).choice.account(), Some(A));
    assert_eq!(story.after(1).route(&of(2)).choice.account(), Some(A));
}

#[test]
fn soonest_reset_uses_what_would_be_lost_first() {
    let mut story = Story::under(Strategy::SoonestReset, 3);
    story.has_used_of(A, FIVE_HOURS, 10.0, 3 * HOUR);
    story.has_used_of(B, FIVE_HOURS, 10.0, HOUR);
    let decision = story.ask();
    assert_eq!(
        (decision.choice.account(), because(&decision)),
        (Some(B), Because::ResetsSoonest)
    );
    assert_eq!(
        decision.lines[2].standing,
        Standing::PassedOver(PassedOver::ResetsLater)
    );
    assert_eq!(
        story.after(2 * HOUR).serves(),
        A,
        "B's timer isn't running any more: nothing is lost"
    );
}

#[test]
fn soonest_reset_breaks_ties_by_the_least_recently_used() {
    let mut story = Story::under(Strategy::SoonestReset, 2);
    assert_eq!(
        [story.serves(), story.after(1).serves(), story.after(1).serves()],
        [A, B, A]
    );
}

#[test]
fn the_maker_of_a_compaction_is_preferred_while_it_is_usable() {
    for strategy in [
        Strategy::Balanced,
        Strategy::Affinity,
        Strategy::RoundRobin,
        Strategy::SoonestReset,
    ] {
        let mut story = Story::under(strategy, 2);
        assert_eq!(story.serves_turn(1, 1), A);
        story.pool.compacted(1, A);
        story.after(1).has_used_of(A, WEEK, 80.0, 50 * HOUR);
        let decision = story.turn(1, 2);
        assert_eq!(
            (decision.choice.account(), because(&decision)),
            (Some(A), Because::MadeCompaction),
            "{strategy}"
        );
        story.hits_limit(A, Some(HOUR));
        assert_eq!(story.serves_turn(1, 3), B, "{strategy}");
        assert_eq!(
            story.after(HOUR).serves_turn(1, 4),
            A,
            "{strategy}: and again when it is back"
        );
    }
}

#[test]
fn turns_stay_and_held_back_accounts_come_later_under_every_strategy() {
    for strategy in Strategy::ALL {
        let mut story = Story::under(strategy, 2);
        story.sets_threshold(A, 50.0);
        assert_eq!(story.serves_turn(1, 1), A, "{strategy}");
        story.after(1).has_used(A, 60.0);
        assert_eq!(story.serves_turn(1, 1), A, "{strategy}: the turn stays");
        assert_eq!(story.serves_turn(1, 2), B, "{strategy}");
        story.hits_limit(B, Some(HOUR));
        assert_eq!(story.serves_turn(1, 3), A, "{strategy}: soft");
    }
}

#[test]
fn a_running_turn_waits_briefly_for_its_account_under_every_strategy() {
    for strategy in Strategy::ALL {
        let mut story = Story::under(strategy, 2);
        assert_eq!(story.serves_turn(1, 1), A, "{strategy}");
        story.is_throttled(A, 4);
        assert_eq!(story.turn(1, 1).choice.account(), None, "{strategy}");
        assert_eq!(story.after(4).serves_turn(1, 1), A, "{strategy}");
    }
}
