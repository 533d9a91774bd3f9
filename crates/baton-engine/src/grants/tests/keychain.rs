//! The keychain: what is read from it, and what becomes of tokens that it does not take.

use super::*;

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
