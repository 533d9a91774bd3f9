//! The asking side: command line, tray and window.

use std::{fmt, io, path::Path, time::Duration};

use futures_util::{Stream, stream};
use tokio::{
    io::{ReadHalf, WriteHalf},
    time,
};

use super::{
    lines::{self, LineError, Lines},
    protocol::{Call, Command, ControlError, ErrorKind, Message, Reply, VERSION},
    transport::{self, TransportError},
};

/// Longer than the slowest command: one that waits for the keychain several times.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

pub struct Client {
    lines: Lines<ReadHalf<transport::Stream>>,
    writer: WriteHalf<transport::Stream>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("Baton isn't running: start it with `baton serve`")]
    NotRunning,
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl Client {
    /// To the Baton with this data directory.
    pub async fn connect(data_dir: &Path) -> Result<Self, ConnectError> {
        let path = transport::socket_path(data_dir)?;
        match transport::connect(&path).await {
            Ok(Some(stream)) => {
                let (reader, writer) = tokio::io::split(stream);
                Ok(Self {
                    lines: Lines::new(reader),
                    writer,
                })
            }
            Ok(None) => Err(ConnectError::NotRunning),
            Err(source) => Err(TransportError::Io { path, source }.into()),
        }
    }

    pub async fn call(&mut self, command: Command) -> Result<Reply, ControlError> {
        let asked = async {
            self.send(command).await?;
            self.next().await
        };
        match time::timeout(ANSWER_LIMIT, asked).await {
            Err(_) => Err(failed(&format!(
                "Baton has not answered for {} s",
                ANSWER_LIMIT.as_secs()
            ))),
            Ok(Err(error)) => Err(error),
            Ok(Ok(None)) => Err(failed("Baton has ended before it answered")),
            Ok(Ok(Some(Message::Reply { reply }))) => Ok(*reply),
            Ok(Ok(Some(Message::Error { error }))) => Err(error),
            Ok(Ok(Some(Message::Event { .. } | Message::Changed | Message::Show { .. }))) => {
                Err(failed("Baton answered out of order"))
            }
        }
    }

    /// What happens from now on. The first message is [`Message::Changed`]: ask for the state after it. Ends when
    /// Baton does.
    pub async fn watch(self) -> Result<impl Stream<Item = Message> + Send + Unpin, ControlError> {
        self.messages(Command::Watch).await
    }

    /// [`Self::watch`], and [`Message::Show`].
    pub async fn watch_from_window(self) -> Result<impl Stream<Item = Message> + Send + Unpin, ControlError> {
        self.messages(Command::WatchFromWindow).await
    }

    async fn messages(
        mut self,
        watch: Command,
    ) -> Result<impl Stream<Item = Message> + Send + Unpin, ControlError> {
        self.send(watch).await?;
        let messages = stream::unfold(self, |mut client| async move {
            let message = client.next().await.ok().flatten()?;
            Some((message, client))
        });
        Ok(Box::pin(messages))
    }

    async fn send(&mut self, command: Command) -> Result<(), ControlError> {
        let call = Call {
            version: VERSION,
            command,
        };
        lines::send(&mut self.writer, &call)
            .await
            .map_err(|error| broken(&error))
    }

    async fn next(&mut self) -> Result<Option<Message>, ControlError> {
        match self.lines.next().await {
            Ok(None) => Ok(None),
            Ok(Some(line)) => match serde_json::from_slice(&line) {
                Ok(message) => Ok(Some(message)),
                Err(error) => Err(ControlError::new(
                    ErrorKind::OtherVersion,
                    format!(
                        "Baton's answer isn't understood ({error}): it seems to be of another version. Restart Baton \
                         after an update, and use the `baton` it came with"
                    ),
                )),
            },
            Err(LineError::TooLong) => Err(failed("Baton's answer is too long")),
            Err(LineError::Io(error)) => Err(broken(&error)),
        }
    }
}

fn broken(error: &io::Error) -> ControlError {
    failed(&format!("the connection to Baton broke: {error}"))
}

fn failed(message: &str) -> ControlError {
    ControlError::new(ErrorKind::Failed, message)
}
