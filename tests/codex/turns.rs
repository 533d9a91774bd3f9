//! What everybody does every day: a turn, and a turn in which the model runs a command.

use crate::stage::{BOTH, Stage, answer_to, two};

#[tokio::test]
async fn a_plain_turn() {
    for on in BOTH {
        let stage = Stage::with(on, two(10.0, 10.0)).await;
        let run = stage.codex("hello").await;
        run.answered(&answer_to("hello"));
        assert_eq!(stage.both_served(), (1, 0), "{on:?}");
        stage.all_in_order();
    }
}

/// The command runs on this machine, once, and its output is the model's to read.
#[tokio::test]
async fn a_turn_with_a_tool_call() {
    for on in BOTH {
        let stage = Stage::with(on, two(10.0, 10.0)).await;
        let run = stage
            .codex("look around [tool: echo was here | tee -a traces]")
            .await;
        run.answered(&answer_to("look around"));
        assert_eq!(run.commands.len(), 1, "{on:?}: {run}");
        assert_eq!(run.commands[0].1, "was here\n", "{on:?}: {run}");
        assert_eq!(stage.traces(), 1, "{on:?}");
        assert_eq!(stage.both_served(), (2, 0), "{on:?}");
        let read = &stage.sim.log().served_by("a")[1];
        assert!(
            read.json()["input"].to_string().contains("was here"),
            "{on:?}: {read}"
        );
        stage.all_in_order();
    }
}

/// What a person sees who calls `codex exec` without `--json`: the answer on stdout, the rest on stderr.
#[tokio::test]
async fn a_turn_as_a_person_reads_it() {
    for on in BOTH {
        // The limit is handed over meanwhile.
        let stage = Stage::with(on, two(1.0, 10.0)).await;
        let printed = stage
            .codex
            .exec_as_text("look around [tool: echo was here | tee -a traces]")
            .await;
        assert!(printed.status.success(), "{on:?}: {printed}");
        assert_eq!(
            printed.stdout.trim_end(),
            answer_to("look around"),
            "{on:?}: {printed}"
        );
        assert!(!printed.speaks_of_reconnecting(), "{on:?}: {printed}");
        assert!(!printed.stderr.contains("ERROR:"), "{on:?}: {printed}");
        assert_eq!(stage.traces(), 1, "{on:?}");
        assert_eq!(stage.both_served(), (1, 1), "{on:?}");
        stage.all_in_order();
    }
}
