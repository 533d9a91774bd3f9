//! Refreshing, its order and its interruptions, against a scripted sign-in service and a keychain in memory.

use std::{collections::VecDeque, sync::atomic::AtomicI64};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use baton_core::{Account, Eligibility, LimitFamily, Policy, Pool};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet, time};

use super::{issuer::NoAnswer, *};
use crate::vault::{MemoryVault, Mood, Vault};

const ID: AccountId = AccountId::new(1);
const START: i64 = 1_000_000;
const HOUR: i64 = 3600;

#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::Relaxed))
    }

    /// Backoff takes no time here.
    fn real(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

#[derive(Debug)]
enum Answer {
    Status(u16, Value),
    /// The request arrived; its answer didn't.
    Lost,
    NoConnection,
}

/// What the service saw: the token, and what stood in the keychain at that moment.
#[derive(Debug)]
struct Asked {
    refresh_token: String,
    stored: Value,
}

#[derive(Debug)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
    /// One permit lets one request through.
    gate: Semaphore,
    vault: Arc<MemoryVault>,
    /// The keychain's mood from the first request on.
    then: Mutex<Option<Mood>>,
}

impl Issuer for Script {
    fn post(&self, body: SecretString) -> BoxFuture<'_, Result<(u16, Bytes), NoAnswer>> {
        Box::pin(async move {
            let body: Value = serde_json::from_str(body.expose_secret()).unwrap();
            assert_eq!(body["grant_type"], "refresh_token");
            let refresh_token = body["refresh_token"].as_str().unwrap().to_owned();
            let stored = stored(&self.vault);
            self.asked.lock().unwrap().push(Asked {
                refresh_token,
                stored,
            });
            self.gate.acquire().await.unwrap().forget();
            if let Some(mood) = self.then.lock().unwrap().take() {
                self.vault.set_mood(mood);
            }
            match self
                .answers
                .lock()
                .unwrap()
                .pop_front()
                .expect("no answer is scripted for this request")
            {
                Answer::Status(status, body) => Ok((status, body.to_string().into())),
                Answer::Lost => Err(NoAnswer {
                    reason: "the connection broke".to_owned(),
                    sent: true,
                }),
                Answer::NoConnection => Err(NoAnswer {
                    reason: "no connection".to_owned(),
                    sent: false,
                }),
            }
        })
    }
}

struct House {
    vault: Arc<MemoryVault>,
    script: Arc<Script>,
    clock: Arc<TestClock>,
    desk: Arc<Desk>,
    grants: Grants,
}

/// One account in the pool, nothing in the keychain.
fn house() -> House {
    let vault = Arc::new(MemoryVault::new());
    let script = Arc::new(Script {
        answers: Mutex::default(),
        asked: Mutex::default(),
        gate: Semaphore::new(1000),
        vault: Arc::clone(&vault),
        then: Mutex::default(),
    });
    let clock = Arc::new(TestClock(AtomicI64::new(START)));
    let mut pool = Pool::new(Policy::default());
    pool.add(Account::new(ID, identity(), "Work"), clock.now(), &mut Vec::new())
        .unwrap();
    let desk = Arc::new(Desk::new(pool, Arc::<TestClock>::clone(&clock)));
    let grants = grants(&vault, &script, &clock, &desk);
    House {
        vault,
        script,
        clock,
        desk,
        grants,
    }
}

fn grants(
    vault: &Arc<MemoryVault>,
    script: &Arc<Script>,
    clock: &Arc<TestClock>,
    desk: &Arc<Desk>,
) -> Grants {
    let keychain = Keychain::new(Arc::<MemoryVault>::clone(vault));
    Grants::with_issuer(
        keychain,
        Arc::<Script>::clone(script),
        Arc::<TestClock>::clone(clock),
        Arc::clone(desk),
    )
}

