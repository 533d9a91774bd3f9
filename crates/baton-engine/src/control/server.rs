//! The answering side. What a command does is the [`Handler`]'s; what a line is, and who listens to changes, is here.

use std::{future::Future, io, path::Path, pin::pin, sync::Arc, time::Duration};

use baton_core::Event;
use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, broadcast, watch},
    task::JoinSet,
    time,
};

use super::{
    lines::{self, LineError, Lines},
    protocol::{Call, Command, ControlError, ErrorKind, Message, Reply},
    transport::{Listener, TransportError},
};

/// At once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 64;
/// Screens are redrawn no more often than this, however busy the proxy is.
const BETWEEN_CHANGES: Duration = Duration::from_millis(100);
/// For answers under way at shutdown.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// What a running Baton offers on its socket.
pub trait Handler: Send + Sync + 'static {
    /// Everything but [`Command::Watch`]. Runs to its end even if whoever asked has gone.
    fn execute(&self, command: Command) -> BoxFuture<'_, Result<Reply, ControlError>>;
    fn events(&self) -> broadcast::Receiver<Event>;
    fn changes(&self) -> watch::Receiver<u64>;
    /// Where a window is to come to the front. Whoever holds one is a window.
    fn shows(&self) -> broadcast::Receiver<String>;
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the control socket broke: {0}")]
    Accept(#[from] io::Error),
}

/// Bound, so that clients can connect from now on; [`Server::run`] answers them.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
}

/// Binds and runs until `shutdown`.
pub async fn serve(
    data_dir: &Path,
    handler: Arc<dyn Handler>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Server::bind(data_dir).await?.run(handler, shutdown).await
}

impl Server {
    /// Replaces a socket that a killed Baton left behind, but none where somebody listens.
    pub async fn bind(data_dir: &Path) -> Result<Self, ServeError> {
        Ok(Self {
            listener: Listener::bind(data_dir).await?,
        })
    }

    /// Answers until `shutdown`; answers under way are still given.
    pub async fn run(
        mut self,
        handler: Arc<dyn Handler>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let mut shutdown = pin!(shutdown);
        let (closing, closed) = watch::channel(false);
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut connections = JoinSet::new();
        let result = loop {
            let accepted = async {
                // Never closed: this can't fail.
                let place = Arc::clone(&room).acquire_owned().await;
                (self.listener.accept().await, place)
            };
            tokio::select! {
                () = &mut shutdown => break Ok(()),
                (stream, place) = accepted => match stream {
                    Ok(stream) => {
                        let connection = connection(stream, Arc::clone(&handler), closed.clone());
                        connections.spawn(async move {
                            connection.await;
                            drop(place);
                        });
                    }
                    Err(error) if passing(&error) => {
                        tracing::debug!(%error, "a control connection failed");
                        time::sleep(BETWEEN_CHANGES).await;
                    }
                    Err(error) => break Err(error.into()),
                },
                Some(_) = connections.join_next() => {}
            }
        };
        // Nobody connects any more; the socket's file goes first, so that a new Baton can take its place.
        drop(self.listener);
        closing.send_replace(true);
        let answered = async { while connections.join_next().await.is_some() {} };
        if time::timeout(LAST_ANSWERS, answered).await.is_err() {
            tracing::warn!("some control connections were cut off");
        }
        result
    }
}

/// The client's trouble, or one that passes (no file handle left).
fn passing(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

async fn connection<S>(stream: S, handler: Arc<dyn Handler>, mut closed: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send,
{
    let (reader, mut writer) = tokio::io::split(stream);
    let reader = pin!(reader);
    let mut lines = Lines::new(reader);
    let ended = loop {
        let line = tokio::select! {
            line = lines.next() => line,
            _ = closed.wait_for(|closed| *closed) => return,
        };
        let (message, end) = match line {
            Ok(None) => return,
            Err(LineError::Io(error)) => break Err(error),
            Err(LineError::TooLong) => (
                refused(format!("a line is longer than {} bytes", lines::LONGEST)),
                true,
            ),
            Ok(Some(line)) => match Call::read(&line) {
                Err(error) => (Message::Error { error }, false),
                Ok(Command::Watch) => break watch(&mut lines, &mut writer, &*handler, None, closed).await,
                Ok(Command::WatchFromWindow) => {
                    let shows = Some(handler.shows());
                    break watch(&mut lines, &mut writer, &*handler, shows, closed).await;
                }
                Ok(command) => (answer(&handler, command).await, false),
            },
        };
        if let Err(error) = lines::send(&mut writer, &message).await {
            break Err(error);
        }
        if end {
            return;
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a control connection ended");
    }
}

async fn answer(handler: &Arc<dyn Handler>, command: Command) -> Message {
    let handler = Arc::clone(handler);
    // A task of its own: a client that goes away stops no command half way, and a bug ends none but its own.
    let executed = tokio::spawn(async move { handler.execute(command).await }).await;
    match executed {
        Ok(Ok(reply)) => Message::Reply {
            reply: Box::new(reply),
        },
        Ok(Err(error)) => Message::Error { error },
        Err(_) => Message::Error {
            error: ControlError::new(
                ErrorKind::Failed,
                "this command met a bug in Baton; the log says more",
            ),
        },
    }
}

fn refused(message: String) -> Message {
    Message::Error {
        error: ControlError::new(ErrorKind::Invalid, message),
    }
}

/// Until the client goes away. The first message is [`Message::Changed`]: whoever reads the state after it misses
/// nothing.
async fn watch<R, W>(
    lines: &mut Lines<R>,
    writer: &mut W,
    handler: &dyn Handler,
    mut shows: Option<broadcast::Receiver<String>>,
    mut closed: watch::Receiver<bool>,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (mut events, mut changes) = (handler.events(), handler.changes());
    changes.mark_changed();
    let mut not_before = time::Instant::now();
    loop {
        let changed = async {
            time::sleep_until(not_before).await;
            changes.changed().await
        };
        let message = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return Ok(()),
            line = lines.next() => match line {
                // A watching connection carries nothing else; what comes is left unread.
                Ok(Some(_)) => continue,
                Ok(None) | Err(LineError::TooLong) => return Ok(()),
                Err(LineError::Io(error)) => return Err(error),
            },
            event = events.recv() => match event {
                Ok(event) => Message::Event { event },
                // Too slow for single events: the state tells it all.
                Err(broadcast::error::RecvError::Lagged(_)) => Message::Changed,
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
            place = shown(&mut shows) => Message::Show { place },
            changed = changed => match changed {
                Ok(()) => {
                    not_before = time::Instant::now() + BETWEEN_CHANGES;
                    Message::Changed
                }
                Err(_) => return Ok(()),
            },
        };
        lines::send(writer, &message).await?;
    }
}

/// Never, for whoever isn't a window.
async fn shown(shows: &mut Option<broadcast::Receiver<String>>) -> String {
    while let Some(receiver) = shows {
        match receiver.recv().await {
            Ok(place) => return place,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => *shows = None,
        }
    }
    std::future::pending().await
}
