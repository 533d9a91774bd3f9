//! One HTTP/1.1 connection to an upstream, moved on by whoever waits for its answer.
//!
//! A task of its own for each connection would cost two changes of tasks, often of threads, for every part of every
//! answer. Here the client's connection, the request and the upstream's connection are one task: what the upstream has
//! sent is handed on in the same step, and parts that came together leave together.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming},
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
};

use super::{
    Body,
    dial::Stream,
    idle::{Idle, Origin},
};

pub(super) struct Connection {
    sender: SendRequest<Body>,
    /// Reads and writes; until it is over.
    moving: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("over", &self.moving.is_none())
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) async fn new(stream: Stream) -> hyper::Result<Self> {
        // A request brings the case of its headers with it.
        let (sender, moving) = http1::handshake(stream).await?;
        Ok(Self {
            sender,
            moving: Some(Box::pin(moving.with_upgrades())),
        })
    }

    /// Sends a request and reads the head of its answer.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        let mut answered = pin!(self.sender.try_send_request(request));
        let answer = poll_fn(|context| {
            self.move_on(context);
            answered.as_mut().poll(context)
        })
        .await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            // Hands the stream over to who asked for the upgrade.
            poll_fn(|context| {
                self.move_on(context);
                if self.moving.is_none() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
        Ok(answer)
    }

    /// Reads and writes what can be read and written now.
    fn move_on(&mut self, context: &mut Context<'_>) {
        if let Some(moving) = &mut self.moving
            && moving.as_mut().poll(context).is_ready()
        {
            self.moving = None;
        }
    }

    /// Whether another request may be sent: the last exchange is over, and nobody has hung up.
    pub(super) fn is_free(&mut self) -> bool {
        // Nobody is to be woken: who takes it looks again.
        self.move_on(&mut Context::from_waker(Waker::noop()));
        self.moving.is_some() && self.sender.is_ready()
    }
}

/// An answer's body, with the connection that it comes from. Dropped before its end, it takes the connection with it.
/// What is left of a streamed request goes on being sent while the answer is read.
#[derive(Debug)]
pub struct Answered {
    body: Incoming,
    connection: Option<Connection>,
    /// Where the connection goes afterwards.
    origin: Origin,
    idle: Weak<Idle>,
}

impl Answered {
    pub(super) fn new(body: Incoming, connection: Connection, origin: Origin, idle: &Arc<Idle>) -> Self {
        let mut answered = Self {
            body,
            connection: Some(connection),
            origin,
            idle: Arc::downgrade(idle),
        };
        answered.look_for_the_end();
        answered
    }

    /// Who knows a body's length doesn't ask whether anything comes after it.
    fn look_for_the_end(&mut self) {
        if self.body.is_end_stream() {
            self.over();
        }
    }

    fn over(&mut self) {
        if let (Some(connection), Some(idle)) = (self.connection.take(), self.idle.upgrade()) {
            idle.put(&self.origin, connection);
        }
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let mut polled = Pin::new(&mut this.body).poll_frame(context);
        if polled.is_pending()
            && let Some(connection) = &mut this.connection
        {
            connection.move_on(context);
            polled = Pin::new(&mut this.body).poll_frame(context);
        }
        match polled {
            Poll::Ready(None) => this.over(),
            Poll::Ready(Some(_)) => this.look_for_the_end(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
