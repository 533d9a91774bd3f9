//! Everything that could make Baton tell a secret, at the most talkative log level; then a search of all that it has
//! written, said and shown.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::Output,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use baton_sim::{AccountHandle, At, Failure, Fault, FaultRule, Kind, Mode, Sim};
use serde_json::Value;

use crate::{
    cli::{Codex, program},
    machine::{Machine, Serving},
    stage::{account, two},
};

/// No piece of a token of this length may be anywhere.
const TELLING: usize = 16;

#[tokio::test]
async fn nothing_tells_a_secret_whatever_goes_wrong() {
    let sim = Sim::start(two(2.0, 100.0).account(account("c", 100.0)).https()).await;
    let (a, b) = (sim.account("a"), sim.account("b"));
    let authority = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(authority.path(), sim.ca_pem().expect("https")).expect("a certificate");
    let mut machine = Machine::start([
        ("BATON_UPSTREAM", sim.https_base_url().expect("https")),
        ("BATON_ISSUER", sim.https_issuer_url().expect("https")),
        ("SSL_CERT_FILE", authority.path().display().to_string()),
        ("BATON_LOG", "trace".to_owned()),
    ])
    .await;
    machine.add(&sim, "a").await;
    let serving = machine.serve(Some(0)).await;
    machine.add(&sim, "b").await;
    let mut secrets = [&a, &b].map(tokens_of).concat();
    secrets.extend([&a, &b].map(email_of));
    let mut said: Vec<(String, Vec<u8>)> = Vec::new();

    // A refresh in the middle, a failover from a to b, and an upstream that says back what it was told: with a limit, as
    // a server error that is tried again, and as an answer that is passed on.
    a.expire_access_tokens();
    assert!(serving.client(&sim, Mode::WebSocket).turn("one").await.completed);
    secrets.extend(tokens_of(&a));
    for mode in [Mode::Http, Mode::WebSocket] {
        for (status, code) in [
            (429, "rate_limit_exceeded"),
            (500, "server_error"),
            (401, "token_expired"),
        ] {
            let rule = FaultRule::new(At::Head, Fault::Refuse(echo(status, code, &secrets)));
            let struck = sim.fault(rule.first(1));
            serving.client(&sim, mode).turn("echoed").await;
            assert_eq!(struck.hits(), 1, "{mode:?} {status}");
            secrets.extend([&a, &b].map(tokens_of).concat());
        }
        let told = echo(400, "invalid_request_error", &secrets);
        let passed_on = sim.fault(FaultRule::new(At::Head, Fault::Refuse(told)));
        serving.client(&sim, mode).turn("passed on").await;
        assert!(passed_on.hits() > 0);
        passed_on.remove();
        sim.fault(FaultRule::new(At::Created, Fault::BadJson).first(1));
        serving.client(&sim, mode).turn("nonsense").await;
    }
    // The sign-in service says it back too: for now, then for good.
    for (status, code) in [(500, "server_error"), (400, "invalid_grant")] {
        let told = echo(status, code, &secrets);
        let token = sim.fault(FaultRule::new(At::Route(Kind::Token), Fault::Refuse(told)));
        b.expire_access_tokens();
        serving.client(&sim, Mode::Http).turn("no refresh").await;
        assert!(token.hits() > 0, "{status}");
        token.remove();
    }
    let wrong = serving
        .urls
        .openai_base_url
        .replacen("/backend-api", "x/backend-api", 1);
    said.extend(answers_to_strangers(&wrong, &secrets[1]).await);

    said.extend(told_of_linked(&machine, &serving, &sim, &mut secrets).await);
    said.extend(told_of_codex(&machine, &sim, &mut secrets).await);

    // What a person asks for and gets wrong; a file with a sign-in that is no more one; a keychain that has gone.
    let file = machine.signed_in(&a);
    let broken = std::fs::read_to_string(&file)
        .expect("readable")
        .replace("\"refresh_token\":", "\"refresh_token\" ");
    std::fs::write(&file, &broken).expect("writable");
    for args in [
        &["accounts", "add", "--from", &file, "--label", "c", "--yes"][..],
        &["switch", "nobody"],
        &["use", "fastest"],
        &["threshold", "101"],
        &["serve", "--port", "0"],
    ] {
        let output = machine.ends(args).await;
        assert!(!output.status.success(), "{args:?}");
        said.extend(told_by(args, output));
    }
    // What is looked for can be found, where it may be.
    assert!(held(machine.keychain().await.as_bytes(), &secrets).is_some());
    machine.end_keychain();
    let file = machine.signed_in(&b);
    for args in [
        &["accounts", "add", "--from", &file, "--label", "b", "--yes"][..],
        &["status"],
        &["status", "--json"],
        &["doctor"],
        &["accounts", "list", "--json"],
        &["why", "--json"],
        &["log", "--json"],
        &["log", "--limit", "1000"],
    ] {
        said.extend(told_by(args, machine.ends(args).await));
    }
    std::fs::remove_file(&file).expect("it was left where it is");
    said.extend(seen_by_others(&serving));
    machine.ends(["stop"]).await;
    serving.ended_well().await;

    said.extend(files_of(&machine));
    let log = said
        .iter()
        .find(|(place, _)| place.ends_with("baton.log"))
        .expect("a log");
    assert!(contains(&log.1, b"TRACE"), "the most talkative level is on");
    for (place, bytes) in &said {
        assert_holds_none(place, bytes, &secrets);
    }
    // The path's secret: for the person who connects Codex, and in the one file that keeps it.
    let secret = machine_secret(&machine);
    let holders: Vec<&str> = said
        .iter()
        .filter(|(place, bytes)| contains(bytes, secret.as_bytes()) && !place.contains("--json"))
        .map(|(place, _)| place.as_str())
        .collect();
    assert_eq!(holders, [private_file(&machine).display().to_string()]);
}

