//! How fast a window was used: the steps between its readings, each laid over the time in which it may have happened.

use super::{demand::PAUSE, history::Grid};
use crate::{Sample, Timestamp, WindowLength};

/// A reset that moves by less is the same one: two sources compute it a little apart.
const SAME_RESET_MINUTES: f64 = 10.0;
/// Readings that say the same though something is used are no older than this, in bins: half an hour.
const LONGEST_LAG: f64 = 6.0;
/// What is a drop of the same window, rather than a reading that lags.
const DROP: f64 = 2.0;

#[derive(Clone, Debug)]
pub(super) struct Burn {
    /// Percent used in each bin of the grid.
    pub(super) bins: Vec<f64>,
    pub(super) total: f64,
    /// When it was full, in bins: then nothing could be used, whatever was wanted.
    pub(super) full: Vec<(f64, f64)>,
    /// The usual size of a step: what may have been used without being seen yet.
    pub(super) step: f64,
    pub(super) steps: usize,
    /// In bins: the usual time between two steps while there are some, the last step, and the first reading.
    pub(super) interval: f64,
    pub(super) last_step: f64,
    pub(super) first: f64,
}

/// Requests of the account: position in bins, and weight.
pub(super) type Requests<'a> = &'a [(f64, f64)];

impl Burn {
    /// `None` without two readings.
    pub(super) fn of(
        samples: &[Sample],
        length: WindowLength,
        requests: Requests<'_>,
        grid: &Grid,
    ) -> Option<Self> {
        let from = samples.partition_point(|sample| grid.position(sample.at) < 0.0);
        let samples = samples[from..]
            .split(|sample| sample.at > grid.now)
            .next()
            .unwrap_or(&[]);
        let first = samples.first().filter(|_| samples.len() > 1)?;
        let mut burn = Self {
            bins: vec![0.0; Grid::BINS],
            total: 0.0,
            full: Vec::new(),
            step: 1.0,
            steps: 0,
            interval: 1.0,
            last_step: grid.position(first.at),
            first: grid.position(first.at),
        };
        let (mut sizes, mut intervals) = (Vec::new(), Vec::new());
        // A window that had begun only just before its first reading.
        let began = first.resets_at.map(|reset| grid.position(began(reset, length)));
        if let Some(began) = began.filter(|began| (0.0..PAUSE as f64).contains(&(burn.first - began))) {
            burn.lay(first.used.used(), began, burn.first, requests);
        }
        let mut knot = *first;
        // The last that said the same as the knot.
        let mut same = *first;
        for (index, sample) in samples.iter().enumerate().skip(1) {
            let (used, known) = (sample.used.used(), knot.used.used());
            let later = samples.get(index + 1).map(|next| next.used.used());
            burn.was_full(&same, sample.at, grid);
            let (went, since) = match anew(&same, sample, length) {
                Some(began) => (used, grid.position(began.max(same.at))),
                // Lifted before its reset, if the next reading says so too.
                None if used < known - DROP && later.is_none_or(|later| later < known - DROP) => {
                    (used, grid.position(same.at))
                }
                // Lags behind.
                None if used < known => continue,
                None => {
                    let unseen = if same.at > knot.at { LONGEST_LAG } else { f64::MAX };
                    let since = grid.position(knot.at).max(grid.position(sample.at) - unseen);
                    (used - known, since)
                }
            };
            same = *sample;
            if went > 0.0 {
                burn.lay(went, since, grid.position(sample.at), requests);
                let at = grid.position(sample.at);
                sizes.push(went);
                intervals.extend(Some(at - burn.last_step).filter(|interval| *interval < PAUSE as f64));
                burn.last_step = at;
            }
            if went > 0.0 || used < known {
                knot = *sample;
            } else {
                knot.resets_at = sample.resets_at;
            }
        }
        burn.was_full(&same, grid.now, grid);
        burn.steps = sizes.len();
        burn.step = of_late(&mut sizes).unwrap_or(1.0);
        burn.interval = of_late(&mut intervals).unwrap_or(1.0);
        Some(burn)
    }

    fn was_full(&mut self, sample: &Sample, until: Timestamp, grid: &Grid) {
        let until = sample.resets_at.map_or(until, |reset| reset.min(until));
        if sample.used.is_full() && until > sample.at {
            self.full.push((grid.position(sample.at), grid.position(until)));
        }
    }

    /// Up to when, in bins, the readings tell what went: since the last step something may have gone unseen.
    pub(super) fn seen_until(&self) -> f64 {
        let end = Grid::BINS as f64;
        let unseen = end - self.last_step <= 2.0 * self.interval + 1.0;
        if unseen { self.last_step } else { end }
    }

    /// Over the requests of that time, or over all of it where there were none: then it was somebody else.
    fn lay(&mut self, percent: f64, since: f64, until: f64, requests: Requests<'_>) {
        self.total += percent;
        let from = requests.partition_point(|(at, _)| *at < since);
        let to = requests.partition_point(|(at, _)| *at <= until);
        let within = &requests[from.min(to)..to];
        let weight: f64 = within.iter().map(|(_, weight)| weight).sum();
        if weight > 0.0 {
            for (at, own) in within {
                self.add(*at, percent * own / weight);
            }
            return;
        }
        let (since, until) = (since.max(0.0), until.max(0.0));
        if until - since < 1e-9 {
            return self.add(until, percent);
        }
        let mut at = since;
        while at < until {
            let end = (at.floor() + 1.0).min(until);
            self.add(at, percent * (end - at) / (until - since));
            at = end;
        }
    }

    fn add(&mut self, at: f64, percent: f64) {
        let last = self.bins.len() - 1;
        self.bins[(at as usize).min(last)] += percent;
    }
}

/// Where a reading is of a new window: when that can have begun at the earliest.
fn anew(before: &Sample, after: &Sample, length: WindowLength) -> Option<Timestamp> {
    let moved = |from: Timestamp, to: Timestamp| to.since(from).as_secs_f64() / 60.0 > SAME_RESET_MINUTES;
    // The same reset as before, passed or not, is the same window, if need be in a reading that lags.
    let passed = before.resets_at.filter(|reset| *reset <= after.at);
    let other = match (before.resets_at, after.resets_at) {
        (Some(old), Some(new)) => moved(old, new),
        // The timer has stopped.
        (Some(_), None) => passed.is_some() || after.used.used() < before.used.used(),
        (None, _) => false,
    };
    if !other {
        return None;
    }
    let began = after.resets_at.map(|reset| began(reset, length));
    Some(began.or(passed).unwrap_or(before.at))
}

fn began(reset: Timestamp, length: WindowLength) -> Timestamp {
    Timestamp::from_millis(
        reset
            .as_millis()
            .saturating_sub(i64::from(length.minutes()) * 60_000),
    )
}

/// The median of the last ones.
fn of_late(values: &mut [f64]) -> Option<f64> {
    let recent = values.len().saturating_sub(40);
    let values = &mut values[recent..];
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
