//! An account whose answers break off after output, again and again.

use baton_core::{Because, Choice, PassedOver, Standing, Strategy};

use crate::pools::{A, B, Story};

fn because(choice: &Choice) -> Option<Because> {
    match choice {
        Choice::Use { because, .. } => Some(*because),
        _ => None,
    }
}

#[test]
fn twice_in_a_turn_another_account_goes_on_with_it_and_the_next_turn_is_as_before() {
    let mut story = Story::draining(2);
    assert_eq!(story.serves_turn(7, 1), A);
    story.pool.broke_off(7, A);
    assert_eq!(story.serves_turn(7, 1), A, "once may be chance");
    story.pool.broke_off(7, A);
    let decision = story.turn(7, 1);
    let instead_of = A;
    assert_eq!(
        because(&decision.choice),
        Some(Because::TemporaryFailover { instead_of })
    );
    assert_eq!(
        decision.lines[0].standing,
        Standing::PassedOver(PassedOver::BreaksOff)
    );
    assert_eq!(story.serves_turn(7, 1), B, "until the end of the turn");
    assert_eq!(story.serves_turn(8, 5), A, "other threads know nothing of it");
    assert_eq!(story.serves_turn(7, 2), A);
    assert_eq!(story.pool.active(), Some(A));
}

#[test]
fn when_the_other_one_breaks_off_as_well_they_take_turns() {
    let mut story = Story::draining(2);
    let mut served = Vec::new();
    for _ in 0..6 {
        let account = story.serves_turn(7, 1);
        served.push(account);
        story.pool.broke_off(7, account);
    }
    assert_eq!(served, [A, A, B, B, A, A]);
}

#[test]
fn where_nobody_else_can_serve_or_may_it_stays() {
    let broken = |story: &mut Story| {
        story.serves_turn(7, 1);
        story.pool.broke_off(7, A);
        story.pool.broke_off(7, A);
    };
    let mut alone = Story::draining(1);
    broken(&mut alone);
    assert_eq!(alone.serves_turn(7, 1), A);

    let mut spent = Story::draining(2);
    spent.hits_limit(B, Some(9_000));
    broken(&mut spent);
    assert_eq!(spent.serves_turn(7, 1), A);

    let mut pinned = Story::draining(2);
    let now = pinned.now;
    pinned.pool.pin(A, now, &mut Vec::new()).unwrap();
    broken(&mut pinned);
    assert_eq!(pinned.serves_turn(7, 1), A);
}

#[test]
fn under_every_strategy_the_turn_moves() {
    for strategy in Strategy::ALL {
        let mut story = Story::under(strategy, 3);
        let first = story.serves_turn(7, 1);
        story.pool.broke_off(7, first);
        story.pool.broke_off(7, first);
        assert_ne!(story.serves_turn(7, 1), first, "{strategy:?}");
    }
}
