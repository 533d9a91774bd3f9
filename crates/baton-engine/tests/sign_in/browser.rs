//! In the browser.

use baton_core::Eligibility;
use baton_engine::{
    control::protocol::{Command, ErrorKind, SignInWay},
    vault::Mood,
};
use baton_sim::{At, Consent, Entry, Failure, Fault, FaultRule, Kind};
use tokio::net::TcpListener;

use crate::stage::{sent_to, serving, stage, stage_at, visit};

fn as_account(name: &str) -> Consent {
    Consent::Agrees(name.to_owned())
}

#[tokio::test]
async fn accounts_are_added_with_grants_of_their_own() {
    let stage = stage().await;
    let sign_in = stage.begin(" Personal ").await.unwrap();
    let shown = visit(&sign_in.link).await;
    assert_eq!(
        (shown.status, shown.text.contains("<h1>Signed in</h1>")),
        (200, true)
    );
    assert!(
        shown.head.contains("content-security-policy: default-src 'none'"),
        "{}",
        shown.head
    );
    let said = stage.end(sign_in.id).await.unwrap();
    assert_eq!(said, "Personal is added; its grant is in the keychain.");
    stage.sim.consent(as_account("two"));
    stage.sign_in("Work").await.unwrap();
    // The same person's other workspace.
    stage.sim.consent(as_account("team"));
    stage.sign_in("Team").await.unwrap();
    assert_eq!(stage.labels(), ["Personal", "Work", "Team"]);
    assert_eq!(stage.accounts()[0].plan.as_deref(), Some("plus"));
    assert_eq!(
        stage
            .vault
            .entries()
            .iter()
            .filter(|entry| entry.starts_with("grant-"))
            .count(),
        3
    );
    assert!(stage.sim.log().violations().is_empty());
}

#[tokio::test]
async fn an_account_that_is_there_already_is_renewed_and_the_way_to_the_other_one_told() {
    let stage = stage().await;
    stage.sign_in("Personal").await.unwrap();
    let said = stage.sign_in("Work").await.unwrap();
    assert!(
        said.starts_with("This is Personal again, renewed; nothing added."),
        "{said}"
    );
    assert!(
        said.contains("--no-browser") && said.contains("private window"),
        "{said}"
    );
    assert_eq!(stage.labels(), ["Personal"]);
}

#[tokio::test]
async fn an_account_whose_sign_in_was_refused_is_mended_by_its_own_label() {
    let stage = serving().await;
    stage.sign_in("Personal").await.unwrap();
    stage.sim.account("one").revoke();
    assert!(!stage.turn().await);
    assert!(matches!(
        stage.accounts()[0].state,
        Eligibility::NeedsAttention { .. }
    ));
    let sign_in = stage.begin("personal").await.unwrap();
    let note = sign_in.note.clone().unwrap();
    assert!(note.contains("Personal is there already"), "{note}");
    visit(&sign_in.link).await;
    let said = stage.end(sign_in.id).await.unwrap();
    assert_eq!(said, "This is Personal again, renewed; nothing added.");
    assert_eq!(stage.accounts()[0].state, Eligibility::Eligible);
    assert!(stage.turn().await, "it serves again");
}

#[tokio::test]
async fn another_account_does_not_get_a_label_that_is_taken() {
    let stage = stage().await;
    stage.sign_in("Personal").await.unwrap();
    stage.sim.consent(as_account("two"));
    let said = stage.sign_in("Personal").await.unwrap_err();
    assert!(
        said.contains("`Personal` already") && said.contains("another label"),
        "{said}"
    );
    assert_eq!(stage.labels(), ["Personal"]);
    assert!(
        stage.begin("  ").await.is_err(),
        "an empty label is refused before anybody signs in"
    );
}

