//! What is measured on the screen: a bare tray, and Baton's with two accounts in a keychain.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use baton_engine::control::{Client, protocol::Command as Ask};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{BATON, SIGN_INS, beside, bus::Bus};
use crate::{
    Result,
    process::{Part, started_by},
};

/// Whatever is waited for comes long before.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks for what tells nobody that it is there.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Says what it was that didn't come.
pub(super) async fn within_reason<T>(what: &str, done: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout(PATIENCE, done).await {
        Ok(done) => done,
        Err(_) => Err(format!("{what} did not come").into()),
    }
}

pub(super) struct Stage {
    pub(super) bus: Bus,
    data: PathBuf,
    port: u16,
    _keychain: Child,
}

/// Seconds from a start.
pub(super) struct Started {
    pub(super) part: Part,
    pub(super) on_the_panel: f64,
    /// `None`: it doesn't.
    pub(super) serving: Option<f64>,
}

impl Stage {
    /// With two accounts, in the home that `scripts/screen` gives.
    pub(super) async fn new(home: &Path) -> Result<Self> {
        let mut stage = Self {
            bus: Bus::listen().await?,
            data: home.join("baton"),
            port: TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port(),
            _keychain: keychain().await?,
        };
        std::fs::create_dir_all(&stage.data)?;
        // Not the usual one: a person's own Baton may have it.
        std::fs::write(
            stage.data.join("settings.toml"),
            format!("port = {}\n", stage.port),
        )?;
        let sign_ins = PathBuf::from(std::env::var_os(SIGN_INS).ok_or("there are no sign-ins")?);
        let started = stage.baton().await?;
        stage.ask(Ask::AcceptTerms).await?;
        for (name, label) in [("acct-a", "Personal"), ("acct-b", "Work")] {
            stage
                .ask(Ask::AddFrom {
                    path: sign_ins.join(name).join("auth.json"),
                    label: label.to_owned(),
                })
                .await?;
        }
        stage.end(started.part).await?;
        Ok(stage)
    }

    pub(super) async fn bare(&mut self) -> Result<Started> {
        let began = Instant::now();
        let part = Part::silent(&beside("examples/bare_tray")?, &[] as &[&str])?;
        let registered = within_reason("the bare tray's icon", self.bus.registered()).await?;
        Ok(Started {
            part,
            on_the_panel: (registered - began.into_std()).as_secs_f64(),
            serving: None,
        })
    }

    pub(super) async fn baton(&mut self) -> Result<Started> {
        let began = Instant::now();
        let part = Part::silent(&beside(BATON)?, &["--data-dir".as_ref(), self.data.as_os_str()])?;
        let both = async { tokio::try_join!(self.bus.registered(), answers(self.port)) };
        let (registered, answered) = within_reason("Baton's icon, or its proxy's answer,", both).await?;
        Ok(Started {
            part,
            on_the_panel: (registered - began.into_std()).as_secs_f64(),
            serving: Some((answered - began).as_secs_f64()),
        })
    }

    /// As `baton stop` does.
    pub(super) async fn end(&self, baton: Part) -> Result<()> {
        self.ask(Ask::Stop).await?;
        baton.ended().await
    }

    async fn ask(&self, what: Ask) -> Result<()> {
        let mut client = Client::connect(&self.data).await?;
        client.call(what).await?;
        Ok(())
    }
}

/// An empty one, unlocked. It ends with the bus.
async fn keychain() -> Result<Child> {
    let mut daemon = Command::new("gnome-keyring-daemon")
        .args(["--unlock", "--components=secrets", "--foreground"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("gnome-keyring-daemon: {error}"))?;
    let mut password = daemon.stdin.take().ok_or("the keychain has no input")?;
    password.write_all(b"test").await?;
    drop(password);
    Ok(daemon)
}

/// When the proxy has said its first word.
async fn answers(port: u16) -> Result<Instant> {
    while first_word(port).await.is_err() {
        sleep(LOOK_AGAIN).await;
    }
    Ok(Instant::now())
}

async fn first_word(port: u16) -> std::io::Result<u8> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    connection.write_all(request).await?;
    connection.read_u8().await
}

/// Of what a tray has started, the process in this role.
pub(super) fn in_role(tray: &Part, role: &str) -> Result<Option<u32>> {
    Ok(started_by(tray.id()?)?.into_iter().find(|process| {
        let command = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        command.split('\0').nth(1) == Some(role)
    }))
}

/// Until the tray has no window any more.
pub(super) async fn without_a_window(tray: &Part) -> Result<()> {
    while in_role(tray, "window")?.is_some() {
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
