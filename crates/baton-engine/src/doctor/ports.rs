//! The proxy, asked as Codex would: with its secret, and with another.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use url::Url;

use crate::{control::protocol::BaseUrls, proxy::no_ipv6};

const WITHIN: Duration = Duration::from_secs(5);
/// Of the answers, the one that Baton gives by itself: nothing leaves the machine.
const ROUTE: &str = "backend-api/wham/accounts/check";
const STATUS_LINE: usize = "HTTP/1.1 404".len();

#[derive(Debug)]
pub(super) struct Listening {
    pub(super) port: u16,
    pub(super) v4: Answered,
    pub(super) v6: Answered,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    AsItShould,
    /// The machine has no such addresses.
    NoSuchFamily,
    /// What it did instead, after an address.
    Otherwise(String),
}

pub(super) async fn ask(urls: &BaseUrls) -> Listening {
    let url = Url::parse(&urls.openai_base_url).ok();
    let port = url.as_ref().and_then(Url::port).unwrap_or_default();
    let secret = url
        .as_ref()
        .and_then(|url| url.path_segments()?.next())
        .unwrap_or_default();
    let ask = async |address: IpAddr| answered(SocketAddr::new(address, port), secret).await;
    Listening {
        port,
        v4: ask(Ipv4Addr::LOCALHOST.into()).await,
        v6: ask(Ipv6Addr::LOCALHOST.into()).await,
    }
}

async fn answered(address: SocketAddr, secret: &str) -> Answered {
    for (secret, expected) in [(secret, 200), ("not-the-secret", 404)] {
        match timeout(WITHIN, status(address, secret)).await {
            Ok(Ok(status)) if status == expected => {}
            Ok(Ok(_)) => return Answered::Otherwise("is answered by another program".to_owned()),
            Ok(Err(error)) if address.is_ipv6() && no_ipv6(&error) => return Answered::NoSuchFamily,
            Ok(Err(error)) => return Answered::Otherwise(format!("can't be reached ({error})")),
            Err(_) => return Answered::Otherwise(format!("doesn't answer within {} s", WITHIN.as_secs())),
        }
    }
    Answered::AsItShould
}

async fn status(address: SocketAddr, secret: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /{secret}/{ROUTE} HTTP/1.1\r\nhost: {address}\r\nchatgpt-account-id: baton-doctor\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; STATUS_LINE];
    stream.read_exact(&mut head).await?;
    let status = head.split(|byte| *byte == b' ').nth(1);
    let status = status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| io::Error::other("that is no HTTP"))
}
