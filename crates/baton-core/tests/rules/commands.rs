//! What the person says: switch, pin, skip, remove, move, rename, another strategy.

use baton_core::{
    Because, Cause, Choice, CommandError, Credits, EventKind, LimitFamily, Pool, RefuseReason, Source,
    Strategy, WindowLength,
};

use crate::pools::{A, B, C, D, HOUR, Story, account, because};

#[test]
fn switching_keeps_the_strategy_and_is_told() {
    let mut story = Story::draining(3);
    story.switches_to(C);
    assert_eq!(story.switches(), [(Some(A), C, Cause::SwitchedByPerson)]);
    assert_eq!(story.serves(), C);
    story.hits_limit(C, Some(HOUR));
    assert_eq!(story.serves(), A, "the order goes on from there");
}

#[test]
fn switching_to_an_account_that_cannot_serve_is_refused_and_changes_nothing() {
    let mut story = Story::draining(4);
    story.hits_limit(B, Some(HOUR)).is_refused(C);
    story
        .command(|pool, now, events| pool.skip(D, true, now, events))
        .unwrap();
    story.told();
    let before = story.pool.clone();
    for account in [B, C, D] {
        let refused = story.command(|pool, now, events| pool.switch_now(account, now, events));
        assert!(matches!(refused, Err(CommandError::NotUsable { account: named, .. }) if named == account));
    }
    let unknown = baton_core::AccountId::new(99);
    let refused = story.command(|pool, now, events| pool.switch_now(unknown, now, events));
    assert_eq!(refused, Err(CommandError::UnknownAccount));
    assert_eq!(story.pool, before);
    assert_eq!(story.told(), []);
}

#[test]
fn switching_under_another_strategy_gives_the_next_turn() {
    let mut story = Story::under(Strategy::Balanced, 3);
    story.has_used(A, 10.0).has_used(B, 50.0).has_used(C, 90.0);
    story.switches_to(C);
    let decision = story.turn(1, 1);
    assert_eq!(
        (decision.choice.account(), because(&decision)),
        (Some(C), Because::ChosenByPerson)
    );
    assert_eq!(story.serves_turn(1, 1), C, "the turn stays");
    assert_eq!(story.serves_turn(1, 2), A, "and the strategy goes on");
    assert_eq!(story.pool.policy().strategy, Strategy::Balanced);
}

#[test]
fn a_threshold_waived_for_the_next_turn_is_back_after_it() {
    let mut story = Story::under(Strategy::Balanced, 2);
    story
        .has_used(A, 70.0)
        .has_used(B, 60.0)
        .sets_threshold(B, 50.0)
        .switches_to(B);
    assert_eq!(story.serves(), B);
    assert_eq!(story.serves(), A);
}

#[test]
fn a_pin_overrules_strategy_and_thresholds_and_moves_nothing() {
    let mut story = Story::draining(2);
    story.reserves(B, 50.0).has_used(B, 60.0);
    story.told();
    story
        .command(|pool, now, events| pool.pin(B, now, events))
        .unwrap();
    let decision = story.ask();
    assert_eq!(
        (decision.choice.account(), because(&decision)),
        (Some(B), Because::Pinned)
    );
    assert_eq!(story.pool.active(), Some(A));
    story.command(Pool::unpin);
    assert_eq!(story.serves(), A);
    assert_eq!(
        story.told(),
        [
            EventKind::Pinned { account: B },
            EventKind::Unpinned { account: B }
        ]
    );
}

#[test]
fn a_pinned_account_that_cannot_serve_is_a_clear_error_and_no_failover() {
    let mut story = Story::draining(2);
    story
        .command(|pool, now, events| pool.pin(A, now, events))
        .unwrap();
    story.hits_limit(A, Some(HOUR));
    story.told();
    let state = story.state(A);
    let decision = story.ask();
    assert_eq!(
        decision.choice,
        Choice::Refuse {
            reason: RefuseReason::PinnedUnusable { account: A, state }
        }
    );
    assert_eq!(story.told(), [], "B could serve: it is no alarm");
    assert_eq!(
        story.after(HOUR - 20).ask().choice,
        Choice::Wait {
            until: story.at(20),
            account: A
        }
    );
    assert_eq!(story.after(20).serves(), A);
}

#[test]
fn a_pinned_account_of_unknown_return_is_probed() {
    let mut story = Story::draining(2);
    story
        .command(|pool, now, events| pool.pin(A, now, events))
        .unwrap();
    story.hits_limit(A, None);
    assert!(matches!(story.ask().choice, Choice::Refuse { .. }));
    assert_eq!(because(&story.after(300).ask()), Because::Probe);
}

#[test]
fn a_pin_waits_briefly_even_where_nothing_else_is_waited_for() {
    let mut story = Story::draining(2);
    story.pool.set_wait_for_recovery(std::time::Duration::ZERO);
    story
        .command(|pool, now, events| pool.pin(A, now, events))
        .unwrap();
    story.is_throttled(A, 5);
    let until = story.at(5);
    assert_eq!(story.ask().choice, Choice::Wait { until, account: A });
}

#[test]
fn a_pin_asks_even_for_a_model_that_the_plan_lacks() {
    let mut story = Story::draining(2);
    story.lacks(A, "gpt-6");
    story
        .command(|pool, now, events| pool.pin(A, now, events))
        .unwrap();
    assert_eq!(story.ask_model("gpt-6").choice.account(), Some(A));
}

#[test]
fn skipping_takes_it_out_and_back() {
    let mut story = Story::draining(2);
    story
        .command(|pool, now, events| pool.skip(B, true, now, events))
        .unwrap();
    story.hits_limit(A, Some(HOUR));
    assert_eq!(story.ask().choice.account(), None);
    story
        .command(|pool, now, events| pool.skip(B, false, now, events))
        .unwrap();
    assert_eq!(story.serves(), B);
}

