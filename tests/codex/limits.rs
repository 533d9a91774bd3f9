//! A spent account, in every disguise and at every moment: the turn goes on, on the next one.

use baton_core::Cause;
use baton_sim::{Crossing, LimitForm};

use crate::stage::{BOTH, On, Stage, account, answer_to, two};

/// In place of an answer: as a status or an error frame, inside a 200 stream as two kinds of event.
const FORMS: [LimitForm; 3] = [LimitForm::Head, LimitForm::Failed, LimitForm::ErrorEvent];

#[tokio::test]
async fn at_the_start_of_a_turn() {
    for (on, form) in pairs() {
        let mut stage = Stage::limited_by(form, on, two(1.0, 10.0)).await;
        stage.codex("on a").await.answered(&answer_to("on a"));
        stage.codex("on b").await.answered(&answer_to("on b"));
        handed_over_once(&mut stage, (1, 1));
    }
}

/// The command has run on A's account; it isn't run again on B's.
#[tokio::test]
async fn in_mid_turn_after_a_tool_call() {
    for (on, form) in pairs() {
        let mut stage = Stage::limited_by(form, on, two(1.0, 10.0)).await;
        let run = stage
            .codex("look around [tool: echo was here | tee -a traces]")
            .await;
        run.answered(&answer_to("look around"));
        assert_eq!(
            (run.commands.len(), stage.traces()),
            (1, 1),
            "{on:?} {form:?}: {run}"
        );
        handed_over_once(&mut stage, (1, 1));
    }
}

/// The limit comes in the answer's own stream, after words that the person has seen. They can't be taken back: Codex
/// asks again, and shows the answer once. On HTTP it says so.
#[tokio::test]
async fn inside_an_answer_that_has_begun() {
    for on in BOTH {
        // A whole request is left, and then another half, which is too little for the second.
        let scenario = two(1.5, 10.0).crossing(Crossing::CutAfterOutput);
        let mut stage = Stage::with(on, scenario).await;
        stage.codex("on a").await.answered(&answer_to("on a"));
        let run = stage.codex("half on a").await;
        run.answered_in_the_end(&answer_to("half on a"));
        assert_eq!(run.speaks_of_reconnecting(), on == On::Http, "{on:?}: {run}");
        handed_over_once(&mut stage, (1, 1));
    }
}

#[tokio::test]
async fn on_the_upgrade_of_a_websocket() {
    let mut stage = Stage::limited_by(LimitForm::Upgrade, On::WebSocket, two(1.0, 10.0)).await;
    stage.codex("on a").await.answered(&answer_to("on a"));
    stage.codex("on b").await.answered(&answer_to("on b"));
    handed_over_once(&mut stage, (1, 1));
}

/// A spent account may refuse even to be warmed up.
#[tokio::test]
async fn on_the_first_frame_of_a_websocket() {
    let scenario = two(1.0, 10.0).prewarm_when_spent(false);
    let mut stage = Stage::with(On::WebSocket, scenario).await;
    stage.codex("on a").await.answered(&answer_to("on a"));
    stage.codex("on b").await.answered(&answer_to("on b"));
    handed_over_once(&mut stage, (1, 1));
}

/// Two accounts run out in one turn.
#[tokio::test]
async fn twice_in_one_turn() {
    for on in BOTH {
        let scenario = two(1.0, 1.0).account(account("c", 10.0));
        let mut stage = Stage::of(&["a", "b", "c"], on, scenario).await;
        let run = stage
            .codex("look around [tools: 3 echo was here | tee -a traces]")
            .await;
        run.answered(&answer_to("look around"));
        assert_eq!((run.commands.len(), stage.traces()), (3, 3), "{on:?}: {run}");
        assert_eq!((stage.both_served(), stage.served("c")), ((1, 1), 2), "{on:?}");
        let active: Vec<String> = stage.switches().into_iter().map(|(to, _)| to).collect();
        assert_eq!(active, ["a", "b", "c"], "{on:?}");
        stage.all_in_order();
    }
}

/// B was used up elsewhere, which nobody but B can tell: the same request moves on at once.
#[tokio::test]
async fn past_an_account_that_was_thought_to_be_fresh() {
    for on in BOTH {
        let scenario = two(1.0, 10.0).account(account("c", 10.0));
        let mut stage = Stage::of(&["a", "b", "c"], on, scenario).await;
        stage.sim.account("b").exhaust();
        let run = stage
            .codex("look around [tool: echo was here | tee -a traces]")
            .await;
        run.answered(&answer_to("look around"));
        assert_eq!((run.commands.len(), stage.traces()), (1, 1), "{on:?}: {run}");
        assert_eq!((stage.both_served(), stage.served("c")), ((1, 0), 1), "{on:?}");
        // The quota headers of its upgrade tell as much.
        let asked = usize::from(on == On::Http);
        assert_eq!(stage.sim.log().requests("b").len(), asked, "{on:?}");
        let active: Vec<String> = stage.switches().into_iter().map(|(to, _)| to).collect();
        assert_eq!(active, ["a", "b", "c"], "{on:?}");
        stage.all_in_order();
    }
}

/// Encrypted reasoning that only A can read is in the conversation when B takes over.
#[tokio::test]
async fn with_ciphertext_that_the_next_account_refuses() {
    for on in BOTH {
        let mut stage = Stage::with(on, two(1.0, 10.0).refuse_foreign_ciphertext(true)).await;
        let run = stage
            .codex("look around [tool: echo was here | tee -a traces]")
            .await;
        run.answered(&answer_to("look around"));
        assert_eq!(stage.traces(), 1, "{on:?}: {run}");
        handed_over_once(&mut stage, (1, 1));
    }
}

fn pairs() -> impl Iterator<Item = (On, LimitForm)> {
    BOTH.into_iter().flat_map(|on| FORMS.map(|form| (on, form)))
}

fn handed_over_once(stage: &mut Stage, served: (usize, usize)) {
    assert_eq!(stage.both_served(), served, "{:#?}", stage.sim.log());
    let switches = [
        ("a".to_owned(), Cause::FirstUse),
        ("b".to_owned(), Cause::LimitReached),
    ];
    assert_eq!(stage.switches(), switches);
    stage.all_in_order();
}
