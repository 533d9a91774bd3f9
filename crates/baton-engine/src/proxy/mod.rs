//! The proxy that Codex talks to. A request's way, with no step back: accept ([`listen`]) → authorise ([`guard`]) →
//! read thread and turn → choose and attach credentials ([`serve`]) → send → judge → deliver or fail over
//! ([`responses`] for HTTP, [`socket`] for WebSocket).
//!
//! [`own`] answers what must be answered for the pool rather than for the CLI's login, and passes the rest through.

mod asked;
mod asker;
mod body;
mod guard;
mod handed_over;
mod headers;
mod ledger;
mod listen;
mod own;
mod relay;
mod responses;
mod routings;
mod serve;
mod socket;
mod turn_states;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use baton_core::explain::Words;
use http::HeaderMap;
use hyper::{Request, Response, body::Incoming};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

pub use self::{
    asked::unpacked,
    guard::{Kind, Refusal, Route, authorise},
    listen::{ListenError, Listener},
};
use self::{handed_over::HandedOver, ledger::Ledger, routings::Routings, turn_states::TurnStates};
pub(crate) use self::{headers::credentials, listen::no_ipv6};
use crate::{
    codex::Seen,
    desk::Desk,
    door::Door,
    grants::Grants,
    net::{Body, Net},
    store::Writer,
    words::PoolWords,
};

/// What every request shares.
#[derive(Debug)]
pub(crate) struct Shared {
    desk: Arc<Desk>,
    grants: Arc<Grants>,
    net: Arc<Net>,
    ledger: Ledger,
    /// Without a trailing slash.
    upstream: Url,
    door: Arc<Door>,
    seen: Arc<Seen>,
    routings: Routings,
    turn_states: TurnStates,
    handed_over: HandedOver,
    running: Arc<AtomicU64>,
    tasks: TaskTracker,
    /// No new work: idle connections close, running requests end.
    draining: CancellationToken,
    /// Whatever still runs is cut.
    cut: CancellationToken,
}

/// The proxy, serving for as long as this lives.
pub struct Proxy {
    shared: Arc<Shared>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("upstream", &self.shared.upstream.as_str())
            .finish_non_exhaustive()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.draining.cancel();
        self.shared.cut.cancel();
    }
}

/// What the proxy works with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub desk: Arc<Desk>,
    pub grants: Arc<Grants>,
    pub net: Arc<Net>,
    pub writer: Arc<Writer>,
    pub upstream: Url,
    /// Who may come in.
    pub(crate) door: Arc<Door>,
    /// Told of every model request.
    pub(crate) seen: Arc<Seen>,
}

impl Proxy {
    pub(crate) fn start(listener: Listener, parts: Parts) -> Self {
        let shared = Arc::new(Shared {
            desk: parts.desk,
            grants: parts.grants,
            net: parts.net,
            ledger: Ledger::new(parts.writer),
            upstream: parts.upstream,
            door: parts.door,
            seen: parts.seen,
            routings: Routings::default(),
            turn_states: TurnStates::default(),
            handed_over: HandedOver::default(),
            running: Arc::default(),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            cut: CancellationToken::new(),
        });
        listen::accept(listener, &shared);
        Self { shared }
    }

    /// Tells how many requests are being served.
    pub fn running_counter(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let running = Arc::clone(&self.shared.running);
        move || running.load(Ordering::Relaxed)
    }

    /// Takes no new work, lets what runs end, and cuts what hasn't ended within `patience`.
    pub async fn drain(&self, patience: std::time::Duration) {
        self.shared.draining.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(patience, self.shared.tasks.wait())
            .await
            .is_err()
        {
            self.shared.cut.cancel();
            self.shared.tasks.wait().await;
        }
    }
}

impl Shared {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let route = match self.door.authorise(&request) {
            Err(refused) => return refused,
            Ok(route) => route,
        };
        if matches!(route.kind, guard::Kind::Responses | guard::Kind::Socket) {
            self.comes_through(request.headers());
        }
        if self.desk.bypassed() {
            if matches!(route.kind, guard::Kind::Responses | guard::Kind::Socket) {
                self.desk.passes();
            }
            return match route.kind {
                guard::Kind::Socket => socket::bypass(self, request, route).await,
                _ => own::pass_through(&self, request, &route).await,
            };
        }
        match route.kind {
            guard::Kind::Responses => responses::handle(self, request, route).await,
            guard::Kind::Socket => socket::handle(self, request, route).await,
            guard::Kind::AccountsCheck => own::accounts_check(&request),
            guard::Kind::Usage => own::usage(&self, &request, &route).await,
            guard::Kind::ResetCredits | guard::Kind::Models => own::as_account(&self, request, &route).await,
            guard::Kind::Other => own::pass_through(&self, request, &route).await,
        }
    }

    /// Which Codex asks, where it says so.
    fn comes_through(&self, headers: &HeaderMap) {
        if let Some(version) = baton_wire::client::codex_version(headers) {
            self.desk.comes_through(version);
        }
        self.seen.request(headers);
    }

    /// A sentence with the labels and the clock that people know.
    fn words<R>(&self, say: impl FnOnce(&dyn Words) -> R) -> R {
        self.desk.read(|pool, now| say(&PoolWords::new(pool, now)))
    }
}

/// Counts a request as running, however it ends.
#[derive(Debug)]
struct Running(Arc<AtomicU64>);

impl Running {
    fn new(shared: &Shared) -> Self {
        shared.running.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&shared.running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
