//! One sign-in as all sides see it: who waits for its end, what came back from the browser, and who ended it.

use std::{
    future::Future,
    sync::{Mutex, OnceLock, PoisonError},
};

use baton_core::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    SignInError,
    callback::{Callback, NoCallback},
    secrets::Secrets,
    site::Page,
};
use crate::{
    admission::Admitted,
    control::protocol::{ControlError, SignInView},
};

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) id: u64,
    /// What a new account is to be called.
    pub(super) label: String,
    pub(super) link: String,
    pub(super) user_code: Option<String>,
    pub(super) expires_at: Timestamp,
    /// Of the browser's way.
    pub(super) secrets: Option<Secrets>,
    pub(super) back: Mutex<Option<oneshot::Sender<Callback>>>,
    page: Mutex<Option<oneshot::Sender<Page>>>,
    progress: watch::Sender<Progress>,
    ending: CancellationToken,
    why: OnceLock<SignInError>,
}

#[derive(Debug, Default)]
struct Progress {
    version: u64,
    note: Option<String>,
    outcome: Option<Result<Admitted, ControlError>>,
}

impl Attempt {
    pub(super) fn new(id: u64, label: String, link: String, expires_at: Timestamp) -> Self {
        Self {
            id,
            label,
            link,
            user_code: None,
            expires_at,
            secrets: None,
            back: Mutex::default(),
            page: Mutex::default(),
            progress: watch::channel(Progress::default()).0,
            ending: CancellationToken::new(),
            why: OnceLock::new(),
        }
    }

    /// The browser, or a pasted address: the first one of this sign-in counts. What comes of it is shown in the end.
    pub(super) fn came_back(
        &self,
        read: impl FnOnce(&Secrets) -> Result<Callback, NoCallback>,
    ) -> Result<oneshot::Receiver<Page>, NoCallback> {
        let callback = read(self.secrets.as_ref().ok_or(NoCallback::Unreadable)?)?;
        let mut back = self.back.lock().unwrap_or_else(PoisonError::into_inner);
        let back = back.take().ok_or(NoCallback::Twice)?;
        let (page, shown) = oneshot::channel();
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
        back.send(callback).map_err(|_| NoCallback::Twice)?;
        Ok(shown)
    }

    /// Something for the person who waits.
    pub(super) fn note(&self, note: String) {
        self.progress.send_if_modified(|progress| {
            let news = progress.note.as_ref() != Some(&note);
            if news {
                progress.version += 1;
                progress.note = Some(note);
            }
            news
        });
    }

    /// The first reason counts.
    pub(super) fn end(&self, why: SignInError) {
        let _ = self.why.set(why);
        self.ending.cancel();
    }

    /// Runs until it is ended.
    pub(super) async fn unless_ended<T>(
        &self,
        work: impl Future<Output = Result<T, SignInError>>,
    ) -> Result<T, SignInError> {
        tokio::select! {
            biased;
            () = self.ending.cancelled() => Err(self.why.get().cloned().unwrap_or(SignInError::Cancelled)),
            done = work => done,
        }
    }

    /// Told to whoever waits, and to the browser.
    pub(super) fn finish(&self, outcome: Result<Admitted, ControlError>, page: Page) {
        self.progress.send_modify(|progress| {
            progress.version += 1;
            progress.outcome = Some(outcome);
        });
        let waiting = self.page.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            // The browser may have gone.
            let _ = waiting.send(page);
        }
    }

    pub(super) fn view(&self) -> SignInView {
        let progress = self.progress.borrow();
        SignInView {
            id: self.id,
            link: self.link.clone(),
            code: self.user_code.clone(),
            expires_at: self.expires_at,
            version: progress.version,
            note: progress.note.clone(),
        }
    }

    /// Until there is news beyond `seen`; what came of it, if it has ended.
    pub(super) async fn news(&self, seen: u64) -> Option<Result<Admitted, ControlError>> {
        let mut progress = self.progress.subscribe();
        let news = progress
            .wait_for(|progress| progress.version > seen || progress.outcome.is_some())
            .await;
        // The sender lives in `self`: this can't fail.
        news.ok()?.outcome.clone()
    }

    pub(super) fn outcome(&self) -> Option<Result<Admitted, ControlError>> {
        self.progress.borrow().outcome.clone()
    }

    /// What came of it, once it has ended.
    pub(super) async fn finished(&self) -> Result<Admitted, ControlError> {
        loop {
            if let Some(outcome) = self.news(u64::MAX).await {
                return outcome;
            }
        }
    }
}
