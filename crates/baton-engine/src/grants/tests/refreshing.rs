//! Refreshing: when, how often, in which order, and what its answers mean.

use super::*;

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

/// The token's own times are the issuer's; the clock here is ahead by more than a token lives.
#[tokio::test]
async fn a_clock_that_is_ahead_refreshes_once_and_not_at_every_request() {
    let dated = json!({ "iat": START, "exp": START + 10 * HOUR, "jti": "access-2" });
    let undated = json!({ "exp": START + 10 * HOUR, "jti": "access-2" });
    for claims in [dated, undated] {
        let token = format!(
            "e30.{}.access-2",
            BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let house = house();
        house.signed_in().await;
        house.pass(20 * HOUR);
        let new = json!({ "access_token": token, "refresh_token": "refresh-2" });
        house.script([Answer::Status(200, new)]);
        for _ in 0..20 {
            assert_eq!(name(&house.grants.access(ID).await.unwrap()), "access-2");
            house.pass(60);
        }
        assert_eq!(house.asked(), 1, "{claims}");
        // The clock is right again: nothing to refresh either.
        house.pass(-20 * HOUR);
        house.grants.access(ID).await.unwrap();
        assert_eq!(house.asked(), 1, "{claims}");
    }
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
