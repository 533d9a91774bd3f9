//! What the person asks of their accounts: how much, at which hours, and how evenly. In units of demand: what an account's
//! window loses to one of them is its cost.
//!
//! The pace of the last hours counts for the next ones, and the usual pace of the hour of the week for later ones. How far
//! sums of demand stray from that is measured on the history itself, over an hour and over a day, and gives the range: sums
//! are taken to be gamma distributed, and sums only grow, so that the quantiles of a sum are those of the time at which it
//! is reached.

use super::history::Grid;

/// After so long without demand the person isn't working, in bins.
pub(super) const PAUSE: usize = 9;
/// How far back the pace of now reaches.
const RECENT: usize = 4 * PER_HOUR;
/// What is so old counts a third in the pace of now, in hours.
const FADES: f64 = 2.0;
/// How long another pace than the usual one lasts, in hours.
const PACE_LASTS: f64 = 8.0;
/// How long it tells something that somebody works today, in hours.
const DAY_LASTS: f64 = 8.0;
/// How long work at an hour that isn't usual lasts, in hours.
const UNUSUAL_LASTS: f64 = 2.0;
/// The usual pace counts as so many hours of observed pace.
const PRIOR: f64 = 1.5;
/// What lies so many days back counts a third.
const FADES_DAYS: f64 = 20.0;
/// What is known of the hour before counts as so many days.
const HOUR_BEFORE: f64 = 0.2;
/// What is known of other days counts as so many weeks.
const OTHER_DAYS: f64 = 1.0;
/// Days to come stray more from the usual than those that it was made from.
const DAYS_DIFFER: f64 = 2.0;
const PER_HOUR: usize = 12;
const PER_DAY: usize = 24 * PER_HOUR;
/// Half hours of a week.
const SLOTS: usize = 336;
const PER_SLOT: f64 = 6.0;

/// The range is from the first to the last decile: 80 %.
const DECILE: f64 = 1.2816;

#[derive(Clone, Debug)]
pub(super) struct Demand {
    /// `None` under three days of history.
    hours: Option<Hours>,
    /// An hour's demand while working.
    pub(super) working_pace: f64,
    /// An hour's demand just now; `None` when nobody works.
    pub(super) pace: Option<f64>,
    /// Hours that the pace of now was observed.
    observed: f64,
    /// How likely somebody works at the hours of this session.
    usual_now: f64,
    /// Variance over mean of an hour's demand, and of a day's.
    hourly: f64,
    daily: f64,
}

impl Demand {
    /// `None` if nothing was asked. `bins`: what was asked for in each bin, not a number where nobody could be asked or
    /// where there are no readings. `seen`: up to which bin readings tell what was used. `busy`: something shows that the
    /// person works, though no reading says so yet.
    pub(super) fn of(bins: &[f64], seen: usize, busy: bool, grid: &Grid) -> Option<Self> {
        let first = bins.iter().position(|demand| !demand.is_nan())?.min(seen);
        let total: f64 = bins.iter().filter(|demand| !demand.is_nan()).sum();
        if total <= 0.0 {
            return None;
        }
        let sessions = Sessions::of(&bins[..seen]);
        let (working, hourly) = sessions.pace();
        let hours =
            (seen - first.min(seen) >= 3 * PER_DAY).then(|| Hours::of(&sessions.works, bins.len(), grid));
        let mut demand = Self {
            daily: hourly,
            hours,
            working_pace: working,
            pace: None,
            observed: 0.0,
            usual_now: 1.0,
            hourly,
        };
        demand.daily = demand.measure_days(bins, first, grid).max(hourly);
        let idle = bins[first..seen]
            .iter()
            .rev()
            .take_while(|demand| **demand <= 0.0)
            .count();
        if idle < PAUSE || busy {
            demand.look_at_now(&bins[..seen], first, grid);
        }
        Some(demand)
    }

    fn look_at_now(&mut self, bins: &[f64], first: usize, grid: &Grid) {
        let (mut seen, mut usual, mut weights, mut pause) = (0.0, 0.0, 0.0, 0);
        let latest = (first..bins.len()).rev().take(RECENT);
        for (age, index) in latest.enumerate() {
            pause = if bins[index] > 0.0 { 0 } else { pause + 1 };
            if pause >= PAUSE || bins[index].is_nan() {
                break;
            }
            let weight = (-(age as f64) / PER_HOUR as f64 / FADES).exp();
            seen += weight * bins[index];
            let slot = grid.half_hour_of_week(index as f64);
            usual += weight * self.hours.as_ref().map_or(1.0, |hours| hours.of_day(slot));
            weights += weight;
        }
        let hours = (weights / PER_HOUR as f64).max(1e-3);
        self.observed = hours + PRIOR;
        self.pace = Some((seen + PRIOR * self.working_pace) / self.observed);
        self.usual_now = usual / weights.max(1e-3);
    }

