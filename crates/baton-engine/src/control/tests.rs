//! Both sides over a real socket.

use std::sync::{Arc, Mutex};

use baton_core::{Event, EventKind, Timestamp};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use tokio::{
    sync::{broadcast, oneshot, watch},
    task::JoinHandle,
};

use super::{
    lines::{self, Lines},
    protocol::{Command, ControlError, ErrorKind, Message, Reply},
    transport::{self, TransportError},
    *,
};

#[derive(Debug)]
struct Fake {
    events: broadcast::Sender<Event>,
    changes: watch::Sender<u64>,
    shows: broadcast::Sender<String>,
    executed: Mutex<Vec<Command>>,
    /// Holds `Why` back until it is let go.
    held: tokio::sync::Semaphore,
}

impl Handler for Fake {
    fn execute(&self, command: Command) -> BoxFuture<'_, Result<Reply, ControlError>> {
        Box::pin(async move {
            self.executed.lock().unwrap().push(command.clone());
            match command {
                Command::Unpin => Err(ControlError::new(ErrorKind::Invalid, "nothing is pinned")),
                Command::Why { .. } => {
                    self.held.acquire().await.unwrap().forget();
                    Ok(Reply::Done {
                        message: "at last".to_owned(),
                    })
                }
                Command::Stop => panic!("as told"),
                Command::Log { limit, .. } => Ok(Reply::Done {
                    message: "x".repeat(limit),
                }),
                _ => Ok(Reply::Done {
                    message: "done".to_owned(),
                }),
            }
        })
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn shows(&self) -> broadcast::Receiver<String> {
        self.shows.subscribe()
    }
}

struct Running {
    dir: tempfile::TempDir,
    fake: Arc<Fake>,
    shutdown: oneshot::Sender<()>,
    server: JoinHandle<Result<(), ServeError>>,
}

async fn running() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake {
        events: broadcast::channel(16).0,
        changes: watch::channel(0).0,
        shows: broadcast::channel(4).0,
        executed: Mutex::default(),
        held: tokio::sync::Semaphore::new(0),
    });
    let (shutdown, ended) = oneshot::channel();
    let server = Server::bind(dir.path()).await.unwrap();
    let handler = Arc::<Fake>::clone(&fake);
    let server = tokio::spawn(server.run(handler, ended.map(|_| ())));
    Running {
        dir,
        fake,
        shutdown,
        server,
    }
}

impl Running {
    async fn client(&self) -> Client {
        Client::connect(self.dir.path()).await.unwrap()
    }

    /// Raw lines to and fro.
    async fn say(&self, line: &[u8]) -> Option<Message> {
        use tokio::io::AsyncWriteExt;
        let path = socket_path(self.dir.path()).unwrap();
        let stream = transport::connect(&path).await.unwrap().unwrap();
        let (reader, mut writer) = tokio::io::split(stream);
        // A server that has hung up on a line too long needn't read all of it.
        let _ = writer.write_all(line).await;
        let line = Lines::new(reader).next().await.unwrap()?;
        Some(serde_json::from_slice(&line).unwrap())
    }
}

fn event() -> Event {
    Event {
        at: Timestamp::from_secs(1),
        kind: EventKind::BrakeReleased,
    }
}

fn kind_of(message: Option<Message>) -> (ErrorKind, String) {
    match message {
        Some(Message::Error { error }) => (error.kind, error.message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn commands_are_answered_one_after_the_other() {
    let running = running().await;
    let mut client = running.client().await;
    let done = Reply::Done {
        message: "done".to_owned(),
    };
    let switch = Command::Switch {
        account: "Work \"é\"\n".to_owned(),
    };
    assert_eq!(client.call(switch.clone()).await.unwrap(), done);
    let error = client.call(Command::Unpin).await.unwrap_err();
    assert_eq!(
        (error.kind, &*error.message),
        (ErrorKind::Invalid, "nothing is pinned")
    );
    assert_eq!(client.call(Command::Status).await.unwrap(), done);
    assert_eq!(
        *running.fake.executed.lock().unwrap(),
        [switch, Command::Unpin, Command::Status]
    );
}

#[tokio::test]
async fn no_baton_is_told_apart_from_a_broken_one() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Client::connect(dir.path()).await,
        Err(ConnectError::NotRunning)
    ));
}

