//! An account at work: windows that fill, start at first use and reset; named limits; credits.

use crate::clock::millis;
use crate::scenario::Percent;
use crate::script::{AccountScript, Slot, WindowScript};

/// A window as a reader sees it at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) slot: Slot,
    pub(crate) used_percent: f64,
    pub(crate) minutes: i64,
    pub(crate) reset_after_seconds: i64,
    pub(crate) reset_at: i64,
}

/// Whether a request may go ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Admission {
    /// It fits.
    Fits,
    /// It crosses 100 %.
    Crosses { resets_at: i64 },
    /// The limit is used up.
    Spent { resets_at: i64 },
}

#[derive(Debug)]
struct Window {
    script: WindowScript,
    used: f64,
    /// When the timer started; none until the first use.
    started: Option<i64>,
}

impl Window {
    fn new(script: WindowScript, now: i64) -> Self {
        let started = (script.used > 0.0).then(|| now - millis(script.age));
        Self {
            used: script.used,
            started,
            script,
        }
    }

    /// ## running => idle, at the end of the duration; the next use starts it again.
    fn roll(&mut self, now: i64) {
        if self
            .started
            .is_some_and(|at| now >= at + millis(self.script.duration))
        {
            self.started = None;
            self.used = 0.0;
        }
    }

    fn reset_millis(&self, now: i64) -> i64 {
        self.started.unwrap_or(now) + millis(self.script.duration)
    }

    fn is_spent(&self) -> bool {
        self.used + 1e-9 >= self.script.capacity
    }

    fn reading(&self, slot: Slot, now: i64, percent: Percent) -> Reading {
        let exact = if self.script.capacity > 0.0 {
            self.used / self.script.capacity * 100.0
        } else {
            100.0
        };
        let exact = if self.is_spent() { 100.0 } else { exact.min(100.0) };
        let used_percent = match percent {
            Percent::Floor => (exact + 1e-9).floor(),
            Percent::Round => exact.round(),
            Percent::Exact => exact,
        };
        let reset = self.reset_millis(now);
        Reading {
            slot,
            used_percent,
            minutes: millis(self.script.duration) / 60_000,
            // Rounded up: never in the past while the window still runs.
            reset_after_seconds: (reset - now + 999).div_euclid(1000),
            reset_at: (reset + 999).div_euclid(1000),
        }
    }
}

/// The windows of one limit.
#[derive(Debug)]
pub(crate) struct Meter {
    windows: Vec<Window>,
}

impl Meter {
    fn new(scripts: &[WindowScript], now: i64) -> Self {
        Self {
            windows: scripts
                .iter()
                .map(|script| Window::new(script.clone(), now))
                .collect(),
        }
    }

    fn roll(&mut self, now: i64) {
        for window in &mut self.windows {
            window.roll(now);
        }
    }

    /// When the last of the used-up windows resets, in Unix seconds.
    fn spent_until(&self, now: i64) -> Option<i64> {
        let until = self
            .windows
            .iter()
            .filter(|w| w.is_spent())
            .map(|w| w.reset_millis(now))
            .max()?;
        Some((until + 999).div_euclid(1000))
    }

    /// The used-up window that resets last, if any.
    pub(crate) fn is_spent(&self) -> bool {
        self.windows.iter().any(Window::is_spent)
    }

    fn crossing(&self, cost: f64, now: i64) -> Option<i64> {
        let over = |w: &&Window| w.used + cost > w.script.capacity + 1e-9;
        let until = self
            .windows
            .iter()
            .filter(over)
            .map(|w| w.reset_millis(now))
            .max()?;
        Some((until + 999).div_euclid(1000))
    }

    fn charge(&mut self, units: f64, now: i64) {
        for window in &mut self.windows {
            window.started.get_or_insert(now);
            window.used += units;
        }
    }

    /// The windows as shown, primary first.
    pub(crate) fn readings(&self, now: i64, percent: Percent) -> Vec<Reading> {
        let slots = [Slot::Primary, Slot::Secondary];
        let mut readings: Vec<Reading> = self
            .windows
            .iter()
            .zip(slots)
            .map(|(window, slot)| window.reading(window.script.slot.unwrap_or(slot), now, percent))
            .collect();
        readings.sort_by_key(|reading| reading.slot == Slot::Secondary);
        readings
    }
}

/// An account of the running simulation.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) script: AccountScript,
    pub(crate) general: Meter,
    /// In the order of `script.families`.
    pub(crate) named: Vec<Meter>,
    pub(crate) credits: Option<f64>,
}

impl Account {
    pub(crate) fn new(script: AccountScript, now: i64) -> Self {
        Self {
            general: Meter::new(&script.windows, now),
            named: script
                .families
                .iter()
                .map(|family| Meter::new(&family.windows, now))
                .collect(),
            credits: script.credits,
            script,
        }
    }

    pub(crate) fn roll(&mut self, now: i64) {
        self.general.roll(now);
        for meter in &mut self.named {
            meter.roll(now);
        }
    }

    /// Which named limit meters a model; none means the general one.
    pub(crate) fn family_of(&self, model: &str) -> Option<usize> {
        self.script
            .families
            .iter()
            .position(|family| family.models.iter().any(|m| m == model))
    }

    fn meter_mut(&mut self, family: Option<usize>) -> &mut Meter {
        match family {
            Some(index) => &mut self.named[index],
            None => &mut self.general,
        }
    }

    /// Whether a request of this cost may go ahead. Call [`Account::roll`] first.
    pub(crate) fn admit(&self, family: Option<usize>, cost: f64, now: i64) -> Admission {
        let meter = family.map_or(&self.general, |index| &self.named[index]);
        if self.credits.is_some_and(|balance| balance > 0.0) && family.is_none() {
            return Admission::Fits;
        }
        if let Some(resets_at) = meter.spent_until(now) {
            return Admission::Spent { resets_at };
        }
        meter
            .crossing(cost, now)
            .map_or(Admission::Fits, |resets_at| Admission::Crosses { resets_at })
    }

    /// Takes a request's cost from the windows, or from the credits once a window is used up.
    pub(crate) fn charge(&mut self, family: Option<usize>, cost: f64, now: i64) {
        if family.is_none()
            && self.general.is_spent()
            && let Some(balance) = &mut self.credits
        {
            *balance = (*balance - cost).max(0.0);
            return;
        }
        self.meter_mut(family).charge(cost, now);
    }

    /// Uses up what is left of every window of a limit.
    pub(crate) fn exhaust(&mut self, family: Option<usize>, now: i64) {
        for window in &mut self.meter_mut(family).windows {
            window.started.get_or_insert(now);
            window.used = window.used.max(window.script.capacity);
        }
    }

    /// Sets the use of the general window of a duration.
    pub(crate) fn set_used(&mut self, duration_millis: i64, units: f64, now: i64) {
        for window in self
            .general
            .windows
            .iter_mut()
            .filter(|w| millis(w.script.duration) == duration_millis)
        {
            window.started.get_or_insert(now);
            window.used = units;
        }
    }

    /// Empties every window before its time, as the service sometimes does.
    pub(crate) fn lift(&mut self) {
        for meter in std::iter::once(&mut self.general).chain(&mut self.named) {
            for window in &mut meter.windows {
                window.used = 0.0;
                window.started = None;
            }
        }
    }
}
