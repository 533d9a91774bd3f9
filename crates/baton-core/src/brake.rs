//! The brake: when the upstream refuses two accounts for good within half an hour, something is wrong that trying a
//! third would make worse. Automatic failover stops, and the person is asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Timestamp};

const WITHIN: Duration = Duration::from_secs(30 * 60);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Brake {
    refusals: Vec<(AccountId, Timestamp)>,
    engaged: bool,
}

impl Brake {
    pub fn engaged(&self) -> bool {
        self.engaged
    }

    /// True if this refusal engaged it.
    pub(crate) fn refused(&mut self, account: AccountId, now: Timestamp) -> bool {
        self.refusals
            .retain(|(other, at)| *other != account && now.since(*at) < WITHIN);
        self.refusals.push((account, now));
        let engages = !self.engaged && self.refusals.len() >= 2;
        self.engaged |= engages;
        engages
    }

    /// An account is added, maybe one that was removed, under another id: that is no second one.
    pub(crate) fn keep(&mut self, is_known: impl Fn(AccountId) -> bool) {
        self.refusals.retain(|(account, _)| is_known(*account));
    }

    /// After the clock was set back, a refusal is no younger than that.
    pub(crate) fn follow_clock(&mut self, now: Timestamp) {
        for (_, at) in &mut self.refusals {
            at.happened_by(now);
        }
    }

    /// True if it had been engaged.
    pub(crate) fn release(&mut self) -> bool {
        self.refusals.clear();
        std::mem::take(&mut self.engaged)
    }
}
