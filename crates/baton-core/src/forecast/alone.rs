//! One account, if it serves everything from now on.

use super::{
    after,
    demand::{Path, Sums},
};
use crate::{
    LimitFamily, Timestamp,
    model::{Meter, Metered, Served, Upstream},
};

/// When each of its windows is full for the first time, if that is before its reset. What is asked for while another
/// window of it is full isn't served, and comes to nothing.
pub(super) fn full(
    metered: &Metered,
    path: &Path,
    which: fn(&Sums) -> f64,
    now: Timestamp,
) -> Vec<Option<Timestamp>> {
    let mut full: Vec<Option<Timestamp>> = vec![None; metered.limits[0].meters.len()];
    let mut resets: Vec<_> = metered.limits[0].meters.iter().map(Meter::resets_at).collect();
    let mut upstream = Upstream::new(vec![metered.clone()]);
    let (mut from, mut asked) = (0.0, 0.0);
    for (to, sums) in &path.steps {
        let (at, units) = (after(now, from), which(sums) - asked);
        asked = which(sums);
        let missing = full
            .iter()
            .zip(&resets)
            .any(|(full, reset)| full.is_none() && reset.is_none_or(|reset| reset > at));
        if !missing {
            break;
        }
        if units > 0.0 && upstream.serve(metered.id, &LimitFamily::General, units, at) == Served::Whole {
            let meters = &upstream.accounts()[0].limits[0].meters;
            for ((meter, full), reset) in meters.iter().zip(&mut full).zip(&mut resets) {
                let ends = *reset.get_or_insert(meter.resets_at().unwrap_or(at));
                if full.is_none() && meter.is_full() {
                    let over = (meter.used() - 100.0).max(0.0) / (units * meter.per_unit).max(1e-12);
                    *full = Some(after(now, to - (to - from) * over.min(1.0))).filter(|at| *at < ends);
                }
            }
        }
        from = *to;
    }
    full
}
