//! What came of it all.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use baton_sim::FaultHandle;

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) requests: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) commands: AtomicU64,
    pub(crate) honest: Mutex<BTreeMap<String, u64>>,
    pub(crate) lost: Mutex<Vec<String>>,
    pub(crate) repeated: Mutex<Vec<String>>,
}

impl Tally {
    pub(crate) fn report(&self, faults: &[FaultHandle], took: Duration) -> String {
        let [requests, completed, reconnects, commands] =
            [&self.requests, &self.completed, &self.reconnects, &self.commands]
                .map(|count| count.load(Ordering::Relaxed));
        let struck: u64 = faults.iter().map(FaultHandle::hits).sum();
        format!(
            "{requests} requests in {:.1} s ({:.0}/s), {completed} turns, {struck} faults of {} kinds, \
             {reconnects} resent by clients, {commands} commands, honest errors {:?}, lost {}, repeated {}",
            took.as_secs_f64(),
            requests as f64 / took.as_secs_f64(),
            faults.iter().filter(|fault| fault.hits() > 0).count(),
            self.honest.lock().expect("no panic while it was held"),
            self.lost.lock().expect("no panic while it was held").len(),
            self.repeated.lock().expect("no panic while it was held").len(),
        )
    }
}
