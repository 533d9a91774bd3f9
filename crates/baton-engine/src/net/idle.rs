//! Connections that wait for their next request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use http::uri::{Authority, Scheme};
use tokio::{task::AbortHandle, time::Instant};

use super::connection::Connection;

/// Not used again after this long, and closed at the next look, which comes as often.
const KEPT: Duration = Duration::from_secs(60);

/// Whom a connection leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
}

#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    kept: HashMap<Origin, Vec<Kept>>,
    /// Closes what is kept for too long; none while nothing is kept.
    watch: Option<AbortHandle>,
}

#[derive(Debug)]
struct Kept {
    connection: Connection,
    since: Instant,
}

impl Idle {
    /// The one used last, if the other side hasn't closed it meanwhile.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        loop {
            let mut kept = self.lock().kept.get_mut(origin)?.pop()?;
            if kept.since.elapsed() < KEPT && kept.connection.is_free() {
                return Some(kept.connection);
            }
        }
    }

    pub(super) fn put(self: &Arc<Self>, origin: &Origin, mut connection: Connection) {
        if !connection.is_free() {
            return;
        }
        let kept = Kept {
            connection,
            since: Instant::now(),
        };
        let mut state = self.lock();
        match state.kept.get_mut(origin) {
            Some(others) => others.push(kept),
            None => {
                state.kept.insert(origin.clone(), vec![kept]);
            }
        }
        if state.watch.is_none() {
            let watch = tokio::spawn(watch(Arc::downgrade(self)));
            state.watch = Some(watch.abort_handle());
        }
    }

    /// Closes all that wait.
    pub(super) fn close_all(&self) {
        self.lock().kept.clear();
    }

    /// True while some are left.
    fn close_old(&self) -> bool {
        let mut state = self.lock();
        for kept in state.kept.values_mut() {
            kept.retain(|kept| kept.since.elapsed() < KEPT);
        }
        state.kept.retain(|_, kept| !kept.is_empty());
        if state.kept.is_empty() {
            state.watch = None;
        }
        state.watch.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(watch) = self.lock().watch.take() {
            watch.abort();
        }
    }
}

async fn watch(idle: Weak<Idle>) {
    loop {
        tokio::time::sleep(KEPT).await;
        if !idle.upgrade().is_some_and(|idle| idle.close_old()) {
            return;
        }
    }
}
