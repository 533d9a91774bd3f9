//! HTTP byte by byte: what is delivered, what is cut, and how much is kept in between.

use baton_core::Eligibility;
use baton_engine::control::protocol::{Command, LogEntry, LogFilter, Reply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    stage::Stage,
    stub::{self, COMPLETED, CREATED, LIMIT, OUTPUT, event, post, until},
};

const MB: usize = 1024 * 1024;

async fn idle(stage: &Stage) {
    until(async || stage.baton.snapshot().running_requests == 0).await;
}

/// Outcomes of the requests so far, the latest first.
async fn outcomes(stage: &Stage) -> Vec<String> {
    let limit = 100;
    let only = LogFilter::default();
    let Ok(Reply::Log { entries }) = stage.baton.execute(Command::Log { limit, only }).await else {
        panic!("no log");
    };
    let outcome = |entry| match entry {
        LogEntry::Request(line) => Some(line.outcome),
        _ => None,
    };
    entries.into_iter().filter_map(outcome).collect()
}

/// Everything until the connection ends, and whether the answer ended as a whole one does.
async fn rest(mut client: TcpStream) -> (String, bool) {
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    let whole = answer.ends_with(b"0\r\n\r\n");
    (String::from_utf8(answer).expect("text"), whole)
}

/// As long as nothing has reached the client, nothing of it ever does.
#[tokio::test]
async fn a_limit_that_comes_together_with_the_first_output_is_replayed() {
    let (stage, mut asked) = stub::stage(&["a", "b"]).await;
    let client = post(&stage, "connection: close\r\n", b"{}").await;
    let mut a = asked.recv().await.expect("a request").stream().await;
    a.chunk(&[event(CREATED), event(OUTPUT), event(LIMIT)].concat())
        .await;
    let mut b = asked.recv().await.expect("another request").stream().await;
    b.chunk(&event(COMPLETED)).await;
    b.end().await;
    let (received, whole) = rest(client).await;
    assert!(
        !received.contains(OUTPUT) && !received.contains(CREATED),
        "{received}"
    );
    assert!(received.contains(COMPLETED) && whole, "{received}");
    idle(&stage).await;
    assert_eq!(outcomes(&stage).await, ["completed"]);
}

#[tokio::test]
async fn a_limit_in_the_same_chunk_as_more_output_is_cut_off_just_before_it() {
    let (stage, mut asked) = stub::stage(&["a", "b"]).await;
    let mut client = post(&stage, "connection: close\r\n", b"{}").await;
    let mut answer = asked.recv().await.expect("a request").stream().await;
    answer.chunk(&event(OUTPUT)).await;
    stub::head(&mut client).await.expect("an answer");
    let more = event(&OUTPUT.replace("hi", "there"));
    answer.chunk(&[&*more, &event(LIMIT)].concat()).await;
    let (received, whole) = rest(client).await;
    assert!(
        received.contains(&more) && !received.contains("response.failed"),
        "{received}"
    );
    assert!(!whole, "{received}");
    let a = stage.baton.snapshot().accounts[0].state;
    assert!(matches!(a, Eligibility::Exhausted { .. }), "{a:?}");
    idle(&stage).await;
    assert_eq!(outcomes(&stage).await, ["cut_after_output"]);
}

/// What comes after the completion says nothing any more, not even a limit.
#[tokio::test]
async fn a_failure_after_the_completion_changes_nothing() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let client = post(&stage, "connection: close\r\n", b"{}").await;
    let mut answer = asked.recv().await.expect("a request").stream().await;
    answer.chunk(&[event(OUTPUT), event(COMPLETED)].concat()).await;
    answer.chunk(&event(LIMIT)).await;
    answer.end().await;
    let (received, whole) = rest(client).await;
    assert!(received.contains(COMPLETED) && whole, "{received}");
    assert_eq!(stage.baton.snapshot().accounts[0].state, Eligibility::Eligible);
    idle(&stage).await;
    assert_eq!(outcomes(&stage).await, ["completed"]);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_request_whatever_that_has_come_to() {
    for (n, sent) in [None, Some(CREATED), Some(OUTPUT)].into_iter().enumerate() {
        let (stage, mut asked) = stub::stage(&["a"]).await;
        let mut client = post(&stage, "", b"{}").await;
        let mut answer = asked.recv().await.expect("a request").stream().await;
        if let Some(sent) = sent {
            answer.chunk(&event(sent)).await;
        }
        if sent == Some(OUTPUT) {
            let head = stub::head(&mut client).await.expect("an answer");
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        }
        assert_eq!(stage.baton.snapshot().running_requests, 1, "{n}");
        drop(client);
        answer.left().await;
        idle(&stage).await;
        assert_eq!(outcomes(&stage).await, ["client_left"], "{n}");
    }
}

