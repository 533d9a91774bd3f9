//! Routes: what each HTTP request gets.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use serde_json::json;

use crate::backend::Backend;
use crate::failure::Failure;
use crate::fault::{At, Facts, Fault};
use crate::log::{Entry, Kind, Outcome};
use crate::wire::Control;
use crate::{issuer, post, quota, sign_in, websocket};

/// The body of every answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, Dropped>;

/// The connection is to be dropped without another byte.
#[derive(Debug, thiserror::Error)]
#[error("the script drops this connection")]
pub(crate) struct Dropped;

/// A connection, as its requests see it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) tls: bool,
    pub(crate) control: Arc<Control>,
    pub(crate) closing: tokio_util::sync::CancellationToken,
}

/// Ends an entry whose request is given up halfway.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) backend: Arc<Backend>,
    pub(crate) entry: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.backend.end(self.entry, Outcome::ClientGone);
    }
}

/// What a fault in place of a head comes to.
pub(crate) enum HeadFault {
    /// This is the answer.
    Answer(Response<Body>),
    /// The stream begins with this fault.
    InStream(Fault),
    /// The head says this, and the stream is as usual.
    Header(&'static str, String),
    /// Nothing more: go on.
    None,
}

/// Answers a request.
pub(crate) async fn handle(
    backend: Arc<Backend>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Dropped> {
    let kind = kind_of(request.method(), request.uri().path(), &request);
    let path = request
        .uri()
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let mut entry = backend.entry(request.method().as_str(), &path, request.headers());
    entry.kind = kind;
    entry.connection = connection.id;
    entry.tls = connection.tls;
    if kind == Kind::Upgrade {
        entry.transport = crate::log::Transport::WebSocket;
        (entry.thread_id, _) = crate::ask::thread_and_turn(&serde_json::Value::Null, |name| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        });
    }
    let facts = facts(&entry);
    let id = backend.log.open(entry);
    let guard = Guard {
        backend: backend.clone(),
        entry: id,
    };
    match kind {
        Kind::Generate | Kind::Prewarm | Kind::Compact => {
            post::answer(guard, &connection, kind, request).await
        }
        Kind::Upgrade => websocket::upgrade(guard, connection, facts, request).await,
        Kind::Token => issuer::token(guard, &connection, facts, request).await,
        Kind::Authorize | Kind::DeviceCode | Kind::DevicePoll => {
            sign_in::answer(guard, &connection, facts, request).await
        }
        _ => side_route(&guard, &connection, &facts, &request).await,
    }
}

fn kind_of(method: &Method, path: &str, request: &Request<Incoming>) -> Kind {
    let upgrade = request
        .headers()
        .get(hyper::header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let route = path.strip_prefix("/backend-api/").unwrap_or(path);
    match (method.as_str(), route) {
        ("POST", "codex/responses") => Kind::Generate,
        ("GET", "codex/responses") if upgrade => Kind::Upgrade,
        ("POST", "codex/responses/compact") => Kind::Compact,
        ("GET", "codex/models") => Kind::Models,
        ("GET", "wham/accounts/check") => Kind::AccountsCheck,
        ("GET", "wham/usage") => Kind::Usage,
        ("GET", "wham/rate-limit-reset-credits") => Kind::ResetCredits,
        ("POST", "/oauth/token") => Kind::Token,
        ("GET", "/oauth/authorize") => Kind::Authorize,
        ("POST", "/api/accounts/deviceauth/usercode") => Kind::DeviceCode,
        ("POST", "/api/accounts/deviceauth/token") => Kind::DevicePoll,
        _ => Kind::Other,
    }
}

/// What fault rules may look at.
pub(crate) fn facts(entry: &Entry) -> Facts {
    Facts {
        account: entry.account.clone(),
        transport: entry.transport,
        kind: entry.kind,
        thread_id: entry.thread_id.clone(),
        turn_id: entry.turn_id.clone(),
        model: entry.model.clone(),
        user_text: entry.user_text.clone(),
    }
}

async fn side_route(
    guard: &Guard,
    connection: &Connection,
    facts: &Facts,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Dropped> {
    let Guard { backend, entry } = guard;
    if let Some(fault) = backend.fault_at(*entry, facts, |at| at == At::Route(facts.kind))
        && let HeadFault::Answer(answer) = head_fault(backend, *entry, connection, &fault).await?
    {
        return Ok(answer);
    }
    if facts.kind == Kind::Other {
        return Ok(refused(backend, *entry, &Failure::detail(404, "Not Found")));
    }
    let account = match backend.authorise(*entry, request.headers()) {
        Ok(account) => account,
        Err(failure) => return Ok(refused(backend, *entry, &failure)),
    };
    let body = match facts.kind {
        Kind::Models => backend.scenario.models.clone(),
        Kind::AccountsCheck => accounts_check(backend, account),
        Kind::Usage => {
            let now = backend.clock.now_unix_millis();
            let mut state = backend.state();
            let account = &mut state.accounts[account];
            account.roll(now);
            quota::usage(account, now, backend.scenario.percent)
        }
        _ => r#"{"available_count":0,"credits":[]}"#.to_owned(),
    };
    backend.end(*entry, Outcome::Completed);
    Ok(json_answer(200, body))
}

fn accounts_check(backend: &Backend, account: usize) -> String {
    let state = backend.state();
    let script = &state.accounts[account].script;
    json!({
        "accounts": [{
            "id": script.account_id,
            "plan_type": script.plan,
            "workspace_backend_origin": script.backend_origin,
            "account_routing_override": script.routing_override,
            "name": null,
            "structure": "personal",
        }],
        "account_ordering": [script.account_id],
        "default_account_id": script.account_id,
    })
    .to_string()
}

/// A whole answer.
pub(crate) fn respond(status: u16, headers: &[(String, String)], body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::OK);
    for (name, value) in headers {
        let name = hyper::header::HeaderName::try_from(name.as_str());
        let value = hyper::header::HeaderValue::try_from(value.as_str());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A JSON answer.
pub(crate) fn json_answer(status: u16, body: String) -> Response<Body> {
    respond(
        status,
        &[("content-type".to_owned(), "application/json".to_owned())],
        body.into(),
    )
}

/// A refusal as an HTTP head, recorded.
pub(crate) fn refused(backend: &Backend, entry: u64, failure: &Failure) -> Response<Body> {
    backend.refuse(entry, failure);
    let (content_type, body) = failure.http_body();
    let mut headers = failure.headers.clone();
    headers.push(("content-type".to_owned(), content_type));
    respond(failure.status, &headers, body)
}

/// Applies a fault in place of a head.
pub(crate) async fn head_fault(
    backend: &Backend,
    entry: u64,
    connection: &Connection,
    fault: &Fault,
) -> Result<HeadFault, Dropped> {
    let broken = || backend.end(entry, Outcome::Broken { how: fault.name() });
    match fault {
        Fault::Refuse(failure) => Ok(HeadFault::Answer(refused(backend, entry, failure))),
        Fault::Respond {
            status,
            headers,
            body,
        } => {
            backend.end(
                entry,
                Outcome::Refused {
                    status: *status,
                    code: "respond".to_owned(),
                },
            );
            Ok(HeadFault::Answer(respond(*status, headers, body.clone().into())))
        }
        Fault::Redirect(location) => {
            backend.end(
                entry,
                Outcome::Refused {
                    status: 307,
                    code: "redirect".to_owned(),
                },
            );
            let headers = [("location".to_owned(), location.clone())];
            Ok(HeadFault::Answer(respond(307, &headers, Bytes::new())))
        }
        Fault::Cut | Fault::Close(_) => {
            broken();
            Err(Dropped)
        }
        Fault::Reset => {
            broken();
            connection.control.reset();
            Err(Dropped)
        }
        Fault::Stall => {
            broken();
            // Hyper drops this future when the client goes away.
            std::future::pending().await
        }
        Fault::Delay(time) => {
            backend.clock.sleep(*time).await;
            Ok(HeadFault::None)
        }
        Fault::ContentType(value) => Ok(HeadFault::Header("content-type", value.clone())),
        Fault::BadEncoding(value) => Ok(HeadFault::Header("content-encoding", value.clone())),
        in_stream => Ok(HeadFault::InStream(in_stream.clone())),
    }
}
