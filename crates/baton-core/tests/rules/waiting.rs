//! Nobody can serve: wait, refuse with what is known, or probe.

use std::time::Duration;

use baton_core::{Because, Choice, EventKind, Pool, RefuseReason, Request, Strategy};

use crate::pools::{A, B, HOUR, Story, because};

fn nobody_before(story: &Story, secs: u64) -> Choice {
    let earliest = Some(story.at(secs));
    Choice::Refuse {
        reason: RefuseReason::NobodyUsable { earliest },
    }
}

#[test]
fn within_wait_for_recovery_codex_waits_for_whoever_is_back_first() {
    for strategy in Strategy::ALL {
        let mut story = Story::under(strategy, 2);
        story.hits_limit(A, Some(61)).hits_limit(B, Some(90));
        assert_eq!(story.ask().choice, nobody_before(&story, 61), "{strategy}");
        story.after(1);
        let until = story.at(60);
        assert_eq!(
            story.ask().choice,
            Choice::Wait { until, account: A },
            "{strategy}"
        );
        assert_eq!(story.after(60).serves(), A, "{strategy}");
    }
}

#[test]
fn the_person_decides_how_long_up_to_six_hours() {
    let mut story = Story::draining(1);
    story.pool.set_wait_for_recovery(Duration::from_secs(100 * HOUR));
    story.hits_limit(A, Some(6 * HOUR + 1));
    assert_eq!(story.ask().choice, nobody_before(&story, 6 * HOUR + 1));
    assert!(matches!(story.after(1).ask().choice, Choice::Wait { .. }));
}

#[test]
fn unknown_stays_unknown() {
    let mut story = Story::draining(2);
    story.hits_limit(A, None).is_refused(B);
    let earliest = None;
    let reason = RefuseReason::NobodyUsable { earliest };
    assert_eq!(story.ask().choice, Choice::Refuse { reason });
}

#[test]
fn all_exhausted_and_serving_again_are_told_once() {
    let mut story = Story::draining(2);
    story.hits_limit(A, Some(HOUR)).hits_limit(B, Some(2 * HOUR));
    story.told();
    for _ in 0..3 {
        story.ask();
    }
    let earliest = Some(story.at(HOUR));
    assert_eq!(story.told(), [EventKind::AllExhausted { earliest }]);
    story.after(HOUR).command(Pool::settle);
    let told = story.told();
    assert_eq!(
        told.iter().filter(|kind| **kind == EventKind::Serving).count(),
        1,
        "{told:?}"
    );
    story.serves();
    assert!(!story.told().contains(&EventKind::Serving));
}

#[test]
fn one_probe_in_five_minutes_where_no_return_is_known() {
    let mut story = Story::draining(1);
    story.hits_limit(A, None);
    assert!(matches!(story.after(239).ask().choice, Choice::Refuse { .. }));
    assert!(
        matches!(story.after(1).ask().choice, Choice::Wait { .. }),
        "the probe is worth waiting for"
    );
    let probe = story.after(60).ask();
    assert_eq!(because(&probe), Because::Probe);
    assert!(matches!(story.ask().choice, Choice::Refuse { .. }), "one only");
    story.hits_limit(A, None);
    assert!(matches!(story.after(299).ask().choice, Choice::Wait { .. }));
    assert_eq!(because(&story.after(1).ask()), Because::Probe);
    story.told();
    story.succeeds(A);
    assert_eq!(because(&story.ask()), Because::Active);
    assert!(story.told().contains(&EventKind::Serving));
}

#[test]
fn a_probe_is_no_news_until_it_succeeds() {
    let mut story = Story::draining(1);
    story.hits_limit(A, None);
    story.ask();
    story.told();
    assert_eq!(because(&story.after(300).ask()), Because::Probe);
    assert_eq!(story.told(), []);
}

#[test]
fn nobody_is_probed_who_needs_a_person() {
    let mut story = Story::draining(2);
    story.hits_limit(A, None).is_refused(A);
    story.hits_limit(B, None);
    story
        .command(|pool, now, events| pool.skip(B, true, now, events))
        .unwrap();
    story.command(Pool::release_brake);
    story.after(HOUR);
    let earliest = None;
    let reason = RefuseReason::NobodyUsable { earliest };
    assert_eq!(
        story.ask().choice,
        Choice::Refuse { reason },
        "and nothing is waited for"
    );
}

