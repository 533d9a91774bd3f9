//! Connections to the upstream: HTTP/1.1 with the OS's trust store, through `HTTPS_PROXY` where one is set.
//!
//! HTTP/1.1 on purpose: with ALPN h2 a WebSocket can't be upgraded, and the pool opens no second connection at the
//! stream limit.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::{
        legacy::{
            Client,
            connect::{HttpConnector, proxy::Tunnel},
        },
        proxy::matcher::Matcher,
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::net::TcpStream;
use url::Url;

/// To a connection with TLS, proxy included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const POOL_IDLE: Duration = Duration::from_secs(60);
/// The whole of a small call of our own (refresh, accounts/check).
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const CALL_ANSWER: usize = 1024 * 1024;

pub type BoxError = Box<dyn StdError + Send + Sync>;
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub fn empty() -> Body {
    full(Bytes::new())
}

pub fn streamed(body: Incoming) -> Body {
    body.map_err(Into::into).boxed_unsync()
}

/// The whole of a body of at most `limit` bytes.
pub async fn whole(mut body: Body, limit: usize) -> Option<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            whole.extend_from_slice(&data);
        }
        if whole.len() > limit {
            return None;
        }
    }
    Some(whole.freeze())
}

#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error("no connection to the upstream: {0}")]
    Connect(String),
    #[error("no connection to the upstream within {} s", CONNECT_TIMEOUT.as_secs())]
    ConnectTimeout,
    #[error("the connection to the upstream broke: {0}")]
    Broken(String),
    #[error("no answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    #[error("this platform's trust store can't be read: {0}")]
    TrustStore(String),
}

#[derive(Debug)]
pub struct Net {
    client: Client<Deadline, Body>,
}

impl Net {
    pub fn new() -> Result<Self, NetError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(Duration::from_secs(60)));
        let dial = Dial {
            http,
            proxies: Arc::new(Matcher::from_env()),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| NetError::TrustStore(error.to_string()))?
            .with_native_roots()
            .map_err(|error| NetError::TrustStore(error.to_string()))?
            .with_no_client_auth();
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(dial);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_timer(TokioTimer::new())
            .http1_preserve_header_case(true)
            .build(Deadline(https));
        Ok(Self { client })
    }

    pub async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, NetError> {
        self.client.request(request).await.map_err(|error| {
            let timed_out = sources(&error).any(<dyn StdError + 'static>::is::<TimedOut>);
            match (error.is_connect(), timed_out) {
                (true, true) => NetError::ConnectTimeout,
                (true, false) => NetError::Connect(last_cause(&error)),
                _ => NetError::Broken(last_cause(&error)),
            }
        })
    }

    /// A small call of our own; the answer is read whole, 1 MiB at most.
    pub async fn call(&self, request: Request<Body>) -> Result<(http::response::Parts, Bytes), NetError> {
        let call = async {
            let (parts, body) = self.send(request).await?.into_parts();
            let body = Limited::new(body, CALL_ANSWER).collect().await;
            Ok((
                parts,
                body.map_err(|error| NetError::Broken(error.to_string()))?
                    .to_bytes(),
            ))
        };
        tokio::time::timeout(CALL_TIMEOUT, call)
            .await
            .unwrap_or(Err(NetError::Timeout))
    }

    pub async fn post_json(&self, url: &Url, body: String) -> Result<(u16, Bytes), NetError> {
        let request = Request::post(url.as_str())
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(full(body))
            .map_err(|error| NetError::Connect(error.to_string()))?;
        let (parts, body) = self.call(request).await?;
        Ok((parts.status.as_u16(), body))
    }
}

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn last_cause(error: &(dyn StdError + 'static)) -> String {
    sources(error).last().map(ToString::to_string).unwrap_or_default()
}

/// A TCP connection, direct or through an HTTPS proxy's CONNECT.
#[derive(Clone, Debug)]
struct Dial {
    http: HttpConnector,
    proxies: Arc<Matcher>,
}

type Dialing = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, BoxError>> + Send>>;

impl tower_service::Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Dialing;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // An HttpConnector is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Dialing {
        let mut http = self.http.clone();
        // A plain-http upstream is a test's or a person's own on loopback: no proxy for that.
        let proxy = (uri.scheme_str() == Some("https"))
            .then(|| self.proxies.intercept(&uri))
            .flatten();
        Box::pin(async move {
            match proxy {
                None => Ok(tower_service::Service::call(&mut http, uri).await?),
                Some(proxy) => {
                    let mut tunnel = Tunnel::new(proxy.uri().clone(), http);
                    if let Some(auth) = proxy.basic_auth() {
                        tunnel = tunnel.with_auth(auth.clone());
                    }
                    Ok(tower_service::Service::call(&mut tunnel, uri).await?)
                }
            }
        })
    }
}

/// One deadline over DNS, TCP, proxy and TLS together.
#[derive(Clone)]
struct Deadline(HttpsConnector<Dial>);

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deadline")
    }
}

#[derive(Debug)]
struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl StdError for TimedOut {}

impl tower_service::Service<Uri> for Deadline {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        tower_service::Service::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = tower_service::Service::call(&mut self.0, uri);
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(TimedOut.into()),
            }
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::{net::TcpSocket, time::timeout};

    use super::*;

    /// A listener that takes nobody in: nothing answers its clients, neither yes nor no.
    #[tokio::test(start_paused = true)]
    async fn who_never_answers_is_given_up_after_ten_seconds() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(connected) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
            waiting.push(connected.unwrap());
            assert!(waiting.len() < 100, "its queue never fills");
        }
        let begun = tokio::time::Instant::now();
        let request = Request::get(format!("http://{address}/")).body(empty()).unwrap();
        let net = Net::new().unwrap();
        let answered = timeout(Duration::from_secs(60), net.send(request)).await;
        let error = answered.expect("Baton gives up by itself").unwrap_err();
        assert!(matches!(error, NetError::ConnectTimeout), "{error}");
        let took = begun.elapsed();
        assert!((CONNECT_TIMEOUT..CONNECT_TIMEOUT * 2).contains(&took), "{took:?}");
    }
}