#[tokio::test]
async fn another_version_is_told_so_whatever_else_it_says() {
    let running = running().await;
    for line in [
        &b"{\"version\":99,\"command\":{\"command\":\"new\"}}\n"[..],
        b"{\"version\":0,\"x\":[]}\n",
    ] {
        let (kind, message) = kind_of(running.say(line).await);
        assert_eq!(kind, ErrorKind::OtherVersion);
        assert!(message.contains("restart Baton"), "{message}");
    }
    assert!(running.fake.executed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nonsense_is_refused_and_harms_nobody() {
    let running = running().await;
    for line in [
        "\n",
        "hello\n",
        "[]\n",
        "{\"version\":1}\n",
        "{\"version\":1,\"command\":{\"command\":\"fly\"}}\n",
        "\0\u{1}\n",
    ] {
        let (kind, message) = kind_of(running.say(line.as_bytes()).await);
        assert_eq!(kind, ErrorKind::Invalid, "{line:?}");
        assert!(message.starts_with("no"), "{message}");
    }
    let long = vec![b' '; lines::LONGEST + 2];
    assert_eq!(kind_of(running.say(&long).await).0, ErrorKind::Invalid);
    running.client().await.call(Command::Status).await.unwrap();
}

#[tokio::test]
async fn a_bug_in_one_command_ends_that_command_only() {
    let running = running().await;
    let mut client = running.client().await;
    assert_eq!(
        client.call(Command::Stop).await.unwrap_err().kind,
        ErrorKind::Failed
    );
    client.call(Command::Status).await.unwrap();
}

#[tokio::test]
async fn watching_begins_with_changed_and_then_tells_what_happens() {
    let running = running().await;
    let mut messages = running.client().await.watch().await.unwrap();
    assert!(matches!(messages.next().await, Some(Message::Changed)));
    running.fake.events.send(event()).unwrap();
    assert!(matches!(messages.next().await, Some(Message::Event { event: told }) if told == event()));
    running.fake.changes.send_modify(|count| *count += 1);
    assert!(matches!(messages.next().await, Some(Message::Changed)));
    running.shutdown.send(()).unwrap();
    assert!(messages.next().await.is_none());
}

#[tokio::test]
async fn a_watcher_that_goes_away_is_forgotten() {
    let running = running().await;
    let mut messages = running.client().await.watch().await.unwrap();
    messages.next().await.unwrap();
    assert_eq!(running.fake.changes.receiver_count(), 1);
    drop(messages);
    running.fake.changes.closed().await;
}

#[tokio::test]
async fn an_answer_under_way_is_given_before_the_end_and_the_socket_goes() {
    let running = running().await;
    let path = socket_path(running.dir.path()).unwrap();
    let (mut client, mut idle) = (running.client().await, running.client().await);
    idle.call(Command::Status).await.unwrap();
    let asked = tokio::spawn(async move { client.call(Command::Why { request: None }).await });
    while !running
        .fake
        .executed
        .lock()
        .unwrap()
        .contains(&Command::Why { request: None })
    {
        tokio::task::yield_now().await;
    }
    running.shutdown.send(()).unwrap();
    while path.exists() {
        tokio::task::yield_now().await;
    }
    running.fake.held.add_permits(1);
    assert_eq!(
        asked.await.unwrap().unwrap(),
        Reply::Done {
            message: "at last".to_owned()
        }
    );
    running.server.await.unwrap().unwrap();
    assert!(matches!(
        Client::connect(running.dir.path()).await,
        Err(ConnectError::NotRunning)
    ));
}

#[cfg(unix)]
#[tokio::test]
async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = socket_path(dir.path()).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = Server::bind(dir.path()).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(
        (mode(&path), mode(path.parent().unwrap())),
        (0, 0),
        "open to others"
    );
    let error = Server::bind(dir.path()).await.unwrap_err();
    assert!(
        matches!(error, ServeError::Transport(TransportError::Taken(_))),
        "{error}"
    );
    assert!(path.exists());
    drop(server);
    assert!(!path.exists());
}