#[test]
fn a_known_return_is_waited_for_rather_than_probed() {
    let mut story = Story::draining(1);
    story.hits_limit(A, Some(10 * HOUR));
    assert!(matches!(story.after(HOUR).ask().choice, Choice::Refuse { .. }));
}

#[test]
fn a_request_that_everybody_failed_gets_the_last_answer() {
    let mut story = Story::draining(2);
    let request = Request {
        tried: &[A, B],
        ..Request::default()
    };
    let reason = RefuseReason::AllTried;
    assert_eq!(story.route(&request).choice, Choice::Refuse { reason });
    assert_eq!(story.told(), []);
}

/// A has failed for the request; B can't serve now.
fn a_has_failed(story: &mut Story) -> Choice {
    let request = Request {
        tried: &[A],
        ..Request::default()
    };
    story.route(&request).choice
}

const ALL_TRIED: Choice = Choice::Refuse {
    reason: RefuseReason::AllTried,
};

#[test]
fn whoever_is_back_within_a_minute_is_waited_for_where_the_others_have_failed_the_request() {
    for strategy in Strategy::ALL {
        for wait_for_recovery in [60, 6 * HOUR] {
            let mut story = Story::under(strategy, 2);
            story
                .pool
                .set_wait_for_recovery(Duration::from_secs(wait_for_recovery));
            story.hits_limit(B, Some(61));
            assert_eq!(
                a_has_failed(&mut story),
                ALL_TRIED,
                "{strategy}: A may be well again sooner"
            );
            story.after(1);
            let until = story.at(60);
            let wait = Choice::Wait { until, account: B };
            assert_eq!(a_has_failed(&mut story), wait, "{strategy}");
        }
    }
    let mut story = Story::draining(2);
    story.pool.set_wait_for_recovery(Duration::ZERO);
    story.is_throttled(B, 30);
    assert_eq!(
        a_has_failed(&mut story),
        ALL_TRIED,
        "the person doesn't want to wait"
    );
}

#[test]
fn an_unknown_return_is_probed_where_the_others_have_failed_the_request() {
    let mut story = Story::draining(2);
    story.hits_limit(B, None);
    assert_eq!(a_has_failed(&mut story), ALL_TRIED);
    let probe = Choice::Use {
        account: B,
        generation: story.pool.account(B).unwrap().generation(),
        because: Because::Probe,
    };
    story.after(300);
    assert_eq!(a_has_failed(&mut story), probe);
    assert_eq!(a_has_failed(&mut story), ALL_TRIED, "one only");
}

#[test]
fn who_is_refused_for_good_leaves_it_to_whoever_is_back() {
    let mut story = Story::draining(2);
    story.is_refused(A).hits_limit(B, Some(HOUR));
    assert_eq!(a_has_failed(&mut story), nobody_before(&story, HOUR));
    story.pool.set_wait_for_recovery(Duration::from_secs(HOUR));
    let until = story.at(HOUR);
    assert_eq!(a_has_failed(&mut story), Choice::Wait { until, account: B });
}

#[test]
fn a_refusal_for_good_is_told_in_the_upstreams_words_where_nobody_is_back_ever() {
    let mut story = Story::draining(2);
    story.is_refused(A);
    story
        .command(|pool, now, events| pool.skip(B, true, now, events))
        .unwrap();
    assert_eq!(a_has_failed(&mut story), ALL_TRIED);
    let earliest = None;
    let reason = RefuseReason::NobodyUsable { earliest };
    assert_eq!(story.ask().choice, Choice::Refuse { reason }, "from then on");
}

#[test]
fn a_reserve_is_back_with_its_window() {
    let mut story = Story::draining(1);
    story.reserves(A, 50.0).has_used(A, 60.0);
    assert_eq!(story.ask().choice, nobody_before(&story, HOUR));
}
