//! Connections as an upstream sees them: when a new one comes, and when one goes.

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const BEGUN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello";

/// An upstream of one's own hand: each connection is taken up and answered by the test.
struct Upstream(TcpListener);

impl Upstream {
    async fn new() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    fn request(&self) -> Request<Body> {
        let url = format!("http://{}/a?b", self.0.local_addr().unwrap());
        Request::get(url).body(empty()).unwrap()
    }

    async fn accept(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }

    async fn is_left_alone(&self) -> bool {
        let waits = tokio::time::timeout(Duration::from_millis(1), self.0.accept());
        waits.await.is_err()
    }
}

/// Reads one request's head, which is all there is of these.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn answer(stream: &mut TcpStream, with: &str) -> String {
    let head = head(stream).await;
    stream.write_all(with.as_bytes()).await.unwrap();
    head
}

async fn text(answered: Response<Answered>) -> Bytes {
    answered.into_body().collect().await.unwrap().to_bytes()
}

/// Whether the other side has closed.
async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn a_request_names_its_host_and_one_connection_serves_one_after_the_other() {
    let (net, upstream) = (Net::new().unwrap(), Upstream::new().await);
    let host = upstream.0.local_addr().unwrap();
    let serve = async {
        let mut stream = upstream.accept().await;
        let heads = [answer(&mut stream, HELLO).await, answer(&mut stream, HELLO).await];
        (stream, heads)
    };
    let ask = async {
        for _ in 0..2 {
            assert_eq!(text(net.send(upstream.request()).await.unwrap()).await, "hello");
        }
    };
    let ((_stream, heads), ()) = tokio::join!(serve, ask);
    for head in heads {
        assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: {host}\r\n")), "{head}");
    }
    assert!(upstream.is_left_alone().await);
}

/// hyper's server, for one, doesn't ask for more once it has the promised length.
#[tokio::test]
async fn an_answer_read_to_its_known_length_leaves_its_connection_to_the_next_request() {
    for (answers, frames) in [(HELLO, 1), ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 0)] {
        let (net, upstream) = (Net::new().unwrap(), Upstream::new().await);
        let serve = async {
            let mut stream = upstream.accept().await;
            answer(&mut stream, answers).await;
            answer(&mut stream, answers).await;
            stream
        };
        let ask = async {
            for _ in 0..2 {
                let mut answered = net.send(upstream.request()).await.unwrap();
                for _ in 0..frames {
                    answered.frame().await.unwrap().unwrap();
                }
                assert!(answered.body().is_end_stream());
            }
        };
        tokio::join!(serve, ask);
        assert!(upstream.is_left_alone().await);
    }
}

#[tokio::test]
async fn connections_that_wait_are_forgotten_on_demand_and_running_answers_go_on() {
    let (net, upstream) = (Net::new().unwrap(), Upstream::new().await);
    let (mut one, mut other) = {
        let serve = async {
            let mut one = upstream.accept().await;
            answer(&mut one, HELLO).await;
            let mut other = upstream.accept().await;
            answer(&mut other, BEGUN).await;
            (one, other)
        };
        let ask = async {
            // Both at once, so that each has a connection; the first has ended, the second runs.
            let first = net.send(upstream.request()).await.unwrap();
            let second = net.send(upstream.request()).await.unwrap();
            text(first).await;
            second
        };
        let ((one, mut other), running) = tokio::join!(serve, ask);
        net.forget_idle();
        let rest = async {
            other.write_all(&[b'.'; 45]).await.unwrap();
            other
        };
        let (other, whole) = tokio::join!(rest, text(running));
        assert_eq!(whole.len(), 50);
        (one, other)
    };
    assert!(is_closed(&mut one).await);
    let (head, answered) = tokio::join!(answer(&mut other, HELLO), net.send(upstream.request()));
    assert!(head.starts_with("GET"));
    assert_eq!(text(answered.unwrap()).await, "hello");
}

