//! The socket under everything: it can be cut, reset or truncated from outside, whatever speaks on top of it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};

use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// What the rest of the simulation can do to a connection.
#[derive(Debug)]
pub(crate) struct Control {
    /// Drop with RST instead of FIN.
    reset: AtomicBool,
    /// How many more bytes may be written; negative means any number.
    budget: AtomicI64,
    /// Body frames that hyper has taken.
    taken: AtomicU64,
    /// Hyper has taken all there is and will flush next.
    drained: AtomicBool,
    /// One more than the body frames known to be written to the socket; see [`Control::settle`].
    settled: watch::Sender<u64>,
}

impl Control {
    pub(crate) fn new() -> Self {
        Self {
            reset: AtomicBool::new(false),
            budget: AtomicI64::new(-1),
            taken: AtomicU64::new(0),
            drained: AtomicBool::new(false),
            settled: watch::channel(0).0,
        }
    }

    /// The connection will end with RST.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.budget.store(0, Ordering::Release);
    }

    /// Only this many more bytes will be written.
    pub(crate) fn truncate(&self, bytes: usize) {
        self.budget
            .store(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Release);
    }

    /// The body frames taken so far, for [`Control::settle`].
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    pub(crate) fn on_frame(&self) {
        self.drained.store(false, Ordering::Release);
        self.taken.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn on_empty(&self) {
        self.drained.store(true, Ordering::Release);
    }

    fn on_flush(&self) {
        if self.drained.swap(false, Ordering::AcqRel) {
            let taken = self.taken() + 1;
            self.settled.send_replace(taken);
        }
    }

    /// Waits until that many body frames have reached the socket, so that a cut after them loses none.
    pub(crate) async fn settle(&self, frames: u64) {
        let mut settled = self.settled.subscribe();
        let _ = settled.wait_for(|taken| *taken > frames).await;
    }
}

/// A TCP stream under a [`Control`].
#[derive(Debug)]
pub(crate) struct Wire {
    inner: TcpStream,
    control: Arc<Control>,
}

impl Wire {
    pub(crate) fn new(inner: TcpStream, control: Arc<Control>) -> Self {
        Self { inner, control }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::Acquire) {
            let _ = self.inner.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.control.reset.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let budget = self.control.budget.load(Ordering::Acquire);
        let allowed = usize::try_from(budget).map_or(buf.len(), |budget| budget.min(buf.len()));
        if allowed == 0 && !buf.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = std::task::ready!(Pin::new(&mut self.inner).poll_write(cx, &buf[..allowed]))?;
        if budget >= 0 {
            self.control
                .budget
                .fetch_sub(i64::try_from(written).unwrap_or(0), Ordering::AcqRel);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.control.on_flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.reset.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
