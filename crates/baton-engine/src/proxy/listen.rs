//! Both loopback families on one port: Codex needs two origins (PROTOCOL §1), 127.0.0.1 and localhost, and the latter
//! may resolve to either family.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::Shared;

/// Ports tried after the wanted one, when that is taken.
const NEIGHBOURS: u16 = 20;
/// Handles that are lacking don't come back at once.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub struct Listener {
    v4: TcpListener,
    /// Absent only where the machine has no IPv6.
    v6: Option<TcpListener>,
    port: u16,
}

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "port {port} is taken by another program ({family}), which was left alone: end that program, or choose another \
         port with --port or with `port` in settings.toml"
    )]
    Taken { port: u16, family: &'static str },
    #[error("no free port from {first} to {last}: name one with --port, or with `port` in settings.toml")]
    NoneFree { first: u16, last: u16 },
    #[error("can't listen on loopback: {0}")]
    Io(#[from] io::Error),
}

impl Listener {
    /// On just this port; 0 takes any that is free in both families.
    pub async fn bind(port: u16) -> Result<Self, ListenError> {
        let mut last = None;
        // Port 0: what is free for IPv4 may be taken for IPv6.
        for _ in 0..if port == 0 { 16 } else { 1 } {
            match Self::bind_both(port).await {
                Err(ListenError::Taken { port: taken, family }) => {
                    last = Some(ListenError::Taken { port: taken, family });
                }
                bound => return bound,
            }
        }
        Err(last.unwrap_or(ListenError::Taken { port, family: "IPv4" }))
    }

    /// On `port`, or where that is taken on one of its neighbours.
    pub async fn bind_near(port: u16) -> Result<Self, ListenError> {
        let last = port.saturating_add(NEIGHBOURS);
        for port in port..=last {
            match Self::bind(port).await {
                Err(ListenError::Taken { .. }) => {}
                bound => return bound,
            }
        }
        Err(ListenError::NoneFree { first: port, last })
    }

    async fn bind_both(port: u16) -> Result<Self, ListenError> {
        let taken = |port, family| {
            move |error: io::Error| match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => {
                    ListenError::Taken { port, family }
                }
                _ => ListenError::Io(error),
            }
        };
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(taken(port, "IPv4"))?;
        let port = v4.local_addr()?.port();
        let v6 = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(v6) => Some(v6),
            Err(error) if no_ipv6(&error) => None,
            Err(error) => return Err(taken(port, "IPv6")(error)),
        };
        Ok(Self { v4, v6, port })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// One or two.
    pub(crate) fn into_sockets(self) -> impl Iterator<Item = TcpListener> {
        [Some(self.v4), self.v6].into_iter().flatten()
    }
}

/// The address itself doesn't exist: no IPv6 stack, or none on loopback.
pub(crate) fn no_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no ErrorKind: 97 on Linux, 47 on macOS, 10047 on Windows.
    error.kind() == io::ErrorKind::AddrNotAvailable || matches!(error.raw_os_error(), Some(97 | 47 | 10047))
}

pub(super) fn accept(listener: Listener, shared: &Arc<Shared>) {
    for listener in listener.into_sockets() {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = shared.draining.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, peer)) => serve(stream, peer, &shared),
                    // Out of file handles, or a connection reset before it was accepted: others go on.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_AGAIN).await;
                    }
                }
            }
        });
    }
}

fn serve(stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>) {
    // Small frames of a stream are worth more at once than together.
    let _ = stream.set_nodelay(true);
    let service = {
        let shared = Arc::clone(shared);
        service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, std::convert::Infallible>(Box::pin(shared.handle(request)).await) }
        })
    };
    let connection = http1::Builder::new()
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let (draining, cut) = (shared.draining.clone(), shared.cut.clone());
    shared.tasks.spawn(async move {
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = draining.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! { ended = connection => ended, () = cut.cancelled() => return }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "connection ended");
        }
    });
}
