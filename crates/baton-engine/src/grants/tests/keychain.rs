//! The keychain: what is read from it, and what becomes of tokens that it does not take.

use super::*;
use crate::vault::{ChunkedVault, WINDOWS_UNITS};

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
async fn a_sign_in_that_the_keychain_does_not_have_needs_a_person() {
    let house = house();
    let error = house.grants.access(ID).await.unwrap_err();
    assert_eq!(error, GrantError::NeedsAttention(Refusal::GrantRefused));
}

#[tokio::test(start_paused = true)]
async fn a_keychain_that_is_away_is_said_by_its_name_and_heals_by_itself() {
    for (mood, problem) in [
        (Mood::Absent, VaultError::Absent),
        (Mood::Locked, VaultError::Locked),
        (Mood::Slow, VaultError::Slow(10)),
        (Mood::Refusing, VaultError::Refused("as told".to_owned())),
    ] {
        let house = house();
        house.signed_in().await;
        let restarted = house.restarted();
        house.vault.set_mood(mood);
        let asking = tokio::spawn({
            let grants = restarted.clone();
            async move { grants.access(ID).await }
        });
        // Only one that is slow takes time.
        while !asking.is_finished() {
            tokio::task::yield_now().await;
            if mood == Mood::Slow {
                time::advance(Duration::from_secs(1)).await;
            }
        }
        let error = asking.await.unwrap().unwrap_err();
        assert_eq!(error, GrantError::Keychain(problem.clone()), "{mood:?}");
        assert_eq!(restarted.keychain_problem(), Some(problem));
        house.vault.set_mood(Mood::Well);
        assert_eq!(name(&restarted.access(ID).await.unwrap()), "access-1");
        assert_eq!((restarted.keychain_problem(), house.asked()), (None, 0));
    }
}

/// A house's keychain, as somebody else's inner one.
#[derive(Debug)]
struct Shared(Arc<MemoryVault>);

impl Vault for Shared {
    fn get(&self, entry: &str) -> Result<Option<SecretString>, VaultError> {
        self.0.get(entry)
    }

    fn set(&self, entry: &str, secret: &SecretString) -> Result<(), VaultError> {
        self.0.set(entry, secret)
    }

    fn delete(&self, entry: &str) -> Result<(), VaultError> {
        self.0.delete(entry)
    }
}

/// A credential of Windows holds 2,560 bytes of UTF-16, and an access token is longer.
#[tokio::test]
async fn on_windows_a_refresh_token_is_one_entry_and_a_torn_access_token_costs_a_refresh() {
    assert_eq!(WINDOWS_UNITS * 2, 2560);
    let house = house_with(MemoryVault::with_limit(WINDOWS_UNITS));
    let restarted = || {
        let shared = Shared(Arc::clone(&house.vault));
        house.restarted_with(Arc::new(ChunkedVault::new(shared, Some(WINDOWS_UNITS))))
    };
    let claims = json!({ "exp": START + 10 * HOUR, "pad": "x".repeat(3000) }).to_string();
    let long = Tokens {
        access_token: Some(format!("e30.{}.access-1", BASE64_URL_SAFE_NO_PAD.encode(claims)).into()),
        ..tokens("", 0, &"r".repeat(600))
    };
    restarted().store(ID, long).await.unwrap();
    let of = |whose: &str| {
        let entries = house.vault.entries().into_iter();
        entries.filter(|entry| entry.starts_with(whose)).count()
    };
    assert_eq!((of("grant-1"), of("access-1")), (1, 5), "a head and its chunks");
    assert_eq!(name(&restarted().access(ID).await.unwrap()), "access-1");
    assert_eq!(house.asked(), 0);

    house.vault.set("access-1.a1", &"half a token".into()).unwrap();
    house.script([renewed(2)]);
    assert_eq!(name(&restarted().access(ID).await.unwrap()), "access-2");
    assert_eq!(
        house.script.asked.lock().unwrap()[0].refresh_token,
        "r".repeat(600)
    );
    assert_eq!((of("grant-1"), of("access-1")), (1, 1), "what was torn is gone");
    assert_eq!(name(&restarted().access(ID).await.unwrap()), "access-2");
    assert_eq!(house.asked(), 1);
}
