//! Upstreams that can't be reached at all: Baton says so itself, and blames nobody.

use std::process::Command;

use baton_core::Eligibility;
use baton_sim::{Mode, Sim};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::stage::{Stage, account, closed_port, scenario};

/// The client asks as often as the CLI would, and its error names the reason.
async fn nobody_can_be_reached(upstream: &str) {
    let both = [Mode::WebSocket, Mode::Http].map(async |mode| {
        let sim = Sim::start(scenario([account("a", 9.0), account("b", 9.0)]).speed(20.0)).await;
        let stage = Stage::between(sim, &["a", "b"], upstream).await;
        let report = stage.client(mode).turn("hello").await;
        let error = report
            .error
            .unwrap_or_else(|| panic!("{upstream} {mode:?}: it was served"));
        assert_eq!(
            error.code, "retries_exhausted",
            "{upstream} {mode:?}: {:?}",
            report.retried
        );
        let snapshot = stage.baton.snapshot();
        for account in &snapshot.accounts {
            assert_eq!(
                account.state,
                Eligibility::Eligible,
                "{upstream} {mode:?}: {account:?}"
            );
        }
        assert_eq!(snapshot.active, Some(stage.id("a")), "{upstream} {mode:?}");
        stage.shutdown().await;
    });
    futures_util::future::join_all(both).await;
}

#[tokio::test]
async fn a_closed_port() {
    let (_kept, upstream) = closed_port();
    nobody_can_be_reached(&upstream).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    nobody_can_be_reached("http://nowhere.invalid/backend-api").await;
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts() {
    let sim = Sim::start(scenario([]).https()).await;
    nobody_can_be_reached(&sim.https_base_url().expect("it serves https")).await;
}

#[tokio::test]
async fn a_server_that_speaks_no_tls() {
    let sim = Sim::start(scenario([])).await;
    nobody_can_be_reached(&sim.base_url().replacen("http", "https", 1)).await;
}

/// Set in the process that stands behind the proxy.
const BEHIND_THE_PROXY: &str = "BATON_TEST_BEHIND_THE_PROXY";

/// The proxy is named in the environment, so Baton's side runs in a process of its own: this very test again.
#[tokio::test]
async fn a_proxy_that_refuses_to_connect() {
    if std::env::var_os(BEHIND_THE_PROXY).is_some() {
        return nobody_can_be_reached("https://upstream.invalid/backend-api").await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = format!("http://{}", listener.local_addr().expect("an address"));
    let refusing = tokio::spawn(async move {
        let mut asked = 0_u32;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let read = stream.read(&mut head).await.unwrap_or_default();
            assert!(head[..read].starts_with(b"CONNECT upstream.invalid:443"));
            let _ = stream
                .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                .await;
            asked += 1;
            if asked == 6 {
                break;
            }
        }
        asked
    });
    let through = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().expect("a program"))
            .args([
                "--exact",
                "unreachable::a_proxy_that_refuses_to_connect",
                "--nocapture",
            ])
            .env(BEHIND_THE_PROXY, "1")
            .env("HTTPS_PROXY", &proxy)
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .output()
            .expect("it runs")
    });
    assert_eq!(refusing.await.expect("no other request"), 6);
    let output = through.await.expect("it ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
