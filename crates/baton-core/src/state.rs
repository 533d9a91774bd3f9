//! One account's state machine. Every transition bumps the generation, so that a late answer (of a request chosen in
//! an older one) can be told and changes nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Account, Eligibility, LimitFamily, Quota, Reading, Refusal, Source, Timestamp,
    eligibility::{CoolingReason, ExhaustedReason},
    quota::USAGE_LAG,
};

/// Where neither a reset nor usage is known, one real request per this time goes to the account as a probe.
pub const PROBE_EVERY: Duration = Duration::from_secs(300);
/// Models that a plan lacks are asked for again after this: plans change.
const LACKS_MODEL_FOR: Duration = Duration::from_secs(6 * 3600);
/// Upstream hints are bounded: nothing is believed to last longer than the longest known window.
const LONGEST_BLOCK: Duration = Duration::from_secs(32 * 86_400);

/// What a judged answer does to its account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    Success,
    Exhausted {
        family: Option<LimitFamily>,
        until: Option<Timestamp>,
        reason: ExhaustedReason,
    },
    CoolingDown {
        lasting: Duration,
        reason: CoolingReason,
        first_failure: Timestamp,
    },
    NeedsAttention {
        reason: Refusal,
    },
    LacksModel {
        model: Box<str>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Block {
    family: LimitFamily,
    /// The upstream didn't name the family: it counts as the general one until a reading contradicts it.
    assumed: bool,
    since: Timestamp,
    until: Option<Timestamp>,
    reason: ExhaustedReason,
    /// A real request is on its way to see whether it still holds.
    probed: bool,
}

impl Block {
    fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Cooling {
    /// The first of the failures that led to it.
    since: Timestamp,
    /// The last of them.
    at: Timestamp,
    until: Timestamp,
    reason: CoolingReason,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountState {
    pub account: Account,
    pub quota: Quota,
    /// Last time that a new turn was given to it.
    pub last_used: Option<Timestamp>,
    generation: u64,
    attention: Option<Refusal>,
    cooling: Option<Cooling>,
    blocks: Vec<Block>,
    /// Since the last success.
    first_failure: Option<Timestamp>,
    last_success: Option<Timestamp>,
    lacks: Vec<(Box<str>, Timestamp)>,
    last_probe: Option<Timestamp>,
    /// The person switched to it although it is held back: its thresholds don't count for now.
    waived: bool,
    /// State last announced, so that each change is told once.
    announced: Eligibility,
    eligible_since: Option<Timestamp>,
}

impl AccountState {
    pub fn new(account: Account) -> Self {
        let announced = if account.skipped {
            Eligibility::Skipped
        } else {
            Eligibility::Eligible
        };
        Self {
            account,
            quota: Quota::default(),
            last_used: None,
            generation: 0,
            attention: None,
            cooling: None,
            blocks: Vec::new(),
            first_failure: None,
            last_success: None,
            lacks: Vec::new(),
            last_probe: None,
            waived: false,
            announced,
            eligible_since: None,
        }
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Refused for good, whether or not the person skips it as well.
    pub fn attention(&self) -> Option<Refusal> {
        self.attention
    }

    /// When it last became eligible again.
    pub fn eligible_since(&self) -> Option<Timestamp> {
        self.eligible_since
    }

    /// For requests that `family` meters.
    pub fn eligibility(&self, family: &LimitFamily, now: Timestamp) -> Eligibility {
        if self.account.skipped {
            return Eligibility::Skipped;
        }
        if let Some(reason) = self.attention {
            return Eligibility::NeedsAttention { reason };
        }
        if let Some(block) = self
            .blocks
            .iter()
            .find(|block| block.family == *family && block.holds(now))
        {
            // Credits can't help where the upstream itself refused.
            let on_credits = self.account.use_credits
                && block.reason == ExhaustedReason::UsedUp
                && self.quota.credits.is_some_and(|credits| credits.available());
            return Eligibility::Exhausted {
                until: block.until,
                reason: block.reason,
                on_credits,
            };
        }
        if let Some(cooling) = self.cooling.filter(|cooling| cooling.until > now) {
            let Cooling {
                since, until, reason, ..
            } = cooling;
            return Eligibility::CoolingDown { since, until, reason };
        }
        if !self.waived
            && let Some(held) = self.held_back(family, now)
        {
            return held;
        }
        Eligibility::Eligible
    }

    fn held_back(&self, family: &LimitFamily, now: Timestamp) -> Option<Eligibility> {
        let thresholds = &self.account.thresholds;
        let mut held: Option<Eligibility> = None;
        for window in self.quota.windows(family) {
            let (used, threshold) = (window.used_at(now), thresholds.of(window.length));
            if threshold.is_full() || used < threshold {
                continue;
            }
            let until = window.next_reset(now);
            // Of several windows the one that lasts longest tells when it is back.
            if held.is_none_or(|known| known.until() < until) {
                held = Some(Eligibility::HeldBack {
                    window: window.length,
                    used,
                    threshold,
                    until,
                    reserve: thresholds.reserve,
                });
            }
        }
        held
    }

    pub fn lacks_model(&self, model: &str, now: Timestamp) -> bool {
        self.lacks
            .iter()
            .any(|(known, until)| &**known == model && *until > now)
    }

    /// Exhausted with nothing known that could tell when it is back, and no probe for a while.
    pub fn probe_due(&self, family: &LimitFamily, now: Timestamp) -> bool {
        let since = self
            .blocks
            .iter()
            .find(|block| block.family == *family && block.until.is_none());
        since.is_some_and(|block| now.since(self.last_probe.unwrap_or(block.since)) >= PROBE_EVERY)
            && self.attention.is_none()
            && !self.account.skipped
    }

    /// When the next probe may go out; only meaningful while exhausted without a known end.
    pub fn probe_at(&self, family: &LimitFamily) -> Option<Timestamp> {
        let block = self
            .blocks
            .iter()
            .find(|block| block.family == *family && block.until.is_none())?;
        Some(self.last_probe.unwrap_or(block.since) + PROBE_EVERY)
    }

    // === time ===

    /// After the clock was set back: what lies ahead of it is as of now, and lasts from now on no longer than it was to
    /// last. Without this a cooling down of seconds would last for the hours of the jump, and newer readings would count
    /// as overtaken for as long.
    fn follow_clock(&mut self, now: Timestamp) {
        let windows = self.quota.limits.iter_mut().flat_map(|limit| &mut limit.windows);
        for window in windows.filter(|window| window.observed_at > now) {
            let reset = window.resets_at;
            window.resets_at = reset.map(|reset| reset.min(now + reset.since(window.observed_at)));
            window.observed_at = now;
        }
        if let Some(cooling) = self.cooling.as_mut().filter(|cooling| cooling.at > now) {
            cooling.until = now + cooling.until.since(cooling.at);
            cooling.at = now;
            cooling.since.happened_by(now);
        }
        for block in self.blocks.iter_mut().filter(|block| block.since > now) {
            block.until = block.until.map(|until| until.min(now + until.since(block.since)));
            block.since = now;
        }
        for (_, until) in &mut self.lacks {
            *until = (*until).min(now + LACKS_MODEL_FOR);
        }
        let marks = [
            &mut self.last_used,
            &mut self.first_failure,
            &mut self.last_success,
            &mut self.last_probe,
            &mut self.eligible_since,
        ];
        for mark in marks.into_iter().flatten() {
            mark.happened_by(now);
        }
    }

    // === transitions ===

    /// A judged answer of a request chosen in the current generation.
    pub(crate) fn take(&mut self, effect: &Effect, now: Timestamp) {
        self.follow_clock(now);
        match effect {
            // ## (CoolingDown | Exhausted by a limit) => Eligible: it has just served. A block is lifted by its probe
            // only: any other success was metered by another limit.
            Effect::Success => {
                self.first_failure = None;
                self.last_success = Some(now);
                let before = self.blocks.len();
                self.blocks
                    .retain(|block| !block.probed || block.reason == ExhaustedReason::UsedUp);
                if self.cooling.take().is_some() || self.blocks.len() != before {
                    self.generation += 1;
                }
            }
            // ## * => Exhausted
            Effect::Exhausted {
                family,
                until,
                reason,
            } => {
                self.block(family.as_ref(), *until, *reason, now);
                self.generation += 1;
            }
            // ## (Eligible | HeldBack) => CoolingDown
            Effect::CoolingDown {
                lasting,
                reason,
                first_failure,
            } => {
                let over = self.last_success.is_some_and(|success| success > *first_failure);
                let first_failure = match reason {
                    // Blamed late, when another account had succeeded; this one has served since.
                    CoolingReason::ServerTrouble if over => return,
                    CoolingReason::Throttled if over => now,
                    _ => *first_failure,
                };
                let since = *self.first_failure.get_or_insert(first_failure);
                self.cooling = Some(Cooling {
                    since,
                    at: now,
                    until: now + (*lasting).min(LONGEST_BLOCK),
                    reason: *reason,
                });
                self.generation += 1;
            }
            // ## * => NeedsAttention
            Effect::NeedsAttention { reason } => {
                self.attention = Some(*reason);
                self.generation += 1;
            }
            // Stays what it is: only this model goes elsewhere.
            Effect::LacksModel { model } => {
                self.lacks.retain(|(known, until)| known != model && *until > now);
                self.lacks.push((model.clone(), now + LACKS_MODEL_FOR));
            }
        }
    }

    fn block(
        &mut self,
        family: Option<&LimitFamily>,
        until: Option<Timestamp>,
        reason: ExhaustedReason,
        now: Timestamp,
    ) {
        let assumed = family.is_none();
        let family = family.unwrap_or(&LimitFamily::General).clone();
        let until = until
            .filter(|until| *until > now)
            .or_else(|| self.quota.full_until(&family, now))
            .map(|until| until.min(now + LONGEST_BLOCK));
        self.blocks.retain(|block| block.family != family);
        self.blocks.push(Block {
            family,
            assumed,
            since: now,
            until,
            reason,
            probed: false,
        });
    }

    /// What an answer said of the quota. `late`: of a request chosen in an older generation, or on a transport whose
    /// order isn't known: it may show that quota is gone, never that it is back.
    pub(crate) fn learn(&mut self, reading: &Reading, late: bool, now: Timestamp) {
        self.follow_clock(now);
        self.quota.apply(reading);
        if let Some(plan) = &reading.plan {
            self.account.plan = Some(plan.clone());
        }
        let before = self.blocks.clone();
        self.reassign_assumed(reading, now);
        for limit in &reading.limits {
            // By what is known now: an answer that was overtaken says nothing.
            let full = limit.windows.iter().any(|window| {
                let known = self.quota.window(&limit.family, window.length);
                known.is_some_and(|window| window.used_at(now).is_full())
            });
            let known = self
                .blocks
                .iter()
                .position(|block| block.family == limit.family && block.holds(now));
            match known {
                // ## (Eligible | HeldBack) => Exhausted: a window is at 100 %
                None if full => {
                    let until = self.quota.full_until(&limit.family, now);
                    self.block(Some(&limit.family), until, ExhaustedReason::UsedUp, now);
                }
                // Still exhausted; the reading may know better until when.
                Some(index) if full => {
                    let until = self.quota.full_until(&limit.family, now);
                    if self.blocks[index].until.is_none()
                        || self.blocks[index].reason == ExhaustedReason::UsedUp
                    {
                        self.blocks[index].until = until.or(self.blocks[index].until);
                    }
                }
                // ## Exhausted => Eligible: lifted before its reset
                Some(index) if !late && !limit.windows.is_empty() => {
                    let block = &self.blocks[index];
                    // Readings that contradict a limit are believed only from this age on.
                    let old_enough = match (block.reason, reading.source) {
                        (ExhaustedReason::UsedUp, Source::Headers | Source::Frame) => {
                            reading.observed_at > block.since
                        }
                        _ => reading.observed_at.since(block.since) >= USAGE_LAG,
                    };
                    if old_enough && limit.reached != Some(true) {
                        self.blocks.remove(index);
                    }
                }
                _ => {}
            }
        }
        if self.blocks != before {
            self.generation += 1;
        }
    }

    /// A limit of unknown family turns out to be a named one: general windows have room, a named one has none.
    fn reassign_assumed(&mut self, reading: &Reading, now: Timestamp) {
        let room =
            |limit: &crate::LimitReading| limit.windows.iter().all(|window| !window.used_at(now).is_full());
        let general_has_room = reading
            .limits
            .iter()
            .any(|limit| limit.family == LimitFamily::General && !limit.windows.is_empty() && room(limit));
        let full_named = reading
            .limits
            .iter()
            .find(|limit| limit.family != LimitFamily::General && !room(limit));
        // A named limit that was known to be reached explains nothing new.
        if let (true, Some(named)) = (general_has_room, full_named)
            && !self.blocks.iter().any(|block| block.family == named.family)
            && let Some(block) = self.blocks.iter_mut().find(|block| block.assumed)
        {
            block.family = named.family.clone();
            block.assumed = false;
        }
    }

    // ## (Eligible | …) => Skipped, and back: by the person
    pub(crate) fn skip(&mut self, skipped: bool) {
        if self.account.skipped != skipped {
            self.account.skipped = skipped;
            self.generation += 1;
        }
    }

    // ## NeedsAttention => Eligible: signed in again
    pub(crate) fn renewed(&mut self) {
        if self.attention.take().is_some() {
            self.generation += 1;
        }
    }

    // ## NeedsAttention => Eligible: the linked file is right again
    pub(crate) fn link_mended(&mut self) {
        if self.attention.take_if(|reason| reason.of_link()).is_some() {
            self.generation += 1;
        }
    }

    pub(crate) fn waive_thresholds(&mut self, waived: bool) {
        self.waived = waived;
    }

    pub(crate) fn probed(&mut self, family: &LimitFamily, now: Timestamp) {
        self.last_probe = Some(now);
        for block in self.blocks.iter_mut().filter(|block| block.family == *family) {
            block.probed = true;
        }
    }

    /// Drops what time has ended, and says which state was left for which since the last call.
    pub(crate) fn settle(&mut self, now: Timestamp) -> Option<(Eligibility, Eligibility)> {
        self.follow_clock(now);
        let before = self.blocks.len();
        self.blocks.retain(|block| block.holds(now));
        // ## (CoolingDown | Exhausted) => Eligible: its time has passed
        let cooled = self.cooling.is_some_and(|cooling| cooling.until <= now);
        if cooled {
            self.cooling = None;
        }
        if cooled || self.blocks.len() != before {
            self.generation += 1;
        }
        if self.waived && self.held_back(&LimitFamily::General, now).is_none() {
            self.waived = false;
        }
        let state = self.eligibility(&LimitFamily::General, now);
        let old = std::mem::replace(&mut self.announced, state);
        if state == Eligibility::Eligible && old != state {
            self.eligible_since = Some(now);
        }
        (!old.same_state(&state)).then_some((old, state))
    }
}
