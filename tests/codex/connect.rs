//! Codex is connected by `baton connect`, goes its own way again however Baton ends, and keeps its sessions.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use baton_sim::{At, Failure, Fault, FaultRule, Sim, lasting_port};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    cli::{self, Codex},
    machine::{Machine, Serving},
    stage::{BOTH, On, account, answer_to},
};

/// Straight to the backend, with everything around it that must stay as it is.
fn own_way(sim: &Sim) -> String {
    let base = sim.base_url();
    let other = base.replace("127.0.0.1", "localhost");
    format!(
        "# Mine.\r\nchatgpt_base_url\t= '{other}/' # straight\r\n\"openai_base_url\" = \"\"\"\r\n{base}/codex\"\"\"\r\n\r\n[tui]\r\n\
         # openai_base_url = \"no\"\r\nnotifications = false"
    )
}

struct Story {
    sim: Sim,
    machine: Machine,
    codex: Codex,
    config: String,
}

impl Story {
    /// A person with a Codex of their own and an account for Baton.
    async fn begins(on: On) -> Self {
        let scenario = baton_sim::Scenario::new()
            .cli_account(baton_sim::AccountScript::new("acct-cli").backend_origin("https://chatgpt.com"))
            .account(account("a", 100.0))
            .output(baton_sim::Output::new().template(answer_to("{user}")));
        let sim = Sim::start(scenario).await;
        if on == On::Http {
            let refused = Failure::new(426, "invalid_request_error", "", "Upgrade Required");
            sim.fault(FaultRule::new(At::Upgrade, Fault::Refuse(refused)));
        }
        let machine = Machine::start([
            ("BATON_UPSTREAM", sim.base_url()),
            ("BATON_ISSUER", sim.issuer_url()),
        ])
        .await;
        machine.add(&sim, "a").await;
        let config = own_way(&sim);
        let codex = Codex::with(&sim.cli().auth_json(), &config).await;
        Self {
            sim,
            machine,
            codex,
            config,
        }
    }

    async fn baton(&self, command: &str, more: &[&str]) -> Value {
        let home = self.codex.folder().display().to_string();
        let args = [command, "--home", &home];
        self.machine.baton(args.iter().chain(more)).await
    }

    /// Connected once this CLI has passed the self-test.
    async fn connect_tried(&self, program: &Path, more: &[&str]) -> Value {
        let program = program.display().to_string();
        self.baton("connect", &[&["--codex", &program], more].concat())
            .await
    }

    fn connected(&self, serving: &Serving) -> bool {
        self.codex.config().contains(&serving.urls.openai_base_url)
    }

    /// How many requests Baton's account has answered, and Codex's own.
    fn served(&self) -> (usize, usize) {
        let log = self.sim.log();
        (log.served_by("a").len(), log.served_by("acct-cli").len())
    }
}

#[tokio::test]
async fn sessions_go_on_when_codex_is_connected_and_when_it_is_disconnected() {
    for on in BOTH {
        let story = Story::begins(on).await;
        let before = story.codex.exec("before").await;
        before.answered(&answer_to("before"));
        assert_eq!(story.served(), (0, 1), "{on:?}");

        let serving = story.machine.serve(Some(0)).await;
        let connected = story.connect_tried(&cli::program(), &[]).await;
        assert_eq!(connected["self_test"]["passed"], true, "{connected:#}");
        let again = story.codex.resume("--last", "again").await;
        again.answered(&answer_to("again"));
        let meanwhile = story.codex.exec("meanwhile").await;
        meanwhile.answered(&answer_to("meanwhile"));
        assert_eq!(again.session, before.session, "{on:?}: it was in the list");
        let listed = story.codex.sessions().await;
        for session in [&before.session, &meanwhile.session] {
            assert!(listed.contains(session), "{on:?}: {listed:?}");
        }
        assert_eq!(listed.len(), 2, "{on:?}: {listed:?}");
        assert_eq!(story.served(), (2, 1), "{on:?}");

        story.baton("disconnect", &[]).await;
        assert_eq!(story.codex.config(), story.config, "{on:?}");
        assert_eq!(story.codex.sessions().await, listed, "{on:?}");
        for session in [&meanwhile.session, &before.session] {
            let after = story.codex.resume(session, "after").await;
            after.answered(&answer_to("after"));
            assert_eq!(&after.session, session, "{on:?}");
        }
        assert_eq!(story.served(), (2, 3), "{on:?}");

        // Killed while it is connected.
        story.connect_tried(&cli::program(), &[]).await;
        assert!(story.connected(&serving), "{on:?}");
        let guardian = serving.guardian().await;
        serving.signal(Signal::KILL);
        serving.ended().await;
        guardian.ended().await;
        assert_eq!(story.codex.config(), story.config, "{on:?}");
        let alone = story.codex.resume(&meanwhile.session, "alone").await;
        alone.answered(&answer_to("alone"));
        assert_eq!(
            (&alone.session, story.served()),
            (&meanwhile.session, (2, 4)),
            "{on:?}"
        );
    }
}

#[tokio::test]
async fn every_mode_leads_through_baton() {
    let story = Story::begins(On::WebSocket).await;
    let serving = story.machine.serve(Some(0)).await;
    for (n, mode) in ["default", "requests", "provider"].into_iter().enumerate() {
        story.baton("connect", &["--no-self-test", "--mode", mode]).await;
        story.codex.exec(mode).await.answered(&answer_to(mode));
        assert_eq!(story.served(), (n + 1, 0), "{mode}");
    }
    story.baton("disconnect", &[]).await;
    assert_eq!(story.codex.config(), story.config);
    story.machine.baton(["stop"]).await;
    serving.ended_well().await;
}

