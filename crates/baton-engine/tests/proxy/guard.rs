//! Nobody but the CLI gets in.

use baton_engine::control::protocol::Command;
use baton_sim::{Kind, Mode};

use crate::{
    routes::get,
    stage::{Stage, account, scenario},
    stub::{self, COMPLETED, event, post},
};

#[tokio::test]
async fn a_wrong_secret_a_foreign_host_and_an_origin_reach_nothing() {
    let stage = Stage::two(10.0, 10.0).await;
    let right = format!("{}/ps/anything", stage.base_url());
    let secret = right.split('/').nth(3).expect("a secret");
    assert_eq!(secret.len(), 43, "256 bits");
    let wrong = right.replace(secret, &"A".repeat(43));
    assert_eq!(get(&wrong, &[]).await.0, 404);
    assert_eq!(get(&right.replace(&format!("{secret}/"), ""), &[]).await.0, 404);
    assert_eq!(get(&right, &[("host", "evil.example")]).await.0, 403);
    assert_eq!(get(&right, &[("origin", "https://evil.example")]).await.0, 403);
    assert_eq!(stage.sim.log().count(|_| true), 0);
}

/// From one request to the next, on connections that are open, too; and for good.
#[tokio::test]
async fn a_new_secret_opens_at_once_and_the_old_one_nothing() {
    let stage = Stage::lasting(scenario([account("a", 10.0)]), &["a"]).await;
    let old = stage.base_url();
    let mut keeps_alive = stage.client(Mode::Http);
    assert!(keeps_alive.turn("before").await.completed);
    stage.run(Command::RenewSecret).await;
    let new = stage.base_url();
    assert_ne!(old, new);

    let seen = stage.sim.log().count(|_| true);
    assert_eq!(get(&format!("{old}/ps/anything"), &[]).await.0, 404);
    assert!(!keeps_alive.turn("with the old one").await.completed);
    assert_eq!(
        stage.sim.log().count(|_| true),
        seen,
        "nothing reached the upstream"
    );
    for mode in [Mode::WebSocket, Mode::Http] {
        assert!(stage.client(mode).turn("with the new one").await.completed);
    }
    let stage = stage.restart().await;
    assert_eq!(stage.base_url(), new);
}

#[tokio::test]
async fn both_loopback_families_answer() {
    let stage = Stage::two(10.0, 10.0).await;
    let v4 = format!("{}/ps/anything", stage.base_url());
    assert_eq!(get(&v4, &[]).await.0, 404);
    let seen = stage.sim.log().count(|_| true);
    assert_eq!(get(&v4.replace("127.0.0.1", "[::1]"), &[]).await.0, 404);
    assert_eq!(
        stage.sim.log().count(|_| true),
        seen + 1,
        "it reached the upstream"
    );
}

/// Neither the CLI's for a request of the pool, nor an account's of the pool for anything else.
#[tokio::test]
async fn nobodys_credentials_go_where_they_do_not_belong() {
    let stage = Stage::two(10.0, 10.0).await;
    for mode in [Mode::WebSocket, Mode::Http] {
        assert!(stage.client(mode).turn("hello").await.completed);
    }
    let cli = stage.sim.cli().access_token();
    let authorization = format!("Bearer {cli}");
    let own = [
        ("authorization", authorization.as_str()),
        ("cookie", "session=cli"),
        ("chatgpt-account-id", "acct-cli"),
    ];
    for path in [
        "/codex/models?client_version=1",
        "/wham/usage",
        "/wham/rate-limit-reset-credits",
        "/wham/settings/user",
    ] {
        get(&format!("{}{path}", stage.base_url()), &own).await;
    }
    for entry in stage.sim.log().entries() {
        // By its bearer.
        let of_cli = entry.account.as_deref() == Some(&*stage.sim.cli().account_id());
        assert_eq!(of_cli, entry.kind == Kind::Other, "{entry}");
        assert_eq!(entry.headers.contains_key("cookie"), of_cli, "{entry}");
    }
}

#[tokio::test]
async fn what_belongs_to_a_connection_or_an_account_stays_there() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let headers = "connection: close, x-mine\r\nx-mine: 1\r\nkeep-alive: 5\r\nte: trailers\r\n\
        proxy-authorization: Basic eA==\r\naccept-encoding: gzip\r\ncookie: session=cli\r\nx-kept: yes\r\n";
    let mut client = post(&stage, headers, b"{}").await;
    let asked = asked.recv().await.expect("a request");
    let head = asked.head.to_ascii_lowercase();
    for gone in [
        "x-mine",
        "keep-alive:",
        "te:",
        "proxy-authorization",
        "accept-encoding",
        "cookie",
        "host: localhost\r\n",
    ] {
        assert!(!head.contains(&format!("\r\n{gone}")), "{gone} in {head}");
    }
    assert!(head.contains("x-kept: yes"), "{head}");
    let answer = "connection: x-theirs\r\nx-theirs: 1\r\nset-cookie: session=pool\r\nx-kept: too\r\n";
    let mut answered = asked.stream_with(answer).await;
    answered.chunk(&event(COMPLETED)).await;
    answered.end().await;
    let head = stub::head(&mut client).await.expect("an answer");
    for gone in ["x-theirs", "set-cookie"] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
    assert!(head.contains("x-kept: too"), "{head}");
}

/// Whatever is logged with `{:?}`.
#[tokio::test]
async fn no_debug_output_tells_a_secret() {
    let stage = Stage::two(10.0, 10.0).await;
    assert!(stage.client(Mode::WebSocket).turn("hello").await.completed);
    let said = format!("{:?}", stage.baton);
    let base_url = stage.base_url();
    let secret = base_url.split('/').nth(3).expect("a secret");
    for told in [
        secret,
        &stage.sim.account("a").access_token(),
        &stage.sim.account("a").refresh_token(),
        "a@example.invalid",
    ] {
        assert!(!said.contains(told), "{said}");
    }
}
