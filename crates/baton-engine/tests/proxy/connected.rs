//! Codex's folders while Baton runs: another program changes config.toml, a person connects and disconnects.

use std::{fs, path::PathBuf};

use baton_engine::{codex::Mode, control::protocol::Command};
use baton_sim::Mode as On;

use crate::stage::Stage;

struct Codex {
    stage: Stage,
    _folder: tempfile::TempDir,
    home: PathBuf,
}

impl Codex {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join("codex");
        fs::create_dir(&home).expect("a folder");
        fs::write(home.join("config.toml"), "model = \"mine\"\n").expect("a file");
        Self {
            stage: Stage::two(100.0, 100.0).await,
            _folder: folder,
            home,
        }
    }

    async fn connect(&self, mode: Option<Mode>) {
        let home = Some(self.home.clone());
        self.stage.run(Command::ConnectCodex { home, mode }).await;
    }

    async fn disconnect(&self) {
        let home = Some(self.home.clone());
        self.stage.run(Command::DisconnectCodex { home }).await;
    }

    /// As a program that keeps a text of its own writes it.
    fn reset(&self) {
        let new = self.home.join("config.toml~new");
        fs::write(&new, "model = \"mine\"\n").expect("a file");
        fs::rename(new, self.home.join("config.toml")).expect("in its place");
    }
}

#[tokio::test]
async fn a_config_toml_that_another_program_resets_is_noticed_at_once_and_so_is_its_return() {
    let codex = Codex::new().await;
    let stage = &codex.stage;
    codex.connect(Some(Mode::Default)).await;
    let connected = fs::read_to_string(codex.home.join("config.toml")).expect("a file");
    for _ in 0..2 {
        codex.reset();
        stage
            .until_shown(|now| now.codex.lost == [codex.home.clone()])
            .await;
        let now = stage.baton.snapshot();
        assert!(now.codex.homes.is_empty() && !now.codex.comes_through);
        let said = now.problems.iter().any(|problem| {
            problem.contains("config.toml")
                && problem.contains("baton connect")
                && problem.contains("baton disconnect")
        });
        assert!(said, "{:?}", now.problems);
        fs::write(codex.home.join("config.toml"), &connected).expect("a file");
        stage.until_shown(|now| now.codex.homes.len() == 1).await;
        let now = stage.baton.snapshot();
        assert!(
            now.codex.lost.is_empty() && now.codex.comes_through && now.problems.is_empty(),
            "{now:?}"
        );
    }
}

/// What was connected when Codex was last used isn't taken for connected by hand.
#[tokio::test]
async fn a_person_s_own_click_is_no_loss_and_shows_at_once() {
    let codex = Codex::new().await;
    let stage = &codex.stage;
    let mut client = stage.client(On::Http);
    assert!(client.turn("by hand").await.completed);
    assert!(stage.baton.snapshot().codex.comes_through);
    codex.connect(Some(Mode::Default)).await;
    codex.disconnect().await;
    let now = stage.baton.snapshot();
    assert!(
        now.codex.lost.is_empty() && !now.codex.comes_through,
        "{:?}",
        now.codex
    );
    assert!(now.problems.is_empty(), "{:?}", now.problems);
    // One that runs goes on as it was started.
    stage.sim.clock().advance(std::time::Duration::from_secs(1));
    assert!(client.turn("still").await.completed);
    assert!(stage.baton.snapshot().codex.comes_through);
}

#[tokio::test]
async fn what_is_connected_again_is_so_as_it_was() {
    let codex = Codex::new().await;
    let mode = || codex.stage.baton.snapshot().codex.homes[0].mode;
    codex.connect(None).await;
    assert_eq!(mode(), Mode::Default);
    codex.connect(Some(Mode::Provider)).await;
    codex.disconnect().await;
    codex.connect(None).await;
    assert_eq!(mode(), Mode::Provider);
    codex.reset();
    codex.stage.until_shown(|now| now.codex.homes.is_empty()).await;
    codex.connect(None).await;
    assert_eq!(mode(), Mode::Provider);
}
