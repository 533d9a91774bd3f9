//! Which readings are worth a line: every answer brings one, and most say what is known.

use std::{collections::HashMap, time::Duration};

use baton_core::{AccountId, LimitFamily, Timestamp, WindowLength};

use crate::control::protocol::ReadingLine;

/// Kept although nothing has changed: so it is known that nothing has.
const HEARTBEAT: Duration = Duration::from_secs(15 * 60);
/// Less than a percent more is kept so often: a service that counts finely would else fill the ledger by itself.
const LITTLE_MORE: Duration = Duration::from_secs(5 * 60);
/// The service computes one reset a little differently from answer to answer.
const SAME_RESET: Duration = Duration::from_secs(60);

/// The last line kept of each window.
#[derive(Debug, Default)]
pub(in crate::store) struct News(HashMap<(AccountId, LimitFamily, WindowLength), ReadingLine>);

impl News {
    pub(in crate::store) fn is(&mut self, line: &ReadingLine) -> bool {
        let key = (line.account, line.family.clone(), line.window);
        let known = self.0.get(&key);
        let is = known.is_none_or(|known| {
            let more = line.used.used() - known.used.used();
            let since = line.at.since(known.at);
            // A clock that was set back begins anew.
            line.at < known.at
                || !same_reset(line.resets_at, known.resets_at)
                || !(0.0..1.0).contains(&more)
                || (line.used.is_full() && more > 0.0)
                || since >= HEARTBEAT
                || (more > 0.0 && since >= LITTLE_MORE)
        });
        if is {
            self.0.insert(key, line.clone());
        }
        is
    }

    /// The lines are gone: what comes next is news.
    pub(in crate::store) fn forget(&mut self) {
        self.0.clear();
    }
}

fn same_reset(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.since(b).max(b.since(a)) < SAME_RESET,
        (a, b) => a == b,
    }
}
