//! Writes to the store behind everybody's back: the hot path hands over and goes on, whatever the disk does.

use std::{
    fmt, io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use baton_core::{Event, Pool};
use tokio::sync::{oneshot, watch};

use super::{Store, StoreError};
use crate::control::protocol::RequestLine;

/// At most this long after it happened, it is on disk.
const BATCH: Duration = Duration::from_millis(200);
/// After a failed write (a full disk, …).
const RETRY: Duration = Duration::from_secs(2);
/// Waiting to be written; more are dropped and counted.
const MOST_LINES: usize = 8192;
/// Events are few: this many means that the disk has been failing for long.
const MOST_EVENTS: usize = 65_536;

pub struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Shared {
    store: Arc<Store>,
    queue: Mutex<Queue>,
    wake: Condvar,
    problem: watch::Sender<Option<String>>,
}

#[derive(Default)]
struct Queue {
    events: Vec<Event>,
    lines: Vec<RequestLine>,
    /// Only the latest counts.
    pool: Option<Pool>,
    flushes: Vec<oneshot::Sender<()>>,
    closing: bool,
    /// The thread waits for something to write. While it gathers, what comes doesn't wake it.
    asleep: bool,
    /// The thread has gone: nobody will write any more.
    ended: bool,
    dropped: u64,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.shared.lock();
        f.debug_struct("Writer")
            .field("events", &queue.events.len())
            .field("lines", &queue.lines.len())
            .field("dropped", &queue.dropped)
            .finish_non_exhaustive()
    }
}

impl Writer {
    pub fn start(store: Arc<Store>) -> Result<Self, StoreError> {
        let path = store.path.clone();
        let shared = Arc::new(Shared {
            store,
            queue: Mutex::default(),
            wake: Condvar::new(),
            problem: watch::channel(None).0,
        });
        let thread = Arc::clone(&shared);
        let started = thread::Builder::new()
            .name("baton-store".to_owned())
            .spawn(move || thread.run());
        let started = started.map_err(|source: io::Error| StoreError::Io { path, source })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(started)),
        })
    }

    pub fn event(&self, event: Event) {
        self.shared.push(|queue| {
            if queue.events.len() < MOST_EVENTS {
                queue.events.push(event);
            } else {
                queue.dropped += 1;
            }
        });
    }

    pub fn request(&self, line: RequestLine) {
        self.shared.push(|queue| {
            if queue.lines.len() < MOST_LINES {
                queue.lines.push(line);
            } else {
                queue.dropped += 1;
            }
        });
    }

    /// Replaces one handed over before that isn't written yet.
    pub fn pool(&self, pool: Pool) {
        self.shared.push(|queue| queue.pool = Some(pool));
    }

    /// Lines and events that found no room so far.
    pub fn dropped(&self) -> u64 {
        self.shared.lock().dropped
    }

    /// Why nothing can be written, while that lasts.
    pub fn problem(&self) -> Option<String> {
        self.shared.problem.borrow().clone()
    }

    /// [`Self::problem`] as it comes and goes.
    pub fn problems(&self) -> watch::Receiver<Option<String>> {
        self.shared.problem.subscribe()
    }

    /// Returns once everything handed over so far is written, or writing has failed.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        self.shared.push(|queue| {
            if !queue.ended {
                queue.flushes.push(done);
            }
        });
        // The answer is that the sender is dropped.
        let _ = flushed.await;
    }

    /// Writes what waits and ends. What is handed over later is lost. Afterwards nothing here has the database open, but
    /// for who still holds this.
    pub async fn close(&self) {
        self.shared.push(|queue| queue.closing = true);
        self.flush().await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It is at its last step. One that has panicked has ended, too.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.push(|queue| queue.closing = true);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.lock();
        change(&mut queue);
        if queue.asleep || queue.hurried() {
            drop(queue);
            self.wake.notify_one();
        }
    }

    fn run(&self) {
        let _ended = Ended(self);
        loop {
            let (mut batch, closing) = self.next_batch();
            let result = self.write(&mut batch);
            self.done(batch, result);
            if closing {
                return;
            }
        }
    }

    /// Sleeps until there is something, then gathers for a moment, unless somebody waits for it.
    fn next_batch(&self) -> (Queue, bool) {
        let idle = |queue: &mut Queue| {
            queue.asleep = !queue.hurried() && queue.is_empty();
            queue.asleep
        };
        let mut queue = self
            .wake
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        let gather = if self.problem.borrow().is_some() {
            RETRY
        } else {
            BATCH
        };
        let until = Instant::now() + gather;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if queue.hurried() || left.is_zero() {
                break;
            }
            (queue, _) = self
                .wake
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let batch = Queue {
            events: mem::take(&mut queue.events),
            lines: mem::take(&mut queue.lines),
            pool: queue.pool.take(),
            flushes: mem::take(&mut queue.flushes),
            ..Queue::default()
        };
        (batch, queue.closing)
    }

    fn write(&self, batch: &mut Queue) -> Result<(), StoreError> {
        if !batch.events.is_empty() || !batch.lines.is_empty() {
            self.store.append(&batch.events, &batch.lines)?;
            // Written: not again, should the pool fail.
            batch.events.clear();
            batch.lines.clear();
        }
        batch.pool.as_ref().map_or(Ok(()), |pool| self.store.save(pool))
    }

    fn done(&self, mut batch: Queue, result: Result<(), StoreError>) {
        let mut queue = self.lock();
        match result {
            Ok(()) => {
                if self.problem.send_if_modified(|problem| problem.take().is_some()) {
                    tracing::info!("records are written again");
                }
            }
            Err(error) => {
                if self.problem.borrow().is_none() {
                    tracing::warn!(%error, "nothing can be written: it waits in memory");
                }
                let error = Some(error.to_string());
                self.problem
                    .send_if_modified(|problem| mem::replace(problem, error.clone()) != error);
                queue.put_back(&mut batch);
            }
        }
        // With the batch go the senders of those who wait: they are answered either way.
    }
}

