//! Time from outside: the system's, or a simulated backend's compressed one.

use std::{
    fmt::Debug,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use baton_core::Timestamp;

pub trait Clock: Debug + Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// How long `duration` of this clock lasts in real time: what to sleep for it.
    fn real(&self, duration: Duration) -> Duration {
        duration
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Somebody else's clock, such as a simulation's: it may run fast, or stand still until it is moved by hand.
#[derive(Clone, Debug)]
pub struct Borrowed<C> {
    clock: C,
    now_unix_millis: fn(&C) -> i64,
    real: fn(&C, Duration) -> Option<Duration>,
}

impl<C> Borrowed<C> {
    /// `real` is how long a duration of that clock lasts in real time; `None` while it stands still.
    pub fn new(clock: C, now_unix_millis: fn(&C) -> i64, real: fn(&C, Duration) -> Option<Duration>) -> Self {
        Self {
            clock,
            now_unix_millis,
            real,
        }
    }
}

impl<C: Debug + Send + Sync + 'static> Clock for Borrowed<C> {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis((self.now_unix_millis)(&self.clock))
    }

    fn real(&self, duration: Duration) -> Duration {
        // Who moves a clock by hand doesn't wait for what sleeps on it.
        (self.real)(&self.clock, duration).unwrap_or(Duration::MAX)
    }
}
