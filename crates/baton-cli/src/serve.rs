//! `baton serve`: Baton in this terminal, without a desktop.

use std::{path::Path, process::ExitCode};

use baton_engine::{Engine, Options, control::protocol::BaseUrls};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::{
    args::ServeArgs,
    error::{Failure, not_kept},
    show::{Out, Style},
};

/// Ended by a second signal.
const ENDED_AT_ONCE: u8 = 130;

pub(crate) async fn run(
    data_dir: Option<&Path>,
    args: &ServeArgs,
    log: Option<&str>,
    out: Out,
) -> Result<ExitCode, Failure> {
    log_to_stderr(log, "info")?;
    // Heard from the start: a signal while starting ends it too.
    let mut signals = Signals::new()?;
    let options = Options::from_env(data_dir, args.port)?;
    let dir = options.data_dir.clone();
    let mut engine = Box::pin(Engine::start(options)).await?;
    if let Ok(program) = std::env::current_exe() {
        engine.start_guardian(&program);
        engine.start_self_tests(&program);
    }
    if let Some(urls) = engine.base_urls() {
        if out.json {
            out.print_json(&json!({ "base_urls": urls, "data_dir": dir }));
        } else {
            out.print(&set_up(&urls));
        }
    }
    tokio::select! {
        () = signals.next() => tracing::info!("ending: requests under way end first; once more ends at once"),
        () = engine.stop_requested() => tracing::info!("asked to stop: requests under way end first"),
    }
    tokio::select! {
        lost = engine.shutdown() => match lost {
            None => Ok(ExitCode::SUCCESS),
            Some(why) => Err(not_kept(&why)),
        },
        () = signals.next() => Ok(ExitCode::from(ENDED_AT_ONCE)),
    }
}

fn set_up(urls: &BaseUrls) -> String {
    format!(
        "Baton is running. `baton connect` lets Codex go through it, for as long as it runs. By hand, these two lines at the \
         top of Codex's config.toml (~/.codex/config.toml), above any [table], do the same:\n\n  openai_base_url = \
         \"{}\"\n  chatgpt_base_url = \"{}\"\n\nThey differ on purpose, and hold a secret of this machine: treat them like a \
         password.\nCtrl-C ends Baton; lines that were put in by hand must be removed then, or Codex finds nobody there.",
        urls.openai_base_url, urls.chatgpt_base_url
    )
}

/// Ctrl-C and SIGTERM.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen =
            |kind| signal(kind).map_err(|error| Failure::new(format!("no signals can be heard: {error}")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

pub(crate) fn log_to_stderr(filter: Option<&str>, default: &str) -> Result<(), Failure> {
    let wanted = filter
        .filter(|filter| !filter.trim().is_empty())
        .unwrap_or(default);
    let filter = EnvFilter::try_new(wanted).map_err(|error| {
        Failure::new(format!(
            "`{wanted}` is no log filter ({error}); try `info` or `baton_engine=debug`"
        ))
    })?;
    let colours = Style::of(&std::io::stderr()).coloured();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A log that can't be written is no event of its own: saying so would fail like it, and panic.
        .log_internal_errors(false)
        .with_ansi(colours);
    // Set once a process; a second time only in tests.
    let _ = subscriber.try_init();
    Ok(())
}
