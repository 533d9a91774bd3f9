//! Where Baton is reached, and the secret that opens: one place for whoever asks, so that a new secret holds from one
//! request to the next.

use std::{
    path::Path,
    sync::{
        OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use http::Request;

use crate::{
    codex,
    control::protocol::{BaseUrls, ControlError, ErrorKind, Reply},
    proxy::{Refusal, Route, authorise},
    store::private::Private,
};

#[derive(Debug)]
pub(crate) struct Door {
    private: RwLock<Private>,
    /// Empty where nobody listens.
    listening: OnceLock<u16>,
    /// Whoever is there may stay; nobody is told of it any more.
    leaving: AtomicBool,
}

impl Door {
    pub(crate) fn new(private: Private) -> Self {
        Self {
            private: RwLock::new(private),
            listening: OnceLock::new(),
            leaving: AtomicBool::new(false),
        }
    }

    /// The port of this Baton, and where the next one is looked for.
    pub(crate) fn listens_on(&self, port: u16) {
        self.listening.get_or_init(|| port);
        let remembered = self.write(|private| private.remember_port(port));
        if let Err(error) = remembered {
            tracing::warn!(%error, "the next start may listen on another port");
        }
    }

    /// The port last served on.
    pub(crate) fn last_port(&self) -> Option<u16> {
        self.read(Private::port)
    }

    /// What Codex must be given while this Baton serves.
    pub(crate) fn base_urls(&self) -> Option<BaseUrls> {
        if self.leaving.load(Ordering::Relaxed) {
            return None;
        }
        self.listening.get().map(|port| self.urls(*port))
    }

    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    // Large only by a Response that is built once a refusal.
    #[allow(clippy::result_large_err)]
    pub(crate) fn authorise<B>(&self, request: &Request<B>) -> Result<Route, Refusal> {
        self.read(|private| authorise(request, private.path_secret()))
    }

    /// From now on the old secret opens nothing, and each Codex that is connected is told the new one.
    pub(crate) async fn renew(&self, data_dir: &Path) -> Result<Reply, ControlError> {
        let failed = |message: String| ControlError::new(ErrorKind::Failed, message);
        self.write(Private::renew)
            .map_err(|error| failed(error.to_string()))?;
        // Also where nobody listens, some may be connected.
        let urls = self.last_port().map(|port| self.urls(port));
        let data_dir = data_dir.to_path_buf();
        // A command may be at Codex's files, which is waited for.
        let told = tokio::task::spawn_blocking(move || {
            let told = urls.map(|urls| codex::readdress_all(&data_dir, &urls));
            told.unwrap_or_default()
        });
        let told = told.await.map_err(|error| failed(error.to_string()))?;
        let mut message =
            "The secret in Baton's base URLs is a new one; the old one is no longer answered.".to_owned();
        if told.done > 0 {
            message.push_str(" Codex's config.toml has it: start a Codex that runs again.");
        }
        message.push_str(" A Codex that was connected by hand must be told the new base URLs.");
        if told.problems.is_empty() {
            return Ok(Reply::Done { message });
        }
        Err(failed(format!(
            "{message} But one has the old one, and finds nobody: {}. Then `baton connect`.",
            told.problems.join("; ")
        )))
    }

    fn urls(&self, port: u16) -> BaseUrls {
        self.read(|private| BaseUrls::new(port, private.path_secret()))
    }

    fn read<R>(&self, look: impl FnOnce(&Private) -> R) -> R {
        look(&self.private.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<R>(&self, change: impl FnOnce(&mut Private) -> R) -> R {
        change(&mut self.private.write().unwrap_or_else(PoisonError::into_inner))
    }
}
