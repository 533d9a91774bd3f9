//! An account moved by hand while the simulation runs: its tokens, its windows, what `accounts/check` says.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::backend::{Backend, State};
use crate::clock::millis;
use crate::token::Tokens;

/// An account of the running simulation.
#[derive(Clone, Debug)]
pub struct AccountHandle {
    backend: Arc<Backend>,
    index: usize,
}

impl AccountHandle {
    pub(crate) fn new(backend: Arc<Backend>, index: usize) -> Self {
        Self { backend, index }
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The text of an `auth.json` with the newest tokens of the account's first sign-in.
    #[must_use]
    pub fn auth_json(&self) -> String {
        self.with(|state, now| auth_json(state.grants.first(self.index), state, self.index, now))
    }

    /// Signs in once more: an `auth.json` with a grant of its own.
    #[must_use]
    pub fn sign_in(&self) -> String {
        self.with(|state, now| {
            let script = state.accounts[self.index].script.clone();
            let tokens = state.grants.sign_in(self.index, &script, &self.backend.ids, now);
            auth_json(Some(&tokens), state, self.index, now)
        })
    }

    /// The newest access token of the first sign-in.
    #[must_use]
    pub fn access_token(&self) -> String {
        self.with(|state, _| {
            state
                .grants
                .first(self.index)
                .map(|t| t.access.clone())
                .unwrap_or_default()
        })
    }

    /// The newest refresh token of the first sign-in.
    #[must_use]
    pub fn refresh_token(&self) -> String {
        self.with(|state, _| {
            state
                .grants
                .first(self.index)
                .map(|t| t.refresh.clone())
                .unwrap_or_default()
        })
    }

    /// The `chatgpt-account-id`.
    #[must_use]
    pub fn account_id(&self) -> String {
        self.with(|state, _| state.accounts[self.index].script.account_id.clone())
    }

    /// The used percent and the reset (Unix seconds) of the general window of a duration, exactly.
    #[must_use]
    pub fn window(&self, duration: Duration) -> Option<(f64, i64)> {
        let minutes = millis(duration) / 60_000;
        self.with(|state, now| {
            let account = &mut state.accounts[self.index];
            account.roll(now);
            let readings = account.general.readings(now, crate::scenario::Percent::Exact);
            readings
                .iter()
                .find(|r| r.minutes == minutes)
                .map(|r| (r.used_percent, r.reset_at))
        })
    }

    /// Sets the use of the general window of a duration, in units; its timer runs from now if it didn't.
    pub fn set_used(&self, duration: Duration, units: f64) {
        self.with(|state, now| {
            let account = &mut state.accounts[self.index];
            account.roll(now);
            account.set_used(millis(duration), units, now);
        });
    }

    /// Uses up every general window.
    pub fn exhaust(&self) {
        self.with(|state, now| {
            let account = &mut state.accounts[self.index];
            account.roll(now);
            account.exhaust(None, now);
        });
    }

    /// Lifts all limits before their time.
    pub fn lift_limits(&self) {
        self.with(|state, _| state.accounts[self.index].lift());
    }

    /// Sets the balance of purchased credits.
    pub fn set_credits(&self, balance: f64) {
        self.with(|state, _| state.accounts[self.index].credits = Some(balance));
    }

    /// Sets the routing override of `accounts/check`.
    pub fn set_routing_override(&self, value: &str) {
        self.with(|state, _| value.clone_into(&mut state.accounts[self.index].script.routing_override));
    }

    /// Sets the backend origin of `accounts/check`.
    pub fn set_backend_origin(&self, value: &str) {
        self.with(|state, _| value.clone_into(&mut state.accounts[self.index].script.backend_origin));
    }

    /// Lets every access token of the account expire now.
    pub fn expire_access_tokens(&self) {
        self.with(|state, _| state.grants.expire_access(self.index));
    }

    /// Takes every access token of the account back; refreshing still works.
    pub fn revoke_access_tokens(&self) {
        self.with(|state, _| state.grants.revoke_access(self.index));
    }

    /// Takes every token of the account back: a person must sign in again.
    pub fn revoke(&self) {
        self.with(|state, _| {
            state.grants.revoke_access(self.index);
            state.grants.revoke_refresh(self.index);
        });
    }

    /// Lets every refresh token of the account expire.
    pub fn expire_refresh_tokens(&self) {
        self.with(|state, _| state.grants.expire_refresh(self.index));
    }

    fn with<T>(&self, act: impl FnOnce(&mut State, i64) -> T) -> T {
        let now = self.backend.clock.now_unix_millis();
        act(&mut self.backend.state(), now)
    }
}

fn auth_json(tokens: Option<&Tokens>, state: &State, account: usize, now: i64) -> String {
    let (id, access, refresh) = tokens
        .map(|t| (t.id.as_str(), t.access.as_str(), t.refresh.as_str()))
        .unwrap_or_default();
    json!({
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": id,
            "access_token": access,
            "refresh_token": refresh,
            "account_id": state.accounts[account].script.account_id,
        },
        "last_refresh": rfc3339(now),
    })
    .to_string()
}

/// A Unix time in milliseconds as `2026-11-22T06:49:33.709Z`.
pub(crate) fn rfc3339(millis: i64) -> String {
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Days since 0000-03-01, so that a leap day ends its year.
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1000 % 60,
        of_day % 1000
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_written_as_the_cli_does() {
        assert_eq!(super::rfc3339(1_795_330_173_709), "2026-11-22T06:49:33.709Z");
        assert_eq!(super::rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
    }
}
