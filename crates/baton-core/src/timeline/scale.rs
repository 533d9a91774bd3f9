//! Where times and percents stand on the picture.

use crate::{Percent, Timestamp};

pub(super) const MARGIN: f64 = 10.0;
pub(super) const AXIS: f64 = 30.0;
pub(super) const PLOT: f64 = 56.0;
/// Below a plot: who served.
pub(super) const SERVED: f64 = 5.0;
pub(super) const GAP: f64 = 16.0;
const LINE: f64 = 17.0;
/// Below this a lane's label and what is said of it stand on two lines.
const NARROW: f64 = 520.0;

#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) width: f64,
    from: Timestamp,
    to: Timestamp,
}

impl Scale {
    pub(super) fn new(width: f64, from: Timestamp, to: Timestamp) -> Self {
        Self { width, from, to }
    }

    pub(super) fn narrow(&self) -> bool {
        self.width < NARROW
    }

    pub(super) fn left(&self) -> f64 {
        MARGIN
    }

    pub(super) fn right(&self) -> f64 {
        self.width - MARGIN
    }

    /// Within the picture, whatever the time.
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        let whole = self.to.since(self.from).as_secs_f64().max(1.0);
        let share = (at.since(self.from).as_secs_f64() / whole).clamp(0.0, 1.0);
        self.left() + share * (self.right() - self.left())
    }

    pub(super) fn shows(&self, from: Timestamp, to: Timestamp) -> bool {
        from < self.to && to > self.from
    }

    /// The words above a plot.
    pub(super) fn head(&self) -> f64 {
        if self.narrow() {
            2.0 * LINE + 4.0
        } else {
            LINE + 4.0
        }
    }

    pub(super) fn lane(&self) -> f64 {
        self.head() + PLOT + SERVED + GAP
    }

    /// The top of a lane's plot.
    pub(super) fn plot(&self, lane: usize) -> f64 {
        AXIS + lane as f64 * self.lane() + self.head()
    }

    pub(super) fn y(&self, lane: usize, used: Percent) -> f64 {
        self.plot(lane) + PLOT * (1.0 - used.used() / 100.0)
    }

    pub(super) fn base(&self, lane: usize) -> f64 {
        self.plot(lane) + PLOT
    }

    pub(super) fn bottom(&self, lanes: usize) -> f64 {
        AXIS + lanes as f64 * self.lane() - GAP
    }
}
