//! `baton doctor`: how everything is, each with what to do. It reads every account's usage as the poller does, so what it
//! finds is what the pool goes by; it spends no quota and brings back nothing that a person has left out.
//!
//! - [`check`]: a finding; `account`, `machine`: findings from what is known; `ports`: the proxy, asked on loopback
//! - what depends on the shell where Codex is started is looked at by [`crate::codex`]

mod account;
mod check;
mod machine;
mod ports;

use std::time::Duration;

use baton_core::{AccountId, Pool};
use tokio::time::{Instant, timeout_at};

use self::{
    account::{Account, Usage},
    machine::Machine,
};
pub use self::{
    check::{Check, CheckId, Outcome, Subject},
    machine::Tray,
};
use crate::{
    control::protocol::{BaseUrls, Snapshot},
    desk::Desk,
    grants::Grants,
    usage::{Clocks, Readings},
    vault::VaultError,
};

/// Shorter than a client waits for an answer: what isn't known by then is said not to be.
const AT_MOST: Duration = Duration::from_secs(90);

/// What is asked, and whom.
pub(crate) struct Doctor<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) grants: &'a Grants,
    /// `None`: this Baton doesn't read usage.
    pub(crate) readings: Option<&'a Readings>,
    /// `None`: it doesn't serve.
    pub(crate) base_urls: Option<BaseUrls>,
    pub(crate) tray: Tray,
    /// What was found wrong already, apart from what is asked here anew.
    pub(crate) problems: Vec<String>,
}

impl Doctor<'_> {
    /// Of one account, or of all and the machine. `snapshot` shows the pool once all that has been learnt.
    pub(crate) async fn examine(
        self,
        only: Option<AccountId>,
        snapshot: impl Fn() -> Snapshot,
    ) -> Vec<Check> {
        let until = Instant::now() + AT_MOST;
        let keychain = self.grants.keychain_answers().await;
        let known = self.desk.read(|pool, _| {
            let ids = pool.accounts().iter().map(|state| state.account.id);
            ids.filter(|id| only.is_none_or(|only| only == *id))
                .collect::<Vec<_>>()
        });
        let (mut read, mut clocks) = (Vec::new(), None);
        for id in known {
            let (usage, told) = self.read(id, until).await;
            clocks = clocks.or(told);
            // One that doesn't answer isn't asked again and again; of a linked account it needn't be.
            let sign_in = match &keychain {
                Err(error) if self.grants.linked(id).is_none() => Err(error.clone()),
                _ => timeout_at(until, self.grants.sign_in(id))
                    .await
                    .unwrap_or(Err(VaultError::Slow(AT_MOST.as_secs()))),
            };
            read.push((id, usage, sign_in));
        }
        let snapshot = snapshot();
        let mut checks = Vec::new();
        if only.is_none() {
            let listening = match &self.base_urls {
                Some(urls) => Some(ports::ask(urls).await),
                None => None,
            };
            let (last_request, codex_version) = self.desk.read(|pool, _| {
                let version = pool.codex_version().map(str::to_owned);
                (pool.last_request(), version)
            });
            let machine = Machine {
                snapshot: &snapshot,
                keychain: &keychain,
                clocks,
                listening,
                tray: self.tray,
                last_request,
                codex_version,
                problems: &self.problems,
            };
            checks.extend(machine.checks());
        }
        for (id, usage, sign_in) in read {
            // Else it was removed meanwhile.
            if let Some(view) = snapshot.accounts.iter().find(|view| view.id == id) {
                let refused = self.desk.read(|pool, _| pool.account(id)?.attention());
                let account = Account {
                    view,
                    refused,
                    now: snapshot.at,
                    usage,
                    sign_in,
                };
                checks.extend(account.checks());
            }
        }
        checks
    }

    async fn read(&self, id: AccountId, until: Instant) -> (Usage, Option<Clocks>) {
        let spared = self.desk.read(|pool, _| spared(pool, id));
        let (Some(readings), false) = (self.readings, spared.is_some()) else {
            return (Usage::NotAsked(spared.unwrap_or("Baton isn't running")), None);
        };
        match timeout_at(until, readings.read(id)).await {
            Ok(Some(read)) => match read.came {
                Ok(()) => (Usage::Read, read.clocks),
                Err(unread) => (Usage::Unread(unread.why), read.clocks),
            },
            Ok(None) => (Usage::NotAsked("Baton is ending"), None),
            Err(_) => (Usage::NotAsked("others took too long"), None),
        }
    }
}

/// Why an account isn't to be asked: what was refused for good isn't tried again before a person has mended it.
fn spared(pool: &Pool, id: AccountId) -> Option<&'static str> {
    if pool.account(id)?.attention().is_some() {
        return Some("it needs you first");
    }
    let others = pool.brake().engaged() && pool.current() != Some(id);
    others.then_some("automatic failover is stopped, so only the current account is asked")
}