/// However the thread ends, nobody waits for it in vain.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.ended = true;
        queue.flushes.clear();
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.lines.is_empty() && self.pool.is_none()
    }

    fn hurried(&self) -> bool {
        self.closing || !self.flushes.is_empty()
    }

    /// In front of what came meanwhile, as far as there is room.
    fn put_back(&mut self, batch: &mut Self) {
        self.pool = self.pool.take().or(batch.pool.take());
        batch.events.append(&mut self.events);
        batch.lines.append(&mut self.lines);
        self.dropped += batch.events.len().saturating_sub(MOST_EVENTS) as u64;
        self.dropped += batch.lines.len().saturating_sub(MOST_LINES) as u64;
        batch.events.truncate(MOST_EVENTS);
        batch.lines.truncate(MOST_LINES);
        self.events = mem::take(&mut batch.events);
        self.lines = mem::take(&mut batch.lines);
    }
}

#[cfg(test)]
mod tests {
    use baton_core::{Policy, Strategy, Timestamp};

    use super::*;
    use crate::store::ledger::tests::{event_at, line_at};

    fn store(dir: &tempfile::TempDir) -> Arc<Store> {
        Arc::new(Store::open_at(dir.path(), Timestamp::from_secs(0)).unwrap())
    }

    #[tokio::test]
    async fn closing_writes_what_waits_and_of_pools_the_latest() {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::start(store(&dir)).unwrap();
        writer.event(event_at(1));
        writer.request(line_at(2));
        for _ in 0..100 {
            writer.pool(Pool::new(Policy::default()));
        }
        let mut last = Pool::new(Policy::default());
        last.set_strategy(Strategy::Affinity, Timestamp::from_secs(0), &mut Vec::new());
        writer.pool(last.clone());
        writer.close().await;
        let store = store(&dir);
        assert_eq!(store.log(10).unwrap().len(), 2);
        assert_eq!(store.load(*last.policy()).unwrap(), last);
        // Closing twice, or flushing what is closed, waits for nobody.
        writer.close().await;
        writer.flush().await;
    }

    #[tokio::test]
    async fn a_store_that_can_not_be_written_blocks_nobody_and_loses_no_more_than_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        let writer = Writer::start(Arc::clone(&store)).unwrap();
        store
            .lock()
            .execute_batch("ALTER TABLE requests RENAME TO away")
            .unwrap();
        for secs in 0..9000 {
            writer.request(line_at(secs));
        }
        writer.flush().await;
        assert!(writer.problem().is_some());
        store
            .lock()
            .execute_batch("ALTER TABLE away RENAME TO requests")
            .unwrap();
        writer.flush().await;
        assert_eq!(writer.problem(), None);
        let kept = store.log(10_000).unwrap().len();
        assert!(kept >= MOST_LINES, "{kept}");
        assert_eq!(writer.dropped(), 9000 - kept as u64);
    }
}