#[tokio::test]
async fn codex_is_connected_as_long_as_baton_runs_however_it_ends() {
    let story = Story::begins(On::WebSocket).await;
    let port = lasting_port();
    let mut serving = story.machine.serve(Some(port)).await;
    story.baton("connect", &["--no-self-test"]).await;

    story.machine.baton(["stop"]).await;
    serving.ended_well().await;
    assert_eq!(story.codex.config(), story.config, "stopped");

    for end in [Signal::TERM, Signal::INT, Signal::KILL] {
        serving = story.machine.serve(None).await;
        assert!(story.connected(&serving), "started again");
        let guardian = serving.guardian().await;
        serving.signal(end);
        if end == Signal::KILL {
            serving.ended().await;
        } else {
            serving.ended_well().await;
            assert_eq!(story.codex.config(), story.config, "{end:?}");
        }
        guardian.ended().await;
        assert_eq!(story.codex.config(), story.config, "{end:?}");
    }
    story.codex.exec("alone").await.answered(&answer_to("alone"));
    assert_eq!(story.served(), (0, 1));

    // Where the port was taken meanwhile, Codex is told the new one.
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).expect("it is free");
    serving = story.machine.serve(None).await;
    assert!(!serving.urls.openai_base_url.contains(&format!(":{port}/")));
    assert!(story.connected(&serving), "{}", story.codex.config());
    story.codex.exec("moved").await.answered(&answer_to("moved"));
    assert_eq!(story.served(), (1, 1));

    // A person who disconnects stays so.
    story.baton("disconnect", &[]).await;
    story.machine.baton(["stop"]).await;
    serving.ended_well().await;
    serving = story.machine.serve(None).await;
    assert_eq!(story.codex.config(), story.config);
    story.machine.baton(["stop"]).await;
    serving.ended_well().await;
}

/// A Baton that is back at once is not disconnected by the guardian of the one before.
#[tokio::test]
async fn a_baton_that_is_back_after_a_kill_stays_connected() {
    let story = Story::begins(On::WebSocket).await;
    let mut serving = story.machine.serve(Some(lasting_port())).await;
    story.baton("connect", &["--no-self-test"]).await;
    for _ in 0..5 {
        let guardian = serving.guardian().await;
        serving.signal(Signal::KILL);
        serving.ended().await;
        serving = story.machine.serve(None).await;
        guardian.ended().await;
        assert!(story.connected(&serving), "{}", story.codex.config());
    }
    story.machine.baton(["stop"]).await;
    serving.ended_well().await;
}

/// A CLI as the pinned one, which fails where `fails`, a condition of the shell's, holds.
fn failing(story: &Story, fails: &str) -> PathBuf {
    let path = story.codex.work().join("codex");
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = exec ] && {fails}; then echo it fails here >&2; exit 1; fi\nexec '{}' \"$@\"\n",
        cli::program().display()
    );
    std::fs::write(&path, text).expect("a file");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("a program");
    path
}

/// In every mode it passes, and is not tried again; nobody but the simulated service of the test's own is asked.
#[tokio::test]
async fn the_cli_passes_the_self_test_in_every_mode_once() {
    let story = Story::begins(On::WebSocket).await;
    let serving = story.machine.serve(Some(0)).await;
    for mode in ["default", "requests", "provider"] {
        let again = failing(&story, "false");
        let connected = story.connect_tried(&again, &["--mode", mode]).await;
        assert_eq!(connected["self_test"]["passed"], true, "{mode}: {connected:#}");
        let broken = failing(&story, "true");
        let connected = story.connect_tried(&broken, &["--mode", mode]).await;
        assert_eq!(
            connected["self_test"]["passed"], true,
            "{mode} is known: {connected:#}"
        );
    }
    assert_eq!(story.served(), (0, 0), "the person's accounts serve none of it");
    assert_eq!(story.machine.attempts(), [""; 0]);
    story.machine.baton(["stop"]).await;
    serving.ended_well().await;
}

#[tokio::test]
async fn a_cli_that_works_in_part_is_connected_in_part() {
    let story = Story::begins(On::WebSocket).await;
    let serving = story.machine.serve(Some(0)).await;
    let everything = "grep -q '^chatgpt_base_url.*#<baton ' \"$CODEX_HOME/config.toml\"";
    let program = failing(&story, everything);
    let connected = story.connect_tried(&program, &[]).await;
    assert_eq!(connected["homes"][0]["mode"], "requests", "{connected:#}");
    let why = connected["self_test"]["failed"].to_string();
    assert!(why.contains("it fails here"), "{connected:#}");
    story.codex.exec("in part").await.answered(&answer_to("in part"));
    assert_eq!(story.served(), (1, 0));

    // What is in use is what has passed; were it newer, that would be said.
    let status = story.machine.baton(["status"]).await;
    assert_eq!(status["problems"], serde_json::json!([]));
    let tried = story.machine.data().join("self-test.json");
    let older = std::fs::read_to_string(&tried)
        .expect("a file")
        .replace("0.169.0", "0.168.0");
    std::fs::write(&tried, older).expect("a file");
    let status = story.machine.baton(["status"]).await;
    let said = status["problems"][0].as_str().unwrap_or_default();
    assert!(
        said.contains("Codex 0.169.0") && said.contains("hasn't passed"),
        "{status:#}"
    );
    story.baton("disconnect", &[]).await;

    // Where that was asked for, nothing else is tried.
    let home = story.codex.folder().display().to_string();
    let program = program.display().to_string();
    let args = [
        "connect", "--home", &home, "--codex", &program, "--mode", "default",
    ];
    let done = story.machine.ends(args).await;
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(
        said.contains("it fails here") && said.contains("left alone"),
        "{said}"
    );
    assert_eq!(story.codex.config(), story.config);
    story.machine.baton(["stop"]).await;
    serving.ended_well().await;
}
