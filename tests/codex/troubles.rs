//! Passing troubles of the upstream: the person sees an answer, and who is active stays so.

use baton_core::{Cause, Eligibility};
use baton_sim::{At, Failure, Fault, FaultRule, Kind};

use crate::stage::{BOTH, On, Stage, answer_to, two};

/// A says: too fast, come back in half a minute. This turn is B's.
#[tokio::test]
async fn a_throttle_is_a_detour() {
    for on in BOTH {
        let throttle = Failure::rate_limit_exceeded().retry_after(30);
        let mut stage = Stage::with(on, two(10.0, 10.0)).await;
        stage.sim.fault(
            FaultRule::new(At::Head, Fault::Refuse(throttle))
                .account("a")
                .first(1),
        );
        stage.codex("hello").await.answered(&answer_to("hello"));
        assert_eq!(stage.both_served(), (0, 1), "{on:?}");
        assert!(
            matches!(stage.state("a"), Eligibility::CoolingDown { .. }),
            "{on:?}"
        );
        a_is_active(&mut stage);
    }
}

#[tokio::test]
async fn server_errors_are_tried_again() {
    for on in BOTH {
        let mut stage = Stage::with(on, two(10.0, 10.0)).await;
        stage.sim.fault(
            FaultRule::new(At::Head, Fault::Refuse(Failure::internal()))
                .account("a")
                .first(2),
        );
        stage.codex("hello").await.answered(&answer_to("hello"));
        assert_eq!(stage.both_served(), (1, 0), "{on:?}");
        a_is_active(&mut stage);
    }
}

#[tokio::test]
async fn an_expired_token_is_renewed() {
    for on in BOTH {
        let mut stage = Stage::with(on, two(10.0, 10.0)).await;
        stage.sim.account("a").expire_access_tokens();
        stage.codex("hello").await.answered(&answer_to("hello"));
        assert_eq!(stage.both_served(), (1, 0), "{on:?}");
        assert_eq!(
            stage.sim.log().count(|entry| entry.kind == Kind::Token),
            1,
            "{on:?}: one refresh"
        );
        a_is_active(&mut stage);
    }
}

#[tokio::test]
async fn a_connection_lost_before_the_answer_begins_goes_unnoticed() {
    for on in BOTH {
        let mut stage = Stage::with(on, two(10.0, 10.0)).await;
        stage
            .sim
            .fault(FaultRule::new(At::Created, Fault::Reset).account("a").first(1));
        stage.codex("hello").await.answered(&answer_to("hello"));
        assert_eq!(stage.both_served(), (1, 0), "{on:?}");
        a_is_active(&mut stage);
    }
}

/// Codex asks again, and shows the answer once. On HTTP it says so.
#[tokio::test]
async fn a_connection_lost_in_the_middle_of_an_answer_is_made_good() {
    for on in BOTH {
        let mut stage = Stage::with(on, two(10.0, 10.0)).await;
        stage
            .sim
            .fault(FaultRule::new(At::Output(4), Fault::Reset).account("a").first(1));
        let run = stage.codex("hello").await;
        run.answered_in_the_end(&answer_to("hello"));
        assert_eq!(run.speaks_of_reconnecting(), on == On::Http, "{on:?}: {run}");
        assert_eq!(stage.both_served(), (1, 0), "{on:?}");
        a_is_active(&mut stage);
    }
}

fn a_is_active(stage: &mut Stage) {
    assert_eq!(stage.switches(), [("a".to_owned(), Cause::FirstUse)]);
    stage.all_in_order();
}