impl House {
    fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.answers.lock().unwrap().extend(answers);
    }

    fn shut_gate(&self) {
        self.script.gate.forget_permits(1000);
    }

    fn open_gate(&self) {
        self.script.gate.add_permits(1000);
    }

    fn asked(&self) -> usize {
        self.script.asked.lock().unwrap().len()
    }

    async fn until_asked(&self, times: usize) {
        while self.asked() < times {
            tokio::task::yield_now().await;
        }
    }

    /// The same keychain after a crash or a restart.
    fn restarted(&self) -> Grants {
        grants(&self.vault, &self.script, &self.clock, &self.desk)
    }

    async fn signed_in(&self) -> Access {
        self.grants
            .store(ID, tokens("access-1", START + 10 * HOUR, "refresh-1"))
            .await
            .unwrap();
        self.grants.access(ID).await.unwrap()
    }

    fn pass(&self, secs: i64) {
        self.clock.0.fetch_add(secs, Ordering::Relaxed);
    }

    fn state(&self) -> Eligibility {
        self.desk
            .read(|pool, now| pool.account(ID).unwrap().eligibility(&LimitFamily::General, now))
    }

    fn killed_between(&self) {
        let entry = Entry {
            refreshing: true,
            ..Entry::new("refresh-1".into(), identity(), None)
        };
        self.vault.set("grant-1", &entry.to_secret()).unwrap();
        self.vault
            .set("access-1", &jwt_of("access-1", START + 10 * HOUR).into())
            .unwrap();
    }
}

fn identity() -> Identity {
    Identity {
        user: "user-1".into(),
        account: "team-1".into(),
    }
}

fn jwt_of(name: &str, expires_at: i64) -> String {
    let payload = BASE64_URL_SAFE_NO_PAD.encode(json!({ "exp": expires_at, "jti": name }).to_string());
    format!("e30.{payload}.{name}")
}

fn tokens(access: &str, expires_at: i64, refresh: &str) -> Tokens {
    Tokens {
        access_token: Some(jwt_of(access, expires_at).into()),
        refresh_token: refresh.into(),
        identity: identity(),
        email: Some("someone@example.org".into()),
    }
}

fn renewed(n: u32) -> Answer {
    let access = jwt_of(&format!("access-{n}"), START + i64::from(n) * 10 * HOUR);
    Answer::Status(
        200,
        json!({ "access_token": access, "refresh_token": format!("refresh-{n}") }),
    )
}

fn invalid_grant() -> Answer {
    Answer::Status(400, json!({ "error": "invalid_grant" }))
}

fn stored(vault: &MemoryVault) -> Value {
    let entry = vault.state_of("grant-1");
    entry.map_or(Value::Null, |entry| serde_json::from_str(&entry).unwrap())
}

fn name(access: &Access) -> String {
    access
        .token
        .expose_secret()
        .rsplit('.')
        .next()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_known_token_is_handed_out_without_waiting() {
    let house = house();
    let access = house.signed_in().await;
    let again = house
        .grants
        .access(ID)
        .now_or_never()
        .expect("nothing to wait for")
        .unwrap();
    assert_eq!(
        (name(&again), &*again.account_header, again.version),
        ("access-1".to_owned(), "team-1", access.version)
    );
    assert_eq!(house.asked(), 0);
}

#[tokio::test]
async fn after_a_restart_the_token_comes_from_the_keychain() {
    let house = house();
    house.signed_in().await;
    let access = house.restarted().access(ID).await.unwrap();
    assert_eq!((name(&access), house.asked()), ("access-1".to_owned(), 0));
    assert_eq!(
        house.grants.email(ID).await.unwrap().as_deref(),
        Some("someone@example.org")
    );
}

#[tokio::test]
async fn twenty_who_meet_the_same_401_share_one_refresh() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([renewed(2)]);
    house.shut_gate();
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let grants = house.grants.clone();
        waiting.spawn(async move { grants.refresh(ID, stale).await.unwrap() });
    }
    house.until_asked(1).await;
    house.open_gate();
    let all = waiting.join_all().await;
    assert!(
        all.iter()
            .all(|access| name(access) == "access-2" && access.version == all[0].version)
    );
    // And one who comes late with the old version asks for nothing.
    let late = house
        .grants
        .refresh(ID, stale)
        .now_or_never()
        .expect("nothing to wait for")
        .unwrap();
    assert_eq!((late.version, house.asked()), (all[0].version, 1));
}

