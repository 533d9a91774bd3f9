//! The work that a person asked for. What is recorded is what got through: where nobody could serve, the work after that
//! came later than it would have. So recorded blocks are taken out, day by day; [`run`](super::run) puts in those of the
//! strategy that is replayed.

use std::{ops::Range, time::Duration};

use super::history::{Attempt, Stretch};
use crate::{Request, Timestamp, Turn};

/// A break this long, and no block that explains it, ends a working day.
const PAUSE: Duration = Duration::from_secs(4 * 3600);
/// A break this long ends it in any case: nobody waits for so long.
const NIGHT: Duration = Duration::from_secs(8 * 3600);

#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// When it comes, if nobody was blocked before on that day.
    pub at: Timestamp,
    pub session: Option<u64>,
    pub thread: Option<u64>,
    pub turn: Turn,
    pub model: Option<Box<str>>,
    pub units: f64,
}

impl Work {
    pub(super) fn request(&self) -> Request<'_> {
        Request {
            session: self.session,
            thread: self.thread,
            turn: self.turn,
            model: self.model.as_deref(),
            tried: &[],
        }
    }
}

/// The hours that the person worked on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) work: Range<usize>,
    pub(super) begins: Timestamp,
    /// On the clock, recorded blocks included.
    pub(super) ends: Timestamp,
}

/// Oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    pub(super) work: Vec<Work>,
    pub(super) days: Vec<Day>,
}

impl Demand {
    /// Work that nobody's block has put off.
    pub fn unblocked(work: Vec<Work>) -> Self {
        let mut demand = Self::default();
        for work in work {
            if demand
                .days
                .last()
                .is_none_or(|day| work.at.since(day.ends) >= PAUSE)
            {
                demand.begin_day(work.at);
            }
            demand.goes_on_until(work.at);
            demand.push(work);
        }
        demand
    }

    pub fn recorded(attempts: &[Attempt], blocked: &[Stretch]) -> Self {
        let mut demand = Self::default();
        let usual = usual_units(attempts);
        let mut blocked = Elapsed::new(blocked);
        // Blocked time before the day, before the attempt before; and a refused attempt that nothing follows yet.
        let (mut before_day, mut before, mut refused) = (Duration::ZERO, Duration::ZERO, None);
        for attempt in attempts {
            let now = blocked.by(attempt.at);
            let ends = |demand: &Self| {
                let pause = attempt.at.since(demand.days.last()?.ends);
                Some(pause >= NIGHT || pause.saturating_sub(now.saturating_sub(before)) >= PAUSE)
            };
            if ends(&demand).unwrap_or(true) {
                demand.extend_by(refused.take());
                demand.begin_day(attempt.at);
                before_day = now;
            }
            before = now;
            demand.goes_on_until(attempt.at);
            let work = Work {
                at: attempt.at.before(now.saturating_sub(before_day)),
                session: attempt.session,
                thread: attempt.thread,
                turn: attempt.turn,
                model: attempt.model.clone(),
                units: attempt.units.unwrap_or(usual),
            };
            if attempt.account.is_none() {
                // Codex, or the person, asks again; if nobody does on that day, it is left undone.
                refused.get_or_insert(work);
            } else {
                refused = None;
                demand.push(work);
            }
        }
        demand.extend_by(refused);
        demand
    }

    pub fn work(&self) -> &[Work] {
        &self.work
    }

    /// From the first request to the end of the last day.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.days.first()?.begins, self.days.last()?.ends))
    }

    fn begin_day(&mut self, at: Timestamp) {
        self.days.push(Day {
            work: self.work.len()..self.work.len(),
            begins: at,
            ends: at,
        });
    }

    fn goes_on_until(&mut self, at: Timestamp) {
        if let Some(day) = self.days.last_mut() {
            day.ends = day.ends.max(at);
        }
    }

    fn push(&mut self, work: Work) {
        self.work.push(work);
        if let Some(day) = self.days.last_mut() {
            day.work.end = self.work.len();
        }
    }

    fn extend_by(&mut self, refused: Option<Work>) {
        if let Some(work) = refused {
            self.push(work);
        }
    }
}

/// The median of those that are known.
pub(super) fn usual_units(attempts: &[Attempt]) -> f64 {
    let mut known: Vec<f64> = attempts.iter().filter_map(|attempt| attempt.units).collect();
    if known.is_empty() {
        return 1.0;
    }
    let middle = known.len() / 2;
    *known.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// How much of the time was blocked, asked for times in order.
struct Elapsed<'a> {
    ahead: &'a [Stretch],
    over: Duration,
}

impl<'a> Elapsed<'a> {
    fn new(blocked: &'a [Stretch]) -> Self {
        Self {
            ahead: blocked,
            over: Duration::ZERO,
        }
    }

    fn by(&mut self, at: Timestamp) -> Duration {
        while let [first, rest @ ..] = self.ahead
            && first.ended <= at
        {
            self.over += first.ended.since(first.began);
            self.ahead = rest;
        }
        self.over
            + self
                .ahead
                .first()
                .map_or(Duration::ZERO, |first| at.since(first.began))
    }
}
