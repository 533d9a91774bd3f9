//! WebSocket frame by frame.

use std::time::Duration;

use baton_sim::{At, Failure, Fault, FaultRule, Kind, Mode};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::{
    stage::{Stage, account, closed_port, scenario},
    stub::{self, COMPLETED, CREATE, CREATED, LIMIT, OUTPUT, say, socket, text, until},
};

async fn idle(stage: &Stage) {
    until(async || stage.baton.snapshot().running_requests == 0).await;
}

fn create(n: u32) -> String {
    format!(r#"{{"type":"response.create","model":"m","n":{n},"input":[]}}"#)
}

/// One after the other, whatever the client does.
#[tokio::test]
async fn a_second_request_waits_for_the_first() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let (mut client, mut upstream) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    for n in 1..=3 {
        say(&mut client, create(n)).await;
    }
    for n in 1..=3 {
        assert_eq!(text(&mut upstream).await, create(n));
        assert_eq!(stage.baton.snapshot().running_requests, 1);
        say(&mut upstream, OUTPUT).await;
        say(&mut upstream, COMPLETED).await;
        assert_eq!(text(&mut client).await, OUTPUT);
        assert_eq!(text(&mut client).await, COMPLETED);
    }
    idle(&stage).await;
}

/// A's limit before output moves the frame to B, and the one behind it goes to B at once.
#[tokio::test]
async fn a_waiting_request_follows_the_first_to_the_next_account() {
    let (stage, mut asked) = stub::stage(&["a", "b"]).await;
    let (mut client, mut a) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    say(&mut client, create(1)).await;
    say(&mut client, create(2)).await;
    text(&mut a).await;
    say(&mut a, CREATED).await;
    say(&mut a, LIMIT).await;
    let mut b = asked.recv().await.expect("another upgrade").accept().await;
    for n in 1..=2 {
        assert_eq!(text(&mut b).await, create(n));
        say(&mut b, COMPLETED).await;
        assert_eq!(text(&mut client).await, COMPLETED, "and nothing of A's");
    }
    assert!(
        a.next().await.is_none_or(|said| said.is_err()),
        "A's connection is over"
    );
}

/// An answer's leftovers would be taken for the start of the next one.
#[tokio::test]
async fn what_comes_after_the_completion_is_not_delivered() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let (mut client, mut upstream) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    say(&mut client, CREATE).await;
    text(&mut upstream).await;
    for frame in [OUTPUT, COMPLETED, COMPLETED, OUTPUT] {
        say(&mut upstream, frame).await;
    }
    assert_eq!(text(&mut client).await, OUTPUT);
    assert_eq!(text(&mut client).await, COMPLETED);
    // A pong has passed everything that was said before it.
    upstream.send(Message::Ping("".into())).await.expect("it is read");
    while !matches!(upstream.next().await, Some(Ok(Message::Pong(_)))) {}
    say(&mut client, CREATE).await;
    text(&mut upstream).await;
    say(&mut upstream, COMPLETED).await;
    assert_eq!(text(&mut client).await, COMPLETED);
    drop(upstream);
    assert!(
        matches!(client.next().await, Some(Ok(Message::Close(_)))),
        "nothing else"
    );
}

/// The client's next frame overtakes them: they would be taken for the start of its answer.
#[tokio::test]
async fn the_rest_of_an_answer_is_not_taken_for_the_next_one() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let (mut client, mut upstream) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    say(&mut client, CREATE).await;
    text(&mut upstream).await;
    for frame in [CREATED, OUTPUT, COMPLETED] {
        say(&mut upstream, frame).await;
    }
    for frame in [CREATED, OUTPUT, COMPLETED] {
        assert_eq!(text(&mut client).await, frame);
    }
    say(&mut client, CREATE).await;
    text(&mut upstream).await;
    let next = OUTPUT.replace("hi", "there");
    for frame in [COMPLETED, OUTPUT, CREATED, &next, COMPLETED] {
        say(&mut upstream, frame).await;
    }
    for frame in [CREATED, &next, COMPLETED] {
        assert_eq!(text(&mut client).await, frame);
    }
}

#[tokio::test]
async fn bytes_pings_and_close_codes_pass_both_ways() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let (mut client, mut upstream) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    client
        .send(Message::binary(vec![1, 2]))
        .await
        .expect("it is read");
    assert_eq!(
        upstream.next().await.unwrap().unwrap(),
        Message::binary(vec![1, 2])
    );
    upstream.send(Message::binary(vec![3])).await.expect("it is read");
    assert_eq!(client.next().await.unwrap().unwrap(), Message::binary(vec![3]));
    client.send(Message::Ping("p".into())).await.expect("it is read");
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("p".into()));
    let goodbye = |code| {
        Message::Close(Some(CloseFrame {
            code,
            reason: "so it is".into(),
        }))
    };
    upstream
        .send(goodbye(CloseCode::Restart))
        .await
        .expect("it is read");
    assert_eq!(client.next().await.unwrap().unwrap(), goodbye(CloseCode::Restart));

    let (mut client, mut upstream) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    client.send(goodbye(CloseCode::Normal)).await.expect("it is read");
    assert_eq!(
        upstream.next().await.unwrap().unwrap(),
        goodbye(CloseCode::Normal)
    );
}

