//! Writes to the store behind everybody's back: the hot path hands over and goes on, whatever the disk does.

use std::{
    fmt, io, mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use baton_core::Pool;
use tokio::sync::{oneshot, watch};

use super::{
    Retention, Store, StoreError,
    ledger::{Batch, EventRecord, News, RequestRecord},
};
use crate::control::protocol::{BlockedTime, ReadingLine};

/// At most this long after it happened, it is on disk.
const BATCH: Duration = Duration::from_millis(200);
/// After a failed write (a full disk, …).
const RETRY: Duration = Duration::from_secs(2);
/// Waiting to be written, of requests as of readings; more are dropped and counted.
const MOST_LINES: usize = 8192;
/// Events are few: this many means that the disk has been failing for long.
const MOST_EVENTS: usize = 65_536;

pub struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    last_request: AtomicU64,
    news: Mutex<News>,
}

struct Shared {
    store: Arc<Store>,
    queue: Mutex<Queue>,
    wake: Condvar,
    problem: watch::Sender<Option<String>>,
}

#[derive(Default)]
struct Queue {
    batch: Batch,
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
            .field("events", &queue.batch.events.len())
            .field("requests", &queue.batch.requests.len())
            .field("dropped", &queue.dropped)
            .finish_non_exhaustive()
    }
}

impl Writer {
    pub fn start(store: Arc<Store>) -> Result<Self, StoreError> {
        let path = store.path.clone();
        let last_request = store.last_request()?;
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
            last_request: AtomicU64::new(last_request),
            news: Mutex::default(),
        })
    }

    /// A new request's number.
    pub fn next_request(&self) -> u64 {
        self.last_request.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn event(&self, event: impl Into<EventRecord>) {
        self.shared.push(|queue| {
            let full = queue.batch.events.len() >= MOST_EVENTS;
            queue.dropped += u64::from(full);
            if !full {
                queue.batch.events.push(event.into());
            }
        });
    }

    pub fn request(&self, record: RequestRecord) {
        self.shared.push(|queue| {
            let full = queue.batch.requests.len() >= MOST_LINES;
            queue.dropped += u64::from(full);
            if !full {
                queue.batch.requests.push(record);
            }
        });
    }

    /// Those that say nothing new aren't kept.
    pub fn readings(&self, lines: Vec<ReadingLine>) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<ReadingLine> = lines.into_iter().filter(|line| news.is(line)).collect();
        drop(news);
        if lines.is_empty() {
            return;
        }
        self.shared.push(|queue| {
            let room = MOST_LINES.saturating_sub(queue.batch.readings.len());
            queue.dropped += lines.len().saturating_sub(room) as u64;
            queue.batch.readings.extend(lines.into_iter().take(room));
        });
    }

    /// A stretch as it stands by now; it replaces the same one of before.
    pub fn blocked(&self, time: BlockedTime) {
        self.shared.push(|queue| {
            let waiting = &mut queue.batch.blocked;
            waiting.retain(|known| known.began != time.began);
            if waiting.len() < MOST_LINES {
                waiting.push(time);
            }
        });
    }

    /// How long the ledger is kept, from the next record on.
    pub(crate) fn retain(&self, retention: Retention) {
        self.shared.store.retain(retention);
    }

    /// The ledger was deleted: the next reading of each window is news.
    pub(crate) fn forget_readings(&self) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).forget();
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
            batch: mem::take(&mut queue.batch),
            pool: queue.pool.take(),
            flushes: mem::take(&mut queue.flushes),
            ..Queue::default()
        };
        (batch, queue.closing)
    }

    fn write(&self, batch: &mut Queue) -> Result<(), StoreError> {
        if !batch.batch.is_empty() {
            self.store.append(&batch.batch)?;
            // Written: not again, should the pool fail.
            batch.batch = Batch::default();
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
        self.batch.is_empty() && self.pool.is_none()
    }

    fn hurried(&self) -> bool {
        self.closing || !self.flushes.is_empty()
    }

    /// In front of what came meanwhile, as far as there is room.
    fn put_back(&mut self, batch: &mut Self) {
        self.pool = self.pool.take().or(batch.pool.take());
        let mut all = mem::take(&mut batch.batch);
        self.dropped += all.append(mem::take(&mut self.batch), MOST_LINES, MOST_EVENTS) as u64;
        self.batch = all;
    }
}

#[cfg(test)]
mod tests {
    use baton_core::{Policy, Strategy, Timestamp};

    use super::*;
    use crate::store::{
        Only,
        ledger::tests::{event_at, record_at},
    };

    fn store(dir: &tempfile::TempDir) -> Arc<Store> {
        Arc::new(Store::open_at(dir.path(), Timestamp::from_secs(0)).unwrap())
    }

    #[tokio::test]
    async fn closing_writes_what_waits_and_of_pools_the_latest() {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::start(store(&dir)).unwrap();
        writer.event(event_at(1));
        writer.request(record_at(2));
        for _ in 0..100 {
            writer.pool(Pool::new(Policy::default()));
        }
        let mut last = Pool::new(Policy::default());
        last.set_strategy(Strategy::Affinity, Timestamp::from_secs(0), &mut Vec::new());
        writer.pool(last.clone());
        writer.close().await;
        let store = store(&dir);
        assert_eq!(store.log(10, Only::default()).unwrap().len(), 2);
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
            writer.request(record_at(secs));
        }
        writer.flush().await;
        assert!(writer.problem().is_some());
        store
            .lock()
            .execute_batch("ALTER TABLE away RENAME TO requests")
            .unwrap();
        writer.flush().await;
        assert_eq!(writer.problem(), None);
        let kept = store.log(10_000, Only::default()).unwrap().len();
        assert!(kept >= MOST_LINES, "{kept}");
        assert_eq!(writer.dropped(), 9000 - kept as u64);
    }
}