#[tokio::test]
async fn the_mark_is_written_before_sending_and_the_new_token_before_it_is_used() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([renewed(2)]);
    house.grants.refresh(ID, stale).await.unwrap();
    {
        let asked = house.script.asked.lock().unwrap();
        assert_eq!(asked[0].refresh_token, "refresh-1");
        assert_eq!(
            (&asked[0].stored["refresh_token"], &asked[0].stored["refreshing"]),
            (&json!("refresh-1"), &json!(true))
        );
    }
    let after = stored(&house.vault);
    assert_eq!(
        (&after["refresh_token"], &after["refreshing"]),
        (&json!("refresh-2"), &json!(false))
    );
    assert_eq!(after["email"], "someone@example.org");
    let sign_in = ["set grant-1", "set access-1"];
    let refresh = ["set grant-1", "set grant-1", "set access-1"];
    assert_eq!(house.vault.writes(), [&sign_in[..], &refresh[..]].concat());
}

#[tokio::test]
async fn without_a_new_refresh_token_the_old_one_stays() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([Answer::Status(
        200,
        json!({ "access_token": jwt_of("access-2", START + HOUR) }),
    )]);
    house.grants.refresh(ID, stale).await.unwrap();
    assert_eq!(stored(&house.vault)["refresh_token"], "refresh-1");
}

#[tokio::test(start_paused = true)]
async fn tokens_that_the_keychain_does_not_take_are_used_once_it_has() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([renewed(2)]);
    *house.script.then.lock().unwrap() = Some(Mood::ReadOnly);
    let error = house.grants.refresh(ID, stale).await.unwrap_err();
    assert!(
        matches!(error, GrantError::Keychain(VaultError::Refused(_))),
        "{error}"
    );
    assert!(house.grants.keychain_problem().is_some());
    assert_eq!(house.grants.refresh(ID, stale).await.unwrap_err(), error);
    assert_eq!(stored(&house.vault)["refresh_token"], "refresh-1");
    house.vault.set_mood(Mood::Well);
    assert_eq!(name(&house.grants.refresh(ID, stale).await.unwrap()), "access-2");
    assert_eq!(
        (house.asked(), stored(&house.vault)["refresh_token"].clone()),
        (1, json!("refresh-2"))
    );
    assert_eq!(house.grants.keychain_problem(), None);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_the_keychain_does_not_take_are_written_later_though_nobody_asks() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([renewed(2)]);
    *house.script.then.lock().unwrap() = Some(Mood::Locked);
    house.grants.refresh(ID, stale).await.unwrap_err();
    time::sleep(Duration::from_secs(300)).await;
    house.vault.set_mood(Mood::Well);
    time::sleep(Duration::from_secs(300)).await;
    assert_eq!(stored(&house.vault)["refresh_token"], "refresh-2");
    assert_eq!(name(&house.grants.access(ID).await.unwrap()), "access-2");
}

#[tokio::test]
async fn draining_writes_what_the_keychain_did_not_take() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([renewed(2)]);
    *house.script.then.lock().unwrap() = Some(Mood::Absent);
    house.grants.refresh(ID, stale).await.unwrap_err();
    house.vault.set_mood(Mood::Well);
    house.grants.drain().await;
    assert_eq!(stored(&house.vault)["refresh_token"], "refresh-2");
}

