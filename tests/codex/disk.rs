//! A disk without room: requests are served all the same, nothing that was kept is harmed, and what couldn't be kept is
//! said or written later.

use std::path::Path;

use baton_sim::{Mode, Sim};

use crate::{machine::Machine, stage::two};

#[tokio::test]
async fn a_full_disk_costs_no_request_and_heals_by_itself() {
    let sim = Sim::start(two(100.0, 100.0)).await;
    let machine = Machine::start([
        ("BATON_UPSTREAM", sim.base_url()),
        ("BATON_ISSUER", sim.issuer_url()),
    ])
    .await;
    machine.add(&sim, "a").await;
    machine.baton(["use", "balanced"]).await;
    let settings = || std::fs::read_to_string(machine.data().join("settings.toml")).expect("settings");
    let before = settings();
    let serving = machine.serve(Some(0)).await;

    serving.disk_is_full(true);
    for mode in [Mode::Http, Mode::WebSocket] {
        assert!(
            serving.client(&sim, mode).turn("hello").await.completed,
            "{mode:?}"
        );
    }
    // The log waits for what is being written.
    machine.baton(["log"]).await;
    let status = machine.baton(["status"]).await;
    let problem = status["problems"][0].as_str().expect("a problem");
    assert!(
        problem.contains("baton.db") && problem.contains("Requests are served all the same"),
        "{problem}"
    );

    // A setting holds for now, which is said; the file is as it was.
    let said = machine.ends(["use", "affinity"]).await;
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success());
    assert!(
        text.contains("It holds until Baton ends") && text.contains("Say it again"),
        "{text}"
    );
    assert_eq!(machine.baton(["status"]).await["strategy"], "affinity");
    assert_eq!(settings(), before);

    // A sign-in that can't be recorded isn't taken away from where it is.
    let file = machine.signed_in(&sim.account("b"));
    machine
        .ends(["accounts", "add", "--from", &file, "--label", "b", "--yes"])
        .await;
    assert!(Path::new(&file).exists());

    serving.disk_is_full(false);
    let log = machine.baton(["log"]).await.to_string();
    // On WebSocket with its prewarm.
    assert_eq!(log.matches("\"completed\"").count(), 3, "{log}");
    let status = machine.baton(["status"]).await;
    assert_eq!(status["problems"], serde_json::json!([]));
    machine.baton(["use", "affinity"]).await;
    assert!(settings().contains("affinity"));
    machine.baton(["stop"]).await;
    serving.ended_well().await;
    let served = machine.baton(["status"]).await;
    assert!(
        !served["accounts"][0]["last_used"].is_null(),
        "what was served is known: {served}"
    );
}
