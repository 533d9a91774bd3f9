//! A new connection to the upstream: DNS, TCP, an HTTPS proxy's CONNECT and TLS, within one deadline.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::{
        legacy::connect::{HttpConnector, proxy::Tunnel},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service;

use super::{BoxError, NetError, last_cause};

/// To a connection with TLS, proxy included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections, with the OS's trust store.
#[derive(Clone)]
pub(super) struct Dialer(HttpsConnector<Dial>);

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

impl Dialer {
    pub(super) fn new() -> Result<Self, NetError> {
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
        Ok(Self(https))
    }

    /// Within [`CONNECT_TIMEOUT`].
    pub(super) async fn dial(&self, to: Uri) -> Result<Stream, NetError> {
        let mut https = self.0.clone();
        match tokio::time::timeout(CONNECT_TIMEOUT, https.call(to)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(NetError::Connect(last_cause(&*error))),
            Err(_) => Err(NetError::ConnectTimeout),
        }
    }
}

/// A TCP connection, direct or through an HTTPS proxy's CONNECT.
#[derive(Clone, Debug)]
struct Dial {
    http: HttpConnector,
    proxies: Arc<Matcher>,
}

type Dialing = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, BoxError>> + Send>>;

impl Service<Uri> for Dial {
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
                None => Ok(http.call(uri).await?),
                Some(proxy) => {
                    let mut tunnel = Tunnel::new(proxy.uri().clone(), http);
                    if let Some(auth) = proxy.basic_auth() {
                        tunnel = tunnel.with_auth(auth.clone());
                    }
                    Ok(tunnel.call(uri).await?)
                }
            }
        })
    }
}