#[tokio::test]
async fn a_refused_consent_adds_nothing() {
    let stage = stage().await;
    stage.sim.consent(Consent::Refuses);
    let sign_in = stage.begin("Personal").await.unwrap();
    let shown = visit(&sign_in.link).await;
    assert!(shown.text.contains("You didn't agree"), "{}", shown.text);
    let said = stage.end(sign_in.id).await.unwrap_err();
    assert!(
        said.contains("access_denied") && said.contains("nothing was added"),
        "{said}"
    );
    stage.nothing_is_there();
}

#[tokio::test]
async fn a_page_of_another_sign_in_is_told_apart_and_ends_nothing() {
    let stage = stage().await;
    let sign_in = stage.begin("Personal").await.unwrap();
    stage.sim.consent(Consent::WrongState("one".to_owned()));
    let shown = visit(&sign_in.link).await;
    assert_eq!(shown.status, 400);
    assert!(shown.text.contains("Another sign-in"), "{}", shown.text);
    let note = stage.news(&sign_in).await.note.unwrap();
    assert!(note.contains("belongs to another sign-in"), "{note}");
    assert!(
        stage
            .paste(sign_in.id, &shown.address)
            .await
            .unwrap_err()
            .message
            .contains("another sign-in")
    );
    let elsewhere = visit(&format!("{}/favicon.ico", origin(&shown.address))).await;
    assert_eq!(elsewhere.status, 404);
    stage.nothing_is_there();
    stage.sim.consent(as_account("one"));
    visit(&sign_in.link).await;
    stage.end(sign_in.id).await.unwrap();
    assert_eq!(stage.labels(), ["Personal"]);
}

fn origin(address: &str) -> String {
    let url: url::Url = address.parse().unwrap();
    url.origin().ascii_serialization()
}

#[tokio::test]
async fn the_address_that_a_browser_elsewhere_ends_at_can_be_pasted() {
    let stage = stage().await;
    let sign_in = stage.begin("Personal").await.unwrap();
    let refused = stage.paste(sign_in.id, "https://example.org/").await.unwrap_err();
    assert!(
        refused.message.contains("http://localhost"),
        "{}",
        refused.message
    );
    let address = sent_to(&sign_in.link).await;
    stage.paste(sign_in.id, &format!(" {address}\n")).await.unwrap();
    stage.end(sign_in.id).await.unwrap();
    assert_eq!(stage.labels(), ["Personal"]);
    // Once more does no harm.
    stage.paste(sign_in.id, &address).await.unwrap();
    assert!(stage.sim.log().violations().is_empty());
}

