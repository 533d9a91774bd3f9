//! Model requests over WebSocket: the upgrade. Baton answers 101 once an upstream has; where nobody is usable, or the
//! upstream is in trouble, it answers 101 itself and speaks at the first frame, because a refused upgrade makes the CLI
//! try seven times and then give up WebSocket for the whole thread (PROTOCOL §2).

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
    conversation::converse,
    upstream::{Opened, config, open},
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

pub(super) async fn handle(
    shared: Arc<Shared>,
    mut request: Request<Incoming>,
    route: Route,
) -> Response<Body> {
    let Some(accept) = accept_key(request.headers()) else {
        return guard::refuse(
            StatusCode::BAD_REQUEST,
            "This is no WebSocket handshake (version 13).",
        );
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let parts = request.into_parts().0;
    let facts = Facts::from_headers(&parts.headers);
    let who = Who::new(facts.clone(), false, Asker::of(&parts.headers));
    let handshake = Handshake {
        parts,
        rest: route.rest,
        facts,
    };
    let mut trial = Trial::new(who.model.as_deref());
    let opened = tokio::time::timeout(UPGRADE_WITHIN, open(&shared, &handshake, &who, &mut trial)).await;
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
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let client =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config()))
                        .await;
                Box::pin(converse(shared, handshake, client, upstream)).await;
            }
            Err(error) => tracing::debug!(%error, "the client left during the upgrade"),
        }
    });
    switching_protocols(head, &accept)
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
