//! The sign-in service: a code for tokens, a device code, and whether that was entered.

use std::sync::Arc;

use baton_wire::{
    auth_json, oauth,
    sign_in::{self, DeviceCode, DeviceGrant},
};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::SignInError;
use crate::{grants::import::SignIn, net::Net};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) net: Arc<Net>,
    pub(crate) issuer: Url,
}

/// What a poll for a device's code says.
#[derive(Debug)]
pub(super) enum Polled {
    Granted(DeviceGrant),
    NotYet,
    /// Worth another try, and why.
    Trouble(String),
}

impl Service {
    /// Codes work once, so there is one try.
    pub(super) async fn exchange(
        &self,
        code: &SecretString,
        redirect_uri: &str,
        verifier: &SecretString,
    ) -> Result<SignIn, SignInError> {
        let form = sign_in::code_request(code, redirect_uri, verifier);
        let (status, body) = self.post(&sign_in::token_url(&self.issuer), FORM, &form).await?;
        if !(200..300).contains(&status) {
            return Err(refused(status, &body));
        }
        let tokens = oauth::new_tokens(&body).map_err(|_| SignInError::Lacks("tokens"))?;
        let tokens = auth_json::Tokens {
            id_token: tokens.id_token,
            access_token: Some(tokens.access_token),
            refresh_token: tokens
                .refresh_token
                .ok_or(SignInError::Lacks("a refresh token"))?,
            account_id: None,
        };
        SignIn::new(tokens).ok_or(SignInError::Lacks("saying whose sign-in it is"))
    }

    pub(super) async fn device_code(&self) -> Result<DeviceCode, SignInError> {
        let url = sign_in::device_code_url(&self.issuer);
        match self.post(&url, JSON, &sign_in::device_code_request()).await? {
            (200..300, body) => sign_in::device_code(&body).ok_or(SignInError::Lacks("a code")),
            (404, _) => Err(SignInError::NoDeviceCodes),
            (status, body) => Err(refused(status, &body)),
        }
    }

    pub(super) async fn poll(&self, device: &DeviceCode) -> Result<Polled, SignInError> {
        let url = sign_in::device_poll_url(&self.issuer);
        let answer = match self.post(&url, JSON, &sign_in::device_poll(device)).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Polled::Trouble(error.to_string())),
        };
        match answer {
            (200..300, body) => sign_in::device_grant(&body)
                .map(Polled::Granted)
                .ok_or(SignInError::Lacks("a code")),
            (403 | 404, _) => Ok(Polled::NotYet),
            (status @ (408 | 429 | 500..), _) => Ok(Polled::Trouble(format!("status {status}"))),
            (status, body) => Err(refused(status, &body)),
        }
    }

    pub(super) fn device_page(&self) -> String {
        sign_in::device_page(&self.issuer).into()
    }

    pub(super) fn device_redirect_uri(&self) -> String {
        sign_in::device_redirect_uri(&self.issuer).into()
    }

    async fn post(
        &self,
        url: &Url,
        content_type: &'static str,
        body: &SecretString,
    ) -> Result<(u16, Bytes), SignInError> {
        let answer = self.net.post(url, content_type, body.expose_secret().to_owned());
        Box::pin(answer)
            .await
            .map_err(|error| SignInError::Unreachable(error.to_string()))
    }
}

fn refused(status: u16, body: &[u8]) -> SignInError {
    let code = oauth::refusal_code(body).map_or_else(String::new, |code| format!(", {code}"));
    SignInError::Refused(format!("status {status}{code}"))
}
