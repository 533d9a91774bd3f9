//! From when to when nobody could serve while somebody asked.

use std::sync::{Mutex, MutexGuard, PoisonError};

use baton_core::{Because, Choice, Pool, RefuseReason, Request, Timestamp, choose};

use crate::control::protocol::{BlockedTime, BlockedWhy};

/// The stretch that lasts, if one does.
#[derive(Debug, Default)]
pub(crate) struct Blocked(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    time: BlockedTime,
    /// Whose request began it: another model may have a limit of its own.
    model: Option<Box<str>>,
    /// One that waits here is chosen for again and again.
    last: Option<u64>,
}

impl Blocked {
    /// A request has met this choice; the stretch as it stands by now, if it is in one. `number`: the request's.
    pub(crate) fn met(
        &self,
        request: &Request<'_>,
        choice: &Choice,
        number: Option<u64>,
        now: Timestamp,
    ) -> Option<BlockedTime> {
        let (why, until) = why(choice)?;
        let mut open = self.lock();
        let open = open.get_or_insert_with(|| Open {
            time: BlockedTime {
                began: now,
                ended: None,
                until,
                why,
                request: number,
                requests: 0,
                asked_last: now,
            },
            model: request.model.map(Into::into),
            last: None,
        });
        let time = &mut open.time;
        if time.requests == 0 || number.is_none() || number != open.last {
            time.requests += 1;
        }
        open.last = number;
        (time.why, time.until, time.asked_last) = (why, until, now);
        Some(time.clone())
    }

    /// The pool, or the time, is another: the stretch that is over.
    pub(crate) fn look(&self, pool: &Pool, now: Timestamp) -> Option<BlockedTime> {
        let mut guard = self.lock();
        let open = guard.as_mut()?;
        let request = Request {
            model: open.model.as_deref(),
            ..Request::default()
        };
        let choice = choose(pool, &request, now).choice;
        match choice {
            // A probe only finds out.
            Choice::Use { because, .. } if because != Because::Probe => {}
            _ => {
                if let Some((_, until)) = why(&choice) {
                    open.time.until = until;
                }
                return None;
            }
        }
        // Nobody may have looked since: the machine was asleep.
        let returned = open.time.until.filter(|until| *until > open.time.began);
        let ended = returned.map_or(now, |until| until.min(now));
        let ended = Some(ended.max(open.time.asked_last));
        guard.take().map(|open| BlockedTime { ended, ..open.time })
    }

    /// The ledger was deleted: what lasts begins anew with the next request.
    pub(crate) fn forget(&self) {
        *self.lock() = None;
    }

    /// Baton ends: what comes then isn't known.
    pub(crate) fn close(&self, now: Timestamp) -> Option<BlockedTime> {
        self.lock().take().map(|open| BlockedTime {
            ended: Some(now.max(open.time.asked_last)),
            ..open.time
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None`: it was not for want of an account.
fn why(choice: &Choice) -> Option<(BlockedWhy, Option<Timestamp>)> {
    Some(match choice {
        Choice::Use { .. } => return None,
        Choice::Wait { until, .. } => (BlockedWhy::Waits, Some(*until)),
        Choice::Refuse { reason } => match reason {
            RefuseReason::AllTried => return None,
            RefuseReason::NoAccounts => (BlockedWhy::NoAccounts, None),
            RefuseReason::NobodyUsable { earliest } => (BlockedWhy::NobodyUsable, *earliest),
            RefuseReason::PinnedUnusable { state, .. } => (BlockedWhy::PinnedUnusable, state.until()),
            RefuseReason::Braked => (BlockedWhy::Braked, None),
        },
    })
}
