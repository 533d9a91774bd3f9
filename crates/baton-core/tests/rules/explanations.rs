//! The words that tray, window, log and `baton why` share.

use baton_core::{
    AccountId, Cause, Choice, Eligibility, Refusal, RefuseReason, Timestamp,
    explain::{self, Words},
};

use crate::pools::{A, B, HOUR, Story};

struct Plain;

impl Words for Plain {
    fn label(&self, account: AccountId) -> String {
        if account == A {
            "Personal".into()
        } else {
            "Work".into()
        }
    }

    fn time(&self, _: Timestamp) -> String {
        "16:40".into()
    }
}

fn state(story: &Story, account: AccountId) -> String {
    explain::state(&story.state(account), &Plain)
}

fn lines(story: &mut Story) -> Vec<String> {
    let decision = story.ask();
    decision
        .lines
        .iter()
        .map(|line| explain::line(line, &Plain))
        .collect()
}

#[test]
fn states_in_the_words_of_the_screen() {
    let mut story = Story::draining(1);
    assert_eq!(state(&story, A), "Eligible");
    story.sets_threshold(A, 95.0).has_used(A, 95.0);
    assert_eq!(state(&story, A), "Set aside at 5 % left (5 h window)");
    story.reserves(A, 95.0);
    assert_eq!(
        state(&story, A),
        "Set aside at 5 % left (5 h window, kept in reserve)"
    );
    story.is_throttled(A, 30);
    assert_eq!(state(&story, A), "Cooling down until 16:40 (throttled)");
    story.has_used(A, 100.0);
    assert_eq!(state(&story, A), "Used up · back 16:40");
    story.hits_limit(A, Some(HOUR));
    assert_eq!(state(&story, A), "Limit reached · back 16:40");
    story.is_refused_for(A, Refusal::RefreshInterrupted);
    assert_eq!(state(&story, A), "Needs you: needs sign-in (refresh interrupted)");
    story
        .command(|pool, now, events| pool.skip(A, true, now, events))
        .unwrap();
    assert_eq!(state(&story, A), "Skipped");
}

#[test]
fn an_unknown_return_is_said_to_be_unknown() {
    let mut story = Story::draining(1);
    story.hits_limit(A, None);
    assert_eq!(state(&story, A), "Limit reached · return unknown");
}

#[test]
fn every_account_has_its_line() {
    let mut story = Story::draining(2);
    assert_eq!(
        lines(&mut story),
        [
            "chosen: the active account",
            "Eligible; waits its turn in the order"
        ]
    );
    story.is_throttled(A, 30);
    assert_eq!(
        lines(&mut story),
        [
            "Cooling down until 16:40 (throttled)",
            "chosen: temporarily, instead of Personal, until the end of the turn"
        ]
    );
    story.hits_limit(A, Some(HOUR));
    assert_eq!(
        lines(&mut story),
        [
            "Limit reached · back 16:40",
            "chosen: the active account from now on (limit reached)"
        ]
    );
    story
        .command(|pool, now, events| pool.pin(B, now, events))
        .unwrap();
    assert_eq!(lines(&mut story)[1], "chosen: use only this (no failover)");
}

#[test]
fn those_who_could_serve_say_why_they_do_not_while_a_brief_wait_lasts() {
    let mut story = Story::draining(2);
    story.is_throttled(A, 3);
    assert_eq!(lines(&mut story)[1], "Eligible; waits its turn in the order");
}

#[test]
fn refusals_say_what_to_do() {
    let refused = |reason| explain::refused(&reason, &Plain);
    let earliest = Some(Timestamp::from_secs(1));
    assert_eq!(
        refused(RefuseReason::NobodyUsable { earliest }),
        "Baton: every account is exhausted; the first is back 16:40."
    );
    assert!(refused(RefuseReason::NobodyUsable { earliest: None }).contains("baton status"));
    assert!(refused(RefuseReason::NoAccounts).contains("baton accounts add"));
    assert!(refused(RefuseReason::Braked).contains("baton switch"));
    let mut story = Story::draining(2);
    story
        .command(|pool, now, events| pool.pin(A, now, events))
        .unwrap();
    story.hits_limit(A, Some(HOUR));
    let Choice::Refuse { reason } = story.ask().choice else {
        panic!("a pinned account that can't serve is refused");
    };
    let said = refused(reason);
    assert!(
        said.contains("Personal (no failover)")
            && said.contains("back 16:40")
            && said.contains("baton unpin"),
        "{said}"
    );
}

#[test]
fn causes_are_named_as_the_design_names_them() {
    let named = [
        (Cause::LimitReached, "limit reached"),
        (Cause::ThresholdReached, "threshold reached"),
        (Cause::CoolingDown, "cooling down for more than a minute"),
        (Cause::NeedsAttention, "needs attention"),
        (Cause::Skipped, "skipped"),
        (Cause::Removed, "removed"),
        (Cause::ReturnedToPrimary, "returned to primary"),
        (Cause::SwitchedByPerson, "switched by you"),
        (Cause::StrategyChanged, "strategy changed"),
    ];
    for (cause, words) in named {
        assert_eq!(explain::cause(cause), words);
    }
}

#[test]
fn percents_are_short_and_a_little_is_not_nothing() {
    let shown = [100.0, 99.96, 5.0, 0.4, 0.04, 0.0].map(explain::percent);
    assert_eq!(shown, ["100", "100", "5", "0.4", "under 0.1", "0"]);
}

#[test]
fn a_skipped_account_says_so() {
    assert_eq!(explain::state(&Eligibility::Skipped, &Plain), "Skipped");
}
