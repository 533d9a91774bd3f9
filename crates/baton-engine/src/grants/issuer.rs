//! Asking the sign-in service for new tokens: a few tries, and what their failure says of the old token.

use std::{fmt::Debug, sync::Arc, time::Duration};

use baton_wire::{
    oauth::{self, NewTokens, RefreshFailure},
    sign_in,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::time;
use url::Url;

use crate::{
    clock::Clock,
    net::{Net, NetError},
};

const TRIES: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// `POST /oauth/token` of the sign-in service.
pub(super) trait Issuer: Debug + Send + Sync {
    fn post(&self, body: SecretString) -> BoxFuture<'_, Result<(u16, Bytes), NoAnswer>>;
}

#[derive(Clone, Debug)]
pub(super) struct NoAnswer {
    pub(super) reason: String,
    /// The request may have arrived all the same.
    pub(super) sent: bool,
}

#[derive(Debug)]
pub(super) struct HttpIssuer {
    net: Arc<Net>,
    url: Url,
}

impl HttpIssuer {
    pub(super) fn new(net: Arc<Net>, issuer: &Url) -> Self {
        let url = sign_in::token_url(issuer);
        Self { net, url }
    }
}

impl Issuer for HttpIssuer {
    fn post(&self, body: SecretString) -> BoxFuture<'_, Result<(u16, Bytes), NoAnswer>> {
        Box::pin(async move {
            let answer = self
                .net
                .post(&self.url, "application/json", body.expose_secret().to_owned())
                .await;
            answer.map_err(|error| NoAnswer {
                sent: !matches!(
                    error,
                    NetError::Connect(_) | NetError::ConnectTimeout | NetError::TrustStore(_)
                ),
                reason: error.to_string(),
            })
        })
    }
}

/// Why there are no new tokens.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) kind: FailedKind,
    /// Whether the old token may be spent although nobody said so: an answer was lost.
    pub(super) maybe_spent: bool,
}

#[derive(Debug)]
pub(super) enum FailedKind {
    /// The service refuses the token for good.
    Refused,
    Transient(String),
}

pub(super) async fn exchange(
    issuer: &dyn Issuer,
    refresh_token: &SecretString,
    clock: &dyn Clock,
) -> Result<NewTokens, Failed> {
    let mut maybe_spent = false;
    let mut tries = 0;
    loop {
        let reason = match issuer
            .post(oauth::refresh_request(oauth::CLIENT_ID, refresh_token))
            .await
        {
            Ok((status, body)) if (200..300).contains(&status) => match oauth::new_tokens(&body) {
                Ok(tokens) => return Ok(tokens),
                Err(error) => {
                    maybe_spent = true;
                    error.to_string()
                }
            },
            Ok((status, body)) => match oauth::refresh_failure(status, &body) {
                RefreshFailure::Permanent(code) => {
                    tracing::warn!(status, code = &*code, "the sign-in service refuses a refresh");
                    return Err(Failed {
                        kind: FailedKind::Refused,
                        maybe_spent,
                    });
                }
                RefreshFailure::Transient => {
                    // A gateway's error says nothing of what happened behind it.
                    maybe_spent |= status >= 500;
                    format!("status {status}")
                }
            },
            Err(error) => {
                maybe_spent |= error.sent;
                error.reason
            }
        };
        tries += 1;
        if tries == TRIES {
            return Err(Failed {
                kind: FailedKind::Transient(reason),
                maybe_spent,
            });
        }
        tracing::debug!(reason, tries, "a refresh is tried again");
        let backoff = jittered(FIRST_BACKOFF * 2_u32.pow(tries - 1));
        // A simulated clock may make it shorter; one that stands still must not make it last for ever.
        time::sleep(clock.real(backoff).min(backoff)).await;
    }
}

/// Between half and one and a half: several accounts in the same trouble don't come back at the same moment.
fn jittered(backoff: Duration) -> Duration {
    backoff.mul_f64(0.5 + fastrand::f64())
}
