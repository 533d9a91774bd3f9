//! What changes in a request's and an answer's headers on their way: credentials, what belongs to an account, and what
//! belongs to a connection. Everything else passes as the CLI sent it.

use baton_core::AccountId;
use http::{HeaderMap, HeaderName, HeaderValue, header, request, response};
use secrecy::ExposeSecret;

use super::{Shared, serve::Chosen};
use crate::grants::Access;

pub(super) const ACCOUNT_ID: HeaderName = HeaderName::from_static("chatgpt-account-id");
const ROUTING_OVERRIDE: HeaderName = HeaderName::from_static("x-openai-account-routing-override");
const TURN_STATE: HeaderName = HeaderName::from_static("x-codex-turn-state");

/// Of one connection only (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A request to the upstream with the CLI's own headers.
pub(super) fn to_upstream(shared: &Shared, parts: &request::Parts, rest: &str) -> Option<request::Parts> {
    let mut parts = parts.clone();
    parts.uri = format!("{}{rest}", shared.upstream.as_str().trim_end_matches('/'))
        .parse()
        .ok()?;
    drop_hop_by_hop(&mut parts.headers);
    // The client sets both for the upstream.
    parts.headers.remove(header::HOST);
    parts.headers.remove(header::CONTENT_LENGTH);
    // `Expect` was answered on our side.
    parts.headers.remove(header::EXPECT);
    Some(parts)
}

/// Puts an account's credentials in place of whatever was there. What can't be put isn't left to the CLI's own either.
pub(crate) fn credentials(headers: &mut HeaderMap, access: &Access) {
    for theirs in [header::AUTHORIZATION, header::COOKIE, ACCOUNT_ID] {
        headers.remove(theirs);
    }
    let bearer = format!("Bearer {}", access.token.expose_secret());
    if let Ok(mut value) = HeaderValue::from_str(&bearer) {
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    if let Ok(value) = HeaderValue::from_str(&access.account_header) {
        headers.insert(ACCOUNT_ID, value);
    }
}

/// Puts the chosen account's credentials in place of the CLI's, and drops what belongs to another account.
pub(super) fn attach(shared: &Shared, headers: &mut HeaderMap, chosen: &Chosen) {
    credentials(headers, &chosen.access);
    match chosen
        .routing_override
        .as_deref()
        .and_then(|value| HeaderValue::from_str(value).ok())
    {
        Some(value) => headers.insert(ROUTING_OVERRIDE, value),
        None => headers.remove(ROUTING_OVERRIDE),
    };
    if foreign_turn_state(shared, headers, chosen) {
        headers.remove(TURN_STATE);
    }
}

/// For the CLI's own sign-in: what the pool gave it in a running turn stays behind.
pub(super) fn own(shared: &Shared, headers: &mut HeaderMap) {
    let pools = |state: &HeaderValue| shared.turn_states.is_the_pools(state.as_bytes());
    if headers.get(TURN_STATE).is_some_and(pools) {
        headers.remove(TURN_STATE);
    }
}

/// A turn state that another account gave.
pub(super) fn foreign_turn_state(shared: &Shared, headers: &HeaderMap, chosen: &Chosen) -> bool {
    let foreign = |state: &HeaderValue| !shared.turn_states.belongs(state.as_bytes(), chosen.pick.account);
    headers.get(TURN_STATE).is_some_and(foreign)
}

/// An upstream's answer as it goes to the CLI. `account`: the one of the pool that it was given to.
pub(super) fn to_client(shared: &Shared, parts: &mut response::Parts, account: Option<AccountId>) {
    drop_hop_by_hop(&mut parts.headers);
    let Some(account) = account else { return };
    // A session of the account's own.
    parts.headers.remove(header::SET_COOKIE);
    if let Some(state) = parts.headers.get(TURN_STATE) {
        shared.turn_states.remember(state.as_bytes(), account);
    }
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    // What `Connection` names is of the connection too.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}
