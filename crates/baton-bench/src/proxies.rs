//! What stands between client and service: nothing, nginx, Baton, or a bare relay of bytes.

use std::{path::Path, sync::Arc, time::Duration};

use baton_engine::{Engine, Options, vault::MemoryVault};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use url::Url;

use crate::{
    Result,
    process::{Part, announce, orphaned},
    wire,
};

const NGINX_READY_WITHIN: Duration = Duration::from_secs(5);

/// A way to the service.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// Of model requests.
    pub(crate) url: Url,
    /// `None`: there is nothing in between.
    pub(crate) part: Option<Part>,
}

pub(crate) fn direct(upstream: &str) -> Result<Way> {
    let url = Url::parse(&format!("http://{upstream}{}", wire::RESPONSES))?;
    Ok(Way {
        name: "direct",
        url,
        part: None,
    })
}

// === Baton ===

/// The engine in a process of its own, with a keychain in memory and this many accounts.
pub(crate) async fn baton(upstream: &str, accounts: usize) -> Result<Way> {
    let sign_ins = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
    for number in 0..accounts {
        let file = sign_ins.path().join(format!("{number}.json"));
        std::fs::write(file, wire::auth_json(number))?;
    }
    baton_of(upstream, sign_ins.path()).await
}

/// The same, with an account for each auth.json of a folder.
pub(crate) async fn baton_of(upstream: &str, sign_ins: &Path) -> Result<Way> {
    let part = Part::role(&["proxy".as_ref(), upstream.as_ref(), sign_ins.as_os_str()]).await?;
    let url = Url::parse(&format!("{}/responses", part.said))?;
    Ok(Way {
        name: "Baton",
        url,
        part: Some(part),
    })
}

pub(crate) async fn run_baton(upstream: &str, sign_ins: &Path) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
    let mut options = Options::from_env(Some(dir.path()), Some(0))?;
    options.upstream = Url::parse(&format!("http://{upstream}/backend-api"))?;
    options.issuer = Url::parse(&format!("http://{upstream}/"))?;
    options.codex_homes = Vec::new();
    options.vault = Some(Arc::new(MemoryVault::new()));
    let engine = Box::pin(Engine::start(options)).await?;
    for (number, file) in std::fs::read_dir(sign_ins)?.enumerate() {
        let auth_json = std::fs::read(file?.path())?;
        Box::pin(engine.add_auth_json(&auth_json, &format!("account {number}"))).await?;
    }
    let urls = engine.base_urls().ok_or("the engine doesn't listen")?;
    announce(&urls.openai_base_url);
    orphaned().await;
    Ok(())
}

// === nginx ===

/// One process, nothing buffered, nothing logged, connections to the service kept.
pub(crate) async fn nginx(upstream: &str, dir: &Path) -> Result<Way> {
    let port = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port();
    let path = dir.display();
    let conf = format!(
        "daemon off;
master_process off;
pid {path}/nginx.pid;
error_log {path}/error.log crit;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {path}/body;
    proxy_temp_path {path}/proxy;
    fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi;
    scgi_temp_path {path}/scgi;
    client_max_body_size 0;
    client_body_buffer_size 128k;
    keepalive_requests 100000000;
    upstream service {{
        server {upstream};
        keepalive 256;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_buffering off;
            proxy_buffer_size 16k;
            proxy_buffers 8 16k;
            proxy_request_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"
    );
    let file = dir.join("nginx.conf");
    std::fs::write(&file, conf)?;
    let program = [
        "/usr/sbin/nginx",
        "/usr/local/bin/nginx",
        "/opt/homebrew/bin/nginx",
    ]
    .into_iter()
    .map(Path::new)
    .find(|path| path.exists())
    .ok_or("nginx isn't installed: `scripts/setup bench` does that")?;
    let error_log = format!("{path}/error.log");
    let part = Part::silent(
        program,
        &[
            "-c".as_ref(),
            file.as_os_str(),
            "-p".as_ref(),
            dir.as_os_str(),
            "-e".as_ref(),
            error_log.as_ref(),
        ],
    )?;
    let ready = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(NGINX_READY_WITHIN, ready).await.is_err() {
        let why = std::fs::read_to_string(dir.join("error.log")).unwrap_or_default();
        return Err(format!("nginx doesn't listen: {why}").into());
    }
    let url = Url::parse(&format!("http://127.0.0.1:{port}{}", wire::RESPONSES))?;
    Ok(Way {
        name: "nginx",
        url,
        part: Some(part),
    })
}

// === the relay ===

/// Copies bytes both ways and looks at none of them.
pub(crate) async fn relay(upstream: &str) -> Result<Way> {
    let part = Part::role(&["relay", upstream]).await?;
    let url = Url::parse(&format!("http://{}{}", part.said, wire::RESPONSES))?;
    Ok(Way {
        name: "relay",
        url,
        part: Some(part),
    })
}

pub(crate) async fn run_relay(upstream: String) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(&format!("127.0.0.1:{}", listener.local_addr()?.port()));
    loop {
        let (mut client, _) = listener.accept().await?;
        client.set_nodelay(true)?;
        let upstream = upstream.clone();
        tokio::spawn(async move {
            let mut service = TcpStream::connect(upstream).await?;
            service.set_nodelay(true)?;
            copy_bidirectional(&mut client, &mut service).await
        });
    }
}
