//! Where Baton is reached, and the secret that opens: one place for whoever asks, so that a new secret holds from one
//! request to the next.

use std::sync::{OnceLock, PoisonError, RwLock};

use http::Request;

use crate::{
    control::protocol::BaseUrls,
    proxy::{Refusal, Route, authorise},
    store::private::{Private, PrivateError},
};

#[derive(Debug)]
pub(crate) struct Door {
    private: RwLock<Private>,
    /// Empty where nobody listens.
    listening: OnceLock<u16>,
}

impl Door {
    pub(crate) fn new(private: Private) -> Self {
        Self {
            private: RwLock::new(private),
            listening: OnceLock::new(),
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
        self.listening.get().map(|port| self.urls(*port))
    }

    /// What a connected Codex has, also where nobody listens.
    pub(crate) fn last_base_urls(&self) -> Option<BaseUrls> {
        self.last_port().map(|port| self.urls(port))
    }

    pub(crate) fn authorise<B>(&self, request: &Request<B>) -> Result<Route, Refusal> {
        self.read(|private| authorise(request, private.path_secret()))
    }

    /// From now on the old secret opens nothing.
    pub(crate) fn renew(&self) -> Result<(), PrivateError> {
        self.write(Private::renew)
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