    /// An hour's demand, so many hours from now.
    fn expected(&self, hours: f64, grid: &Grid) -> f64 {
        let slot = grid.half_hour_of_week((Grid::BINS as f64) + hours * Grid::BINS_AN_HOUR);
        let Some(pace) = self.pace else {
            return self.usual(slot);
        };
        let pace = self.working_pace + (pace - self.working_pace) * (-hours / PACE_LASTS).exp();
        let Some(known) = &self.hours else {
            return pace;
        };
        // Who works now works today, and if that is unusual at this hour, goes on for a while.
        let of_work = known.of_week[slot] + (1.0 - known.of_week[slot]) * (-hours / DAY_LASTS).exp();
        let unusual = (1.0 - self.usual_now * 4.0).max(0.0) * (-hours / UNUSUAL_LASTS).exp();
        pace * (known.of_day(slot) * of_work).max(unusual)
    }

    /// An hour's demand, by what is usual.
    fn usual(&self, slot: usize) -> f64 {
        let works = self
            .hours
            .as_ref()
            .map_or(1.0, |hours| hours.of_day(slot) * hours.of_week[slot]);
        self.working_pace * works
    }

    pub(super) fn knows_the_hours(&self) -> bool {
        self.hours.is_some()
    }

    /// Whether anything can be said of clock times: not of a person who rests, and of whose days nothing is known.
    pub(super) fn says_when(&self) -> bool {
        self.pace.is_some() || self.hours.is_some()
    }

    /// Variance over mean of a day's demand, about the profile.
    fn measure_days(&self, bins: &[f64], first: usize, grid: &Grid) -> f64 {
        let (mut squares, mut expected, mut days) = (0.0, 0.0, 0);
        for start in (first..bins.len().saturating_sub(PER_DAY - 1)).step_by(PER_DAY) {
            let day = (start..start + PER_DAY).filter(|index| !bins[*index].is_nan());
            let (usual, actual) = day.fold((0.0, 0.0), |(usual, actual), index| {
                let own = self.usual(grid.half_hour_of_week(index as f64)) / PER_HOUR as f64;
                (usual + own, actual + bins[index])
            });
            squares += (actual - usual).powi(2);
            expected += usual;
            days += 1;
        }
        if days < 3 || expected <= 0.0 {
            return self.hourly * 3.0;
        }
        // The same days say what is usual, so that they stray less from it than others will.
        DAYS_DIFFER * squares / expected * f64::from(days) / f64::from(days - 2)
    }

    /// The sums of demand to come, up to the horizon.
    pub(super) fn path(&self, grid: &Grid) -> Path {
        let mut steps = Vec::with_capacity(512);
        let (mut at, mut mean, mut recent) = (0.0, 0.0, 0.0);
        let mut before = Sums::default();
        while at < Path::HOURS - 1e-9 {
            let length = Path::step(at);
            let middle = at + length / 2.0;
            let more = self.expected(middle, grid) * length;
            mean += more;
            recent += more * (-middle / PACE_LASTS).exp();
            at += length;
            let spread = self.hourly + (self.daily - self.hourly) * (1.0 - (-at / 24.0).exp());
            // The pace of now is known from what was observed of it.
            let pace = self.pace.unwrap_or(self.working_pace).max(1e-9);
            let of_pace = if self.observed > 0.0 {
                self.hourly / (pace * self.observed)
            } else {
                1.0
            };
            let variance = spread * mean + of_pace.min(1.0) * recent * recent + 1e-3 * mean * mean;
            let sums = Sums::of(mean, variance).at_least(&before);
            steps.push((at, sums));
            before = sums;
        }
        Path { steps }
    }
}

/// Sums of demand by some moment: the first decile, the middle, and the last one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) little: f64,
    pub(super) likely: f64,
    pub(super) much: f64,
}

impl Sums {
    /// Quantiles of a gamma distribution, by Wilson and Hilferty.
    fn of(mean: f64, variance: f64) -> Self {
        if mean <= 0.0 || variance <= 0.0 {
            return Self {
                little: mean,
                likely: mean,
                much: mean,
            };
        }
        let ninth = variance / (mean * mean) / 9.0;
        let quantile = |deviations: f64| mean * (1.0 - ninth + deviations * ninth.sqrt()).max(0.0).powi(3);
        Self {
            little: quantile(-DECILE),
            likely: quantile(0.0),
            much: quantile(DECILE),
        }
    }

    /// Sums never fall.
    fn at_least(self, before: &Self) -> Self {
        Self {
            little: self.little.max(before.little),
            likely: self.likely.max(before.likely),
            much: self.much.max(before.much),
        }
    }
}

/// Demand to come, summed, by hours from now.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) steps: Vec<(f64, Sums)>,
}

impl Path {
    /// How far a forecast looks.
    pub(super) const HOURS: f64 = 168.0;

    /// Fine where minutes matter to a person.
    fn step(at: f64) -> f64 {
        match at {
            at if at < 2.0 => 1.0 / 30.0,
            at if at < 6.0 => 1.0 / 12.0,
            at if at < 48.0 => 0.25,
            _ => 1.0,
        }
    }

