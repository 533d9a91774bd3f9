//! One account's usage, asked for with its own credentials (PROTOCOL §3). It spends no quota.

use std::sync::Arc;

use baton_core::{
    AccountId, BankedResets, Effect, Outcome, Pool, Report, SendState, Step, Timestamp, Trial,
    polling::Failure, trial::Pick,
};
use baton_wire::{error, headers, usage as wham};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use url::Url;

use crate::{
    desk::Desk,
    grants::{Access, GrantError, Grants},
    net::{Net, empty},
    proxy::credentials,
};

const OURS: HeaderValue = HeaderValue::from_static(concat!("baton/", env!("CARGO_PKG_VERSION")));

#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) desk: Arc<Desk>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) net: Arc<Net>,
    pub(crate) upstream: Url,
}

/// What came of asking for an account's usage.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) came: Result<(), Unread>,
    /// The upstream's clock and ours at its last answer, if it told.
    pub(crate) clocks: Option<Clocks>,
}

/// What two clocks showed at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clocks {
    pub(crate) upstream: Timestamp,
    pub(crate) ours: Timestamp,
}

/// Why there is no reading, in words that name no token and no e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) failure: Failure,
    pub(crate) why: String,
}

impl Unread {
    fn refused(why: impl Into<String>) -> Self {
        Self {
            failure: Failure::Refused,
            why: why.into(),
        }
    }

    fn unreached(why: impl Into<String>) -> Self {
        Self {
            failure: Failure::Unreached,
            why: why.into(),
        }
    }
}

impl Reader {
    /// The pool learns from the answer. A token that is refused is renewed once; what is refused for good is reported as
    /// a request's refusal would be. What else the upstream says here says nothing of how it serves requests.
    pub(crate) async fn read(&self, account: AccountId) -> Read {
        let mut clocks = None;
        let came = self.reading(account, &mut clocks).await;
        Read { came, clocks }
    }

    async fn reading(&self, account: AccountId, clocks: &mut Option<Clocks>) -> Result<(), Unread> {
        let Some(mut pick) = self.desk.pick(account) else {
            return Ok(());
        };
        let mut trial = Trial::default();
        let mut access = self.granted(pick, self.grants.access(account).await)?;
        loop {
            let (parts, body) = self.ask("wham/usage", &access).await?;
            let ours = self.desk.now();
            *clocks = headers::date(&parts.headers).map(|upstream| Clocks { upstream, ours });
            if parts.status.is_success() {
                let reading = wham::read(&body, self.desk.now())
                    .ok_or_else(|| Unread::refused("its answer can't be read"))?;
                self.desk.learn(&mut pick, &reading);
                self.banked(account, &access, &body).await;
                return Ok(());
            }
            let status = parts.status.as_u16();
            let refused = Unread::refused(format!("it answers {status}"));
            let outcome = error::http(status, &parts.headers, &body, self.desk.now());
            let outcome = self.grants.as_linked(account, outcome);
            if !matches!(
                outcome,
                Outcome::Unauthorized { .. } | Outcome::LinkRefused | Outcome::AccountRefused(_)
            ) {
                return Err(refused);
            }
            let ruling = trial.judge(pick, &outcome, SendState::Unsent, true, self.desk.now());
            self.desk.report(ruling.report.as_slice());
            if ruling.step != Step::Refresh {
                self.desk.report(&trial.given_up());
                return Err(refused);
            }
            access = self.granted(pick, self.grants.refresh(account, access.version).await)?;
        }
    }

    /// The usage body says how many; when they expire is asked for only where that is news.
    async fn banked(&self, account: AccountId, access: &Access, usage: &[u8]) {
        let Some(count) = wham::banked_count(usage) else {
            return;
        };
        let known = |pool: &Pool, now| Some(pool.account(account)?.quota.banked.left(now).count);
        if self.desk.read(known) == Some(count) {
            return;
        }
        let mut banked = BankedResets {
            count,
            ..BankedResets::default()
        };
        if count > 0
            && let Ok((parts, body)) = self.ask("wham/rate-limit-reset-credits", access).await
            && parts.status.is_success()
            && let Some(told) = wham::banked(&body, self.desk.now())
        {
            banked.expire = told.expire;
        }
        self.desk.change(|pool, _, _| pool.banked(account, banked));
    }

    async fn ask(&self, route: &str, access: &Access) -> Result<(http::response::Parts, Bytes), Unread> {
        let url = format!("{}/{route}", self.upstream.as_str().trim_end_matches('/'));
        let mut request = Request::get(url)
            .header(header::USER_AGENT, OURS)
            .header(header::ACCEPT, "application/json")
            .body(empty())
            .map_err(|error| Unread::unreached(error.to_string()))?;
        credentials(request.headers_mut(), access);
        self.net.call(request).await.map_err(|error| {
            // Those that wait for their next request may lead to a network that is gone.
            self.net.forget_idle();
            Unread::unreached(error.to_string())
        })
    }

    fn granted(&self, pick: Pick, access: Result<Access, GrantError>) -> Result<Access, Unread> {
        if let Err(GrantError::NeedsAttention(reason)) = access {
            self.desk.report(&[Report {
                account: pick.account,
                generation: pick.generation,
                effect: Effect::NeedsAttention { reason },
            }]);
        }
        access.map_err(|error| Unread::unreached(error.to_string()))
    }
}
