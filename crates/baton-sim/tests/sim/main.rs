//! The simulated backend over real sockets, as its clients meet it.

mod bindings;
mod faults;
mod limits;
mod program;
mod sign_in;
mod tokens;
mod turns;

use baton_sim::{AccountScript, Client, Login, Mode, Scenario, Sim};

/// A simulation whose time moves only by hand, and two accounts without limits.
fn scenario() -> Scenario {
    Scenario::new()
        .speed(0.0)
        .account(AccountScript::new("acct-a"))
        .account(AccountScript::new("acct-b"))
}

fn client(sim: &Sim, account: &str, mode: Mode) -> Client {
    let login = Login::from_auth_json(&sim.account(account).auth_json()).expect("an auth.json");
    Client::new(sim.base_url(), login).mode(mode).clock(sim.clock())
}

/// A bare HTTP request: the status, the headers in lower case, and the body.
async fn call(
    url: &str,
    method: &str,
    headers: &[(&str, String)],
    body: &str,
) -> std::io::Result<(u16, String, String)> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let url: url::Url = url.parse().expect("a url");
    let mut socket = tokio::net::TcpStream::connect(url.socket_addrs(|| None)?.as_slice()).await?;
    let mut request = format!(
        "{method} {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n",
        &url[url::Position::BeforePath..]
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    socket.write_all(request.as_bytes()).await?;
    let mut raw = Vec::new();
    socket.read_to_end(&mut raw).await?;
    let text = String::from_utf8_lossy(&raw).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Ok((status, head.to_ascii_lowercase(), body.to_owned()))
}

fn bearer(sim: &Sim, account: &str) -> [(&'static str, String); 2] {
    let account = sim.account(account);
    [
        ("authorization", format!("Bearer {}", account.access_token())),
        ("chatgpt-account-id", account.account_id()),
    ]
}

/// A POST of a user text, bare.
async fn post(sim: &Sim, account: &str, text: &str) -> std::io::Result<(u16, String, String)> {
    let body = format!(
        r#"{{"model":"gpt-6.1-sol","stream":true,"input":[{{"type":"message","role":"user","content":[{{"type":"input_text","text":"{text}"}}]}}]}}"#
    );
    call(
        &format!("{}/codex/responses", sim.base_url()),
        "POST",
        &bearer(sim, account),
        &body,
    )
    .await
}
