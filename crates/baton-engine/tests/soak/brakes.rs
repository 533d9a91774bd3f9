//! The brake, and which refusals engaged it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use baton_core::{AccountId, Eligibility, Event, EventKind, Refusal, Timestamp};
use tokio::sync::broadcast::{self, error::RecvError};

const WITHIN: Duration = Duration::from_secs(30 * 60);

#[derive(Debug, Default)]
pub(crate) struct Brakes {
    engaged: Vec<Timestamp>,
    refused: Vec<(Timestamp, AccountId, Refusal)>,
    labels: HashMap<AccountId, Box<str>>,
    /// Events that came faster than they were read.
    missed: u64,
}

/// Until Baton ends.
pub(crate) async fn watch(mut events: broadcast::Receiver<Event>) -> Brakes {
    let mut brakes = Brakes::default();
    loop {
        match events.recv().await {
            Ok(Event { at, kind }) => brakes.take(at, kind),
            Err(RecvError::Lagged(count)) => brakes.missed += count,
            Err(RecvError::Closed) => return brakes,
        }
    }
}

impl Brakes {
    fn take(&mut self, at: Timestamp, kind: EventKind) {
        match kind {
            EventKind::BrakeEngaged => self.engaged.push(at),
            EventKind::StateChanged {
                account,
                to: Eligibility::NeedsAttention { reason },
                ..
            } => self.refused.push((at, account, reason)),
            // Who is removed is added again under another id.
            EventKind::Removed { account, label } => {
                self.labels.insert(account, label);
            }
            _ => {}
        }
    }

    /// The reasons for the latest refusal of each account within half an hour before.
    fn reasons(&self, engaged: Timestamp) -> Vec<Refusal> {
        let before = self
            .refused
            .iter()
            .filter(|(at, ..)| *at <= engaged && engaged.since(*at) < WITHIN);
        let who = |account: &AccountId| match self.labels.get(account) {
            Some(label) => label.to_string(),
            None => account.to_string(),
        };
        let latest: BTreeMap<_, _> = before
            .map(|(_, account, reason)| (who(account), *reason))
            .collect();
        let mut reasons: Vec<_> = latest.into_values().collect();
        reasons.sort_by_key(|reason| format!("{reason:?}"));
        reasons
    }
}

impl fmt::Display for Brakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_reasons: BTreeMap<String, u64> = BTreeMap::new();
        for engaged in &self.engaged {
            *by_reasons
                .entry(format!("{:?}", self.reasons(*engaged)))
                .or_default() += 1;
        }
        write!(
            f,
            "{} brakes by the refusals before them: {by_reasons:?}",
            self.engaged.len()
        )?;
        match self.missed {
            0 => Ok(()),
            missed => write!(f, " ({missed} events missed)"),
        }
    }
}