#[tokio::test]
async fn a_refresh_outlives_the_request_that_began_it() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([renewed(2)]);
    house.shut_gate();
    let grants = house.grants.clone();
    let request = tokio::spawn(async move { grants.refresh(ID, stale).await });
    house.until_asked(1).await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    let mut drained = Box::pin(house.grants.drain());
    assert!((&mut drained).now_or_never().is_none());
    house.open_gate();
    drained.await;
    assert_eq!(stored(&house.vault)["refresh_token"], "refresh-2");
}

#[tokio::test]
async fn killed_before_sending_nothing_is_lost() {
    let house = house();
    house.killed_between();
    house.script([renewed(2)]);
    let access = house.grants.access(ID).await.unwrap();
    assert_eq!((name(&access), house.asked()), ("access-2".to_owned(), 1));
}

#[tokio::test]
async fn killed_between_the_old_token_is_tried_once_and_then_a_person_is_needed() {
    let house = house();
    house.killed_between();
    house.script([invalid_grant()]);
    let needs_person = GrantError::NeedsAttention(Refusal::RefreshInterrupted);
    assert_eq!(house.grants.access(ID).await.unwrap_err(), needs_person);
    assert_eq!(
        house.state(),
        Eligibility::NeedsAttention {
            reason: Refusal::RefreshInterrupted
        }
    );
    // Neither again now nor after a restart.
    assert_eq!(house.grants.refresh(ID, 0).await.unwrap_err(), needs_person);
    assert_eq!(house.restarted().access(ID).await.unwrap_err(), needs_person);
    assert_eq!(house.asked(), 1);
    // A new sign-in mends it.
    assert_eq!(name(&house.signed_in().await), "access-1");
    assert_eq!(name(&house.restarted().access(ID).await.unwrap()), "access-1");
}

#[tokio::test]
async fn a_grant_refused_for_good_is_told_to_the_pool_once() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([invalid_grant()]);
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let grants = house.grants.clone();
        waiting.spawn(async move { grants.refresh(ID, stale).await.unwrap_err() });
    }
    let refused = GrantError::NeedsAttention(Refusal::GrantRefused);
    assert!(waiting.join_all().await.iter().all(|error| *error == refused));
    assert_eq!(
        house.state(),
        Eligibility::NeedsAttention {
            reason: Refusal::GrantRefused
        }
    );
    let generation = house.desk.read(|pool, _| pool.account(ID).unwrap().generation());
    house.restarted().access(ID).await.unwrap_err();
    assert_eq!(
        house.desk.read(|pool, _| pool.account(ID).unwrap().generation()),
        generation
    );
    assert_eq!(house.asked(), 1);
}

#[tokio::test]
async fn a_sign_in_that_the_keychain_does_not_have_needs_a_person() {
    let house = house();
    let error = house.grants.access(ID).await.unwrap_err();
    assert_eq!(error, GrantError::NeedsAttention(Refusal::GrantRefused));
}

#[tokio::test]
async fn passing_trouble_is_tried_three_times_and_leaves_the_grant_unmarked() {
    let house = house();
    let stale = house.signed_in().await.version;
    let throttled = || Answer::Status(429, json!({ "error": "slow_down" }));
    house.script([Answer::NoConnection, throttled(), throttled()]);
    let error = house.grants.refresh(ID, stale).await.unwrap_err();
    assert_eq!(
        (error, house.asked()),
        (GrantError::Transient("status 429".to_owned()), 3)
    );
    assert_eq!(stored(&house.vault)["refreshing"], false);
    assert_eq!(house.state(), Eligibility::Eligible);
    house.script([Answer::NoConnection, renewed(2)]);
    assert_eq!(name(&house.grants.refresh(ID, stale).await.unwrap()), "access-2");
}