#[test]
fn removing_the_active_account_makes_the_next_in_the_order_active() {
    let mut story = Story::draining(4);
    story.hits_limit(B, Some(HOUR));
    story.told();
    story
        .command(|pool, now, events| pool.remove(A, now, events))
        .unwrap();
    assert_eq!(story.switches(), [(Some(A), C, Cause::Removed)]);
    story.switches_to(D).told();
    story
        .command(|pool, now, events| pool.remove(D, now, events))
        .unwrap();
    assert_eq!(
        story.switches(),
        [(Some(D), C, Cause::Removed)],
        "wrapping round, B being exhausted"
    );
}

#[test]
fn removing_everybody_leaves_a_clear_refusal() {
    let mut story = Story::draining(1);
    story
        .command(|pool, now, events| pool.remove(A, now, events))
        .unwrap();
    assert_eq!(story.pool.active(), None);
    assert_eq!(
        story.ask().choice,
        Choice::Refuse {
            reason: RefuseReason::NoAccounts
        }
    );
}

#[test]
fn removing_the_pinned_account_unpins() {
    let mut story = Story::draining(2);
    story
        .command(|pool, now, events| pool.pin(B, now, events))
        .unwrap();
    story.told();
    story
        .command(|pool, now, events| pool.remove(B, now, events))
        .unwrap();
    assert!(story.told().contains(&EventKind::Unpinned { account: B }));
    assert_eq!(story.serves(), A);
}

#[test]
fn moving_changes_who_is_next_and_nothing_else() {
    let mut story = Story::draining(3);
    story.pool.move_to(C, 1).unwrap();
    assert_eq!(story.serves(), A);
    assert_eq!(story.switches(), []);
    story.hits_limit(A, Some(HOUR));
    assert_eq!(story.serves(), C);
    story.pool.move_to(A, 99).unwrap();
    let order: Vec<_> = story
        .pool
        .accounts()
        .iter()
        .map(|state| state.account.id)
        .collect();
    assert_eq!(order, [C, B, A]);
}

#[test]
fn labels_are_unique_and_never_empty() {
    let mut story = Story::draining(2);
    assert_eq!(
        story.pool.rename(A, "b"),
        Err(CommandError::LabelTaken("b".into()))
    );
    assert_eq!(story.pool.rename(A, "  "), Err(CommandError::EmptyLabel));
    assert_eq!(
        story.pool.rename(A, "Work\u{1b}[31m"),
        Err(CommandError::UnprintableLabel)
    );
    assert_eq!(story.pool.rename(A, "a"), Ok(()), "its own label in another case");
    story.pool.rename(A, "Work").unwrap();
    assert_eq!(story.serves(), A);
    assert_eq!(story.switches(), []);
}

#[test]
fn one_grant_is_added_once_and_teammates_are_two() {
    let mut story = Story::draining(1);
    let again = story.command(|pool, now, events| pool.add(account(1), now, events));
    assert_eq!(again, Err(CommandError::AlreadyThere(A)));
    story
        .command(|pool, now, events| pool.add(account(2), now, events))
        .unwrap();
    assert_eq!(
        story.pool.accounts().len(),
        2,
        "the same account id, another user"
    );
}

#[test]
fn an_id_is_never_used_twice() {
    let mut story = Story::draining(1);
    let mut same_id = account(2);
    same_id.id = A;
    let refused = story.command(|pool, now, events| pool.add(same_id, now, events));
    assert_eq!(refused, Err(CommandError::AlreadyThere(A)));
}

#[test]
fn going_back_to_sequential_goes_on_with_the_account_used_last() {
    let mut story = Story::draining(3);
    story.command(|pool, now, events| pool.set_strategy(Strategy::RoundRobin, now, events));
    assert_eq!(story.after(1).serves(), B);
    story.told();
    story.command(|pool, now, events| pool.set_strategy(Strategy::Sequential, now, events));
    assert_eq!(story.serves(), B);
    assert_eq!(story.switches(), [(Some(A), B, Cause::StrategyChanged)]);
}

#[test]
fn going_to_sequential_for_the_first_time_does_so_too() {
    let mut story = Story::under(Strategy::Balanced, 2);
    story.has_used(A, 50.0).has_used(B, 10.0);
    assert_eq!(story.serves(), B);
    story.command(|pool, now, events| pool.set_strategy(Strategy::Sequential, now, events));
    assert_eq!(story.serves(), B);
}

#[test]
fn a_strategy_counts_from_the_next_request_on_and_running_turns_stay() {
    let mut story = Story::draining(2);
    assert_eq!(story.serves_turn(1, 1), A);
    story.has_used_of(A, WindowLength::WEEK, 90.0, HOUR);
    story.command(|pool, now, events| pool.set_strategy(Strategy::Balanced, now, events));
    assert_eq!(story.serves_turn(1, 1), A);
    assert_eq!(story.serves_turn(1, 2), B);
}

#[test]
fn switching_to_an_account_on_credits_is_refused_while_others_have_included_quota() {
    let mut story = Story::draining(2);
    let windows = [(WindowLength::FIVE_HOURS, 100.0, Some(HOUR))];
    let mut reading = story.reading(Source::Headers, LimitFamily::General, &windows);
    reading.credits = Some(Credits {
        has_credits: true,
        unlimited: true,
        balance: None,
    });
    story.learns(B, &reading);
    story.pool.set_use_credits(B, true).unwrap();
    let refused = story.command(|pool, now, events| pool.switch_now(B, now, events));
    assert!(matches!(refused, Err(CommandError::NotUsable { .. })));
    story.hits_limit(A, Some(HOUR));
    story.switches_to(B);
    assert_eq!(story.serves(), B);
}
