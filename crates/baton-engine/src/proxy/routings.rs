//! Each account's own routing override, from its own `accounts/check` (PROTOCOL §1), asked for when the account is
//! first used and never before: an account that isn't used stays untouched.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use baton_core::{AccountId, Refusal, Timestamp};
use baton_wire::accounts_check::{self, Routing};
use http::{Request, header};
use secrecy::ExposeSecret;

use super::{Shared, headers::ACCOUNT_ID};
use crate::{
    grants::{Access, GrantError},
    net::empty,
};

/// An answer is good for this long.
const GOOD_FOR: Duration = Duration::from_secs(24 * 3600);
/// After a failure no override is assumed, and asked again after this.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// A request doesn't wait longer for it than this.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Routings {
    known: Mutex<HashMap<AccountId, (Routing, Timestamp)>>,
    /// One question at a time: the requests of a start all need the same answer.
    asking: tokio::sync::Mutex<()>,
}

impl Routings {
    /// The override that the account's requests carry.
    pub(super) async fn of(
        &self,
        shared: &Arc<Shared>,
        account: AccountId,
        access: &Access,
    ) -> Result<Option<Box<str>>, GrantError> {
        let routing = match self.known(account, shared.desk.now()) {
            Some(routing) => routing,
            None => {
                let _one = self.asking.lock().await;
                match self.known(account, shared.desk.now()) {
                    Some(routing) => routing,
                    None => self.ask(shared, account, access).await,
                }
            }
        };
        if routing
            .origin
            .as_deref()
            .is_some_and(|origin| !supported(shared, origin))
        {
            return Err(GrantError::NeedsAttention(Refusal::UnsupportedBackend));
        }
        Ok(routing.override_)
    }

    fn known(&self, account: AccountId, now: Timestamp) -> Option<Routing> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&account)
            .filter(|(_, until)| *until > now)
            .map(|(routing, _)| routing.clone())
    }

    async fn ask(&self, shared: &Arc<Shared>, account: AccountId, access: &Access) -> Routing {
        let url = format!(
            "{}/wham/accounts/check",
            shared.upstream.as_str().trim_end_matches('/')
        );
        let request = Request::get(url)
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", access.token.expose_secret()),
            )
            .header(ACCOUNT_ID, &*access.account_header)
            .body(empty());
        let answer = match request {
            Ok(request) => tokio::time::timeout(PATIENCE, shared.net.call(request))
                .await
                .ok(),
            Err(_) => None,
        };
        let routing = match answer {
            Some(Ok((parts, body))) if parts.status.is_success() => {
                accounts_check::routing(&body, &access.account_header)
            }
            _ => None,
        };
        let good_for = if routing.is_some() { GOOD_FOR } else { ASK_AGAIN };
        let routing = routing.unwrap_or_default();
        let until = shared.desk.now() + good_for;
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account, (routing.clone(), until));
        routing
    }
}

/// The service's public origin, or the one that Baton sends to anyway.
fn supported(shared: &Shared, origin: &str) -> bool {
    let ours = shared.upstream.origin().ascii_serialization();
    origin == "https://chatgpt.com" || origin.trim_end_matches('/') == ours
}
