//! Tokens: believable JWTs that nobody signed, the grants they belong to, and refresh tokens that work once.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};

use crate::clock::millis;
use crate::ids::Ids;
use crate::script::AccountScript;

/// The three tokens of a sign-in.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) id: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RefreshState {
    Live,
    Used,
    Expired,
    Revoked,
}

#[derive(Debug)]
struct Access {
    account: usize,
    expires_millis: i64,
    revoked: bool,
}

#[derive(Debug)]
struct Refresh {
    account: usize,
    grant: u64,
    state: RefreshState,
}

/// Why a bearer is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BearerError {
    Missing,
    Unknown,
    Expired,
    Revoked,
}

/// Every token that the backend has issued.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    /// The newest tokens of each grant.
    current: HashMap<u64, Tokens>,
    /// The grants of each account, oldest first.
    of_account: HashMap<usize, Vec<u64>>,
    next_grant: u64,
}

impl Grants {
    /// A new sign-in of an account.
    pub(crate) fn sign_in(&mut self, account: usize, script: &AccountScript, ids: &Ids, now: i64) -> Tokens {
        let grant = self.next_grant;
        self.next_grant += 1;
        self.of_account.entry(account).or_default().push(grant);
        self.issue(account, grant, script, ids, now)
    }

    /// The newest tokens of an account's first sign-in.
    pub(crate) fn first(&self, account: usize) -> Option<&Tokens> {
        self.current.get(self.of_account.get(&account)?.first()?)
    }

    fn issue(&mut self, account: usize, grant: u64, script: &AccountScript, ids: &Ids, now: i64) -> Tokens {
        let expires_millis = now + millis(script.token_lifetime);
        let jti = format!("{}-{}", script.name, ids.hex());
        let auth = json!({
            "chatgpt_account_id": script.account_id,
            "chatgpt_plan_type": script.plan,
            "chatgpt_user_id": script.user_id,
            "user_id": script.user_id,
            "chatgpt_compute_residency": "no_constraint",
        });
        let common = json!({
            "iss": "https://auth.openai.com",
            "sub": format!("auth0|{}", script.user_id),
            "iat": now.div_euclid(1000),
            "exp": expires_millis.div_euclid(1000),
            "https://api.openai.com/auth": auth,
        });
        let mut id = common.clone();
        id["email"] = json!(script.email);
        id["email_verified"] = json!(true);
        id["aud"] = json!(["app_EMoamEEZ73f0CkXaXp7hrann"]);
        let mut access = common;
        access["jti"] = json!(jti);
        access["aud"] = json!(["https://api.openai.com/v1"]);
        access["client_id"] = json!("app_EMoamEEZ73f0CkXaXp7hrann");
        access["scp"] = json!(["openid", "profile", "email", "offline_access"]);
        access["session_id"] = json!(format!("authsess_{}{}", ids.hex(), ids.hex()));
        access["https://api.openai.com/profile"] = json!({"email": script.email, "email_verified": true});
        let tokens = Tokens {
            id: jwt(&id, ids),
            access: jwt(&access, ids),
            refresh: format!("rt_{}{}{}", ids.hex(), ids.hex(), ids.hex()),
        };
        self.access.insert(
            tokens.access.clone(),
            Access {
                account,
                expires_millis,
                revoked: false,
            },
        );
        self.refresh.insert(
            tokens.refresh.clone(),
            Refresh {
                account,
                grant,
                state: RefreshState::Live,
            },
        );
        self.current.insert(grant, tokens.clone());
        tokens
    }

    /// Whose access token this is.
    pub(crate) fn account_of(
        &self,
        bearer: Option<&str>,
        now: i64,
    ) -> Result<usize, (BearerError, Option<usize>)> {
        let token = bearer.ok_or((BearerError::Missing, None))?;
        let known = self.access.get(token).ok_or((BearerError::Unknown, None))?;
        if known.revoked {
            Err((BearerError::Revoked, Some(known.account)))
        } else if now >= known.expires_millis {
            Err((BearerError::Expired, Some(known.account)))
        } else {
            Ok(known.account)
        }
    }

    /// The account of a refresh token, in whatever state it is.
    pub(crate) fn account_of_refresh(&self, token: &str) -> Option<usize> {
        self.refresh.get(token).map(|known| known.account)
    }

    /// Exchanges a refresh token for new tokens, once. The error is the code that the issuer answers with.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        script: impl FnOnce(usize) -> AccountScript,
        ids: &Ids,
        now: i64,
    ) -> Result<Tokens, &'static str> {
        let known = self.refresh.get_mut(token).ok_or("invalid_grant")?;
        match known.state {
            RefreshState::Used => Err("refresh_token_reused"),
            RefreshState::Expired => Err("refresh_token_expired"),
            RefreshState::Revoked => Err("refresh_token_invalidated"),
            RefreshState::Live => {
                known.state = RefreshState::Used;
                let (account, grant) = (known.account, known.grant);
                Ok(self.issue(account, grant, &script(account), ids, now))
            }
        }
    }

    /// Lets every access token of an account expire now.
    pub(crate) fn expire_access(&mut self, account: usize) {
        for token in self.access.values_mut().filter(|token| token.account == account) {
            token.expires_millis = i64::MIN;
        }
    }

    /// Takes every access token of an account back.
    pub(crate) fn revoke_access(&mut self, account: usize) {
        for token in self.access.values_mut().filter(|token| token.account == account) {
            token.revoked = true;
        }
    }

    /// Takes every refresh token of an account back.
    pub(crate) fn revoke_refresh(&mut self, account: usize) {
        self.set_live(account, RefreshState::Revoked);
    }

    /// Lets every refresh token of an account expire.
    pub(crate) fn expire_refresh(&mut self, account: usize) {
        self.set_live(account, RefreshState::Expired);
    }

    fn set_live(&mut self, account: usize, state: RefreshState) {
        for token in self.refresh.values_mut() {
            if token.account == account && token.state == RefreshState::Live {
                token.state = state;
            }
        }
    }
}

/// A JWT with a believable header and a signature that is noise.
fn jwt(claims: &Value, ids: &Ids) -> String {
    let header = B64.encode(br#"{"alg":"RS256","kid":"b1dd3f8f-9aad-47fe-b0e7-edb009777d6b","typ":"JWT"}"#);
    let noise: Vec<u8> = (0..32).flat_map(|_| ids.next().to_be_bytes()).collect();
    format!(
        "{header}.{}.{}",
        B64.encode(claims.to_string()),
        B64.encode(noise)
    )
}

/// A claim of a JWT, unverified.
pub(crate) fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&B64.decode(payload).ok()?).ok()
}

/// What the log may show of a bearer: its `jti`.
pub(crate) fn jti(token: &str) -> Option<String> {
    claims(token)?.get("jti")?.as_str().map(str::to_owned)
}

/// Something opaque that only the backend can read again: a turn state or a ciphertext bound to an account.
pub(crate) fn seal(prefix: &str, account: &str, salt: &str) -> String {
    format!("{prefix}{}", B64.encode(format!("{account}\n{salt}")))
}

/// The account that a sealed value is bound to.
pub(crate) fn unseal(prefix: &str, sealed: &str) -> Option<String> {
    let text = String::from_utf8(B64.decode(sealed.strip_prefix(prefix)?).ok()?).ok()?;
    text.split_once('\n').map(|(account, _)| account.to_owned())
}
