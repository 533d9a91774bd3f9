//! Nobody is left: Codex says so at once, with the earliest reset, or waits in silence where that is worth it.

use std::time::Duration;

use baton_engine::control::protocol::Command;

use crate::stage::{BOTH, FIVE_HOURS, Stage, answer_to, two};

/// A CLI that tries again and again takes longer.
const PROMPTLY: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_cli_shows_a_usage_limit_and_its_reset_and_ends() {
    for on in BOTH {
        let stage = Stage::with(on, two(1.0, 1.0)).await;
        stage.codex("on a").await.answered(&answer_to("on a"));
        stage.sim.clock().advance(Duration::from_secs(600));
        stage.codex("on b").await.answered(&answer_to("on b"));
        stage.codex("on nobody").await;
        let asked = stage.sim.log().count(baton_sim::Entry::generates);

        let run = stage.codex("on nobody either").await;
        assert!(!run.status.success(), "{on:?}: {run}");
        assert!(run.took < PROMPTLY, "{on:?}: {run}");
        assert!(
            run.messages.is_empty() && !run.speaks_of_reconnecting(),
            "{on:?}: {run}"
        );
        let shown = run.errors.last().expect("an error");
        assert!(shown.contains("usage limit"), "{on:?}: {run}");
        // A's timer started first.
        let (_, resets_at) = stage.sim.account("a").window(FIVE_HOURS).expect("a window");
        assert!(shown.contains(&clock_time(resets_at)), "{on:?}: {run}");
        assert_eq!(
            stage.sim.log().count(baton_sim::Entry::generates),
            asked,
            "{on:?}: no upstream call"
        );
        stage.all_in_order();
    }
}

/// With a recovery within the wait that the person allows, Codex is silent and goes on by itself.
#[tokio::test]
async fn within_the_allowed_wait_the_cli_waits_in_silence() {
    for on in BOTH {
        // Five hours take five seconds.
        let stage = Stage::with(on, two(1.0, 1.0).speed(3600.0)).await;
        stage
            .tell(Command::SetWaitForRecovery { seconds: 6 * 3600 })
            .await;
        for prompt in ["one", "two", "three"] {
            stage.codex(prompt).await.answered(&answer_to(prompt));
        }
        // A spent account refuses: that A served again proves that it was waited for.
        assert_eq!(stage.both_served(), (2, 1), "{on:?}");
        stage.all_in_order();
    }
}

/// `3:07 PM`, as the CLI writes a reset of today; it runs in UTC here.
pub(crate) fn clock_time(unix: i64) -> String {
    let (hour, minute) = (unix.rem_euclid(86_400) / 3600, unix.rem_euclid(3600) / 60);
    let half = if hour < 12 { "AM" } else { "PM" };
    format!("{}:{minute:02} {half}", (hour + 11) % 12 + 1)
}
