use std::time::Duration;

use baton_core::{CoolingReason, Refusal};

use super::*;
use crate::view::samples::{NOW, account, exhausted, snapshot, window};

fn two() -> Snapshot {
    let mut pool = snapshot(vec![
        account(1, "Personal", vec![window(300, 63.0)]),
        account(2, "Work", vec![window(300, 100.0)]),
    ]);
    pool.next = Some(pool.accounts[1].id);
    pool
}

const PERSONAL: AccountId = AccountId::new(1);
const WORK: AccountId = AccountId::new(2);

fn event(kind: EventKind) -> Event {
    Event { at: NOW, kind }
}

fn switch(cause: Cause) -> Event {
    event(EventKind::Switched(Switch {
        from: Some(PERSONAL),
        to: WORK,
        cause,
    }))
}

fn changed(account: AccountId, from: Eligibility, to: Eligibility) -> Event {
    event(EventKind::StateChanged { account, from, to })
}

const REFUSED: Eligibility = Eligibility::NeedsAttention {
    reason: Refusal::GrantRefused,
};

fn texts(notices: &[Notice]) -> Vec<String> {
    notices
        .iter()
        .map(|notice| format!("{} — {}", notice.title, notice.body))
        .collect()
}

fn told(events: &[Event], now: &Snapshot) -> Vec<String> {
    texts(&Notices::default().of(events, now))
}

#[test]
fn a_switch_says_from_to_why_and_when_the_first_returns() {
    let mut now = two();
    now.accounts[0].state = Eligibility::Exhausted {
        until: Some(NOW + Duration::from_secs(3600)),
        reason: baton_core::ExhaustedReason::UsedUp,
        on_credits: false,
    };
    let back = clock_time(NOW + Duration::from_secs(3600), NOW);
    let events = [
        changed(PERSONAL, Eligibility::Eligible, exhausted()),
        switch(Cause::LimitReached),
    ];
    assert_eq!(
        told(&events, &now),
        [format!(
            "Switched to Work — From Personal: limit reached. It is back {back}."
        )]
    );
}

#[test]
fn the_first_account_ever_used_is_no_switch() {
    let first = event(EventKind::Switched(Switch {
        from: None,
        to: PERSONAL,
        cause: Cause::FirstUse,
    }));
    assert_eq!(told(&[first], &two()), [""; 0]);
}

#[test]
fn an_account_that_needs_a_person_is_told_once_with_who_serves_now() {
    let events = [
        changed(PERSONAL, Eligibility::Eligible, REFUSED),
        switch(Cause::NeedsAttention),
    ];
    assert_eq!(
        told(&events, &two()),
        ["Personal needs you — Its sign-in has expired; sign in again. Work serves now."]
    );
    // With that kind off, the switch is told all the same.
    let mut now = two();
    now.preferences.notifications.needs_attention = false;
    assert_eq!(
        told(&events, &now),
        ["Switched to Work — From Personal: needs attention."]
    );
}

#[test]
fn a_recovery_is_told_and_a_short_pause_is_not() {
    let pause = Eligibility::CoolingDown {
        since: NOW,
        until: NOW,
        reason: CoolingReason::Throttled,
    };
    assert_eq!(
        told(&[changed(WORK, pause, Eligibility::Eligible)], &two()),
        [""; 0]
    );
    assert_eq!(
        told(&[changed(WORK, exhausted(), Eligibility::Eligible)], &two()),
        ["Work has recovered — It is eligible again and waits its turn."]
    );
    // The person said so themselves.
    assert_eq!(
        told(
            &[changed(WORK, Eligibility::Skipped, Eligibility::Eligible)],
            &two()
        ),
        [""; 0]
    );
}

