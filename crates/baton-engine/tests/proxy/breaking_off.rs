//! An account whose answers break off after output, each time.

use baton_core::Eligibility;
use baton_sim::{At, Fault, FaultRule, Mode};

use crate::stage::{Stage, account, scenario};

/// Codex asks five times and then gives up the turn; before that another account has a go.
#[tokio::test]
async fn a_turn_that_one_account_can_not_finish_is_finished_by_another() {
    for mode in [Mode::WebSocket, Mode::Http] {
        for how in [Fault::Cut, Fault::Reset] {
            let accounts = scenario([account("a", 100.0), account("b", 100.0)]).speed(20.0);
            let mut stage = Stage::with(accounts, &["a", "b"]).await;
            stage
                .sim
                .fault(FaultRule::new(At::Output(1), how.clone()).account("a"));
            let report = stage.client(mode).turn("hello").await;
            assert!(report.completed, "{mode:?} {how:?}: {report:?}");
            assert!(report.repeated.is_empty(), "{mode:?} {how:?}: {report:?}");
            assert_eq!(report.requests, 3, "{mode:?} {how:?}: {report:?}");
            assert_eq!(stage.served("b"), 1, "{mode:?} {how:?}");
            // Whose fault it is can't be told: the active account stays, and its state is well.
            assert_eq!(stage.switches().len(), 1, "{mode:?} {how:?}");
            let state = stage.baton.snapshot().accounts[0].state;
            assert_eq!(state, Eligibility::Eligible, "{mode:?} {how:?}");
            stage.no_violations();
        }
    }
}
