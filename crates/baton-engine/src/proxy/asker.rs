//! Whose own credentials a request brings: they tell which account's owner is asking. Read only where that matters.

use std::fmt;

use baton_core::Identity;
use baton_wire::{
    CliIdentity,
    jwt::{self, Claims},
};
use http::{HeaderMap, HeaderValue, header};

use super::headers::ACCOUNT_ID;

#[derive(Clone, Default)]
pub(super) struct Asker {
    bearer: Option<HeaderValue>,
    account: Option<HeaderValue>,
}

/// It holds a token.
impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asker(…)")
    }
}

impl Asker {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            bearer: headers.get(header::AUTHORIZATION).cloned(),
            account: headers.get(ACCOUNT_ID).cloned(),
        }
    }

    /// Of its own token.
    pub(super) fn claims(&self) -> Claims {
        let bearer = self.bearer.as_ref().and_then(|value| value.to_str().ok());
        bearer
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(jwt::claims)
            .unwrap_or_default()
    }

    pub(super) fn says(&self) -> CliIdentity {
        let claims = self.claims();
        let account = self.account.as_ref().and_then(|value| value.to_str().ok());
        CliIdentity {
            user_id: claims.user_id,
            account_id: account.map(Into::into).or(claims.account_id),
            email: claims.email,
        }
    }

    pub(super) fn is(&self, identity: &Identity) -> bool {
        let says = self.says();
        says.user_id.as_ref() == Some(&identity.user) && says.account_id.as_ref() == Some(&identity.account)
    }
}