/// What an upstream answers that repeats what it was asked with.
fn echo(status: u16, code: &str, secrets: &[String]) -> Failure {
    let message = format!("You sent: authorization: Bearer {}", secrets.join(" "));
    Failure::new(status, code, code, &message)
        .field("error_description", Value::from(message.clone()))
        .retry_after(0)
        .header("x-echo", message)
}

/// Of an account that is linked: it serves, is refused by an upstream that says back what it was told, and its file breaks,
/// becomes another's, and goes.
async fn told_of_linked(
    machine: &Machine,
    serving: &Serving,
    sim: &Sim,
    secrets: &mut Vec<String>,
) -> Vec<(String, Vec<u8>)> {
    let c = sim.account("c");
    secrets.extend(tokens_of(&c));
    secrets.push(email_of(&c));
    let file = machine.signed_in(&c);
    let own = std::fs::read_to_string(&file).expect("readable");
    let mut said = Vec::new();
    let add = ["accounts", "add", "--link", &file, "--label", "c"];
    let added = machine.ends(add).await;
    assert!(added.status.success(), "{added:?}");
    said.extend(told_by(&add, added));
    machine.baton(["switch", "c"]).await;
    assert!(serving.client(sim, Mode::Http).turn("linked").await.completed);
    let served = sim.log().served_by("c").len();
    assert_eq!(served, 1, "it is c's turn");
    let refused = Fault::Refuse(echo(401, "token_expired", secrets));
    let refused = sim.fault(FaultRule::new(At::Head, refused).account("c").first(1));
    serving.client(sim, Mode::Http).turn("refused").await;
    assert_eq!(refused.hits(), 1);
    for content in [&own, &own[..own.len() / 2], &sim.account("b").auth_json()] {
        std::fs::write(&file, content).expect("writable");
        said.extend(told_by(&["doctor", "c"], machine.ends(["doctor", "c"]).await));
        serving.client(sim, Mode::Http).turn("wrong").await;
    }
    std::fs::remove_file(&file).expect("it was left where it is");
    let gone = machine.ends(["doctor", "c"]).await;
    assert!(contains(&gone.stdout, b"which is gone"), "{gone:?}");
    said.extend(told_by(&["doctor", "c"], gone));
    said
}

