//! Everything but model requests: what is answered for the pool, and what passes with whose credentials.

use std::{sync::Arc, time::Duration};

use baton_core::{AccountId, Choice, Request as Wanted, choose};
use baton_wire::{accounts_check as check, headers as quota_headers, usage as wham};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::Value;

use super::{
    Shared,
    asker::Asker,
    guard::{self, Route},
    headers,
    responses::own,
    serve::{self, Chosen},
};
use crate::net::{Body, empty, full, streamed, whole};

/// A side route's request body is kept up to this much, for one try after a refresh.
const SIDE_BODY: usize = 1024 * 1024;
/// After this long, what is known of the quota must do.
const PATIENCE: Duration = Duration::from_secs(10);

/// "Workspace routing", for the id that the CLI sent.
pub(super) fn accounts_check(request: &Request<Incoming>) -> Response<Body> {
    match Asker::of(request.headers()).says().account_id {
        Some(id) => own(StatusCode::OK, check::answer(&id)),
        None => guard::refuse(
            StatusCode::BAD_REQUEST,
            "accounts/check needs a chatgpt-account-id.",
        ),
    }
}

/// The CLI's own identity with the quota of the account that the next request would use, so that a spent login doesn't
/// make a usable pool look spent.
pub(super) async fn usage(
    shared: &Arc<Shared>,
    request: &Request<Incoming>,
    route: &Route,
) -> Response<Body> {
    let identity = Asker::of(request.headers()).says();
    let Some(account) = displayed(shared) else {
        return own(
            StatusCode::OK,
            wham::synthesize(&Default::default(), None, &identity, shared.desk.now()),
        );
    };
    let asked = Request::builder().body(()).map(|request| request.into_parts().0);
    if let Ok(mut parts) = asked {
        parts.headers.clone_from(request.headers());
        parts.headers.remove(header::ACCEPT_ENCODING);
        let asked = tokio::time::timeout(PATIENCE, usage_of(shared, account, &parts, &route.rest)).await;
        if let Ok(Some(body)) = asked
            && let Some(body) = wham::rewrite_identity(&body, &identity)
        {
            return own(StatusCode::OK, body);
        }
    }
    // What is known must do.
    let body = shared.desk.read(|pool, now| {
        let state = pool.account(account);
        let quota = state.map(|state| state.quota.clone()).unwrap_or_default();
        let plan = state.and_then(|state| state.account.plan.as_deref());
        wham::synthesize(&quota, plan, &identity, now)
    });
    own(StatusCode::OK, body)
}

/// The upstream's own answer, which the pool learns from too.
async fn usage_of(
    shared: &Arc<Shared>,
    account: AccountId,
    parts: &http::request::Parts,
    rest: &str,
) -> Option<Bytes> {
    let mut pick = shared.desk.pick(account)?;
    let answer = ask_as(shared, account, parts, rest, Bytes::new()).await?;
    if !answer.status().is_success() {
        return None;
    }
    let body = whole(answer.into_body(), SIDE_BODY).await?;
    if let Some(reading) = wham::read(&body, shared.desk.now()) {
        shared.desk.learn(&mut pick, &reading);
    }
    Some(body)
}

/// With the credentials of the account that the next request would use; with the CLI's own where there is none, or where
/// the CLI is the owner of just that account, which it alone can renew.
pub(super) async fn as_account(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    route: &Route,
) -> Response<Body> {
    let asker = Asker::of(request.headers());
    let Some(account) = displayed(shared).filter(|account| !serve::is_owner(shared, &asker, *account)) else {
        return pass_through(shared, request, route).await;
    };
    let (parts, body) = request.into_parts();
    let Some(body) = whole(streamed(body), SIDE_BODY).await else {
        return guard::refuse(StatusCode::PAYLOAD_TOO_LARGE, "This request's body is too large.");
    };
    match ask_as(shared, account, &parts, &route.rest, body).await {
        Some(answer) => answer,
        None => unreachable(),
    }
}

/// The CLI's own business, with its own credentials, both ways as it comes.
pub(super) async fn pass_through(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    route: &Route,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some(mut parts) = headers::to_upstream(shared, &parts, &route.rest) else {
        return guard::refuse(StatusCode::BAD_REQUEST, "This is no URL.");
    };
    headers::own(shared, &mut parts.headers);
    match shared.net.send(Request::from_parts(parts, streamed(body))).await {
        Ok(answer) => {
            let (mut parts, body) = answer.into_parts();
            headers::to_client(shared, &mut parts, None);
            Response::from_parts(parts, streamed(body))
        }
        Err(error) => {
            tracing::debug!(%error, "a side route failed");
            unreachable()
        }
    }
}

/// Once more after a refresh, if the token is refused. `None`: no answer to be had.
async fn ask_as(
    shared: &Arc<Shared>,
    account: AccountId,
    parts: &http::request::Parts,
    rest: &str,
    body: Bytes,
) -> Option<Response<Body>> {
    let mut refreshed = false;
    loop {
        let access = shared.grants.access(account).await.ok()?;
        let routing_override = shared.routings.of(shared, account, &access).await.ok()?;
        let mut pick = shared.desk.pick(account)?;
        let chosen = Chosen {
            pick,
            access,
            routing_override,
        };
        let mut parts = headers::to_upstream(shared, parts, rest)?;
        headers::attach(shared, &mut parts.headers, &chosen);
        let body = if body.is_empty() {
            empty()
        } else {
            full(body.clone())
        };
        let answer = shared.net.send(Request::from_parts(parts, body)).await.ok()?;
        if answer.status() == StatusCode::UNAUTHORIZED && !std::mem::replace(&mut refreshed, true) {
            serve::refresh(shared, &chosen).await.ok()?;
            continue;
        }
        // Never an upstream 401 of a pool account: the CLI would refresh its own token for it (PROTOCOL §4).
        if answer.status() == StatusCode::UNAUTHORIZED {
            return None;
        }
        let (mut parts, body) = answer.into_parts();
        if let Some(reading) = quota_headers::quota(&parts.headers, shared.desk.now()) {
            shared.desk.learn(&mut pick, &reading);
        }
        headers::to_client(shared, &mut parts, Some(account));
        return Some(Response::from_parts(parts, streamed(body)));
    }
}

/// Whose quota people see: of the account that the next request would use, else of the current one.
fn displayed(shared: &Shared) -> Option<AccountId> {
    shared
        .desk
        .read(|pool, now| match choose(pool, &Wanted::default(), now).choice {
            Choice::Use { account, .. } => Some(account),
            Choice::Wait { account, .. } => Some(account),
            Choice::Refuse { .. } => pool.current(),
        })
}

fn unreachable() -> Response<Body> {
    let error: Value = serde_json::json!({"error": {"message": "Baton: the upstream can't be reached."}});
    own(StatusCode::BAD_GATEWAY, error.to_string().into_bytes())
}
