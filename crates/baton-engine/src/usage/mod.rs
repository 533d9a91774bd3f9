//! Reads the accounts' usage, when [`baton_core::polling`] says so. One task, which sleeps until the schedule's next
//! moment, and without one until something happens: a Baton that nobody uses asks for nothing and wakes for nothing.

mod demand;
mod reader;

use std::{collections::HashMap, sync::Arc, time::Duration};

use baton_core::{
    AccountId, Timestamp,
    polling::{Next, Polling},
};
use tokio::{
    sync::{Notify, broadcast, mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    demand::Demand,
    reader::{Clocks, Read, Reader},
};
use crate::{clock::Clock, desk::Desk};

/// A clock that has gone this much further than the time that was slept: the machine was asleep meanwhile.
const SLEPT: Duration = Duration::from_secs(30);

/// Has an account's usage read now, because a person wants to know. The schedule knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Readings(mpsc::Sender<Wanted>);

#[derive(Debug)]
struct Wanted {
    account: AccountId,
    answer: oneshot::Sender<Read>,
}

impl Readings {
    /// `None`: nothing is read any more, for Baton is ending.
    pub(crate) async fn read(&self, account: AccountId) -> Option<Read> {
        let (answer, read) = oneshot::channel();
        self.0.send(Wanted { account, answer }).await.ok()?;
        read.await.ok()
    }
}

pub(crate) struct Poller {
    reader: Reader,
    wanted: (mpsc::Sender<Wanted>, mpsc::Receiver<Wanted>),
    running: Box<dyn Fn() -> u64 + Send + Sync>,
    moved: Arc<Notify>,
    polling: Polling,
    whys: HashMap<AccountId, String>,
    problem: watch::Sender<Option<String>>,
}

impl Poller {
    /// `moved`: told when the machine is in another network.
    pub(crate) fn new(
        reader: Reader,
        running: Box<dyn Fn() -> u64 + Send + Sync>,
        moved: Arc<Notify>,
    ) -> Self {
        Self {
            reader,
            wanted: mpsc::channel(1),
            running,
            moved,
            polling: Polling::new(fastrand::u64(..)),
            whys: HashMap::new(),
            problem: watch::channel(None).0,
        }
    }

    /// Whose usage hasn't been readable for long.
    pub(crate) fn problems(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    pub(crate) fn readings(&self) -> Readings {
        Readings(self.wanted.0.clone())
    }

    pub(crate) async fn run(mut self, stopping: CancellationToken) {
        let desk = Arc::clone(&self.reader.desk);
        let mut events = desk.events();
        loop {
            let nap = Nap::begin(&**desk.clock());
            let sleep = match self.next(&desk) {
                Next::Read(account, why) => {
                    tracing::debug!(%account, ?why, "usage is read");
                    tokio::select! {
                        () = stopping.cancelled() => return,
                        read = self.reader.read(account) => self.came(account, read.came),
                    }
                    continue;
                }
                Next::Sleep(until) => asleep(&desk, until),
            };
            let mut moved = false;
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.moved.notified() => moved = true,
                () = sleep => {}
                Some(Wanted { account, answer }) = self.wanted.1.recv() => {
                    tokio::select! {
                        () = stopping.cancelled() => return,
                        read = self.reader.read(account) => {
                            self.came(account, read.came.clone());
                            // Who asked may have gone away.
                            let _ = answer.send(read);
                        }
                    }
                }
                () = desk.demand().awakened() => {}
                event = events.recv() => if matches!(event, Err(broadcast::error::RecvError::Closed)) { return },
            }
            if moved || nap.was_a_sleep(&**desk.clock()) {
                tracing::debug!(moved, "the machine has slept or moved: connections are made anew");
                self.reader.net.forget_idle();
                self.polling.woke();
            }
        }
    }

    fn next(&mut self, desk: &Desk) -> Next {
        // Whoever comes while this is decided wakes it again.
        desk.demand().wake_from(None);
        let demand = desk.demand().now((self.running)() > 0);
        let next = desk.read(|pool, now| {
            let next = self.polling.next(pool, &demand, now);
            let labels: Vec<_> = self
                .polling
                .unreadable()
                .filter_map(|id| {
                    let label = &pool.account(id)?.account.label;
                    Some((label.to_string(), self.whys.get(&id).cloned().unwrap_or_default()))
                })
                .collect();
            // One that isn't used has more to read from the next request on.
            if let (true, Next::Sleep(until)) = (demand.in_use(now), next) {
                desk.demand()
                    .wake_from(Some(until.unwrap_or(Timestamp::from_millis(i64::MAX))));
            }
            (next, labels)
        });
        let (next, unreadable) = next;
        self.tell(&unreadable);
        next
    }

    fn came(&mut self, account: AccountId, read: Result<(), reader::Unread>) {
        let now = self.reader.desk.now();
        match read {
            Ok(()) => self.polling.answered(account, now),
            Err(unread) => {
                tracing::info!(%account, why = unread.why, "usage can't be read for now");
                self.polling.failed(account, unread.failure, now);
                self.whys.insert(account, unread.why);
            }
        }
    }

    fn tell(&self, unreadable: &[(String, String)]) {
        let problem = unreadable.first().map(|(_, why)| {
            let labels: Vec<_> = unreadable.iter().map(|(label, _)| label.as_str()).collect();
            format!(
                "The usage of {} can't be read from the service ({why}). Baton goes by what passing answers say of it, and \
                 tries again within the hour; requests are served all the same.",
                labels.join(", ")
            )
        });
        self.problem.send_if_modified(|known| {
            let changed = *known != problem;
            *known = problem;
            changed
        });
    }
}

async fn asleep(desk: &Desk, until: Option<Timestamp>) {
    match until {
        Some(until) => {
            let wait = desk.clock().real(until.since(desk.now()));
            tokio::time::sleep(wait.saturating_add(Duration::from_millis(1))).await;
        }
        None => std::future::pending().await,
    }
}

/// Tells a sleep of the machine from a sleep of its own: the system's monotonic clock stands still meanwhile.
#[derive(Debug)]
struct Nap {
    began: Timestamp,
    monotonic: Instant,
}

impl Nap {
    fn begin(clock: &dyn Clock) -> Self {
        Self {
            began: clock.now(),
            monotonic: Instant::now(),
        }
    }

    fn was_a_sleep(&self, clock: &dyn Clock) -> bool {
        let passed = clock.now().since(self.began);
        !passed.is_zero() && clock.real(passed) > self.monotonic.elapsed() + SLEPT
    }
}
