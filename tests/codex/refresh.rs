//! The program `baton` is killed in the middle of a refresh, with its tokens in a real keychain.

use baton_sim::{At, Fault, FaultRule, Kind, Mode, Sim, ViolationKind, lasting_port};
use rustix::process::Signal;

use crate::{machine::Machine, stage::two};

/// Before the service has taken the old token nothing is lost; after that the new one is, and a person is told.
#[tokio::test]
async fn killed_in_the_middle_of_a_refresh_the_sign_in_is_good_or_said_to_be_lost() {
    for (held, lost) in [
        (At::Route(Kind::Token), false),
        (At::AfterRoute(Kind::Token), true),
    ] {
        let sim = Sim::start(two(100.0, 100.0)).await;
        let machine = Machine::start([
            ("BATON_UPSTREAM", sim.base_url()),
            ("BATON_ISSUER", sim.issuer_url()),
        ])
        .await;
        machine.add(&sim, "a").await;
        let serving = machine.serve(Some(lasting_port())).await;
        let mut client = serving.client(&sim, Mode::Http);
        assert!(client.turn("hello").await.completed);

        let a = sim.account("a");
        let old = a.refresh_token();
        a.expire_access_tokens();
        sim.fault(FaultRule::new(held, Fault::Stall).first(1));
        let turn = tokio::spawn(async move { client.turn("again").await });
        sim.log()
            .wait_for(|entries| entries.iter().any(|entry| entry.kind == Kind::Token))
            .await;
        while lost && a.refresh_token() == old {
            tokio::task::yield_now().await;
        }
        serving.signal(Signal::KILL);
        serving.ended().await;
        turn.abort();

        let serving = machine.serve(None).await;
        let report = serving.client(&sim, Mode::Http).turn("and now").await;
        assert_eq!(report.completed, !lost, "{report:?}");
        let status = machine.baton(["status"]).await;
        let state = status["accounts"][0]["state"].to_string();
        assert_eq!(state.contains("refresh_interrupted"), lost, "{status:#}");
        // The old token was tried once, and once more only where it was still good.
        let violations = sim.log().violations();
        let reused = violations
            .iter()
            .filter(|violation| violation.kind == ViolationKind::RefreshTokenReused);
        assert_eq!(
            (reused.count(), violations.len()),
            (usize::from(lost), usize::from(lost))
        );
        assert_eq!(sim.log().count(|entry| entry.kind == Kind::Token), 2);
        assert!(machine.keychain().await.contains(&a.refresh_token()) != lost);
        machine.baton(["stop"]).await;
        serving.ended_well().await;
    }
}