#[tokio::test]
async fn cancelled_it_leaves_nothing_and_frees_its_port() {
    let stage = stage().await;
    let sign_in = stage.begin("Personal").await.unwrap();
    let address = sent_to(&sign_in.link).await;
    assert_eq!(
        stage.cancel(sign_in.id).await,
        "the sign-in was cancelled: nothing was added"
    );
    assert!(stage.end(sign_in.id).await.unwrap_err().contains("cancelled"));
    stage.paste(sign_in.id, &address).await.unwrap();
    stage.nothing_is_there();
    let port: u16 = address.parse::<url::Url>().unwrap().port().unwrap();
    while TcpListener::bind(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_second_sign_in_takes_the_place_of_the_first() {
    let stage = stage().await;
    let first = stage.begin("Personal").await.unwrap();
    let waits = stage.engine.execute(Command::SignInWait {
        id: first.id,
        seen: 0,
    });
    let second = async {
        let second = stage.begin("Work").await.unwrap();
        visit(&second.link).await;
        stage.end(second.id).await.unwrap()
    };
    let (ended, _) = tokio::join!(waits, second);
    let said = ended.unwrap_err().message;
    assert!(said.contains("another sign-in was begun"), "{said}");
    assert_eq!(stage.labels(), ["Work"]);
}

#[tokio::test]
async fn a_busy_port_is_passed_over_and_two_are_named() {
    let busy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = busy.local_addr().unwrap().port();
    let stage = stage_at(vec![port, 0]).await;
    stage.sign_in("Personal").await.unwrap();
    assert_eq!(stage.labels(), ["Personal"]);

    let stage = stage_at(vec![port, port]).await;
    let said = stage.begin("Personal").await.unwrap_err().message;
    assert!(
        said.contains(&format!("ports {port} and {port} are taken")) && said.contains("--device"),
        "{said}"
    );
    stage.nothing_is_there();
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_longer_than_ten_minutes() {
    let stage = stage().await;
    let begun = tokio::time::Instant::now();
    let sign_in = stage.begin("Personal").await.unwrap();
    let said = stage.end(sign_in.id).await.unwrap_err();
    assert!(said.contains("within 10 minutes"), "{said}");
    assert_eq!(begun.elapsed().as_secs(), 600);
    stage.nothing_is_there();
}

#[tokio::test]
async fn an_exchange_that_fails_adds_nothing() {
    let refused = Failure::new(400, "invalid_request_error", "invalid_grant", "ac_no rt_no");
    for (fault, told) in [
        (Fault::Refuse(refused), "status 400, invalid_grant"),
        (Fault::Refuse(Failure::unavailable()), "status 503"),
        (Fault::Cut, "can't be reached"),
        (
            Fault::Respond {
                status: 200,
                headers: Vec::new(),
                body: r#"{"access_token":"eyJ.eyJ.x"}"#.to_owned(),
            },
            "without a refresh token",
        ),
    ] {
        let stage = stage().await;
        stage.sim.fault(FaultRule::new(At::Route(Kind::Token), fault));
        let sign_in = stage.begin("Personal").await.unwrap();
        let shown = visit(&sign_in.link).await;
        assert!(shown.text.contains("Nothing was added"), "{}", shown.text);
        let said = stage.end(sign_in.id).await.unwrap_err();
        assert!(
            said.contains(told) && said.contains("nothing was added"),
            "{said}"
        );
        stage.nothing_is_there();
    }
}

#[tokio::test]
async fn a_keychain_that_refuses_gets_no_account_half_made() {
    for mood in [Mood::Absent, Mood::Locked, Mood::ReadOnly] {
        let stage = stage().await;
        let sign_in = stage.begin("Personal").await.unwrap();
        stage.vault.set_mood(mood);
        visit(&sign_in.link).await;
        let said = stage.end(sign_in.id).await.unwrap_err();
        assert!(said.contains("Nothing was added"), "{mood:?}: {said}");
        stage.vault.set_mood(Mood::Well);
        stage.nothing_is_there();
        stage.sign_in("Personal").await.unwrap();
        assert_eq!(stage.labels(), ["Personal"]);
    }
}

/// Nobody signs in for nothing. The sign-in under way, which may yet be kept, goes on.
#[tokio::test]
async fn a_keychain_that_is_absent_or_locked_is_told_of_before_anything_is_shown() {
    for mood in [Mood::Absent, Mood::Locked, Mood::Refusing] {
        let stage = stage().await;
        let under_way = stage.begin("Work").await.unwrap();
        stage.vault.set_mood(mood);
        for way in [SignInWay::Browser, SignInWay::Device] {
            let error = stage.begin_by(way, "Personal").await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Keychain, "{error:?}");
            assert!(error.message.contains("Nothing was added"), "{error:?}");
        }
        let asked = |entry: &Entry| entry.kind == Kind::DeviceCode;
        assert_eq!(stage.sim.log().count(asked), 0, "no code");
        stage.vault.set_mood(Mood::Well);
        visit(&under_way.link).await;
        stage.end(under_way.id).await.unwrap();
        assert_eq!(stage.labels(), ["Work"]);
    }
}

#[tokio::test]
async fn a_baton_that_ends_frees_the_port_and_keeps_nothing() {
    let stage = stage().await;
    let sign_in = stage.begin("Personal").await.unwrap();
    let address = sent_to(&sign_in.link).await;
    assert_eq!(stage.engine.shutdown().await, None);
    let port: u16 = address.parse::<url::Url>().unwrap().port().unwrap();
    TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("the port is free");
    assert_eq!(stage.vault.entries(), Vec::<String>::new());
}
