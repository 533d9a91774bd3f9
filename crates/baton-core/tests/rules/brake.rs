//! The brake: two permanent refusals within half an hour, and the others stay untouched until the person decides.

use baton_core::{
    Account, Because, Choice, Eligibility, EventKind, PassedOver, Pool, Refusal, RefuseReason, Request,
    Standing, Strategy, Turn,
};

use crate::pools::{A, B, C, D, Story, account, because};

const BRAKED: Choice = Choice::Refuse {
    reason: RefuseReason::Braked,
};

fn braked(accounts: u32) -> Story {
    let mut story = Story::draining(accounts);
    story.is_refused(A);
    assert_eq!(story.serves(), B);
    story.after(20 * 60).is_refused(B);
    assert!(story.told().contains(&EventKind::BrakeEngaged));
    story
}

#[test]
fn two_refusals_within_half_an_hour_stop_failover() {
    let mut story = braked(3);
    assert_eq!(story.ask().choice, BRAKED);
    assert_eq!(story.state(C), Eligibility::Eligible, "untouched");
}

#[test]
fn half_an_hour_apart_they_do_not() {
    let mut story = Story::draining(3);
    story.is_refused(A);
    assert_eq!(story.serves(), B);
    story.after(30 * 60).is_refused(B);
    assert_eq!(story.serves(), C);
}

#[test]
fn two_of_the_same_account_do_not() {
    let mut story = Story::draining(3);
    story.is_refused(A);
    story
        .command(|pool, now, events| pool.renewed(A, now, events))
        .unwrap();
    story.is_refused(A);
    assert_eq!(story.serves(), B);
}

#[test]
fn what_baton_found_out_by_itself_does_not() {
    let mut story = Story::draining(3);
    story.is_refused_for(A, Refusal::UnsupportedBackend);
    story.is_refused_for(B, Refusal::RefreshInterrupted);
    assert_eq!(story.serves(), C);
}

#[test]
fn running_turns_and_an_active_account_that_is_well_go_on() {
    let mut story = Story::draining(4);
    assert_eq!(story.serves_turn(1, 1), A);
    story.switches_to(C);
    assert_eq!(story.serves_turn(2, 1), C);
    story.switches_to(A);
    story.is_refused(B).is_refused(D);
    let running = story.turn(2, 1);
    assert_eq!(
        (running.choice.account(), because(&running)),
        (Some(C), Because::TurnStays)
    );
    assert_eq!(story.serves(), A, "no failover is needed");
    story.hits_limit(A, Some(3600));
    assert_eq!(story.ask().choice, BRAKED);
}

#[test]
fn a_session_goes_on_under_affinity() {
    let mut story = Story::under(Strategy::Affinity, 4);
    let account = story.serves_turn(1, 1);
    let others: Vec<_> = [A, B, C].into_iter().filter(|other| *other != account).collect();
    story.is_refused(others[0]).is_refused(others[1]);
    let decision = story.turn(1, 2);
    assert_eq!(
        (decision.choice.account(), because(&decision)),
        (Some(account), Because::SessionStays)
    );
    assert_eq!(story.turn(2, 1).choice, BRAKED);
}

#[test]
fn the_person_releases_it() {
    type Release = fn(&mut Story);
    let ways: [Release; 4] = [
        |story| story.command(Pool::release_brake),
        |story| {
            story.switches_to(C);
        },
        |story| {
            story
                .command(|pool, now, events| pool.renewed(A, now, events))
                .unwrap();
        },
        |story| story.command(|pool, now, events| pool.set_strategy(Strategy::Balanced, now, events)),
    ];
    for release in ways {
        let mut story = braked(3);
        release(&mut story);
        assert!(story.told().contains(&EventKind::BrakeReleased));
        assert!(story.ask().choice.account().is_some());
    }
}

#[test]
fn a_pin_is_no_failover() {
    let mut story = braked(3);
    story
        .command(|pool, now, events| pool.pin(C, now, events))
        .unwrap();
    assert_eq!(story.serves(), C);
}

#[test]
fn under_the_brake_the_account_itself_is_waited_for_and_no_other_takes_over() {
    let mut story = Story::draining(4);
    assert_eq!(story.serves_turn(1, 1), A);
    story.is_refused(B).is_refused(C).is_throttled(A, 30);
    let until = story.at(30);
    for turn in [1, 2] {
        let decision = story.turn(1, turn);
        assert_eq!(decision.choice, Choice::Wait { until, account: A });
        let standing = Standing::PassedOver(PassedOver::Braked);
        assert_eq!(decision.lines[3].standing, standing, "D could serve");
    }
    assert_eq!(story.after(30).serves_turn(1, 1), A);
}

#[test]
fn under_the_brake_the_account_itself_is_probed() {
    let mut story = Story::draining(4);
    story.is_refused(B).is_refused(C).hits_limit(A, None);
    assert_eq!(story.ask().choice, BRAKED);
    let probe = story.after(300).ask();
    assert_eq!(
        (probe.choice.account(), because(&probe)),
        (Some(A), Because::Probe)
    );
}

#[test]
fn under_the_brake_a_trouble_of_the_account_itself_is_told_as_what_it_is() {
    for strategy in [Strategy::Sequential, Strategy::Affinity] {
        let mut story = Story::under(strategy, 4);
        let own = story.serves_turn(1, 1);
        let others: Vec<_> = [A, B, C].into_iter().filter(|other| *other != own).collect();
        story.is_refused(others[0]).is_refused(others[1]);
        for turn in [1, 2] {
            let request = Request {
                session: Some(1),
                thread: Some(1),
                turn: Turn::Id(turn),
                tried: &[own],
                ..Request::default()
            };
            let reason = RefuseReason::AllTried;
            assert_eq!(
                story.route(&request).choice,
                Choice::Refuse { reason },
                "{strategy}, turn {turn}: the client asks again"
            );
        }
    }
}

#[test]
fn an_account_that_is_removed_and_added_again_is_no_second_one() {
    let refused_and_removed = || {
        let mut story = Story::draining(3);
        story.is_refused(A);
        story
            .command(|pool, now, events| pool.remove(A, now, events))
            .unwrap();
        story
    };
    let mut story = refused_and_removed();
    let again = Account { id: D, ..account(1) };
    story
        .command(|pool, now, events| pool.add(again, now, events))
        .unwrap();
    story.is_refused(D);
    assert!(story.ask().choice.account().is_some());

    let mut story = refused_and_removed();
    story.is_refused(B);
    assert_eq!(
        story.ask().choice,
        BRAKED,
        "two are two, the one being gone or not"
    );
}

/// Files of linked accounts that are wrong or stale are the person's own business.
#[test]
fn linked_files_do_not_engage_it_and_mending_one_does_not_release_it() {
    let reasons = [
        Refusal::LinkGone,
        Refusal::LinkUnreadable,
        Refusal::LinkOfAnother,
        Refusal::LinkStale,
    ];
    let mut story = Story::draining(3);
    for reason in reasons {
        story.is_refused_for(A, reason).is_refused_for(B, reason);
    }
    assert_eq!(story.serves(), C);
    story.command(|pool, now, events| pool.link_mended(A, now, events));
    assert_eq!(story.state(A), Eligibility::Eligible);

    let mut story = braked(3);
    for account in [A, C] {
        story.command(|pool, now, events| pool.link_mended(account, now, events));
    }
    assert_eq!(story.ask().choice, BRAKED);
    let refused = matches!(story.state(A), Eligibility::NeedsAttention { .. });
    assert!(refused, "what the upstream refused is mended by no file");
}