#[tokio::test]
async fn a_lost_answer_may_have_been_the_new_token() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([Answer::Lost, Answer::Lost, Answer::Status(502, Value::Null)]);
    assert!(matches!(
        house.grants.refresh(ID, stale).await,
        Err(GrantError::Transient(_))
    ));
    assert_eq!(stored(&house.vault)["refreshing"], true);
    house.script([Answer::Status(
        401,
        json!({ "error": { "code": "refresh_token_reused" } }),
    )]);
    let error = house.grants.refresh(ID, stale).await.unwrap_err();
    assert_eq!(error, GrantError::NeedsAttention(Refusal::RefreshInterrupted));
}

#[tokio::test]
async fn a_token_about_to_expire_is_refreshed_first_and_used_to_its_end_if_that_fails() {
    let house = house();
    house.signed_in().await;
    house.pass(10 * HOUR - 299);
    house.script([Answer::NoConnection, Answer::NoConnection, Answer::NoConnection]);
    assert_eq!(name(&house.grants.access(ID).await.unwrap()), "access-1");
    assert_eq!(house.asked(), 3);
    // For a while nobody waits for another try.
    assert_eq!(
        name(&house.grants.access(ID).now_or_never().unwrap().unwrap()),
        "access-1"
    );
    house.pass(298);
    house.script([Answer::NoConnection, Answer::NoConnection, Answer::NoConnection]);
    assert_eq!(name(&house.grants.access(ID).await.unwrap()), "access-1");
    house.pass(1);
    house.script([
        Answer::NoConnection,
        Answer::NoConnection,
        Answer::NoConnection,
        renewed(2),
    ]);
    assert!(matches!(
        house.grants.access(ID).await,
        Err(GrantError::Transient(_))
    ));
    assert_eq!(name(&house.grants.access(ID).await.unwrap()), "access-2");
}

#[tokio::test]
async fn a_token_that_lives_for_minutes_is_not_refreshed_at_every_request() {
    let house = house();
    let stale = house.signed_in().await.version;
    let short = json!({ "access_token": jwt_of("access-2", START + 240), "refresh_token": "refresh-2" });
    house.script([Answer::Status(200, short)]);
    house.grants.refresh(ID, stale).await.unwrap();
    house.pass(119);
    assert_eq!(name(&house.grants.access(ID).await.unwrap()), "access-2");
    assert_eq!(house.asked(), 1);
}

#[tokio::test]
async fn a_keychain_that_is_away_is_said_and_heals() {
    let house = house();
    house.signed_in().await;
    let restarted = house.restarted();
    house.vault.set_mood(Mood::Absent);
    assert_eq!(
        restarted.access(ID).await.unwrap_err(),
        GrantError::Keychain(VaultError::Absent)
    );
    assert_eq!(restarted.keychain_problem(), Some(VaultError::Absent));
    house.vault.set_mood(Mood::Well);
    assert_eq!(name(&restarted.access(ID).await.unwrap()), "access-1");
    assert_eq!((restarted.keychain_problem(), house.asked()), (None, 0));
}

#[tokio::test]
async fn removing_waits_for_the_refresh_under_way_and_leaves_nothing() {
    let house = house();
    let stale = house.signed_in().await.version;
    house.script([renewed(2)]);
    house.shut_gate();
    let grants = house.grants.clone();
    let refresh = tokio::spawn(async move { grants.refresh(ID, stale).await });
    house.until_asked(1).await;
    let grants = house.grants.clone();
    let removal = tokio::spawn(async move { grants.remove(ID).await });
    tokio::task::yield_now().await;
    house.open_gate();
    refresh.await.unwrap().unwrap();
    removal.await.unwrap().unwrap();
    assert_eq!(house.vault.entries(), [""; 0]);
}

#[tokio::test]
async fn nothing_that_can_be_printed_holds_a_secret() {
    let house = house();
    let access = house.signed_in().await;
    let all = format!(
        "{:?} {access:?} {:?}",
        house.grants,
        tokens("access-1", START, "refresh-1")
    );
    for secret in ["e30.", "refresh-1", "someone@"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}
