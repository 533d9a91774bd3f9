//! Signing in at the issuer: the page that a person agrees on (here it sends the browser back at once), and device
//! codes.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::backend::Backend;
use crate::failure::Failure;
use crate::fault::{At, Facts};
use crate::handle::rfc3339;
use crate::http::{Body, Connection, Dropped, Guard, HeadFault, head_fault, json_answer, refused, respond};
use crate::ids::Ids;
use crate::log::{Kind, Outcome};

const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";
/// What the authorize URL of the CLI carries besides what differs each time.
const FIXED: [(&str, &str); 6] = [
    ("response_type", "code"),
    ("client_id", CLIENT_ID),
    ("code_challenge_method", "S256"),
    ("scope", "openid profile email offline_access"),
    ("id_token_add_organizations", "true"),
    ("codex_cli_simplified_flow", "true"),
];
const CODE_MILLIS: i64 = 10 * 60_000;
const DEVICE_MILLIS: i64 = 15 * 60_000;
/// Seconds between polls, which the service writes as a string.
const INTERVAL: &str = "5";

/// What the person does on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Agrees, as the account of this name.
    Agrees(String),
    /// Doesn't: the browser comes back with `error=access_denied`.
    Refuses,
    /// Agrees as this account, but the browser comes back with the state of another sign-in.
    WrongState(String),
}

/// The sign-ins under way.
#[derive(Debug, Default)]
pub(crate) struct SignIns {
    /// `None`: agrees as the first account.
    pub(crate) consent: Option<Consent>,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
}

#[derive(Debug)]
struct Code {
    account: usize,
    challenge: String,
    redirect_uri: RedirectUri,
    expires_millis: i64,
    used: bool,
}

#[derive(Debug)]
enum RedirectUri {
    Exactly(String),
    /// `<issuer>/deviceauth/callback`.
    Device,
}

#[derive(Debug)]
struct Device {
    user_code: String,
    expires_millis: i64,
    approved_by: Option<usize>,
}

/// Why a code is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeError {
    Used,
    Other,
}

impl SignIns {
    fn new_code(&mut self, code: Code, ids: &Ids) -> String {
        let name = format!("ac_{}{}", ids.hex(), ids.hex());
        self.codes.insert(name.clone(), code);
        name
    }

    /// Whose code this is, used up by asking.
    pub(crate) fn redeem(&mut self, form: &Value, now: i64) -> Result<usize, CodeError> {
        let text = |name: &str| form[name].as_str().unwrap_or_default();
        let code = self.codes.get_mut(text("code")).ok_or(CodeError::Other)?;
        if std::mem::replace(&mut code.used, true) {
            return Err(CodeError::Used);
        }
        let redirect_uri = text("redirect_uri");
        let comes_back = match &code.redirect_uri {
            RedirectUri::Exactly(uri) => uri == redirect_uri,
            RedirectUri::Device => redirect_uri.ends_with("/deviceauth/callback"),
        };
        let proven = challenge(text("code_verifier")) == code.challenge;
        if text("client_id") == CLIENT_ID && comes_back && proven && now < code.expires_millis {
            Ok(code.account)
        } else {
            Err(CodeError::Other)
        }
    }

    /// The person enters this code as that account.
    pub(crate) fn approve(&mut self, user_code: &str, account: usize, now: i64) -> bool {
        let waiting = self
            .devices
            .values_mut()
            .find(|device| device.user_code == user_code && now < device.expires_millis);
        waiting.is_some_and(|device| {
            device.approved_by = Some(account);
            true
        })
    }

    fn poll(&mut self, asked: &Value, ids: &Ids, now: i64) -> Option<Value> {
        let id = asked["device_auth_id"].as_str()?;
        let device = self.devices.get(id)?;
        if asked["user_code"] != device.user_code || now >= device.expires_millis {
            return None;
        }
        let account = device.approved_by?;
        self.devices.remove(id);
        let verifier = format!("{}{}{}", ids.hex(), ids.hex(), ids.hex());
        let challenge = challenge(&verifier);
        let code = Code {
            account,
            challenge: challenge.clone(),
            redirect_uri: RedirectUri::Device,
            expires_millis: now + CODE_MILLIS,
            used: false,
        };
        let code = self.new_code(code, ids);
        Some(json!({ "authorization_code": code, "code_challenge": challenge, "code_verifier": verifier }))
    }
}

fn challenge(verifier: &str) -> String {
    B64.encode(Sha256::digest(verifier))
}

