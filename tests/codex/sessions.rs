//! Several CLIs at once, and sessions taken up again.

use std::{fs::OpenOptions, io::Write, time::Duration};

use baton_sim::{Outcome, Output};
use rustix::fs::{CWD, Mode, mkfifoat};

use crate::{
    cli::exec,
    stage::{BOTH, Stage, answer_to, two},
};

/// The active account serves all sessions, also while they run side by side.
#[tokio::test]
async fn two_clis_at_once_share_the_active_account() {
    for on in BOTH {
        // Every answer waits for a second on a clock that stands still: both are under way before one ends.
        let output = Output::new()
            .template(answer_to("{user}"))
            .latency(Duration::from_secs(1));
        let stage = Stage::with(on, two(10.0, 10.0).speed(0.0).output(output)).await;
        let prompts = ["one", "two"];
        let start = |prompt| stage.codex.start(exec().iter().copied().chain([prompt]));
        let running = [start(prompts[0]).await, start(prompts[1]).await];
        let under_way = |entry: &baton_sim::Entry| entry.generates() && entry.outcome == Outcome::Running;
        stage
            .sim
            .log()
            .wait_for(|entries| entries.iter().filter(|entry| under_way(entry)).count() == 2)
            .await;
        stage.sim.clock().advance(Duration::from_secs(2));
        for (running, prompt) in running.into_iter().zip(prompts) {
            running.end().await.answered(&answer_to(prompt));
        }
        assert_eq!(stage.both_served(), (2, 0), "{on:?}");
        let threads = stage
            .sim
            .log()
            .served_by("a")
            .into_iter()
            .map(|entry| entry.thread_id);
        assert_eq!(
            threads.collect::<std::collections::BTreeSet<_>>().len(),
            2,
            "{on:?}: two sessions"
        );
        stage.all_in_order();
    }
}

/// Both run into A's limit: one switch, and both go on, on B.
#[tokio::test]
async fn two_clis_at_once_run_into_one_limit() {
    for on in BOTH {
        let stage = Stage::with(on, two(2.0, 10.0)).await;
        let prompt = |name: &str| format!("{name} [tool: echo was here | tee -a traces]");
        let (one, two) = (prompt("one"), prompt("two"));
        let (one, two) = tokio::join!(stage.codex(&one), stage.codex(&two));
        one.answered(&answer_to("one"));
        two.answered(&answer_to("two"));
        assert_eq!((stage.traces(), stage.both_served()), (2, (2, 2)), "{on:?}");
        stage.all_in_order();
    }
}

#[tokio::test]
async fn a_session_is_resumed_after_a_failover() {
    for on in BOTH {
        let stage = Stage::with(on, two(1.0, 10.0)).await;
        let begun = stage.codex("the beginning").await;
        begun.answered(&answer_to("the beginning"));
        let last = stage.codex.resume("--last", "the middle").await;
        last.answered(&answer_to("the middle"));
        let by_id = stage.codex.resume(&begun.session, "the end").await;
        by_id.answered(&answer_to("the end"));

        assert_eq!(
            (&last.session, &by_id.session),
            (&begun.session, &begun.session),
            "{on:?}"
        );
        assert_eq!(stage.both_served(), (1, 2), "{on:?}");
        let input = stage.sim.log().served_by("b")[1].json()["input"].to_string();
        for prompt in ["the beginning", "the middle"] {
            let answer = answer_to(prompt).replace('"', "\\\"");
            assert_eq!(
                input.matches(&answer).count(),
                1,
                "{on:?}: B knows what came before"
            );
        }
        stage.all_in_order();
    }
}

/// Baton is updated while the model's command runs: the turn goes on, and the person notices nothing.
#[tokio::test]
async fn a_restart_of_baton_in_mid_turn_goes_unnoticed() {
    for on in BOTH {
        let stage = Stage::with(on, two(10.0, 10.0)).await;
        // The command waits for somebody to write.
        let pipe = stage.codex.work().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RWXU).expect("a pipe");
        let prompt = "wait for it [tool: head -n 1 pipe | tee -a traces]";
        let running = stage.codex.start(exec().iter().copied().chain([prompt])).await;
        let asked = |entry: &baton_sim::Entry| entry.generates() && entry.completed();
        stage
            .sim
            .log()
            .wait_for(|entries| entries.iter().any(asked))
            .await;
        let stage = stage.restart_baton().await;
        // Opened for both, it doesn't wait for a reader; the line stays in it for as long as it is open.
        let mut pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .open(pipe)
            .expect("a pipe");
        pipe.write_all(b"was here\n").expect("it is kept");
        running.end().await.answered(&answer_to("wait for it"));
        assert_eq!((stage.traces(), stage.both_served()), (1, (2, 0)), "{on:?}");
        stage.all_in_order();
    }
}
