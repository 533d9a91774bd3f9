//! Connections to the upstream: HTTP/1.1 with the OS's trust store, through `HTTPS_PROXY` where one is set.
//!
//! HTTP/1.1 on purpose: with ALPN h2 a WebSocket can't be upgraded, and the pool opens no second connection at the
//! stream limit.

pub(crate) mod addresses;
mod connection;
mod dial;
mod idle;
#[cfg(test)]
mod tests;

use std::{error::Error as StdError, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Request, Response, Uri, Version, header,
    uri::{PathAndQuery, Scheme},
};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper::body::Body as HttpBody;
use url::Url;

pub use self::connection::Answered;
use self::{
    connection::Connection,
    dial::{CONNECT_TIMEOUT, Dialer},
    idle::{Idle, Origin},
};

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

pub fn streamed(body: impl HttpBody<Data = Bytes, Error = hyper::Error> + Send + 'static) -> Body {
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
    dialer: Dialer,
    idle: Arc<Idle>,
}

impl Net {
    pub fn new() -> Result<Self, NetError> {
        Ok(Self {
            dialer: Dialer::new()?,
            idle: Arc::default(),
        })
    }

    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Answered>, NetError> {
        let to = std::mem::take(request.uri_mut());
        let origin = address(&mut request, &to)?;
        loop {
            let waiting = self.idle.take(&origin);
            let reused = waiting.is_some();
            let mut connection = match waiting {
                Some(connection) => connection,
                None => self.connect(&to).await?,
            };
            match connection.exchange(request).await {
                Ok(answer) => {
                    return Ok(answer.map(|body| Answered::new(body, connection, origin, &self.idle)));
                }
                Err(mut failed) => match failed.take_message() {
                    // It was closed while it waited, and nothing of the request has left.
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(NetError::Broken(last_cause(failed.error()))),
                },
            }
        }
    }

    /// After a sleep or a change of network: connections that wait may lead nowhere. What runs on others goes on.
    pub fn forget_idle(&self) {
        self.idle.close_all();
    }

    async fn connect(&self, to: &Uri) -> Result<Connection, NetError> {
        let stream = self.dialer.dial(to.clone()).await?;
        let connection = Connection::new(stream).await;
        connection.map_err(|error| NetError::Broken(last_cause(&error)))
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

    pub async fn post(
        &self,
        url: &Url,
        content_type: &'static str,
        body: String,
    ) -> Result<(u16, Bytes), NetError> {
        let request = Request::post(url.as_str())
            .header(http::header::CONTENT_TYPE, content_type)
            .body(full(body))
            .map_err(|error| NetError::Connect(error.to_string()))?;
        let (parts, body) = self.call(request).await?;
        Ok((parts.status.as_u16(), body))
    }
}

/// Makes of a request to a URL one on a connection to its host.
fn address(request: &mut Request<Body>, to: &Uri) -> Result<Origin, NetError> {
    let (Some(scheme), Some(authority)) = (to.scheme(), to.authority()) else {
        return Err(NetError::Connect(format!("{to} names no host")));
    };
    let path = to.path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    *request.version_mut() = Version::HTTP_11;
    let implied = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = match authority.port_u16() {
        Some(port) if port != implied => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    let host = HeaderValue::from_str(&host).map_err(|error| NetError::Connect(error.to_string()))?;
    request.headers_mut().insert(header::HOST, host);
    Ok(Origin {
        scheme: scheme.clone(),
        authority: authority.clone(),
    })
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