    /// At a constant pace, in hours of work.
    pub(super) fn constant(pace: f64) -> Self {
        let (mut steps, mut at) = (Vec::new(), 0.0);
        while at < Self::HOURS - 1e-9 {
            at += Self::step(at);
            let sum = pace * at;
            let sums = Sums {
                little: sum,
                likely: sum,
                much: sum,
            };
            steps.push((at, sums));
        }
        Self { steps }
    }
}

/// When somebody worked: without a pause, but for short ones.
struct Sessions {
    /// For each bin; `None` where that can't be known.
    works: Vec<Option<bool>>,
    total: f64,
    bins: usize,
    /// What was asked for in full hours of work.
    hours: Vec<f64>,
}

impl Sessions {
    fn of(demand: &[f64]) -> Self {
        let mut sessions = Self {
            works: Vec::with_capacity(demand.len()),
            total: 0.0,
            bins: 0,
            hours: Vec::new(),
        };
        let mut begun: Option<usize> = None;
        let mut last = 0;
        for (index, asked) in demand.iter().enumerate() {
            if let Some(from) = begun
                && (asked.is_nan() || index - last >= PAUSE)
            {
                sessions.end(from, last + 1, demand);
                begun = None;
            }
            if *asked > 0.0 {
                begun = begun.or(Some(index));
                last = index;
            }
            sessions.works.push((!asked.is_nan()).then_some(false));
        }
        if let Some(from) = begun {
            sessions.end(from, last + 1, demand);
        }
        sessions
    }

    fn end(&mut self, from: usize, to: usize, demand: &[f64]) {
        self.works[from..to].fill(Some(true));
        self.total += demand[from..to].iter().sum::<f64>();
        self.bins += to - from;
        self.hours.extend(
            demand[from..to]
                .chunks_exact(PER_HOUR)
                .map(|hour| hour.iter().sum::<f64>()),
        );
    }

    /// An hour's demand, and its variance over its mean.
    fn pace(&self) -> (f64, f64) {
        let pace = self.total / self.bins.max(1) as f64 * PER_HOUR as f64;
        let squares: f64 = self.hours.iter().map(|hour| (hour - pace).powi(2)).sum();
        // As long as little was seen, an hour is taken to stray by half of itself.
        let variance = (squares + 3.0 * pace * pace / 4.0) / (self.hours.len() as f64 + 3.0);
        (pace, variance / pace.max(1e-9))
    }
}

/// At which hours somebody works, on days on which they do, and how likely such a day is. Apart, because nobody can be
/// asked once everything is used up, which happens on days of work only.
#[derive(Clone, Debug)]
struct Hours {
    /// Of a day of work, by half hours.
    of_day: Vec<f64>,
    /// How likely it is one, by half hours of the week.
    of_week: Vec<f64>,
}

impl Hours {
    /// `now`: the bin that ages count from.
    fn of(works: &[Option<bool>], now: usize, grid: &Grid) -> Self {
        let mut of_day = vec![Share::default(); SLOTS / 7];
        let mut of_week = vec![Share::default(); SLOTS];
        // Bins of work so far.
        let mut so_far = vec![0_u32];
        for works in works {
            let before = so_far.last().copied().unwrap_or(0);
            so_far.push(before + u32::from(*works == Some(true)));
        }
        let first = works.iter().position(Option::is_some).unwrap_or(0);
        for (index, works) in works.iter().enumerate().skip(first) {
            let around = index.saturating_sub(PER_DAY / 2)..(index + PER_DAY / 2).min(so_far.len() - 1);
            let of_work = so_far[around.end] > so_far[around.start];
            let age_days = (now - index) / PER_DAY;
            let weight = (-(age_days as f64) / FADES_DAYS).exp() / PER_SLOT;
            let slot = grid.half_hour_of_week(index as f64);
            of_week[slot].count(of_work, weight);
            if let Some(works) = works.filter(|_| of_work) {
                of_day[slot % (SLOTS / 7)].count(works, weight);
            }
        }
        // A half hour of which little is known is like the one before, a weekday like the others.
        let mut before = 0.0;
        let day = of_day.len();
        let twice = (0..2 * day).map(|slot| {
            before = of_day[slot % day].with(before, HOUR_BEFORE);
            before
        });
        let of_day: Vec<f64> = twice.skip(day).collect();
        let of_week = (0..SLOTS).map(|slot| {
            let mut days = Share::default();
            (slot % day..SLOTS)
                .step_by(day)
                .for_each(|slot| days.add(&of_week[slot]));
            of_week[slot].with(days.with(1.0, 1e-6), OTHER_DAYS)
        });
        Self {
            of_week: of_week.collect(),
            of_day,
        }
    }

    fn of_day(&self, slot: usize) -> f64 {
        self.of_day[slot % self.of_day.len()]
    }
}

/// How much of what was looked at is so.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    so: f64,
    all: f64,
}

impl Share {
    fn count(&mut self, so: bool, weight: f64) {
        self.so += weight * f64::from(so);
        self.all += weight;
    }

    fn add(&mut self, other: &Self) {
        self.so += other.so;
        self.all += other.all;
    }

    fn with(&self, prior: f64, weight: f64) -> f64 {
        (self.so + weight * prior) / (self.all + weight)
    }
}
