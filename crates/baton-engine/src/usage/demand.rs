//! Who would have anything of a new reading, noted at every request and read by the poller. A poller that sleeps is
//! woken by the first request that may matter to it, and by no other.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use baton_core::{Choice, Timestamp, polling};
use tokio::sync::Notify;

const NEVER: i64 = i64::MIN;

#[derive(Debug)]
pub(crate) struct Demand {
    last_request: AtomicI64,
    awaited_until: AtomicI64,
    /// Requests from this moment on wake the poller, once.
    wake_from: AtomicI64,
    wake: Notify,
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            last_request: AtomicI64::new(NEVER),
            awaited_until: AtomicI64::new(NEVER),
            wake_from: AtomicI64::new(i64::MAX),
            wake: Notify::new(),
        }
    }
}

impl Demand {
    /// On the hot path: two stores and a comparison.
    pub(crate) fn request(&self, choice: &Choice, now: Timestamp) {
        self.last_request.store(now.as_millis(), SeqCst);
        if let Choice::Wait { until, .. } = choice {
            self.awaited_until.store(until.as_millis(), SeqCst);
        }
        if now.as_millis() >= self.wake_from.load(SeqCst) {
            self.wake_from.store(i64::MAX, SeqCst);
            self.wake.notify_one();
        }
    }

    pub(super) fn now(&self, running: bool) -> polling::Demand {
        let known = |at: &AtomicI64| Some(at.load(SeqCst)).filter(|at| *at != NEVER);
        polling::Demand {
            last_request: known(&self.last_request).map(Timestamp::from_millis),
            running,
            awaited_until: known(&self.awaited_until).map(Timestamp::from_millis),
        }
    }

    /// From `at` on a request wakes the poller; `None`: any request. To be set before deciding to sleep, so that none is
    /// missed.
    pub(super) fn wake_from(&self, at: Option<Timestamp>) {
        self.wake_from
            .store(at.map_or(NEVER, Timestamp::as_millis), SeqCst);
    }

    pub(super) async fn awakened(&self) {
        self.wake.notified().await;
    }
}
