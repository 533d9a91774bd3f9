//! Readings of one kind of window, cut where one window ended and the next began.

use std::time::Duration;

use super::{Level, Stretch};
use crate::{Percent, Sample, WindowLength, quota::USAGE_LAG};

/// The windows that `samples` (in order of time) belong to. Of a window that nothing was used of there is nothing to show.
pub fn stretches(length: WindowLength, samples: &[Sample]) -> Vec<Stretch> {
    let lasts = Duration::from_secs(u64::from(length.minutes()) * 60);
    let mut found: Vec<Stretch> = Vec::new();
    for sample in samples {
        let level = Level {
            at: sample.at,
            used: sample.used,
        };
        match found.last_mut().filter(|last| goes_on(last, sample)) {
            Some(last) => {
                last.resets_at = sample.resets_at.or(last.resets_at);
                last.levels.push(level);
            }
            None => {
                // Early resets: the one before is over when the next begins, or when nothing is used any more.
                if let Some(last) = found.last_mut() {
                    last.resets_at = Some(last.resets_at.map_or(sample.at, |reset| reset.min(sample.at)));
                }
                if sample.used == Percent::ZERO && sample.resets_at.is_none() {
                    continue;
                }
                let began = sample.resets_at.map_or(sample.at, |reset| reset.before(lasts));
                let earlier = found.last().and_then(|last| last.resets_at);
                found.push(Stretch {
                    from: began.min(sample.at).max(earlier.unwrap_or(began.min(sample.at))),
                    resets_at: sample.resets_at,
                    levels: vec![level],
                });
            }
        }
    }
    found
}

/// Whether the sample is of the same window as those before it.
fn goes_on(last: &Stretch, sample: &Sample) -> bool {
    let fell = last.levels.last().is_some_and(|level| sample.used < level.used);
    match (last.resets_at, sample.resets_at) {
        (Some(known), _) if known <= sample.at => false,
        // Sources compute one reset a little apart; who reads late may see a little less of the same window.
        (Some(known), Some(new)) => new.since(known).max(known.since(new)) <= USAGE_LAG,
        _ => !fell,
    }
}