#[test]
fn a_detour_is_told_only_where_that_is_wanted() {
    let detour = event(EventKind::TemporaryFailover {
        from: PERSONAL,
        to: WORK,
    });
    let mut now = two();
    assert_eq!(told(std::slice::from_ref(&detour), &now), [""; 0]);
    now.preferences.notifications.temporary_failover = true;
    now.accounts[0].state_text = "Cooling down until 16:40 (throttled)".to_owned();
    assert_eq!(
        told(&[detour], &now),
        ["Temporarily on Work — Personal: Cooling down until 16:40 (throttled)."]
    );
}

#[test]
fn the_end_of_everything_names_the_first_return() {
    let all = |earliest| event(EventKind::AllExhausted { earliest });
    let at = NOW + Duration::from_secs(60);
    assert_eq!(
        told(&[all(Some(at))], &two()),
        [format!(
            "All accounts are exhausted — The first is back {}.",
            clock_time(at, NOW)
        )]
    );
    assert_eq!(
        told(&[all(None)], &two()),
        ["All accounts are exhausted — When the first is back isn't known."]
    );
}

#[test]
fn a_pin_that_stops_offers_to_end_it() {
    let mut now = two();
    now.pinned = Some(PERSONAL);
    now.accounts[0].state_text = "Used up · back 16:40".to_owned();
    let notices = Notices::default().of(&[changed(PERSONAL, Eligibility::Eligible, exhausted())], &now);
    assert_eq!(
        texts(&notices),
        ["Personal can't serve, and only it is used — Used up · back 16:40."]
    );
    assert_eq!(notices[0].button, Some(("Use the others too", Action::Unpin)));
}

#[test]
fn running_low_is_told_once_for_each_window_and_again_after_a_reset() {
    let mut notices = Notices::default();
    let mut now = two();
    assert_eq!(notices.of(&[], &now), []);
    now.accounts[0].windows[0].left = 20.0;
    assert_eq!(
        texts(&notices.of(&[], &now)),
        ["Personal is running low — 5 h: 20 % left. Next: Work."]
    );
    now.accounts[0].windows[0].left = 7.0;
    assert_eq!(notices.of(&[], &now), []);
    now.accounts[0].windows[0].left = 100.0;
    assert_eq!(notices.of(&[], &now), []);
    now.accounts[0].windows[0].left = 19.0;
    assert_eq!(notices.of(&[], &now).len(), 1);
    // What is used up is told by the switch.
    now.accounts[0].windows.push(window(10_080, 0.0));
    assert_eq!(notices.of(&[], &now), []);
}

#[test]
fn a_codex_that_another_program_has_disconnected_is_told_once() {
    let mut notices = Notices::default();
    let mut now = two();
    assert_eq!(notices.of(&[], &now), []);
    let home = now.codex.homes.remove(0).home;
    assert_eq!(notices.of(&[], &now), [], "that was the person, or Baton's end");
    now.codex.lost.push(home);
    assert_eq!(
        texts(&notices.of(&[], &now)),
        [
            "Codex is disconnected — Another program has changed its config.toml: it goes its own way, with its own sign-in."
        ]
    );
    assert_eq!(notices.of(&[], &now), []);
}

#[test]
fn every_kind_can_be_switched_off() {
    let events = [
        switch(Cause::LimitReached),
        changed(WORK, exhausted(), Eligibility::Eligible),
        changed(PERSONAL, Eligibility::Eligible, REFUSED),
        event(EventKind::AllExhausted { earliest: None }),
        event(EventKind::TemporaryFailover {
            from: PERSONAL,
            to: WORK,
        }),
        event(EventKind::BrakeEngaged),
    ];
    let mut now = two();
    for about in About::ALL {
        now.preferences.notifications.set(about, true);
    }
    let kinds: Vec<About> = Notices::default()
        .of(&events, &now)
        .iter()
        .map(|one| one.about)
        .collect();
    for about in kinds {
        now.preferences.notifications.set(about, false);
        let left = Notices::default().of(&events, &now);
        assert!(left.iter().all(|notice| notice.about != about), "{left:?}");
    }
    assert_eq!(Notices::default().of(&events, &now), []);
}
