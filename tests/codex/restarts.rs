//! The program `baton` is ended in the middle of an answer, in every way it can be, and started again on its port: the CLI
//! goes on, on the account that was active.

use std::time::Duration;

use baton_sim::{At, Entry, Failure, Fault, FaultRule, Outcome, Output, Sim, lasting_port};
use rustix::process::Signal;

use crate::{
    cli::{Codex, Running, exec},
    machine::{Machine, Serving},
    stage::{BOTH, On, answer_to, two},
};

/// How Baton ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// By `baton stop`.
    Asked,
    /// By SIGTERM.
    Told,
    /// By SIGKILL.
    Killed,
}

#[tokio::test]
async fn a_running_turn_survives_every_end_of_baton() {
    // Every answer waits before it begins, and then between its words.
    let output = Output::new()
        .template(answer_to("{user}"))
        .latency(Duration::from_secs(1))
        .delta_delay(Duration::from_secs(1));
    let sim = Sim::start(two(1.0, 100.0).speed(0.0).output(output)).await;
    let machine = Machine::start([
        ("BATON_UPSTREAM", sim.base_url()),
        ("BATON_ISSUER", sim.issuer_url()),
    ])
    .await;
    for name in ["a", "b"] {
        machine.add(&sim, name).await;
    }
    let mut serving = machine.serve(Some(lasting_port())).await;
    let urls = serving.urls.clone();
    let codex = Codex::connected(&sim.cli().auth_json(), &urls).await;
    // A is used up, and B is active.
    for prompt in ["on a", "on b"] {
        let running = start(&codex, prompt).await;
        meanwhile(&sim, running.end()).await.answered(&answer_to(prompt));
    }
    let asked_of_a = sim.log().requests("a").len();

    for on in BOTH {
        if on == On::Http {
            let refused = Failure::new(426, "invalid_request_error", "", "Upgrade Required");
            sim.fault(FaultRule::new(At::Upgrade, Fault::Refuse(refused)));
        }
        for end in [End::Asked, End::Told, End::Killed] {
            let before = commands_run(&codex);
            let text = format!("{end:?} on {on:?}");
            let prompt = format!("{text} [tools: 2 echo was here | tee -a traces]");
            let running = start(&codex, &prompt).await;
            // An orderly end lets the running answer end, and the turn goes on with the next Baton; a death breaks one
            // that is half delivered.
            let answers = if end == End::Killed { 2 } else { 0 };
            under_way(&sim, &text, answers).await;
            serving = end_and_start(&machine, &sim, serving, end).await;
            assert_eq!(serving.urls, urls, "the same port and secret");
            let run = meanwhile(&sim, running.end()).await;
            run.answered_in_the_end(&answer_to(&text));
            assert_eq!(run.commands.len(), 2, "{text}: {run}");
            assert_eq!(commands_run(&codex) - before, 2, "{text}: {run}");
            // One more than answers where one was broken.
            let asked = if end == End::Killed { 4 } else { 3 };
            assert_eq!(sim.log().count(|entry| of(entry, &text)), asked, "{text}: {run}");
        }
    }
    let log = sim.log();
    assert_eq!(
        log.requests("a").len(),
        asked_of_a,
        "nobody asks A again: {log:#?}"
    );
    assert!(log.violations().is_empty(), "{:?}", log.violations());
    machine.baton(["stop"]).await;
    serving.ended_well().await;
}

async fn start(codex: &Codex, prompt: &str) -> Running {
    codex.start(exec().iter().copied().chain([prompt])).await
}

async fn end_and_start(machine: &Machine, sim: &Sim, serving: Serving, end: End) -> Serving {
    match end {
        End::Asked => {
            // It returns when the next one may start.
            meanwhile(sim, machine.baton(["stop"])).await;
        }
        End::Told => serving.signal(Signal::TERM),
        End::Killed => {
            serving.signal(Signal::KILL);
            serving.ended().await;
            return machine.serve(None).await;
        }
    }
    meanwhile(sim, serving.ended_well()).await;
    machine.serve(None).await
}

/// How often the model's command was run.
fn commands_run(codex: &Codex) -> usize {
    let traces = std::fs::read_to_string(codex.work().join("traces")).unwrap_or_default();
    traces.lines().count()
}

fn of(entry: &Entry, text: &str) -> bool {
    entry.generates() && entry.user_text.as_ref().is_some_and(|said| said.contains(text))
}

/// Until the turn has this many answers, and the next one is under way: where there are answers, with some output.
async fn under_way(sim: &Sim, text: &str, answers: usize) {
    let log = sim.log();
    let reached = log.wait_for(|entries| {
        let next = entries.iter().filter(|entry| of(entry, text)).nth(answers);
        let runs = next.filter(|entry| entry.outcome == Outcome::Running);
        runs.is_some_and(|entry| answers == 0 || !entry.items.is_empty())
    });
    if answers == 0 {
        reached.await;
    } else {
        meanwhile(sim, reached).await;
    }
}

/// Lets time pass wherever an answer waits for it.
async fn meanwhile<T>(sim: &Sim, ends: impl Future<Output = T>) -> T {
    let (clock, log) = (sim.clock(), sim.log());
    let passing = async {
        loop {
            let running = |entry: &Entry| entry.generates() && entry.outcome == Outcome::Running;
            log.wait_for(|entries| entries.iter().any(running)).await;
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        // First: no more passes than has to.
        biased;
        done = ends => done,
        () = passing => unreachable!("it goes on for ever"),
    }
}
