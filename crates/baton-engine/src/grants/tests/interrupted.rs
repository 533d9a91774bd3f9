//! Refreshes that are cut off: by a request that ends, a crash, a lost answer, a removal.

use super::*;

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
