//! The program `baton` while the real keychain with its tokens is locked.

use baton_sim::{Kind, Sim};
use rustix::process::Signal;
use serde_json::json;

use crate::{
    cli::{Codex, exec},
    machine::Machine,
    stage::{answer_to, two},
};

/// What is in memory is used meanwhile; what isn't makes Codex wait, without a word to the person, until it is unlocked.
#[tokio::test]
async fn a_keychain_that_is_locked_meanwhile_is_named_and_codex_waits_until_it_is_open() {
    let sim = Sim::start(two(100.0, 100.0)).await;
    let mut machine = Machine::start([
        ("BATON_UPSTREAM", sim.base_url()),
        ("BATON_ISSUER", sim.issuer_url()),
    ])
    .await;
    machine.add(&sim, "a").await;
    let serving = machine.serve(Some(0)).await;
    let codex = Codex::connected(&sim.cli().auth_json(), &serving.urls).await;
    codex.exec("open").await.answered(&answer_to("open"));

    machine.lock_keychain().await;
    codex.exec("in memory").await.answered(&answer_to("in memory"));
    sim.account("a").expire_access_tokens();
    let running = codex.start(exec().iter().copied().chain(["locked"])).await;
    let status = machine
        .status_when("the keychain is named", |status| status["problems"] != json!([]))
        .await;
    assert_eq!(
        status["problems"],
        json!(["the keychain is locked: unlock it, and Baton goes on by itself"])
    );
    assert_eq!(status["accounts"][0]["state"]["state"], "eligible", "{status:#}");
    let renewals = || sim.log().count(|entry| entry.kind == Kind::Token);
    assert_eq!(renewals(), 0, "a token that couldn't be kept isn't asked for");

    // Asked for the keychain in between, the bus would start one of its own.
    serving.signal(Signal::STOP);
    machine.unlock_keychain().await;
    serving.signal(Signal::CONT);
    running.end().await.answered(&answer_to("locked"));
    assert_eq!(renewals(), 1);
    let status = machine.baton(["status"]).await;
    assert_eq!(status["problems"], json!([]));
    assert!(
        machine
            .keychain()
            .await
            .contains(&sim.account("a").refresh_token())
    );
    let log = sim.log();
    assert!(log.violations().is_empty(), "{:?}", log.violations());
    machine.baton(["stop"]).await;
    serving.ended_well().await;
}
