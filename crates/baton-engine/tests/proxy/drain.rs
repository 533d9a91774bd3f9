//! An end that nobody notices, and one that comes all the same.

use std::time::Duration;

use baton_engine::control::protocol::Command;
use futures_util::StreamExt;
use tokio::{io::AsyncReadExt, net::TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    stage::Stage,
    stub::{self, COMPLETED, CREATE, OUTPUT, event, post, say, socket, text},
};

fn port(stage: &Stage) -> u16 {
    let url: url::Url = stage.base_url().parse().expect("a URL");
    url.port().expect("a port")
}

#[tokio::test]
async fn running_requests_end_and_idle_connections_are_closed() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let mut http = post(&stage, "", b"{}").await;
    let mut stream = asked.recv().await.expect("a request").stream().await;
    stream.chunk(&event(OUTPUT)).await;
    stub::head(&mut http).await.expect("an answer");
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let pair = tokio::join!(socket(&stage), async {
            asked.recv().await.expect("an upgrade").accept().await
        });
        sockets.push(pair);
    }
    let (mut idle, _) = sockets.pop().expect("a socket");
    let (mut busy, mut upstream) = sockets.pop().expect("a socket");
    say(&mut busy, CREATE).await;
    text(&mut upstream).await;
    let port = port(&stage);
    let mut unused = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");

    let ended = tokio::spawn(stage.shutdown());
    assert!(matches!(idle.next().await, Some(Ok(Message::Close(_)))));
    assert_eq!(unused.read(&mut [0]).await.unwrap_or(0), 0, "closed");
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    assert!(!ended.is_finished());

    say(&mut upstream, OUTPUT).await;
    say(&mut upstream, COMPLETED).await;
    assert_eq!(text(&mut busy).await, OUTPUT);
    assert_eq!(text(&mut busy).await, COMPLETED);
    assert!(matches!(busy.next().await, Some(Ok(Message::Close(_)))));
    stream.chunk(&event(COMPLETED)).await;
    stream.end().await;
    let mut rest = String::new();
    http.read_to_string(&mut rest).await.expect("a whole answer");
    assert!(rest.contains(COMPLETED) && rest.ends_with("0\r\n\r\n"), "{rest}");
    ended.await.expect("it has ended");
}

/// The person has waited long enough.
#[tokio::test]
async fn asked_to_stop_at_once_baton_cuts_what_runs() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let mut http = post(&stage, "", b"{}").await;
    let mut stream = asked.recv().await.expect("a request").stream().await;
    stream.chunk(&event(OUTPUT)).await;
    stub::head(&mut http).await.expect("an answer");
    stage.run(Command::StopNow).await;
    stage.baton.stop_requested().await;
    stage.shutdown().await;
    let mut rest = String::new();
    // Cut, however that shows.
    let _ = http.read_to_string(&mut rest).await;
    assert!(
        !rest.contains(COMPLETED) && !rest.ends_with("0\r\n\r\n"),
        "{rest}"
    );
}

/// One that stalls, one whose client doesn't read, and one that waits for another account.
#[tokio::test]
async fn what_has_not_ended_in_time_is_cut() {
    let (stage, mut asked) = stub::stage(&["a", "b"]).await;
    let mut http = post(&stage, "", b"{}").await;
    let mut stream = asked.recv().await.expect("a request").stream().await;
    stream.chunk(&event(OUTPUT)).await;
    stub::head(&mut http).await.expect("an answer");
    let (mut slow, mut endless) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    say(&mut slow, CREATE).await;
    text(&mut endless).await;
    let (mut moved, mut a) = tokio::join!(socket(&stage), async {
        asked.recv().await.expect("an upgrade").accept().await
    });
    say(&mut moved, CREATE).await;
    text(&mut a).await;
    say(&mut a, stub::LIMIT).await;
    let _unanswered = asked.recv().await.expect("another upgrade");
    let output = OUTPUT.replace("hi", &"x".repeat(0x10000));
    tokio::spawn(async move {
        use futures_util::SinkExt;
        while endless.send(Message::text(output.clone())).await.is_ok() {}
    });

    let ended = tokio::spawn(stage.shutdown());
    assert!(!ended.is_finished());
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(40)).await;
    tokio::time::resume();
    ended.await.expect("it has ended");
    drop((slow, moved));
}
