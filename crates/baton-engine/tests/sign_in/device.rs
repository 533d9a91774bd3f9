//! With a device code.

use baton_engine::control::protocol::SignInWay::Device;
use baton_sim::{At, Failure, Fault, FaultRule, Kind};

use crate::stage::stage;

#[tokio::test(start_paused = true)]
async fn a_code_that_is_entered_adds_the_account() {
    let stage = stage().await;
    let sign_in = stage.begin_by(Device, "Personal").await.unwrap();
    assert_eq!(sign_in.link, format!("{}/codex/device", stage.sim.issuer_url()));
    let polls = || stage.sim.log().count(|entry| entry.kind == Kind::DevicePoll);
    let begun = tokio::time::Instant::now();
    while polls() < 3 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert!(
        begun.elapsed().as_secs() >= 15,
        "no faster than the service wants"
    );
    stage.nothing_is_there();
    assert!(stage.sim.approve_device(sign_in.code.as_deref().unwrap(), "two"));
    let said = stage.end(sign_in.id).await.unwrap();
    assert_eq!(said, "Personal is added; its grant is in the keychain.");
    assert_eq!(stage.labels(), ["Personal"]);
    assert!(stage.sim.log().violations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_code_that_nobody_enters_expires() {
    let stage = stage().await;
    let sign_in = stage.begin_by(Device, "Personal").await.unwrap();
    let said = stage.end(sign_in.id).await.unwrap_err();
    assert!(said.contains("expired"), "{said}");
    stage.nothing_is_there();
}

#[tokio::test(start_paused = true)]
async fn passing_trouble_is_told_and_waited_out() {
    let stage = stage().await;
    let down = FaultRule::new(At::Route(Kind::DevicePoll), Fault::Refuse(Failure::unavailable()));
    let down = stage.sim.fault(down.first(2));
    let sign_in = stage.begin_by(Device, "Personal").await.unwrap();
    let note = stage.news(&sign_in).await.note.unwrap();
    assert!(note.contains("status 503") && note.contains("goes on"), "{note}");
    assert!(stage.sim.approve_device(sign_in.code.as_deref().unwrap(), "one"));
    stage.end(sign_in.id).await.unwrap();
    drop(down);
    assert_eq!(stage.labels(), ["Personal"]);
}

#[tokio::test]
async fn without_device_codes_or_a_service_nothing_begins() {
    let stage = stage().await;
    let none = FaultRule::new(
        At::Route(Kind::DeviceCode),
        Fault::Refuse(Failure::detail(404, "Not Found")),
    );
    stage.sim.fault(none);
    let said = stage.begin_by(Device, "Personal").await.unwrap_err().message;
    assert!(said.contains("offers no device codes"), "{said}");
    stage.sim.stop_listening().await;
    stage.sim.drop_connections();
    let said = stage.begin_by(Device, "Personal").await.unwrap_err().message;
    assert!(
        said.contains("can't be reached") && said.contains("nothing was added"),
        "{said}"
    );
    stage.nothing_is_there();
}

#[tokio::test]
async fn a_code_can_be_given_up() {
    let stage = stage().await;
    let sign_in = stage.begin_by(Device, "Personal").await.unwrap();
    assert!(stage.cancel(sign_in.id).await.contains("cancelled"));
    let pasted = stage
        .paste(sign_in.id, "http://localhost:1455/auth/callback?code=a&state=b")
        .await;
    assert!(pasted.is_err(), "a device code has no page to come back from");
    stage.nothing_is_there();
}
