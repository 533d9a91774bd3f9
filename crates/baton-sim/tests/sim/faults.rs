//! Faults strike where the rule says, and the client reacts as the CLI does.

use std::time::Duration;

use baton_sim::{At, Failure, Fault, FaultRule, Mode, Outcome, Sim, Transport};

use crate::{client, post, scenario};

#[tokio::test]
async fn faults_in_a_stream_strike_in_their_place() {
    // The place, what the body must still hold, and what it must not.
    let table = [
        (At::Created, "response.in_progress", "output_item"),
        (At::Output(1), "output_item.added", "output_item.done"),
        (At::Output(2), "output_item.done", "output_text.delta"),
        (At::BeforeCompleted, "output_text.delta", "response.completed"),
        (At::AfterCompleted, "response.completed", "never"),
    ];
    for (at, holds, lacks) in table {
        for fault in [
            Fault::Cut,
            Fault::Failed(Failure::internal()),
            Fault::End,
            Fault::BadJson,
        ] {
            let sim = Sim::start(scenario()).await;
            let goes_on = matches!(fault, Fault::BadJson);
            let handle = sim.fault(FaultRule::new(at, fault.clone()));
            let (status, _, body) = post(&sim, "acct-a", "hi").await.expect("an answer");
            assert_eq!(status, 200);
            assert_eq!(handle.hits(), 1);
            assert!(body.contains(holds), "{at:?} {fault:?}: {body}");
            assert!(goes_on || !body.contains(lacks), "{at:?} {fault:?}: {body}");
        }
    }
}

#[tokio::test]
async fn a_fault_in_a_tool_call_needs_a_tool_call() {
    let sim = Sim::start(scenario()).await;
    let handle = sim.fault(FaultRule::new(At::ToolCall, Fault::Cut).first(1));
    post(&sim, "acct-a", "plain").await.expect("an answer");
    assert_eq!(handle.hits(), 0);
    let (_, _, body) = post(&sim, "acct-a", "[tool: ls]").await.expect("an answer");
    assert_eq!(handle.hits(), 1);
    assert!(body.contains("function_call_arguments.delta"), "{body}");
    assert!(!body.contains("function_call_arguments.done"), "{body}");
    let entry = &sim.log().requests("acct-a")[1];
    assert_eq!(
        entry.outcome,
        Outcome::Broken {
            how: "Cut".to_owned()
        }
    );
    assert_eq!(entry.fault.as_deref(), Some("Cut at ToolCall"));
}

#[tokio::test]
async fn rules_choose_their_requests() {
    let sim = Sim::start(scenario().account(baton_sim::AccountScript::new("acct-c"))).await;
    sim.fault(
        FaultRule::new(At::Head, Fault::Refuse(Failure::internal()))
            .account("acct-a")
            .nth(2),
    );
    sim.fault(
        FaultRule::new(At::Head, Fault::Refuse(Failure::bad_gateway()))
            .account("acct-b")
            .after(1),
    );
    let maybe = sim.fault(
        FaultRule::new(At::Head, Fault::Refuse(Failure::unavailable()))
            .account("acct-c")
            .probability(0.5),
    );
    let mut statuses = Vec::new();
    for account in ["acct-a", "acct-b"] {
        for _ in 0..3 {
            statuses.push(post(&sim, account, "hi").await.expect("an answer").0);
        }
    }
    assert_eq!(statuses, [200, 500, 200, 200, 502, 502]);
    for _ in 0..40 {
        post(&sim, "acct-c", "hi").await.expect("an answer");
    }
    assert!((5..36).contains(&maybe.hits()), "{}", maybe.hits());
    sim.clear_faults();
    assert_eq!(post(&sim, "acct-b", "hi").await.expect("an answer").0, 200);
}

#[tokio::test]
async fn the_client_recovers_as_the_cli_does() {
    // The fault, once, and how often the client starts again on either transport.
    let table = [
        (At::Head, Fault::Cut),
        (At::Head, Fault::Reset),
        (At::Head, Fault::Refuse(Failure::internal())),
        (
            At::Head,
            Fault::Refuse(Failure::websocket_connection_limit_reached().status(503)),
        ),
        (At::Created, Fault::Cut),
        (At::Created, Fault::Reset),
        (At::Output(2), Fault::Reset),
        (At::Output(3), Fault::TruncateEvent),
        (At::Output(1), Fault::Close(1011)),
        (At::ToolCall, Fault::Cut),
        (At::Created, Fault::Failed(Failure::slow_down())),
        (At::Created, Fault::Failed(Failure::usage_limit_reached())),
    ];
    for mode in [Mode::Http, Mode::WebSocket] {
        for (at, fault) in &table {
            let sim = Sim::start(scenario()).await;
            let handle = sim.fault(FaultRule::new(*at, fault.clone()).first(1));
            let report = client(&sim, "acct-a", mode).turn("go [tool: ls]").await;
            assert_eq!(handle.hits(), 1, "{at:?} {fault:?}");
            assert!(report.completed, "{mode:?} {at:?} {fault:?}: {report:?}");
            assert_eq!(report.reconnects, 1, "{mode:?} {at:?} {fault:?}: {report:?}");
            assert!(report.repeated.is_empty());
        }
    }
}