/// The sign-in page and both device routes.
pub(crate) async fn answer(
    guard: Guard,
    connection: &Connection,
    facts: Facts,
    request: Request<Incoming>,
) -> Result<Response<Body>, Dropped> {
    let (backend, entry) = (&guard.backend, guard.entry);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = request
        .into_body()
        .collect()
        .await
        .map_err(|_| Dropped)?
        .to_bytes();
    if let Some(fault) = backend.fault_at(entry, &facts, |at| at == At::Route(facts.kind))
        && let HeadFault::Answer(answer) = head_fault(backend, entry, connection, &fault).await?
    {
        return Ok(answer);
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let answered = match facts.kind {
        Kind::Authorize => authorize(backend, &query).map(|to| {
            let headers = [("location".to_owned(), to)];
            respond(302, &headers, Bytes::new())
        }),
        Kind::DeviceCode if body["client_id"] == CLIENT_ID => {
            Ok(json_answer(200, device_code(backend).to_string()))
        }
        Kind::DeviceCode => Err(invalid("client_id")),
        _ => {
            let now = backend.clock.now_unix_millis();
            let polled = backend.state().sign_ins.poll(&body, &backend.ids, now);
            polled
                .map(|granted| json_answer(200, granted.to_string()))
                .ok_or_else(|| Failure::new(403, "invalid_request_error", "authorization_pending", "Pending"))
        }
    };
    match answered {
        Ok(answer) => {
            backend.end(entry, Outcome::Completed);
            Ok(answer)
        }
        Err(failure) => Ok(refused(backend, entry, &failure)),
    }
}

fn invalid(what: &str) -> Failure {
    Failure::new(400, "invalid_request_error", "invalid_request", what)
}

/// Where the browser is sent.
fn authorize(backend: &Backend, query: &str) -> Result<String, Failure> {
    let asked: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let text = |name: &str| asked.get(name).map_or("", String::as_str);
    if let Some((name, _)) = FIXED.iter().find(|(name, value)| text(name) != *value) {
        return Err(invalid(name));
    }
    let (challenge, state) = (text("code_challenge"), text("state"));
    if B64.decode(challenge).map_or(0, |digest| digest.len()) != 32 || state.len() < 32 {
        return Err(invalid("code_challenge, state"));
    }
    let redirect_uri = text("redirect_uri");
    let mut to = url::Url::parse(redirect_uri).map_err(|_| invalid("redirect_uri"))?;
    if to.host_str() != Some("localhost") || to.path() != "/auth/callback" || to.scheme() != "http" {
        return Err(invalid("redirect_uri"));
    }
    let now = backend.clock.now_unix_millis();
    let mut guarded = backend.state();
    let all = &mut *guarded;
    let first = || all.accounts[0].script.name.clone();
    let consent = all
        .sign_ins
        .consent
        .clone()
        .unwrap_or_else(|| Consent::Agrees(first()));
    let (name, state) = match &consent {
        Consent::Refuses => {
            to.query_pairs_mut()
                .append_pair("error", "access_denied")
                .append_pair("error_description", "The user denied the request")
                .append_pair("state", state);
            return Ok(to.into());
        }
        Consent::Agrees(name) => (name, state.to_owned()),
        Consent::WrongState(name) => (name, state.chars().rev().collect()),
    };
    let Some(account) = all
        .accounts
        .iter()
        .position(|account| account.script.name == *name)
    else {
        return Err(invalid("no such account in the scenario"));
    };
    let code = Code {
        account,
        challenge: challenge.to_owned(),
        redirect_uri: RedirectUri::Exactly(redirect_uri.to_owned()),
        expires_millis: now + CODE_MILLIS,
        used: false,
    };
    let code = all.sign_ins.new_code(code, &backend.ids);
    to.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("scope", "openid profile email offline_access")
        .append_pair("state", &state);
    Ok(to.into())
}

fn device_code(backend: &Backend) -> Value {
    let (ids, now) = (&backend.ids, backend.clock.now_unix_millis());
    let device_auth_id = format!("deviceauth_{}", ids.hex());
    let digits = ids.hex().to_ascii_uppercase();
    let device = Device {
        user_code: format!("{}-{}", &digits[..4], &digits[4..9]),
        expires_millis: now + DEVICE_MILLIS,
        approved_by: None,
    };
    let answer = json!({
        "device_auth_id": device_auth_id,
        "user_code": device.user_code,
        "interval": INTERVAL,
        "expires_at": rfc3339(device.expires_millis),
    });
    backend.state().sign_ins.devices.insert(device_auth_id, device);
    answer
}
