//! Which account a thread's running turn and a session belong to. Bounded: the longest idle are forgotten first.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Request, Timestamp, Turn};

/// Threads and sessions remembered, each.
const REMEMBERED: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Thread {
    turn: Option<u64>,
    account: AccountId,
    compacted_by: Option<AccountId>,
    /// Whose answers broke off in this turn after output, and how often in a row.
    broke_off: Option<(AccountId, u32)>,
    at: Timestamp,
}

/// An account whose answers broke off so often in one turn doesn't get its next request, if another one can serve.
const TOO_OFTEN: u32 = 2;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Threads {
    threads: HashMap<u64, Thread>,
    sessions: HashMap<u64, (AccountId, Timestamp)>,
}

impl Threads {
    /// The account of the turn that `request` goes on with.
    pub fn running_turn(&self, request: &Request<'_>) -> Option<AccountId> {
        let thread = self.threads.get(&request.thread?)?;
        let runs = match request.turn {
            Turn::Id(id) => thread.turn == Some(id),
            Turn::Continues => true,
            Turn::New | Turn::Prewarm => false,
        };
        runs.then_some(thread.account)
    }

    pub fn session(&self, request: &Request<'_>) -> Option<AccountId> {
        let key = request.session.or(request.thread)?;
        self.sessions.get(&key).map(|(account, _)| *account)
    }

    pub fn compacted_by(&self, request: &Request<'_>) -> Option<AccountId> {
        self.threads.get(&request.thread?)?.compacted_by
    }

    /// Who has broken off too often in the turn that `request` goes on with.
    pub fn breaks_off(&self, request: &Request<'_>) -> Option<AccountId> {
        self.running_turn(request)?;
        let (account, times) = self.threads.get(&request.thread?)?.broke_off?;
        (times >= TOO_OFTEN).then_some(account)
    }

    pub(crate) fn broke_off(&mut self, thread: u64, account: AccountId) {
        if let Some(thread) = self.threads.get_mut(&thread) {
            let before = thread.broke_off.filter(|(known, _)| *known == account);
            thread.broke_off = Some((account, before.map_or(1, |(_, times)| times.saturating_add(1))));
        }
    }

    pub(crate) fn given(&mut self, request: &Request<'_>, account: AccountId, now: Timestamp) {
        if request.turn == Turn::Prewarm {
            return;
        }
        if let Some(key) = request.session.or(request.thread) {
            make_room(&mut self.sessions, now, |(_, at)| *at);
            self.sessions.insert(key, (account, now));
        }
        if let Some(key) = request.thread {
            make_room(&mut self.threads, now, |thread| thread.at);
            let turn = match request.turn {
                Turn::Id(id) => Some(id),
                _ => self
                    .threads
                    .get(&key)
                    .filter(|_| request.turn == Turn::Continues)
                    .and_then(|t| t.turn),
            };
            let known = self.threads.get(&key);
            let compacted_by = known.and_then(|thread| thread.compacted_by);
            let goes_on = self.running_turn(request).is_some();
            let broke_off = known.filter(|_| goes_on).and_then(|thread| thread.broke_off);
            self.threads.insert(
                key,
                Thread {
                    turn,
                    account,
                    compacted_by,
                    broke_off,
                    at: now,
                },
            );
        }
    }

    pub(crate) fn compacted(&mut self, thread: u64, account: AccountId) {
        if let Some(thread) = self.threads.get_mut(&thread) {
            thread.compacted_by = Some(account);
        }
    }

    pub(crate) fn forget(&mut self, account: AccountId) {
        self.threads.retain(|_, thread| thread.account != account);
        self.sessions.retain(|_, (known, _)| *known != account);
        for thread in self.threads.values_mut() {
            thread.compacted_by = thread.compacted_by.filter(|known| *known != account);
            thread.broke_off = thread.broke_off.filter(|(known, _)| *known != account);
        }
    }
}

/// Drops the quarter that has been idle longest once the map is full: rare, so its cost doesn't matter. What lies ahead
/// is of before the clock was set back, hence older than everything else.
fn make_room<T>(map: &mut HashMap<u64, T>, now: Timestamp, at: impl Fn(&T) -> Timestamp) {
    if map.len() < REMEMBERED {
        return;
    }
    let since = |value: &T| (at(value) <= now, at(value));
    let mut times: Vec<_> = map.values().map(since).collect();
    let (_, cut, _) = times.select_nth_unstable(REMEMBERED / 4);
    let cut = *cut;
    map.retain(|_, value| since(value) > cut);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_the_longest_idle_go_first() {
        let mut threads = Threads::default();
        let request = |thread| Request {
            thread: Some(thread),
            turn: Turn::Id(1),
            ..Request::default()
        };
        for n in 0..10_000u64 {
            let now = Timestamp::from_millis(i64::try_from(n).unwrap());
            threads.given(&request(n), AccountId::new(1), now);
        }
        assert!(threads.threads.len() <= REMEMBERED && threads.sessions.len() <= REMEMBERED);
        assert_eq!(threads.running_turn(&request(0)), None);
        assert_eq!(threads.running_turn(&request(9_999)), Some(AccountId::new(1)));
    }

    #[test]
    fn after_the_clock_was_set_back_a_running_turn_outlives_those_of_before() {
        let mut threads = Threads::default();
        let request = |thread| Request {
            thread: Some(thread),
            turn: Turn::Id(1),
            ..Request::default()
        };
        let mut give = |thread: u64, at: u64| {
            let at = Timestamp::from_millis(i64::try_from(at).unwrap());
            threads.given(&request(thread), AccountId::new(1), at);
        };
        for n in 0..4000 {
            give(n, 18_000_000 + n);
        }
        for n in 4000..8000 {
            give(n, n);
        }
        for n in 7000..8000 {
            assert!(threads.running_turn(&request(n)).is_some(), "{n}");
        }
    }
}
