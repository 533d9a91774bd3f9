//! settings.toml is edited while Baton runs.

use std::fs;

use baton_core::{Event, EventKind, OnRecovery, Strategy};
use baton_engine::control::protocol::Command;
use baton_sim::Mode;

use crate::stage::Stage;

/// As editors save: a new file takes the place of the old one.
fn replace(stage: &Stage, text: &str) {
    let (file, new) = (
        stage.settings_file(),
        stage.settings_file().with_file_name("settings.toml~new"),
    );
    fs::write(&new, text).expect("a file");
    fs::rename(new, file).expect("in its place");
}

fn strategies(stage: &mut Stage) -> Vec<(Strategy, Strategy)> {
    let mut changes = Vec::new();
    while let Ok(Event { kind, .. }) = stage.events.try_recv() {
        if let EventKind::StrategyChanged { from, to } = kind {
            changes.push((from, to));
        }
    }
    changes
}

/// In place, by a new file, and by its removal.
#[tokio::test]
async fn an_edit_holds_from_the_next_request_on() {
    let mut stage = Stage::two(100.0, 100.0).await;
    fs::write(
        stage.settings_file(),
        "strategy = \"round_robin\"\nwait_for_recovery = \"2h\"\n",
    )
    .unwrap();
    stage
        .until_shown(|shown| shown.strategy == Strategy::RoundRobin && shown.wait_for_recovery_secs == 7200)
        .await;
    for turn in 0..4 {
        assert!(
            stage
                .client(Mode::Http)
                .turn(&format!("turn {turn}"))
                .await
                .completed
        );
    }
    assert_eq!((stage.served("a"), stage.served("b")), (2, 2));

    replace(&stage, "on_recovery = \"return\"\n");
    stage
        .until_shown(|shown| {
            shown.strategy == Strategy::Sequential && shown.on_recovery == OnRecovery::Return
        })
        .await;
    fs::remove_file(stage.settings_file()).unwrap();
    stage
        .until_shown(|shown| shown.on_recovery == OnRecovery::Stay)
        .await;
    assert_eq!(
        strategies(&mut stage),
        [
            (Strategy::Sequential, Strategy::RoundRobin),
            (Strategy::RoundRobin, Strategy::Sequential)
        ]
    );
}

#[tokio::test]
async fn a_broken_edit_changes_nothing_is_placed_and_heals_when_mended() {
    let stage = Stage::two(100.0, 100.0).await;
    replace(&stage, "strategy = \"balanced\"\n");
    stage
        .until_shown(|shown| shown.strategy == Strategy::Balanced)
        .await;
    replace(&stage, "strategy = \"affinity\"\nport = = 3\n");
    stage
        .until_shown(|shown| {
            shown
                .problems
                .iter()
                .any(|problem| problem.contains("settings.toml, line 2, column 8"))
        })
        .await;
    assert_eq!(stage.baton.snapshot().strategy, Strategy::Balanced);
    replace(&stage, "strategy = \"affinity\"\n");
    stage
        .until_shown(|shown| shown.strategy == Strategy::Affinity && shown.problems.is_empty())
        .await;
}

/// The last edit is seen, so all before it were.
#[tokio::test]
async fn what_baton_writes_itself_is_no_edit() {
    let mut stage = Stage::two(100.0, 100.0).await;
    let mut said = Vec::new();
    let mut from = Strategy::Sequential;
    for strategy in [Strategy::Balanced, Strategy::Affinity].repeat(10) {
        stage.run(Command::Use { strategy }).await;
        said.push((from, strategy));
        from = strategy;
    }
    replace(&stage, "strategy = \"affinity\"\nwait_for_recovery = \"5m\"\n");
    stage
        .until_shown(|shown| shown.wait_for_recovery_secs == 300)
        .await;
    assert_eq!(strategies(&mut stage), said);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_elsewhere_that_settings_toml_leads_to_is_followed() {
    let stage = Stage::two(100.0, 100.0).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let mine = elsewhere.path().join("baton.toml");
    fs::write(&mine, "strategy = \"balanced\"\n").unwrap();
    std::os::unix::fs::symlink(&mine, stage.settings_file()).unwrap();
    stage
        .until_shown(|shown| shown.strategy == Strategy::Balanced)
        .await;
    fs::write(&mine, "strategy = \"affinity\"\n").unwrap();
    stage
        .until_shown(|shown| shown.strategy == Strategy::Affinity)
        .await;
}