#[tokio::test]
async fn the_client_gives_up_as_the_cli_does() {
    for code in [
        "usage_limit_reached",
        "usage_not_included",
        "context_length_exceeded",
    ] {
        let failure = match code {
            "usage_limit_reached" => Failure::usage_limit_reached().resets_at(1_795_332_915),
            "usage_not_included" => Failure::usage_not_included(),
            _ => Failure::context_length_exceeded(),
        };
        for mode in [Mode::Http, Mode::WebSocket] {
            let sim =
                Sim::start(scenario().fault(FaultRule::new(At::Head, Fault::Refuse(failure.clone())))).await;
            let report = client(&sim, "acct-a", mode).turn("go").await;
            let error = report.error.expect("an error");
            assert_eq!((error.code.as_str(), report.requests), (code, 1));
            assert_eq!(error.resets_at.is_some(), code == "usage_limit_reached");
        }
    }
}

#[tokio::test]
async fn the_client_waits_as_long_as_it_is_told() {
    for mode in [Mode::Http, Mode::WebSocket] {
        let sim = Sim::start(scenario()).await;
        let failure = Failure::unavailable().retry_after(420);
        sim.fault(FaultRule::new(At::Head, Fault::Refuse(failure)).first(1));
        let mut client = client(&sim, "acct-a", mode);
        let turn = tokio::spawn(async move { client.turn("go").await });
        sim.log()
            .wait_for(|entries| {
                entries
                    .iter()
                    .any(|entry| entry.code() == Some("service_unavailable"))
            })
            .await;
        while !turn.is_finished() {
            sim.clock().advance(Duration::from_secs(60));
            tokio::task::yield_now().await;
        }
        let report = turn.await.expect("a report");
        assert!(report.completed);
        assert_eq!(report.waits, [Duration::from_secs(420)]);
        let entries = sim.log().requests("acct-a");
        assert!(entries[1].at_millis - entries[0].at_millis >= 420_000);
    }
}

#[tokio::test]
async fn a_refused_upgrade_leads_to_http() {
    let sim = Sim::start(scenario()).await;
    sim.fault(FaultRule::new(
        At::Upgrade,
        Fault::Refuse(Failure::new(426, "upgrade", "", "use HTTP")),
    ));
    let mut client = client(&sim, "acct-a", Mode::WebSocket);
    let report = client.turn("go").await;
    assert!(report.completed && report.fell_back);
    assert_eq!(sim.log().served_by("acct-a")[0].transport, Transport::Http);
}

#[tokio::test]
async fn oddities_arrive_and_the_turn_ends_all_the_same() {
    let table = [
        (At::Output(1), Fault::BadJson),
        (At::Output(1), Fault::GiantEvent(1 << 20)),
        (At::Created, Fault::UnknownEvent),
        (At::AfterCompleted, Fault::DuplicateCompletion),
        (At::AfterCompleted, Fault::TrailingData),
        (
            At::Created,
            Fault::Drip {
                bytes: 7,
                pause: Duration::ZERO,
            },
        ),
        (At::Head, Fault::Delay(Duration::ZERO)),
    ];
    for mode in [Mode::Http, Mode::WebSocket] {
        for (at, fault) in &table {
            let sim = Sim::start(scenario().fault(FaultRule::new(*at, fault.clone()).first(1))).await;
            let report = client(&sim, "acct-a", mode).turn("go").await;
            assert!(report.completed, "{mode:?} {at:?} {fault:?}: {report:?}");
            assert_eq!(report.messages().len(), 1);
        }
    }
}

#[tokio::test]
async fn heads_can_lie() {
    let sim = Sim::start(scenario()).await;
    sim.fault(FaultRule::new(At::Head, Fault::ContentType("text/html".into())).nth(1));
    sim.fault(FaultRule::new(At::Head, Fault::BadEncoding("zstd".into())).nth(1));
    sim.fault(FaultRule::new(At::Head, Fault::Redirect("http://127.0.0.1:1/".into())).nth(1));
    let heads = [
        post(&sim, "acct-a", "hi").await.expect("an answer").1,
        post(&sim, "acct-a", "hi").await.expect("an answer").1,
        post(&sim, "acct-a", "hi").await.expect("an answer").1,
    ];
    assert!(heads[0].contains("content-type: text/html"));
    assert!(heads[1].contains("content-encoding: zstd"));
    assert!(heads[2].contains("307") && heads[2].contains("location: http://127.0.0.1:1/"));
}

#[tokio::test]
async fn connections_are_refused_dropped_and_accepted_again() {
    let sim = Sim::start(scenario()).await;
    sim.fault(FaultRule::new(At::Accept, Fault::Cut).first(1));
    let body = post(&sim, "acct-a", "hi")
        .await
        .map(|(_, _, body)| body)
        .unwrap_or_default();
    assert!(body.is_empty());
    assert!(post(&sim, "acct-a", "hi").await.is_ok());
    sim.stop_listening().await;
    assert!(post(&sim, "acct-a", "hi").await.is_err());
    sim.listen_again().await.expect("the same port");
    let mut client = client(&sim, "acct-a", Mode::WebSocket);
    client.turn("one").await;
    sim.drop_connections();
    let report = client.turn("two").await;
    assert!(report.completed && report.reconnects == 1, "{report:?}");
    sim.shutdown().await;
}

#[tokio::test]
async fn a_stalled_stream_is_left_by_the_client() {
    for mode in [Mode::Http, Mode::WebSocket] {
        let sim = Sim::start(scenario().fault(FaultRule::new(At::Created, Fault::Stall).first(1))).await;
        let mut client = client(&sim, "acct-a", mode).idle_timeout(Duration::from_millis(100));
        let report = client.turn("go").await;
        assert!(
            report.completed && report.retried.contains(&"idle".to_owned()),
            "{report:?}"
        );
        let stalled = &sim.log().requests("acct-a")[0];
        assert_eq!(
            stalled.outcome,
            Outcome::Broken {
                how: "Stall".to_owned()
            }
        );
    }
}