/// Held, delivered to, or waiting for another account's connection.
#[tokio::test]
async fn a_client_that_leaves_ends_its_request_whatever_that_has_come_to() {
    for said in [&[][..], &[CREATED], &[CREATED, OUTPUT], &[CREATED, LIMIT]] {
        let (stage, mut asked) = stub::stage(&["a", "b"]).await;
        let (mut client, mut upstream) = tokio::join!(socket(&stage), async {
            asked.recv().await.expect("an upgrade").accept().await
        });
        say(&mut client, CREATE).await;
        text(&mut upstream).await;
        for frame in said {
            say(&mut upstream, *frame).await;
        }
        let moved = said.contains(&LIMIT);
        // The upgrade for B stays unanswered.
        let next = if moved { asked.recv().await } else { None };
        if said.contains(&OUTPUT) {
            text(&mut client).await;
        }
        assert_eq!(stage.baton.snapshot().running_requests, 1, "{said:?}");
        drop(client);
        idle(&stage).await;
        while let Some(Ok(_)) = upstream.next().await {}
        if let Some(next) = next {
            stub::Chunks(next.stream).left().await;
        }
    }
}

/// The frame that the client sends while its upstream socket is already gone is answered all the same.
#[tokio::test]
async fn an_upstream_that_closes_an_idle_socket_costs_one_silent_reconnect() {
    let stage = Stage::two(100.0, 100.0).await;
    let mut client = stage.client(Mode::WebSocket);
    for n in 0..3 {
        let report = client.turn(&format!("turn {n}")).await;
        assert!(
            report.completed && report.reconnects <= 1 && report.repeated.is_empty(),
            "{report:?}"
        );
        stage.sim.drop_connections();
    }
    assert_eq!(stage.served("a"), 3);
    stage.no_violations();
}

#[tokio::test]
async fn a_426_reaches_the_client_which_then_uses_http() {
    let stage = Stage::two(100.0, 100.0).await;
    stage.sim.fault(FaultRule::new(
        At::Upgrade,
        Fault::Respond {
            status: 426,
            headers: Vec::new(),
            body: String::new(),
        },
    ));
    let report = stage.client(Mode::WebSocket).turn("hello").await;
    assert!(report.completed && report.fell_back, "{report:?}");
    assert_eq!((report.reconnects, stage.served("a")), (0, 1), "{report:?}");
}

/// Nobody can be reached at the upgrade: Baton answers it, and serves the first frame once somebody can.
#[tokio::test]
async fn an_upgrade_without_an_upstream_is_answered_and_its_first_frame_served() {
    let (closed, address) = closed_port();
    let stage = stub::before(&["a"], &address).await;
    let mut client = socket(&stage).await;
    let mut asked = stub::listen(closed.listen(16).expect("it listens"));
    say(&mut client, CREATE).await;
    let mut upstream = asked.recv().await.expect("an upgrade").accept().await;
    assert_eq!(text(&mut upstream).await, CREATE);
    say(&mut upstream, COMPLETED).await;
    assert_eq!(text(&mut client).await, COMPLETED);
}

/// The connection that was waited for in vain is given up, and one that answers is used.
#[tokio::test]
async fn an_upgrade_that_is_answered_too_late_is_asked_for_again() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let (mut client, late) = tokio::join!(socket(&stage), async {
        let late = asked.recv().await.expect("an upgrade");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(13)).await;
        tokio::time::resume();
        late
    });
    say(&mut client, CREATE).await;
    let mut upstream = loop {
        let mut socket = asked.recv().await.expect("another upgrade").accept().await;
        if let Some(Ok(Message::Text(_))) = socket.next().await {
            break socket;
        }
    };
    say(&mut upstream, COMPLETED).await;
    assert_eq!(text(&mut client).await, COMPLETED);
    stub::Chunks(late.stream).left().await;
}

/// The CLI would refresh its own sign-in for it.
#[tokio::test]
async fn a_pool_accounts_401_never_reaches_the_client() {
    for mode in [Mode::WebSocket, Mode::Http] {
        let stage = Stage::with(scenario([account("a", 10.0)]), &["a"]).await;
        stage.sim.account("a").revoke();
        let report = stage.client(mode).turn("hello").await;
        let error = report.error.expect("an error");
        assert!(error.message.contains("Baton"), "{mode:?}: {error:?}");
        assert!(
            !error.code.contains("401") && !error.code.contains("token"),
            "{error:?}"
        );
        let upgrades = stage.sim.log().count(|entry| entry.kind == Kind::Upgrade);
        assert!(upgrades <= 2, "{mode:?}: the socket was opened once");
    }
}

/// Sign-in is out of order for now: that is nobody's fault, and A serves again as soon as it can.
#[tokio::test]
async fn a_refresh_that_fails_for_now_blames_nobody() {
    for mode in [Mode::WebSocket, Mode::Http] {
        // A refresh tries three times by itself, seconds apart.
        let accounts = scenario([account("a", 100.0), account("b", 100.0)]).speed(10.0);
        let stage = Stage::with(accounts, &["a", "b"]).await;
        assert!(stage.client(mode).turn("on a").await.completed);
        stage.sim.account("a").expire_access_tokens();
        let fault = stage.sim.fault(FaultRule::new(
            At::Route(Kind::Token),
            Fault::Refuse(Failure::unavailable()),
        ));
        let report = stage.client(mode).seed(2).turn("on b").await;
        assert!(report.completed, "{mode:?}: {report:?}");
        assert_eq!((stage.served("a"), stage.served("b")), (1, 1), "{mode:?}");
        assert!(fault.hits() > 0);
        let snapshot = stage.baton.snapshot();
        let a = &snapshot.accounts[0];
        assert!(
            matches!(a.state, baton_core::Eligibility::CoolingDown { .. }),
            "{mode:?}: {a:?}"
        );
        assert_eq!(snapshot.active, Some(stage.id("a")), "{mode:?}");
        fault.remove();
        stage.sim.clock().advance(Duration::from_secs(60));
        assert!(stage.client(mode).seed(3).turn("on a again").await.completed);
        assert_eq!(stage.served("a"), 2, "{mode:?}");
    }
}
