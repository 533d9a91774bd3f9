//! Model requests over WebSocket: the upgrade. Baton answers 101 once an upstream has; where nobody is usable, or the
//! upstream is in trouble, it answers 101 itself and speaks at the first frame, because a refused upgrade makes the CLI
//! try seven times and then give up WebSocket for the whole thread (PROTOCOL §2).

mod bypassed;
mod conversation;
mod in_flight;
mod inbox;
mod serve;
mod upstream;

use std::{sync::Arc, time::Duration};

use baton_core::{RefuseReason, Trial};
use baton_wire::Facts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request};
use hyper::{Request, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

use self::{
    bypassed::carry,
    conversation::converse,
    upstream::{Failed, Opened, Socket, config, connect_bypassed, open},
};
use super::{
    Shared,
    asker::Asker,
    guard::{self, Route},
    headers,
    relay::Relay,
    responses::owner_renews,
    serve::Who,
};
use crate::net::{Body, empty};

/// The CLI gives an upgrade up after about 15 s.
const UPGRADE_WITHIN: Duration = Duration::from_secs(12);

/// The CLI's own handshake: every upstream connection of this socket is opened with it.
pub(super) struct Handshake {
    parts: request::Parts,
    rest: String,
    facts: Facts,
}

/// The client's side of an upgrade.
struct Asked {
    upgrade: hyper::upgrade::OnUpgrade,
    accept: HeaderValue,
    handshake: Handshake,
}

// Large only by a Response that is built once a refusal.
#[allow(clippy::result_large_err)]
fn asked(mut request: Request<Incoming>, route: Route) -> Result<Asked, Response<Body>> {
    let accept = accept_key(request.headers()).ok_or_else(|| {
        guard::refuse(
            StatusCode::BAD_REQUEST,
            "This is no WebSocket handshake (version 13).",
        )
    })?;
    let upgrade = hyper::upgrade::on(&mut request);
    let parts = request.into_parts().0;
    let facts = Facts::from_headers(&parts.headers);
    Ok(Asked {
        upgrade,
        accept,
        handshake: Handshake {
            parts,
            rest: route.rest,
            facts,
        },
    })
}

impl Asked {
    /// 101 with this head, and then `then` with the client's socket.
    fn agree<T>(
        self,
        shared: &Shared,
        head: HeaderMap,
        then: impl FnOnce(Handshake, Socket) -> T + Send + 'static,
    ) -> Response<Body>
    where
        T: Future<Output = ()> + Send,
    {
        let Self {
            upgrade,
            accept,
            handshake,
        } = self;
        shared.tasks.spawn(async move {
            match upgrade.await {
                Ok(upgraded) => {
                    let client = WebSocketStream::from_raw_socket(
                        TokioIo::new(upgraded),
                        Role::Server,
                        Some(config()),
                    )
                    .await;
                    Box::pin(then(handshake, client)).await;
                }
                Err(error) => tracing::debug!(%error, "the client left during the upgrade"),
            }
        });
        switching_protocols(head, &accept)
    }
}

/// While Baton is bypassed: as it comes, with the CLI's own sign-in, refusals included.
pub(super) async fn bypass(shared: Arc<Shared>, request: Request<Incoming>, route: Route) -> Response<Body> {
    let asked = match asked(request, route) {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let opened = tokio::time::timeout(UPGRADE_WITHIN, connect_bypassed(&shared, &asked.handshake)).await;
    match opened {
        Ok(Ok((upstream, head))) => {
            let carrying = Arc::clone(&shared);
            asked.agree(&shared, head, |_, client| carry(carrying, client, upstream))
        }
        Ok(Err(Failed {
            answer: Some(answer), ..
        })) => {
            let (mut parts, entry) = (answer.parts, shared.ledger.none());
            headers::to_client(&shared, &mut parts, None);
            let running = super::Running::new(&shared);
            Response::from_parts(
                parts,
                Relay::raw(answer.held, answer.rest, entry, running).boxed(),
            )
        }
        Ok(Err(_)) | Err(_) => guard::refuse(
            StatusCode::BAD_GATEWAY,
            "Baton is bypassed, and the upstream can't be reached.",
        ),
    }
}

pub(super) async fn handle(shared: Arc<Shared>, request: Request<Incoming>, route: Route) -> Response<Body> {
    let asked = match asked(request, route) {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let handshake = &asked.handshake;
    let asker = Asker::of(&handshake.parts.headers);
    let who = Who::new(handshake.facts.clone(), false, asker);
    let mut trial = Trial::new(who.model.as_deref());
    let mut entry = shared.ledger.upgrade();
    let opening = open(&shared, handshake, &who, &mut trial, &mut entry);
    let opened = tokio::time::timeout(UPGRADE_WITHIN, opening).await;
    let (upstream, head) = match opened {
        Ok(Opened::Socket(upstream, head)) => (Some(*upstream), head),
        Ok(Opened::PassOn(account, answer)) if may_be_told(answer.parts.status) => {
            let (mut parts, entry) = (answer.parts, shared.ledger.none());
            headers::to_client(&shared, &mut parts, Some(account));
            let running = super::Running::new(&shared);
            return Response::from_parts(
                parts,
                Relay::raw(answer.held, answer.rest, entry, running).boxed(),
            );
        }
        Ok(Opened::OwnerRenews) => return owner_renews(),
        // Said at the first frame.
        Ok(Opened::PassOn(..) | Opened::Nobody) | Err(_) => (None, HeaderMap::new()),
    };
    let conversing = Arc::clone(&shared);
    asked.agree(&shared, head, move |handshake, client| {
        converse(conversing, handshake, client, upstream, entry.number())
    })
}

/// Not a 5xx, which would cost the thread its WebSocket, nor a pool account's 401, for which the CLI would refresh its own
/// token. (Where that is wanted: [`Opened::OwnerRenews`].)
fn may_be_told(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::UNAUTHORIZED
}

/// The upstream's own head, with the handshake of this side.
fn switching_protocols(mut head: HeaderMap, accept: &HeaderValue) -> Response<Body> {
    for ours in [
        header::SEC_WEBSOCKET_ACCEPT,
        header::SEC_WEBSOCKET_EXTENSIONS,
        header::CONTENT_LENGTH,
    ] {
        head.remove(ours);
    }
    head.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    head.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    head.insert(header::SEC_WEBSOCKET_ACCEPT, accept.clone());
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = head;
    response
}

fn accept_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let is = |name: HeaderName, wanted: &[u8]| {
        headers
            .get(name)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted))
    };
    let upgrades = is(header::UPGRADE, b"websocket") && is(header::SEC_WEBSOCKET_VERSION, b"13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| upgrades)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// What the client is told when nobody is there to serve its frame.
pub(super) fn refusal(shared: &Shared, reason: &RefuseReason) -> String {
    let message = shared.words(|words| baton_core::explain::refused(reason, words));
    match reason {
        RefuseReason::NobodyUsable { earliest } => {
            baton_wire::answers::limit_frame(*earliest, None, &message)
        }
        _ => baton_wire::answers::account_error_frame(&message),
    }
}
