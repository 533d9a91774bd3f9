//! Clients over HTTP: each has one connection and sends its next request when the answer before is whole.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};
use url::Url;

use crate::{
    Result,
    wire::{self, HOLD, LIMIT, LONG},
};

/// A request's body, and how it is encoded.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    pub(crate) zstd: bool,
}

#[derive(Debug)]
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    url: Url,
}

/// What some clients did in a while.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) per_second: f64,
}

impl Measured {
    /// The latency that this share of the requests stayed within.
    pub(crate) fn percentile(&mut self, share: f64) -> Duration {
        self.latencies.sort_unstable();
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

impl Client {
    pub(crate) async fn connect(url: &Url) -> Result<Self> {
        let stream = TcpStream::connect(authority(url)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            url: url.clone(),
        })
    }

    fn request(
        &self,
        content: &Content,
        query: &str,
        extra: Option<(&'static str, &str)>,
    ) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{query}", self.url.path()))
            .header(header::HOST, authority(&self.url))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream");
        if content.zstd {
            request = request.header(header::CONTENT_ENCODING, "zstd");
        }
        for (name, value) in wire::headers("turn-1") {
            request = request.header(name, value);
        }
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(content.bytes.clone()))?)
    }

    /// Sends, and reads the whole answer: its status and how many bytes it had.
    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, usize)> {
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let mut body = answer.into_body();
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            size += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok((status, size))
    }

    async fn ask(&mut self, content: &Content) -> Result<()> {
        let request = self.request(content, "", None)?;
        fine(self.exchange(request).await?.0)
    }

    /// How long a request takes that meets a usage limit first. Where nobody fails over, it is sent again.
    pub(crate) async fn meet_limit(&mut self, content: &Content, name: &str) -> Result<Duration> {
        let started = Instant::now();
        let request = self.request(content, "", Some((LIMIT, name)))?;
        let (status, _) = self.exchange(request).await?;
        if status == StatusCode::TOO_MANY_REQUESTS {
            let again = self.request(content, "", Some((LIMIT, name)))?;
            fine(self.exchange(again).await?.0)?;
        } else {
            fine(status)?;
        }
        Ok(started.elapsed())
    }
}

/// Many small requests for `time`.
pub(crate) async fn small(
    url: &Url,
    content: &Content,
    connections: usize,
    time: Duration,
) -> Result<Measured> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = Client::connect(url).await?;
        client.ask(content).await?;
        clients.push(client);
    }
    let started = Instant::now();
    let mut running = JoinSet::new();
    for mut client in clients {
        let content = content.clone();
        running.spawn(async move {
            let mut latencies = Vec::new();
            while started.elapsed() < time {
                let before = Instant::now();
                client.ask(&content).await?;
                latencies.push(before.elapsed());
            }
            Result::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(done) = running.join_next().await {
        latencies.extend(done??);
    }
    let per_second = latencies.len() as f64 / started.elapsed().as_secs_f64();
    Ok(Measured {
        latencies,
        per_second,
    })
}

/// Megabytes a second of some long answers at a time.
pub(crate) async fn streams(url: &Url, content: &Content, count: usize, megabytes: usize) -> Result<f64> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = Client::connect(url).await?;
        client.ask(content).await?;
        clients.push(client);
    }
    let started = Instant::now();
    let mut running = JoinSet::new();
    for mut client in clients {
        let request = client.request(content, &format!("?{LONG}={megabytes}"), None)?;
        running.spawn(async move { client.exchange(request).await });
    }
    let mut bytes = 0;
    while let Some(done) = running.join_next().await {
        let (status, size) = done??;
        fine(status)?;
        bytes += size;
    }
    // A stream that was cut short would look fast.
    if bytes < count * megabytes * 990_000 {
        return Err("a stream was cut short".into());
    }
    Ok(bytes as f64 / 1e6 / started.elapsed().as_secs_f64())
}

/// Streams that have begun and go on; they end when the value is dropped.
pub(crate) async fn open_streams(url: &Url, content: &Content, count: usize) -> Result<JoinSet<()>> {
    let mut open = JoinSet::new();
    for _ in 0..count {
        let mut client = Client::connect(url).await?;
        let request = client.request(content, &format!("?{HOLD}"), None)?;
        let mut answer = client.sender.send_request(request).await?;
        fine(answer.status())?;
        answer.frame().await.ok_or("a stream ended at once")??;
        open.spawn(async move {
            // The sender keeps the connection open.
            let _client = client;
            while answer.frame().await.is_some() {}
        });
    }
    Ok(open)
}

pub(crate) fn authority(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port().unwrap_or(80)
    )
}

fn fine(status: StatusCode) -> Result<()> {
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("answered with {status}").into())
    }
}