/// The head of a request with a body of this size.
async fn begin(stage: &Stage, size: usize) -> TcpStream {
    let url: url::Url = stage.base_url().parse().expect("a URL");
    let mut client = TcpStream::connect(("127.0.0.1", url.port().expect("a port")))
        .await
        .expect("Baton listens");
    let path = url.path();
    let head =
        format!("POST {path}/codex/responses HTTP/1.1\r\nhost: localhost\r\ncontent-length: {size}\r\n\r\n");
    client.write_all(head.as_bytes()).await.expect("it is read");
    client
}

/// Writes until nobody takes any more; how much that was.
async fn written(stream: &mut TcpStream, data: &[u8], most: usize) -> usize {
    let mut count = 0;
    tokio::time::pause();
    while count < most {
        tokio::select! {
            biased;
            more = stream.write(&data[count % data.len()..]) => count += more.expect("it is open"),
            // The clock stands still as long as anybody has anything to do.
            () = tokio::time::sleep(std::time::Duration::from_millis(1)) => break,
        }
    }
    tokio::time::resume();
    count
}

#[tokio::test]
async fn a_slow_client_slows_the_upstream_down() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let mut client = post(&stage, "", b"{}").await;
    let mut answer = asked.recv().await.expect("a request").stream().await;
    answer.chunk(&event(OUTPUT)).await;
    stub::head(&mut client).await.expect("an answer");
    let data = "x".repeat(0x10000);
    let chunk = format!("{:x}\r\n{data}\r\n", data.len());
    let written = written(&mut answer.0, chunk.as_bytes(), 256 * MB).await;
    assert!(written < 32 * MB, "{written}: more than sockets hold");
}

#[tokio::test]
async fn an_upstream_that_reads_slowly_slows_a_large_request_down() {
    let (stage, mut asked) = stub::stage(&["a"]).await;
    let mut client = begin(&stage, 512 * MB).await;
    let data = vec![b' '; 0x10000];
    client.write_all(&vec![b' '; 33 * MB]).await.expect("it is read");
    let asked = asked.recv().await.expect("it is sent on before it is whole");
    let written = written(&mut client, &data, 400 * MB).await;
    assert!(written < 64 * MB, "{written}: more than sockets hold");
    drop(asked);
}

/// The client sends it again: Baton didn't keep it.
#[tokio::test]
async fn a_large_request_that_would_have_to_be_replayed_is_asked_for_again() {
    let stage = Stage::two(1.0, 100.0).await;
    assert!(
        stage
            .client(baton_sim::Mode::Http)
            .turn("the last of a")
            .await
            .completed
    );
    let mut body = br#"{"model":"gpt-6.1-sol","input":[]"#.to_vec();
    body.resize(40 * MB, b' ');
    body.push(b'}');
    let client = post(&stage, "connection: close\r\n", &body).await;
    let (received, _) = rest(client).await;
    assert!(received.starts_with("HTTP/1.1 503"), "{received}");
    assert!(received.contains("retry-after: 1\r\n"), "{received}");
    let client = post(&stage, "connection: close\r\n", &body).await;
    let (received, _) = rest(client).await;
    assert!(received.starts_with("HTTP/1.1 200"), "{received}");
    assert_eq!(stage.served("b"), 1);
}

/// A refusal that comes before the request has been sent whole reaches the client all the same.
#[tokio::test]
async fn a_large_request_that_is_refused_early_is_answered() {
    let (stage, mut asked) = stub::stage(&["a", "b"]).await;
    let (mut client, mut sending) = begin(&stage, 64 * MB).await.into_split();
    tokio::spawn(async move { sending.write_all(&vec![b' '; 64 * MB]).await });
    let mut asked = asked.recv().await.expect("it is sent on");
    let error = r#"{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached"}}"#;
    let answer = format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{error}",
        error.len()
    );
    asked
        .stream
        .write_all(answer.as_bytes())
        .await
        .expect("it is read");
    let mut received = [0; 256];
    let count = client.read(&mut received).await.expect("an answer");
    let received = String::from_utf8_lossy(&received[..count]);
    assert!(received.starts_with("HTTP/1.1 503"), "{received}");
    assert!(received.contains("retry-after"), "{received}");
}
