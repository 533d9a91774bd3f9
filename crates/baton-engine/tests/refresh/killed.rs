//! Killed at any moment of a refresh: what a restart finds is one of three cases, and no sign-in is lost in silence.

use std::future::Future;

use baton_core::Refusal;
use baton_engine::{
    grants::{GrantError, Grants},
    vault::Vault,
};
use baton_sim::{Violation, ViolationKind};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
    task::yield_now,
};

use super::*;

const KILLS: usize = 300;

#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// The old token is still good.
    before_sending: usize,
    /// The new one is there.
    after_writing: usize,
    /// The old one is spent and the new one lost: a person is needed, and told so.
    between: usize,
}

/// A Baton that has just started, on a net that has been set up once: a trust store takes long to read.
fn anew(sim: &Sim, vault: &Arc<MemoryVault>, net: &Arc<Net>) -> Grants {
    net.forget_idle();
    started_on(sim, vault, Arc::clone(net))
}

/// A Baton's own threads and timers, gone when it is killed. A keychain's call that has begun goes on to its end.
fn process() -> Runtime {
    baton_engine::runtime().expect("a runtime")
}

/// What stands there, as it does.
fn kept(vault: &MemoryVault) -> String {
    let entry = vault.get("grant-1").expect("it answers").expect("a grant");
    let entry: serde_json::Value = serde_json::from_str(entry.expose_secret()).expect("JSON");
    entry["refresh_token"].as_str().expect("a token").to_owned()
}

/// Begins a refresh.
async fn refreshing(grants: Grants) -> impl Future<Output = Access> {
    let access = grants.access(ID).await.expect("from the keychain");
    let refresh = tokio::spawn(async move { grants.refresh(ID, access.version).await });
    async move { refresh.await.expect("no panic").expect("renewed") }
}

/// How many turns of its loop a refresh takes that nobody cuts off.
fn turns(grants: impl FnOnce() -> Grants) -> usize {
    process().block_on(async {
        let mut refresh = std::pin::pin!(refreshing(grants()).await);
        let mut turns = 0;
        loop {
            tokio::select! {
                biased;
                _ = &mut refresh => return turns,
                () = yield_now() => turns += 1,
            }
        }
    })
}

#[test]
fn killed_at_any_moment_a_refresh_loses_nothing_in_silence() {
    let outside = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let net = Arc::new(Net::new().expect("a trust store"));
    let mut random = fastrand::Rng::with_seed(7);
    let mut found = Found::default();
    let (mut sim, mut vault, _) = outside.block_on(signed_in());
    // A machine that is busy takes many turns: what one refresh took says little of the next.
    let mut whole: Vec<usize> = (0..9).map(|_| turns(|| anew(&sim, &vault, &net))).collect();
    whole.sort_unstable();
    for kill in 0..KILLS {
        let old = kept(&vault);
        let killed = process();
        killed.block_on(async {
            let _refresh = refreshing(anew(&sim, &vault, &net)).await;
            // From the first few turns on to beyond the end, whatever a turn is worth here.
            let within = [4, whole[0], whole[4], whole[8]][kill % 4];
            for _ in 0..random.usize(..=within) {
                yield_now().await;
            }
        });
        drop(killed);
        let last = outside.block_on(arrived(&sim));
        let written = kept(&vault) != old;
        let restarted = process().block_on(async {
            let grants = anew(&sim, &vault, &net);
            let access = grants.access(ID).await?;
            // Alive: it can be renewed further.
            grants.refresh(ID, access.version).await
        });
        let reused = reused_after(&sim, last);
        match restarted {
            Ok(_) => {
                assert_eq!(reused, 0, "kill {kill}");
                *(if written {
                    &mut found.after_writing
                } else {
                    &mut found.before_sending
                }) += 1;
            }
            Err(GrantError::NeedsAttention(Refusal::RefreshInterrupted)) => {
                assert!(!written, "kill {kill}");
                assert_eq!(reused, 1, "kill {kill}: the one try");
                let asked_by_then = asked(&sim);
                let again = process().block_on(async { anew(&sim, &vault, &net).access(ID).await });
                assert_eq!(
                    again.expect_err("until a person signs in"),
                    GrantError::NeedsAttention(Refusal::RefreshInterrupted)
                );
                assert_eq!(asked(&sim), asked_by_then);
                found.between += 1;
                (sim, vault, _) = outside.block_on(signed_in());
            }
            Err(other) => panic!("kill {kill}: {other}"),
        }
    }
    assert!(
        found.before_sending > 0 && found.after_writing > 0 && found.between > 0,
        "{found:?}"
    );
}

/// Lets what has left arrive; the number of the last connection that was made by then.
async fn arrived(sim: &Sim) -> u64 {
    let url: url::Url = sim.base_url().parse().expect("a URL");
    let address = (url.host_str().expect("a host"), url.port().expect("a port"));
    let mut last = TcpStream::connect(address).await.expect("it listens");
    let request = b"GET /last HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    last.write_all(request).await.expect("sent");
    last.read_to_end(&mut Vec::new()).await.expect("answered");
    let log = sim.log();
    log.wait_for(|entries| entries.iter().all(|entry| entry.ended_millis.is_some()))
        .await;
    let connections = log.entries().into_iter().map(|entry| entry.connection);
    connections.max().expect("at least this one")
}

/// Used tokens that were sent on later connections: a request of the killed one may have come late all the same.
fn reused_after(sim: &Sim, last: u64) -> usize {
    let log = sim.log();
    let later = |violation: &&Violation| {
        let entry = log.find(|entry| entry.id == violation.entry);
        assert_eq!(violation.kind, ViolationKind::RefreshTokenReused);
        entry[0].connection > last
    };
    log.violations().iter().filter(later).count()
}
