//! What a run came to: the simulated backend's own log, the client's reports, the engine's events.

use std::time::Duration;

use baton_core::{AccountId, Event, EventKind, Strategy, Timestamp};
use baton_sim::Outcome;

use super::{
    scenario::{CAST, FIVE_HOURS},
    stage::Stage,
};
use crate::error::Failure;

/// A turn as the client saw it.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) started: Timestamp,
    /// Why it never completed, if it didn't.
    pub(super) lost: Option<String>,
    pub(super) repeated: usize,
}

/// A request for output as the backend saw it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) at: Timestamp,
    /// Index in [`CAST`]; `None`: a sign-in that isn't in the pool.
    pub(super) account: Option<usize>,
    pub(super) turn: Option<String>,
    pub(super) completed: bool,
    /// Refused because the quota is used up.
    pub(super) limit: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    /// As the running engine said itself.
    pub(super) strategy: Strategy,
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
    /// How long the work was meant to go on.
    pub(super) day: Duration,
    /// Requests that fit into an account's five hours.
    pub(super) quota: usize,
    /// Where the clock was moved on by hand.
    pub(super) skipped: Vec<Span>,
    pub(super) ids: Vec<AccountId>,
    pub(super) turns: Vec<Turn>,
    pub(super) requests: Vec<Asked>,
    pub(super) events: Vec<Event>,
    /// What Baton did that the protocol forbids (another account's turn state, …).
    pub(super) violations: usize,
}

pub(super) type Span = (Timestamp, Timestamp);

impl Record {
    pub(super) async fn of(
        stage: &mut Stage,
        turns: Vec<Turn>,
        day: Duration,
        quota: u32,
    ) -> Result<Self, Failure> {
        let ended = stage.now();
        let strategy = stage.snapshot().await?.strategy;
        stage.listen();
        let log = stage.sim.log();
        let requests = log
            .find(baton_sim::Entry::generates)
            .into_iter()
            .map(|entry| Asked {
                at: Timestamp::from_millis(entry.at_millis),
                account: CAST
                    .iter()
                    .position(|role| entry.account.as_deref() == Some(role.name)),
                completed: entry.completed(),
                limit: matches!(&entry.outcome, Outcome::Refused { code, .. } | Outcome::Failed { code }
                    if code == "usage_limit_reached"),
                turn: entry.turn_id,
            })
            .collect();
        Ok(Self {
            strategy,
            started: stage.started,
            ended,
            day,
            quota: quota as usize,
            skipped: Vec::new(),
            ids: stage.ids.clone(),
            turns,
            requests,
            events: stage.events.clone(),
            violations: log.violations().len(),
        })
    }

    /// The same for every strategy, however long its last turn took.
    pub(super) fn measured_until(&self) -> Timestamp {
        self.ended.min(self.started + self.day)
    }

    pub(super) fn lost(&self) -> usize {
        self.turns.iter().filter(|turn| turn.lost.is_some()).count()
    }

    pub(super) fn repeated(&self) -> usize {
        self.turns.iter().map(|turn| turn.repeated).sum()
    }

    pub(super) fn served(&self) -> impl Iterator<Item = &Asked> {
        self.requests.iter().filter(|request| request.completed)
    }

    /// When the five-hour windows of an account ended. The timer starts with the first use after an end.
    pub(super) fn resets(&self, account: usize) -> Vec<Timestamp> {
        let mut resets: Vec<Timestamp> = Vec::new();
        for request in self.served().filter(|request| request.account == Some(account)) {
            if resets.last().is_none_or(|reset| request.at >= *reset) {
                resets.push(request.at + FIVE_HOURS);
            }
        }
        resets
    }

    /// When work stood still because nobody could serve.
    pub(super) fn blocked(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut since = None;
        for event in &self.events {
            match (&event.kind, since) {
                (EventKind::AllExhausted { .. }, None) => since = Some(event.at),
                (EventKind::Serving, Some(from)) => {
                    spans.push((from, event.at));
                    since = None;
                }
                _ => {}
            }
        }
        spans.extend(since.map(|from| (from, self.ended.max(from))));
        spans
    }

    /// How often the next request went to another account than the one before.
    pub(super) fn changes_of_account(&self) -> usize {
        let accounts: Vec<_> = self.served().filter_map(|request| request.account).collect();
        accounts.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}
