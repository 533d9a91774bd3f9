//! The whole job from the beginning: two accounts sign in, one in a browser and one with a code, and are used up one after
//! the other; the person changes the strategy.

use std::time::Duration;

use baton_core::{Cause, Eligibility, Strategy};
use baton_engine::control::protocol::{Command, Reply, SignInView, SignInWay};
use baton_sim::Consent;

use crate::{
    exhausted::clock_time,
    plan::Conversation,
    stage::{BOTH, FIVE_HOURS, Stage, answer_to, two},
};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn two_accounts_sign_in_and_are_drained_until_nobody_is_left() {
    for on in BOTH {
        // Four requests each in five hours: three turns, one of which asks twice.
        let mut stage = Stage::of(&[], on, two(4.0, 4.0)).await;
        in_a_browser(&stage, "a").await;
        with_a_code(&stage, "b").await;
        let mut work = Conversation::default();

        // A alone, until it is spent.
        for _ in 0..3 {
            work.turn(&stage).await;
        }
        assert_eq!(stage.both_served(), (4, 0), "{on:?}");
        assert_eq!(stage.sim.log().requests("b").len(), 0, "{on:?}: not even asked");

        // B takes over in the middle of the work, which the CLI doesn't notice.
        stage.sim.clock().advance(4 * HOUR);
        work.turn(&stage).await;
        assert_eq!(stage.both_served(), (4, 1), "{on:?}");
        assert!(
            matches!(stage.state("a"), Eligibility::Exhausted { .. }),
            "{on:?}"
        );

        // A recovers and waits for its turn, until B is spent.
        stage.sim.clock().advance(HOUR + Duration::from_secs(60));
        work.turn(&stage).await;
        assert_eq!(stage.state("a"), Eligibility::Eligible, "{on:?}");
        assert_eq!(stage.both_served(), (4, 3), "{on:?}: B goes on");
        for _ in 0..4 {
            work.turn(&stage).await;
        }
        assert_eq!(stage.both_served(), (8, 4), "{on:?}");
        let switches = [
            ("a", Cause::FirstUse),
            ("b", Cause::LimitReached),
            ("a", Cause::LimitReached),
        ];
        assert_eq!(
            stage.switches(),
            switches.map(|(to, cause)| (to.to_owned(), cause)),
            "{on:?}"
        );
        work.is_whole(&stage);

        // Nobody is left: Codex says so, and when B, which began first, is back.
        let run = stage.codex("on nobody").await;
        assert!(!run.status.success() && run.messages.is_empty(), "{on:?}: {run}");
        let shown = run.errors.last().expect("an error");
        let (_, a) = stage.sim.account("a").window(FIVE_HOURS).expect("a window");
        let (_, b) = stage.sim.account("b").window(FIVE_HOURS).expect("a window");
        assert!(b < a, "{on:?}");
        assert!(
            shown.contains("usage limit") && shown.contains(&clock_time(b)),
            "{on:?}: {run}"
        );

        // Both are back, and the work is to be spread: B has more of its week left.
        stage.sim.clock().advance(6 * HOUR);
        stage
            .tell(Command::Use {
                strategy: Strategy::Balanced,
            })
            .await;
        stage.codex("go on").await.answered(&answer_to("go on"));
        assert_eq!(stage.both_served(), (8, 5), "{on:?}");
        stage.all_in_order();
    }
}

async fn in_a_browser(stage: &Stage, label: &str) {
    stage.sim.consent(Consent::Agrees(label.to_owned()));
    let sign_in = begin(stage, label, SignInWay::Browser).await;
    let visited = tokio::process::Command::new("curl")
        .args([
            "--silent",
            "--fail",
            "--location",
            "--noproxy",
            "*",
            &sign_in.link,
        ])
        .output()
        .await
        .expect("there is curl");
    assert!(visited.status.success(), "{visited:?}");
    is_added(stage, sign_in.id).await;
}

async fn with_a_code(stage: &Stage, label: &str) {
    let sign_in = begin(stage, label, SignInWay::Device).await;
    let code = sign_in.code.as_ref().expect("a code");
    assert!(stage.sim.approve_device(code, label));
    is_added(stage, sign_in.id).await;
}

async fn begin(stage: &Stage, label: &str, way: SignInWay) -> SignInView {
    let label = label.to_owned();
    match stage.baton.execute(Command::SignIn { label, way }).await {
        Ok(Reply::SignIn { sign_in }) => sign_in,
        other => panic!("{other:?}"),
    }
}

async fn is_added(stage: &Stage, id: u64) {
    let mut seen = 0;
    loop {
        match stage.baton.execute(Command::SignInWait { id, seen }).await {
            Ok(Reply::SignIn { sign_in }) => seen = sign_in.version,
            Ok(Reply::Added { .. }) => return,
            other => panic!("{other:?}"),
        }
    }
}
