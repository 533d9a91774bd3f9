//! Refreshing over HTTP, against an issuer whose refresh tokens work once.

mod killed;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use baton_core::{Account, AccountId, Policy, Pool, Refusal, Timestamp};
use baton_engine::{
    Clock,
    desk::Desk,
    grants::{Access, GrantError, Grants, import::SignIn},
    net::Net,
    vault::{Keychain, MemoryVault},
};
use baton_sim::{AccountScript, At, Fault, FaultRule, Kind, Scenario, Sim, WindowScript};
use baton_wire::auth_json;

const ID: AccountId = AccountId::new(1);

/// The time of day, and no waiting between tries.
#[derive(Debug)]
struct Hurried;

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp::from_secs(i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX))
    }

    fn real(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

/// A simulated issuer, and the keychain of one account that signed in there.
async fn signed_in() -> (Sim, Arc<MemoryVault>, Access) {
    let account = AccountScript::new("a").window(WindowScript::weekly(100.0));
    let sim = Sim::start(Scenario::new().seed(1).account(account)).await;
    let vault = Arc::new(MemoryVault::new());
    let file = auth_json::parse(sim.account("a").auth_json().as_bytes()).expect("an auth.json");
    let sign_in = SignIn::new(file.tokens).expect("an identity");
    let grants = started(&sim, &vault);
    grants.store(ID, sign_in.tokens).await.expect("stored");
    let access = grants.access(ID).await.expect("an access token");
    (sim, vault, access)
}

/// A Baton that has just started with this keychain.
fn started(sim: &Sim, vault: &Arc<MemoryVault>) -> Grants {
    started_on(sim, vault, Arc::new(Net::new().expect("a trust store")))
}

fn started_on(sim: &Sim, vault: &Arc<MemoryVault>, net: Arc<Net>) -> Grants {
    let identity = baton_core::Identity {
        user: "u".into(),
        account: "a".into(),
    };
    let mut pool = Pool::new(Policy::default());
    let account = Account::new(ID, identity, "a");
    pool.add(account, Hurried.now(), &mut Vec::new()).expect("added");
    Grants::new(
        Keychain::new(Arc::<MemoryVault>::clone(vault)),
        net,
        &sim.issuer_url().parse().expect("a URL"),
        Arc::new(Hurried),
        Arc::new(Desk::new(pool, Arc::new(Hurried))),
    )
}

fn asked(sim: &Sim) -> usize {
    sim.log().count(|entry| entry.kind == Kind::Token)
}

#[tokio::test]
async fn each_new_refresh_token_is_kept_across_restarts() {
    let (sim, vault, _) = signed_in().await;
    for round in 1..=3 {
        let grants = started(&sim, &vault);
        let access = grants.access(ID).await.expect("from the keychain");
        let renewed = grants.refresh(ID, access.version).await.expect("renewed");
        assert!(renewed.version > access.version);
        assert_eq!(asked(&sim), round);
    }
    assert!(sim.log().violations().is_empty(), "{:?}", sim.log().violations());
}

#[tokio::test]
async fn new_tokens_lost_on_their_way_need_a_person() {
    let (sim, vault, _) = signed_in().await;
    sim.fault(FaultRule::new(At::AfterRoute(Kind::Token), Fault::Cut).first(1));
    let grants = started(&sim, &vault);
    let access = grants.access(ID).await.expect("from the keychain");
    let error = grants.refresh(ID, access.version).await.expect_err("lost");
    let lost = GrantError::NeedsAttention(Refusal::RefreshInterrupted);
    assert_eq!(
        (&error, asked(&sim)),
        (&lost, 2),
        "the old token is tried once more"
    );
    assert_eq!(started(&sim, &vault).access(ID).await.expect_err("still"), lost);
    assert_eq!(asked(&sim), 2);
}

#[tokio::test]
async fn a_revoked_grant_needs_a_person() {
    let (sim, vault, access) = signed_in().await;
    sim.account("a").revoke();
    let error = started(&sim, &vault).refresh(ID, access.version).await;
    assert_eq!(
        error.expect_err("revoked"),
        GrantError::NeedsAttention(Refusal::GrantRefused)
    );
}
