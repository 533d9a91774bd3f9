//! Who may talk to the proxy, and what they want: a secret first path segment, a loopback Host, no Origin.

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::net::{Body, full};

/// What a request that may pass wants.
#[derive(Debug)]
pub struct Route {
    pub kind: Kind,
    /// Path and query below the backend's base, with its leading slash, e.g. `/codex/responses`.
    pub rest: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A model request over HTTP.
    Responses,
    /// The upgrade for model requests over WebSocket.
    Socket,
    Models,
    AccountsCheck,
    Usage,
    ResetCredits,
    /// The CLI's own business, with its own credentials.
    Other,
}

/// The answer to a request that may not pass.
pub type Refusal = Response<Body>;

const BACKEND: &str = "/backend-api";

/// Whether a request may pass, and where to; else the refusal to answer it with.
// Large only by a Response that is built once a refusal.
#[allow(clippy::result_large_err)]
pub fn authorise<B>(request: &Request<B>, secret: &SecretString) -> Result<Route, Refusal> {
    // A browser's page can reach loopback; it can neither know the secret nor hide its Origin.
    if request.headers().contains_key(header::ORIGIN) {
        return Err(refuse(
            StatusCode::FORBIDDEN,
            "Baton answers no web page: the request has an Origin.",
        ));
    }
    if !loopback_host(request.headers()) {
        return Err(refuse(
            StatusCode::FORBIDDEN,
            "Baton answers on 127.0.0.1, localhost and [::1] only.",
        ));
    }
    // 404 rather than 401, which would make the CLI refresh its own token.
    let unknown = || {
        refuse(
            StatusCode::NOT_FOUND,
            "Not found. Is the base URL in Codex's config.toml current?",
        )
    };
    let path = request.uri().path();
    let (given, rest) = path
        .strip_prefix('/')
        .and_then(|path| path.split_once('/'))
        .ok_or_else(unknown)?;
    let right: bool = given.as_bytes().ct_eq(secret.expose_secret().as_bytes()).into();
    // `split_once` took the slash before the rest.
    let below = rest
        .strip_prefix(&BACKEND[1..])
        .filter(|below| below.starts_with('/') && !climbs(below));
    let (true, Some(below)) = (right, below) else {
        return Err(unknown());
    };
    let kind = kind(request.method(), request.headers(), below);
    let rest = match request.uri().query() {
        Some(query) => format!("{below}?{query}"),
        None => below.to_owned(),
    };
    Ok(Route { kind, rest })
}

fn kind(method: &Method, headers: &HeaderMap, path: &str) -> Kind {
    match (method, path) {
        (&Method::POST, "/codex/responses" | "/codex/responses/compact") => Kind::Responses,
        (&Method::GET, "/codex/responses") if headers.contains_key(header::UPGRADE) => Kind::Socket,
        (&Method::GET, "/codex/models") => Kind::Models,
        (&Method::GET, "/wham/accounts/check") => Kind::AccountsCheck,
        (&Method::GET, "/wham/usage") => Kind::Usage,
        (_, path) if is_or_below(path, "/wham/rate-limit-reset-credits") => Kind::ResetCredits,
        _ => Kind::Other,
    }
}

fn is_or_below(path: &str, route: &str) -> bool {
    path.strip_prefix(route)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Dot segments, however written: a route's credentials are for that route.
fn climbs(path: &str) -> bool {
    path.split(['/', '\\'])
        .any(|segment| matches!(&*segment.to_ascii_lowercase().replace("%2e", "."), "." | ".."))
}

fn loopback_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
                return false;
            }
            name
        }
        _ => host,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

pub(super) fn refuse(status: StatusCode, message: &str) -> Response<Body> {
    let body = serde_json::json!({ "error": { "type": "baton", "message": message } }).to_string();
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cret";

    fn status(path: &str, headers: &[(&str, &str)]) -> Result<Kind, u16> {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let route = authorise(&request, &SecretString::from(SECRET));
        route
            .map(|route| route.kind)
            .map_err(|refused| refused.status().as_u16())
    }

    #[test]
    fn only_the_secret_path_is_known() {
        let host = [("host", "127.0.0.1:27460")];
        assert_eq!(
            status("/s3cret/backend-api/codex/models?client_version=1", &host),
            Ok(Kind::Models)
        );
        for path in [
            "/backend-api/codex/models",
            "/s3cre/backend-api/codex/models",
            "/s3cretx/backend-api/codex/models",
            "/s3cret/backend-apix/codex",
            "/s3cret/other",
            "/s3cret/backend-api/wham/rate-limit-reset-credits/../../accounts",
            "/s3cret/backend-api/wham/rate-limit-reset-credits/.%2E/usage",
            "/s3cret",
            "/",
        ] {
            assert_eq!(status(path, &host), Err(404), "{path}");
        }
    }

    #[test]
    fn hosts_are_loopback_and_origins_refused() {
        let path = "/s3cret/backend-api/wham/usage";
        for host in ["localhost:27460", "LOCALHOST", "[::1]:1", "[::1]", "127.0.0.1"] {
            assert_eq!(status(path, &[("host", host)]), Ok(Kind::Usage), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost:80:80",
            "",
            "localhost:",
            "127.0.0.2",
        ] {
            assert_eq!(status(path, &[("host", host)]), Err(403), "{host}");
        }
        assert_eq!(status(path, &[]), Err(403));
        assert_eq!(
            status(path, &[("host", "localhost"), ("host", "evil.example")]),
            Err(403)
        );
        assert_eq!(
            status(path, &[("host", "localhost"), ("origin", "http://localhost")]),
            Err(403)
        );
    }
}