#[tokio::test]
async fn two_requests_at_a_time_have_a_connection_each() {
    let (net, upstream) = (Net::new().unwrap(), Upstream::new().await);
    let serve = async {
        let (mut one, mut other) = (upstream.accept().await, upstream.accept().await);
        tokio::join!(answer(&mut one, HELLO), answer(&mut other, HELLO));
        (one, other)
    };
    let ask = async { text(net.send(upstream.request()).await.unwrap()).await };
    let also = async { text(net.send(upstream.request()).await.unwrap()).await };
    let (_streams, one, other) = tokio::join!(serve, ask, also);
    assert_eq!((one, other), ("hello".into(), "hello".into()));
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_meanwhile_is_not_used() {
    let (net, upstream) = (Net::new().unwrap(), Upstream::new().await);
    for _ in 0..2 {
        let serve = async { answer(&mut upstream.accept().await, HELLO).await };
        let ask = async { text(net.send(upstream.request()).await.unwrap()).await };
        // The stream is dropped, hence closed, when its answer is out.
        let (_, said) = tokio::join!(serve, ask);
        assert_eq!(said, "hello");
        // Until the news of that has come in, it would be.
        while let Some(connection) = net.idle.take(&origin(&upstream)) {
            net.idle.put(&origin(&upstream), connection);
            tokio::task::yield_now().await;
        }
    }
}

fn origin(upstream: &Upstream) -> Origin {
    let mut request = upstream.request();
    let to = request.uri().clone();
    address(&mut request, &to).unwrap()
}

#[tokio::test]
async fn an_answer_that_nobody_reads_to_its_end_takes_its_connection_with_it() {
    let (net, upstream) = (Net::new().unwrap(), Upstream::new().await);
    let serve = async {
        let mut stream = upstream.accept().await;
        answer(&mut stream, BEGUN).await;
        stream
    };
    let ask = async {
        let mut answered = net.send(upstream.request()).await.unwrap();
        answered.frame().await.unwrap().unwrap()
    };
    let (mut stream, frame) = tokio::join!(serve, ask);
    assert_eq!(frame.into_data().unwrap(), "hello");
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_not_an_end() {
    let (net, upstream) = (Net::new().unwrap(), Upstream::new().await);
    let serve = async { answer(&mut upstream.accept().await, BEGUN).await };
    let ask = async {
        net.send(upstream.request())
            .await
            .unwrap()
            .into_body()
            .collect()
            .await
    };
    let (_, whole) = tokio::join!(serve, ask);
    assert!(whole.is_err());
}

#[tokio::test]
async fn what_nobody_uses_is_closed_after_a_while() {
    let (net, upstream) = (Net::new().unwrap(), Upstream::new().await);
    let serve = async {
        let mut stream = upstream.accept().await;
        answer(&mut stream, HELLO).await;
        stream
    };
    let ask = async { text(net.send(upstream.request()).await.unwrap()).await };
    let (mut stream, _) = tokio::join!(serve, ask);
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    // Time runs on while everything waits.
    assert!(is_closed(&mut stream).await);
    let kept = before.elapsed();
    assert!(
        kept >= Duration::from_secs(59) && kept <= Duration::from_secs(121),
        "{kept:?}"
    );
}

/// A listener that takes nobody in: nothing answers its clients, neither yes nor no.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn who_never_answers_is_given_up_after_ten_seconds() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let patience = Duration::from_secs(1);
    while let Ok(connected) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        waiting.push(connected.unwrap());
        assert!(waiting.len() < 100, "its queue never fills");
    }
    let begun = tokio::time::Instant::now();
    let request = Request::get(format!("http://{address}/")).body(empty()).unwrap();
    let net = Net::new().unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(60), net.send(request)).await;
    let error = answered.expect("Baton gives up by itself").unwrap_err();
    assert!(matches!(error, NetError::ConnectTimeout), "{error}");
    let took = begun.elapsed();
    assert!((CONNECT_TIMEOUT..CONNECT_TIMEOUT * 2).contains(&took), "{took:?}");
}
