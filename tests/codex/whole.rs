//! The whole way of a first day: the program `baton`, tokens in a real keychain, an upstream on https and wss.

use std::path::Path;

use baton_sim::{AccountHandle, At, Failure, Fault, FaultRule, Kind, Sim};
use serde_json::Value;

use crate::{
    cli::Codex,
    machine::Machine,
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
    let add = async |name: &str| {
        let file = machine.path().join("auth.json");
        std::fs::write(&file, sim.account(name).auth_json()).expect("a file");
        let file_name = file.display().to_string();
        machine
            .baton(["accounts", "add", "--from", &file_name, "--label", name, "--yes"])
            .await;
        assert!(!file.exists(), "a sign-in is moved, not copied");
    };
    add("a").await;
    let serving = machine.serve(Some(0)).await;
    add("b").await;
    for name in ["a", "b"] {
        secrets.extend(secrets_of(&sim.account(name)));
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
    secrets.extend(secrets_of(&sim.account("a")));
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
    let files = files_below(&machine.data());
    assert!(!files.is_empty(), "there is a data directory");
    for file in files.into_iter().chain([machine.path().join("baton.log")]) {
        let bytes = std::fs::read(&file).expect("readable");
        for secret in &secrets {
            assert!(
                !contains(&bytes, secret.as_bytes()),
                "{} holds {secret}",
                file.display()
            );
        }
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

/// What only the keychain may hold: the tokens of today, and whose they are.
fn secrets_of(account: &AccountHandle) -> Vec<String> {
    let auth: Value = serde_json::from_str(&account.auth_json()).expect("JSON");
    let token = |name: &str| auth["tokens"][name].as_str().expect("a token").to_owned();
    let email = format!("{}@example.invalid", account.account_id());
    vec![
        token("id_token"),
        token("access_token"),
        token("refresh_token"),
        email,
    ]
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
