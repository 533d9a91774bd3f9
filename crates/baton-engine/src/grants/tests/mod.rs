//! Against a scripted sign-in service and a keychain in memory.

mod interrupted;
mod keychain;
mod refreshing;

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
    house_with(MemoryVault::new())
}

fn house_with(vault: MemoryVault) -> House {
    let vault = Arc::new(vault);
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
    let grants = grants(Arc::<MemoryVault>::clone(&vault), &script, &clock, &desk);
    House {
        vault,
        script,
        clock,
        desk,
        grants,
    }
}

fn grants(vault: Arc<dyn Vault>, script: &Arc<Script>, clock: &Arc<TestClock>, desk: &Arc<Desk>) -> Grants {
    Grants::with_issuer(
        Keychain::new(vault),
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
        self.restarted_with(Arc::<MemoryVault>::clone(&self.vault))
    }

    fn restarted_with(&self, vault: Arc<dyn Vault>) -> Grants {
        grants(vault, &self.script, &self.clock, &self.desk)
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