/// Of a person's Codex: a CLI that tells all that it is given is tried and found wanting; then the real one is, and
/// connected, and the doctor looks at it.
async fn told_of_codex(machine: &Machine, sim: &Sim, secrets: &mut Vec<String>) -> Vec<(String, Vec<u8>)> {
    secrets.extend(tokens_of(&sim.cli()));
    let codex = Codex::with(&sim.cli().auth_json(), "").await;
    let home = codex.folder().display().to_string();
    let telltale = codex.work().join("codex");
    // Its auth.json is the simulated service's, whose tokens begin as all others do.
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && echo codex-cli 0.0.1 && exit\n\
                  { env | tr '\\n' ' '; cat \"$CODEX_HOME\"/*.toml; } >&2\nexit 1\n";
    std::fs::write(&telltale, script).expect("a file");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&telltale, executable).expect("an executable");
    let mut said = Vec::new();
    for (program, passes) in [(telltale, false), (program(), true)] {
        let program = program.display().to_string();
        let connect = ["connect", "--home", &home, "--codex", &program];
        let told = machine.ends(connect).await;
        assert_eq!(told.status.success(), passes, "{told:?}");
        said.extend(told_by(&connect, told));
    }
    said.extend(told_by(&["doctor"], machine.ends(["doctor"]).await));
    let json = machine.ends(["doctor", "--json"]).await;
    assert!(contains(&json.stdout, b"Codex goes through Baton"), "{json:?}");
    // The path's secret has no business there either.
    said.extend(told_by(&["doctor, as JSON"], json));
    said
}

/// With another secret, a foreign Host, an Origin: and a token that isn't repeated either.
async fn answers_to_strangers(url: &str, token: &str) -> Vec<(String, Vec<u8>)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = url.trim_start_matches("http://").split_once('/').expect("a path");
    let mut said = Vec::new();
    for header in [
        "x-nothing: 1",
        "origin: https://evil.example",
        "content-length: none",
    ] {
        let mut stream = tokio::net::TcpStream::connect(host).await.expect("it listens");
        let request = format!(
            "POST /{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n{header}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        said.push((format!("the answer to {header}"), answer));
    }
    said
}

fn told_by(args: &[&str], output: Output) -> [(String, Vec<u8>); 1] {
    [(args.join(" "), [output.stdout, output.stderr].concat())]
}

/// What other programs can see of a process.
fn seen_by_others(serving: &Serving) -> Vec<(String, Vec<u8>)> {
    ["cmdline", "environ", "comm"]
        .map(|name| {
            let path = format!("/proc/{}/{name}", serving.pid());
            let bytes = std::fs::read(&path).expect("readable");
            (path, bytes)
        })
        .into()
}

/// The tokens of today.
pub(crate) fn tokens_of(account: &AccountHandle) -> Vec<String> {
    let auth: Value = serde_json::from_str(&account.auth_json()).expect("JSON");
    ["id_token", "access_token", "refresh_token"]
        .map(|name| auth["tokens"][name].as_str().expect("a token").to_owned())
        .into()
}

pub(crate) fn email_of(account: &AccountHandle) -> String {
    format!("{}@example.invalid", account.account_id())
}

/// Everything in the data folder, and the log.
pub(crate) fn files_of(machine: &Machine) -> Vec<(String, Vec<u8>)> {
    let files = files_below(&machine.data());
    assert!(!files.is_empty(), "there is a data directory");
    files
        .into_iter()
        .chain([machine.log()])
        .map(|file| {
            let bytes = std::fs::read(&file).expect("readable");
            (file.display().to_string(), bytes)
        })
        .collect()
}

fn private_file(machine: &Machine) -> PathBuf {
    machine.data().join("private.json")
}

fn machine_secret(machine: &Machine) -> String {
    use std::os::unix::fs::PermissionsExt;
    let file = private_file(machine);
    let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let json: Value = serde_json::from_slice(&std::fs::read(file).expect("readable")).expect("JSON");
    json["path_secret"].as_str().expect("a secret").to_owned()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
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

#[track_caller]
pub(crate) fn assert_holds_none(place: &str, bytes: &[u8], secrets: &[String]) {
    if let Some(held) = held(bytes, secrets) {
        panic!("{place} holds `{held}`");
    }
}

/// A piece of a secret in `bytes`: as it is, or encoded once more.
fn held(bytes: &[u8], secrets: &[String]) -> Option<String> {
    let written: Vec<String> = secrets
        .iter()
        .flat_map(|secret| {
            [
                own(secret).to_owned(),
                BASE64_STANDARD.encode(secret),
                own(secret).replace('@', "%40"),
            ]
        })
        .collect();
    let pieces: HashSet<&[u8]> = written
        .iter()
        .flat_map(|secret| secret.as_bytes().chunks_exact(TELLING))
        .collect();
    bytes
        .windows(TELLING)
        .find(|window| pieces.contains(window))
        .map(|window| String::from_utf8_lossy(window).into_owned())
}

/// Without a JWT's header: those are all alike.
fn own(secret: &str) -> &str {
    match secret.split_once('.') {
        Some((header, own)) if header.starts_with("eyJ") => own,
        _ => secret,
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
