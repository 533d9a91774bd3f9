//! What a socket's client says. It is listened to also while an earlier word of it is being dealt with, so that one who
//! leaves is missed at once.

use std::collections::VecDeque;

use futures_util::{StreamExt, stream::SplitStream};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use super::upstream::Socket;

/// Messages kept until they can be dealt with. A client that is further ahead has to wait.
const KEPT: usize = 4;

pub(super) struct Inbox {
    stream: SplitStream<Socket>,
    kept: VecDeque<Message>,
    left: Option<Left>,
}

/// The client is gone: with a word, or without.
#[derive(Clone)]
pub(super) struct Left(pub Option<CloseFrame>);

impl Inbox {
    pub(super) fn new(stream: SplitStream<Socket>) -> Self {
        Self {
            stream,
            kept: VecDeque::new(),
            left: None,
        }
    }

    /// Text or bytes.
    pub(super) async fn next(&mut self) -> Result<Message, Left> {
        match self.kept.pop_front() {
            Some(message) => Ok(message),
            None => self.receive().await,
        }
    }

    /// Returns once the client has left; what it says until then is kept.
    pub(super) async fn left(&mut self) -> Left {
        while self.kept.len() < KEPT {
            match self.receive().await {
                Ok(message) => self.kept.push_back(message),
                Err(left) => return left,
            }
        }
        std::future::pending().await
    }

    async fn receive(&mut self) -> Result<Message, Left> {
        if let Some(left) = &self.left {
            return Err(left.clone());
        }
        loop {
            let left = match self.stream.next().await {
                // Pings are answered by the socket itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(frame))) => Left(frame),
                Some(Ok(message)) => return Ok(message),
                Some(Err(_)) | None => Left(None),
            };
            self.left = Some(left.clone());
            return Err(left);
        }
    }
}
