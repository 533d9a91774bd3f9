//! The simulated clock: real time, compressed by a factor, plus whatever a test advances by hand.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// A cheap handle to the simulation's time. Windows, resets, token lifetimes and delays all live in it.
///
/// `now = start + real elapsed × speed + everything advanced`. A speed of zero freezes time, so that only
/// [`Clock::advance`] moves it.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    start_millis: i64,
    started: Instant,
    speed: f64,
    /// What was advanced by hand; a watch, so that sleepers wake when it moves.
    advanced: watch::Sender<i64>,
}

impl Clock {
    /// A clock that starts at the real time and runs `speed` times as fast.
    #[must_use]
    pub fn new(speed: f64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(i64::try_from(now.as_millis()).unwrap_or(i64::MAX), speed)
    }

    /// A clock that starts at a given Unix time in milliseconds.
    #[must_use]
    pub fn starting_at(start_millis: i64, speed: f64) -> Self {
        let (advanced, _) = watch::channel(0);
        Self(Arc::new(Inner {
            start_millis,
            started: Instant::now(),
            speed: speed.max(0.0),
            advanced,
        }))
    }

    /// The simulated Unix time in milliseconds.
    #[must_use]
    pub fn now_unix_millis(&self) -> i64 {
        let elapsed = self.0.started.elapsed().as_secs_f64() * 1000.0 * self.0.speed;
        self.0.start_millis + elapsed as i64 + *self.0.advanced.borrow()
    }

    /// The simulated Unix time in whole seconds.
    #[must_use]
    pub fn now_unix(&self) -> i64 {
        self.now_unix_millis().div_euclid(1000)
    }

    /// How many simulated seconds pass in a real one.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.0.speed
    }

    /// Moves time forward at once and wakes whoever sleeps on this clock.
    pub fn advance(&self, by: Duration) {
        self.0.advanced.send_modify(|at| *at += millis(by));
    }

    /// The real time that a simulated duration takes; `None` while time is frozen.
    #[must_use]
    pub fn real(&self, simulated: Duration) -> Option<Duration> {
        (self.0.speed > 0.0).then(|| simulated.div_f64(self.0.speed))
    }

    /// Sleeps for a simulated duration; [`Clock::advance`] shortens it.
    pub async fn sleep(&self, simulated: Duration) {
        if simulated.is_zero() {
            return;
        }
        let until = self.now_unix_millis() + millis(simulated);
        let mut advanced = self.0.advanced.subscribe();
        loop {
            let left = until - self.now_unix_millis();
            let Ok(left) = u64::try_from(left) else { return };
            if left == 0 {
                return;
            }
            match self.real(Duration::from_millis(left)) {
                Some(real) => {
                    tokio::select! {
                        () = tokio::time::sleep(real) => {}
                        _ = advanced.changed() => {}
                    }
                }
                None => {
                    // `self` keeps the sender alive, so this ends only when time was advanced.
                    let _ = advanced.changed().await;
                }
            }
        }
    }
}

/// A duration in whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("now", &self.now_unix_millis())
            .field("speed", &self.0.speed)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frozen_clock_moves_only_by_hand() {
        let clock = Clock::starting_at(1_000, 0.0);
        assert_eq!(clock.now_unix_millis(), 1_000);
        let sleeper = clock.clone();
        let slept = tokio::spawn(async move { sleeper.sleep(Duration::from_secs(3600)).await });
        while !slept.is_finished() {
            clock.advance(Duration::from_secs(600));
            tokio::task::yield_now().await;
        }
        assert!(clock.now_unix_millis() >= 3_601_000);
    }
}
