//! The whole way of a first day: the program `baton`, tokens in a real keychain, an upstream on https and wss.

use baton_sim::{At, Failure, Fault, FaultRule, Kind, Sim};
use serde_json::Value;

use crate::{
    cli::Codex,
    machine::Machine,
    secrets::{assert_holds_none, email_of, files_of, tokens_of},
    stage::{answer_to, is_metrics, two},
};

#[tokio::test]
async fn accounts_are_added_and_used_up_and_their_tokens_are_in_the_keychain_only() {
    let sim = Sim::start(two(3.0, 100.0).https()).await;
    let authority = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(authority.path(), sim.ca_pem().expect("https")).expect("a certificate");
    let machine = Machine::start([
        ("BATON_UPSTREAM", sim.https_base_url().expect("https")),
        ("BATON_ISSUER", sim.https_issuer_url().expect("https")),
        ("SSL_CERT_FILE", authority.path().display().to_string()),
    ])
    .await;
    let mut secrets = Vec::new();

    // Two sign-ins move into the keychain; one while no Baton runs, one into the running one.
    machine.add(&sim, "a").await;
    let serving = machine.serve(Some(0)).await;
    machine.add(&sim, "b").await;
    for name in ["a", "b"] {
        secrets.extend(tokens_of(&sim.account(name)));
    }
    assert!(
        machine
            .keychain()
            .await
            .contains(&sim.account("a").refresh_token())
    );

    // A is drained on WebSocket, by way of a refresh: its access token has expired.
    let codex = Codex::connected(&sim.cli().auth_json(), &serving.urls).await;
    sim.account("a").expire_access_tokens();
    codex.exec("on a").await.answered(&answer_to("on a"));
    assert_eq!(sim.log().count(|entry| entry.kind == Kind::Token), 1);
    secrets.extend(tokens_of(&sim.account("a")));
    let run = codex.exec("from a to b [tools: 3 echo was here]").await;
    run.answered(&answer_to("from a to b"));
    assert_eq!(run.commands.len(), 3, "{run}");
    // The rest is B's, and on HTTP.
    let no_websockets = Failure::new(426, "invalid_request_error", "", "Upgrade Required");
    sim.fault(FaultRule::new(At::Upgrade, Fault::Refuse(no_websockets)));
    codex.exec("on b").await.answered(&answer_to("on b"));

    let log = sim.log();
    assert_eq!(
        (log.served_by("a").len(), log.served_by("b").len()),
        (3, 3),
        "{log:#?}"
    );
    assert!(log.violations().is_empty(), "{:?}", log.violations());
    assert_eq!(
        log.count(|entry| !entry.tls),
        0,
        "everything was encrypted: {log:#?}"
    );
    let status = machine.baton(["status"]).await;
    assert_eq!(active(&status), "b", "{status:#}");
    machine.baton(["stop"]).await;
    serving.ended_well().await;

    // The tokens are in the keychain, also the one that the refresh brought, and nowhere else.
    let keychain = machine.keychain().await;
    for name in ["a", "b"] {
        assert!(
            keychain.contains(&sim.account(name).refresh_token()),
            "{name}'s refresh token"
        );
    }
    secrets.extend([email_of(&sim.account("a")), email_of(&sim.account("b"))]);
    for (place, bytes) in files_of(&machine) {
        assert_holds_none(&place, &bytes, &secrets);
    }

    // Removing an account takes its grant out of the keychain.
    machine.baton(["accounts", "remove", "a"]).await;
    let keychain = machine.keychain().await;
    assert!(!keychain.contains(&sim.account("a").refresh_token()));
    assert!(keychain.contains(&sim.account("b").refresh_token()));

    assert_eq!(
        machine.attempts(),
        [""; 0],
        "Baton talks to its upstream and to nobody else"
    );
    let past = codex.attempts();
    assert!(
        past.iter().all(|target| is_metrics(target)),
        "past Baton: {past:?}"
    );
}

fn active(status: &Value) -> &str {
    let accounts = status["accounts"].as_array().expect("accounts");
    let active = accounts.iter().find(|account| account["id"] == status["active"]);
    active
        .and_then(|account| account["label"].as_str())
        .expect("an active account")
}
