//! What has become so far of requests that the silent reconnect moves: the client asks again on its next connection, and
//! whoever failed before is blamed, or not, by what comes of that.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use baton_core::{Trial, Turn};

use super::serve::Who;

/// A client comes back within a second; one that doesn't is forgotten.
const REMEMBERED: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct HandedOver(Mutex<VecDeque<((u64, u64), Trial)>>);

impl HandedOver {
    pub(super) fn keep(&self, who: &Who, trial: Trial) {
        let Some(key) = key(who).filter(|_| trial.failed_before()) else {
            return;
        };
        let mut trials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trials.push_back((key, trial));
        if trials.len() > REMEMBERED {
            trials.pop_front();
        }
    }

    /// The newest of the same turn; older ones of it are over.
    pub(super) fn take(&self, who: &Who) -> Option<Trial> {
        let key = key(who)?;
        let mut trials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = trials.iter().rposition(|(of, _)| *of == key)?;
        let (_, trial) = trials.remove(newest)?;
        trials.retain(|(of, _)| *of != key);
        Some(trial)
    }
}

/// A request is known again by its turn only: without one, nothing is kept.
fn key(who: &Who) -> Option<(u64, u64)> {
    match who.turn {
        Turn::Id(turn) => Some((who.thread?, turn)),
        Turn::Continues | Turn::New | Turn::Prewarm => None,
    }
}
