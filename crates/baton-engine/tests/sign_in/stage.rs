//! A Baton without accounts, the issuer, and a browser.

use std::sync::Arc;

use baton_engine::{
    Engine, Options, SystemClock,
    control::protocol::{AccountView, Command, ControlError, Pasted, Reply, SignInView, SignInWay},
    vault::MemoryVault,
};
use baton_sim::{AccountScript, Client, Login, Mode, Scenario, Sim};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

pub(crate) struct Stage {
    pub(crate) sim: Sim,
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) engine: Engine,
    _data: tempfile::TempDir,
}

/// Two people's accounts, and a second workspace of the first one's.
pub(crate) async fn stage() -> Stage {
    stage_at(vec![0]).await
}

pub(crate) async fn stage_at(sign_in_ports: Vec<u16>) -> Stage {
    built(sign_in_ports, false).await
}

/// One that Codex can talk to.
pub(crate) async fn serving() -> Stage {
    built(vec![0], true).await
}

async fn built(sign_in_ports: Vec<u16>, serves: bool) -> Stage {
    let scenario = Scenario::new()
        .account(AccountScript::new("one"))
        .account(AccountScript::new("two"))
        .account(
            AccountScript::new("team")
                .user("user-one")
                .email("one@example.invalid"),
        );
    let sim = Sim::start(scenario).await;
    let vault = Arc::new(MemoryVault::new());
    let data = tempfile::tempdir().unwrap();
    let options = Options {
        data_dir: data.path().join("baton"),
        upstream: sim.base_url().parse().unwrap(),
        issuer: sim.issuer_url().parse().unwrap(),
        port: Some(0),
        sign_in_ports,
        codex_homes: Vec::new(),
        clock: Arc::new(SystemClock),
        read_usage: false,
        vault: Some(Arc::<MemoryVault>::clone(&vault)),
    };
    let engine = match serves {
        true => Box::pin(Engine::start(options)).await,
        false => Box::pin(Engine::offline(options)).await,
    };
    Stage {
        engine: engine.unwrap(),
        sim,
        vault,
        _data: data,
    }
}

impl Stage {
    pub(crate) async fn begin(&self, label: &str) -> Result<SignInView, ControlError> {
        self.begin_by(SignInWay::Browser, label).await
    }

    pub(crate) async fn begin_by(&self, way: SignInWay, label: &str) -> Result<SignInView, ControlError> {
        let label = label.to_owned();
        let reply = self.engine.execute(Command::SignIn { label, way }).await?;
        Ok(waiting(reply))
    }

    pub(crate) async fn paste(&self, id: u64, address: &str) -> Result<Reply, ControlError> {
        let address = Pasted::new(address);
        self.engine.execute(Command::SignInPaste { id, address }).await
    }

    pub(crate) async fn cancel(&self, id: u64) -> String {
        match self.engine.execute(Command::SignInCancel { id }).await.unwrap() {
            Reply::Done { message } => message,
            other => panic!("{other:?}"),
        }
    }

    /// What there is beyond what was seen.
    pub(crate) async fn news(&self, seen: &SignInView) -> SignInView {
        let (id, seen) = (seen.id, seen.version);
        waiting(
            self.engine
                .execute(Command::SignInWait { id, seen })
                .await
                .unwrap(),
        )
    }

    /// How it ends, in words.
    pub(crate) async fn end(&self, id: u64) -> Result<String, String> {
        let mut seen = 0;
        loop {
            match self.engine.execute(Command::SignInWait { id, seen }).await {
                Ok(Reply::SignIn { sign_in }) => seen = sign_in.version,
                Ok(Reply::Added { message, .. }) => return Ok(clean(message)),
                Ok(other) => panic!("{other:?}"),
                Err(error) => return Err(clean(error.message)),
            }
        }
    }

    /// Begins, agrees in the browser, and ends.
    pub(crate) async fn sign_in(&self, label: &str) -> Result<String, String> {
        let sign_in = self.begin(label).await.unwrap();
        visit(&sign_in.link).await;
        self.end(sign_in.id).await
    }

    /// A turn of Codex's; whether it completed.
    pub(crate) async fn turn(&self) -> bool {
        let base_url = &self.engine.base_urls().unwrap().chatgpt_base_url;
        let login = Login::from_auth_json(&self.sim.cli().auth_json()).unwrap();
        let mut client = Client::new(base_url.trim_end_matches('/'), login).mode(Mode::Http);
        client.turn("hello").await.completed
    }

    pub(crate) fn accounts(&self) -> Vec<AccountView> {
        self.engine.snapshot().accounts
    }

    pub(crate) fn labels(&self) -> Vec<String> {
        self.accounts().into_iter().map(|account| account.label).collect()
    }

    /// No account, no grant.
    #[track_caller]
    pub(crate) fn nothing_is_there(&self) {
        assert_eq!(self.labels(), Vec::<String>::new());
        assert_eq!(self.vault.entries(), Vec::<String>::new());
    }
}

fn waiting(reply: Reply) -> SignInView {
    match reply {
        Reply::SignIn { sign_in } => sign_in,
        other => panic!("{other:?}"),
    }
}

/// No token, code or e-mail is in what a person is told.
#[track_caller]
fn clean(said: String) -> String {
    for secret in ["eyJ", "rt_", "ac_", "code=", "@example"] {
        assert!(!said.contains(secret), "{said}");
    }
    said
}

pub(crate) struct Shown {
    pub(crate) address: String,
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

/// A browser's visit: it goes wherever it is sent.
pub(crate) async fn visit(link: &str) -> Shown {
    let mut address = link.to_owned();
    loop {
        match one_page(&address).await {
            (_, head, _, Some(to)) => {
                assert!(head.contains("302"), "{head}");
                address = to;
            }
            (status, head, text, None) => {
                return Shown {
                    address,
                    status,
                    head,
                    text,
                };
            }
        }
    }
}

/// Where the sign-in page sends the browser that can't go there.
pub(crate) async fn sent_to(link: &str) -> String {
    one_page(link).await.3.unwrap()
}

async fn one_page(address: &str) -> (u16, String, String, Option<String>) {
    let url: Url = address.parse().unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", url.port().unwrap()))
        .await
        .unwrap();
    let path = &address[address.find('/').unwrap() + 2..];
    let path = &path[path.find('/').unwrap()..];
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut raw = String::new();
    socket.read_to_string(&mut raw).await.unwrap();
    let (head, text) = raw.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let to = head.lines().find_map(|line| line.strip_prefix("location: "));
    (status, head.to_owned(), text.to_owned(), to.map(str::to_owned))
}
