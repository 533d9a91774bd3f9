//! Everything beyond loopback: a proxy that refuses, and remembers who wanted to go where.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

#[derive(Debug)]
pub(crate) struct Outside {
    url: String,
    attempts: Arc<Mutex<Vec<String>>>,
    listening: JoinHandle<()>,
}

impl Outside {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let attempts = Arc::default();
        let listening = tokio::spawn(refuse_all(listener, Arc::clone(&attempts)));
        Self {
            url,
            attempts,
            listening,
        }
    }

    /// For the environment of a program that is to be kept on loopback.
    pub(crate) fn environment(&self) -> Vec<(&'static str, &str)> {
        let through = [
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "ALL_PROXY",
            "https_proxy",
            "http_proxy",
            "all_proxy",
        ];
        let direct = ["NO_PROXY", "no_proxy"].map(|name| (name, "127.0.0.1,localhost,::1"));
        through
            .map(|name| (name, self.url.as_str()))
            .into_iter()
            .chain(direct)
            .collect()
    }

    /// `host:port` of every attempt, in order.
    pub(crate) fn attempts(&self) -> Vec<String> {
        self.attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn refuse_all(listener: TcpListener, attempts: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let attempts = Arc::clone(&attempts);
        tokio::spawn(async move {
            let target = refuse(stream)
                .await
                .unwrap_or_else(|error| format!("nothing readable: {error}"));
            attempts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(target);
        });
    }
}

/// `CONNECT host:port HTTP/1.1`, or `GET http://host/path HTTP/1.1`.
async fn refuse(mut stream: TcpStream) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(&mut stream).read_line(&mut line).await?;
    stream
        .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .await?;
    Ok(line.split(' ').nth(1).unwrap_or_default().to_owned())
}
