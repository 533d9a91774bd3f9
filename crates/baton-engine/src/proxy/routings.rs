//! Each account's own routing override, from its own `accounts/check` (PROTOCOL §1), asked for when the account is
//! first used and never before: an account that isn't used stays untouched.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use baton_core::{AccountId, Refusal, Timestamp};
use baton_wire::accounts_check::{self, Routing};
use http::Request;

use super::{Shared, headers};
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
    known: Mutex<HashMap<AccountId, Known>>,
    /// One question at a time: the requests of a start all need the same answer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    routing: Routing,
    asked_at: Timestamp,
    good_for: Duration,
    /// Assumed, for the token of this version got no answer: another may.
    assumed_for: Option<u64>,
}

impl Routings {
    /// The override that the account's requests carry.
    pub(super) async fn of(
        &self,
        shared: &Arc<Shared>,
        account: AccountId,
        access: &Access,
    ) -> Result<Option<Box<str>>, GrantError> {
        let routing = match self.known(account, access, shared.desk.now()) {
            Some(routing) => routing,
            None => {
                let _one = self.asking.lock().await;
                match self.known(account, access, shared.desk.now()) {
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

    fn known(&self, account: AccountId, access: &Access, now: Timestamp) -> Option<Routing> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |known: &&Known| {
            // One of after now is of before the clock was set back: how old it is can't be told.
            let fresh = known.asked_at <= now && now.since(known.asked_at) < known.good_for;
            fresh && known.assumed_for.is_none_or(|version| version == access.version)
        };
        known
            .get(&account)
            .filter(good)
            .map(|known| known.routing.clone())
    }

    async fn ask(&self, shared: &Arc<Shared>, account: AccountId, access: &Access) -> Routing {
        let url = format!(
            "{}/wham/accounts/check",
            shared.upstream.as_str().trim_end_matches('/')
        );
        let answer = match Request::get(url).body(empty()) {
            Ok(mut request) => {
                headers::credentials(request.headers_mut(), access);
                tokio::time::timeout(PATIENCE, shared.net.call(request))
                    .await
                    .ok()
            }
            Err(_) => None,
        };
        let routing = match answer {
            Some(Ok((parts, body))) if parts.status.is_success() => {
                accounts_check::routing(&body, &access.account_header)
            }
            _ => None,
        };
        let good_for = if routing.is_some() { GOOD_FOR } else { ASK_AGAIN };
        let assumed_for = routing.is_none().then_some(access.version);
        let routing = routing.unwrap_or_default();
        let known = Known {
            routing: routing.clone(),
            asked_at: shared.desk.now(),
            good_for,
            assumed_for,
        };
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account, known);
        routing
    }
}

/// The service's public origin, or the one that Baton sends to anyway.
fn supported(shared: &Shared, origin: &str) -> bool {
    let ours = shared.upstream.origin().ascii_serialization();
    origin == "https://chatgpt.com" || origin.trim_end_matches('/') == ours
}
