//! What a unit of work costs each window of an account, from readings and the requests between them.
//!
//! Readings are whole percents, may lag, and other clients of the account may have used some of it. So a window's past is
//! cut where its reading steps up, into pieces of several percent, and the median of the pieces' costs counts: a piece in
//! which another client worked costs too much, and one such piece doesn't matter.

use super::history::Attempt;
use crate::{AccountId, Sample, Series, Timestamp, model::Meter};

/// So large that a whole percent more or less at either end doesn't matter much.
const PIECE: f64 = 5.0;
/// So many pieces must agree.
const ENOUGH: usize = 3;
/// So much of what was used, and so many percent in all, must be nobody's here for others to be named.
const OTHERS: (f64, f64) = (0.2, 20.0);
/// Two readings of one window may compute its reset a little apart.
const SAME_RESET_SECS: u64 = 120;

/// What an account has served.
#[derive(Debug)]
pub(super) struct Spent {
    /// When, and how much by then.
    by: Vec<(Timestamp, f64)>,
}

impl Spent {
    pub(super) fn of(attempts: &[Attempt], account: AccountId, usual: f64) -> Self {
        let mut sum = 0.0;
        let own = attempts.iter().filter(|attempt| attempt.account == Some(account));
        let by = own.map(|attempt| {
            sum += attempt.units.unwrap_or(usual);
            (attempt.at, sum)
        });
        Self { by: by.collect() }
    }

    fn by(&self, at: Timestamp) -> f64 {
        let count = self.by.partition_point(|(then, _)| *then <= at);
        count.checked_sub(1).map_or(0.0, |last| self.by[last].1)
    }

    fn between(&self, from: Timestamp, to: Timestamp) -> f64 {
        self.by(to) - self.by(from)
    }
}

/// Percent of the window for a unit; `None`: too little is known.
pub(super) fn per_unit(series: &Series, spent: &Spent) -> Option<f64> {
    // Percent a unit, and how many units said so.
    let mut pieces: Vec<(f64, f64)> = Vec::new();
    let mut anchor: Option<Sample> = None;
    for pair in series.samples.windows(2) {
        let [before, sample] = pair else { continue };
        if !same_window(before, sample) {
            // An unused window begins at nothing, exactly.
            anchor = (sample.used.used() == 0.0).then_some(*sample);
            continue;
        }
        let steps_up = sample.used > before.used;
        // What is beyond 100 % isn't shown.
        if !steps_up || sample.used.is_full() {
            continue;
        }
        let Some(from) = anchor else {
            anchor = Some(*sample);
            continue;
        };
        let (percent, units) = (
            sample.used.used() - from.used.used(),
            spent.between(from.at, sample.at),
        );
        if percent >= PIECE {
            if units > 0.0 {
                pieces.push((percent / units, units));
            }
            anchor = Some(*sample);
        }
    }
    (pieces.len() >= ENOUGH).then(|| weighted_median(pieces))
}

/// Whether other clients used the account as well, by more than a little.
pub(super) fn others_used(series: &Series, per_unit: f64, spent: &Spent) -> bool {
    let [first, .., last] = &series.samples[..] else {
        return false;
    };
    let risen: f64 = series
        .samples
        .windows(2)
        .filter_map(|pair| match pair {
            [before, after] if same_window(before, after) => Some(after.used.used() - before.used.used()),
            [_, after] => Some(after.used.used()),
            _ => None,
        })
        .sum();
    let unexplained = risen - spent.between(first.at, last.at) * per_unit;
    let (share, percent) = OTHERS;
    unexplained > risen * share && unexplained > percent
}

fn weighted_median(mut pieces: Vec<(f64, f64)>) -> f64 {
    pieces.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let half = pieces.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let middle = pieces.iter().find(|(_, weight)| {
        sum += weight;
        sum >= half
    });
    middle.or(pieces.last()).map_or(0.0, |(value, _)| *value)
}

fn same_window(a: &Sample, b: &Sample) -> bool {
    let same_reset = match (a.resets_at, b.resets_at) {
        (Some(a), Some(b)) => a.since(b).max(b.since(a)).as_secs() < SAME_RESET_SECS,
        _ => true,
    };
    same_reset && b.used >= a.used
}

/// The window as it stood at `start`, before anything of the history was served.
pub(super) fn at_start(series: &Series, per_unit: f64, spent: &Spent, start: Timestamp) -> Meter {
    let meter = Meter::new(series.length, per_unit);
    let before = series.samples.iter().rfind(|sample| sample.at <= start);
    if let Some(known) = before.filter(|known| known.resets_at.is_none_or(|reset| reset > start)) {
        return meter.begun(known.used.used(), known.resets_at, start);
    }
    let after = series.samples.iter().find(|sample| sample.at > start);
    let Some(known) = after.filter(|_| before.is_none()) else {
        return meter;
    };
    let lasting = std::time::Duration::from_secs(60 * u64::from(series.length.minutes()));
    // Its timer started later, with the history's own work.
    if known.resets_at.is_some_and(|reset| reset.before(lasting) > start) {
        return meter;
    }
    let used = known.used.used() - per_unit * spent.between(start, known.at);
    meter.begun(used.max(0.0), known.resets_at, start)
}
