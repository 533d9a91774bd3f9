//! People who use up accounts: demand minute by minute, of which everything is known, also what comes after the moment at
//! which a forecast is asked for. What of it Baton would have seen is recorded on the way: readings and requests.

/// What makes a trace hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Constant,
    Bursty,
    DayAndNight,
    SeveralClients,
    LazilyUpdated,
    EarlyResets,
    WholePercents,
    TwoAccounts,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Constant,
        Self::Bursty,
        Self::DayAndNight,
        Self::SeveralClients,
        Self::LazilyUpdated,
        Self::EarlyResets,
        Self::WholePercents,
        Self::TwoAccounts,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Bursty => "bursty",
            Self::DayAndNight => "day and night",
            Self::SeveralClients => "several clients",
            Self::LazilyUpdated => "lazily updated",
            Self::EarlyResets => "early resets",
            Self::WholePercents => "whole percents",
            Self::TwoAccounts => "two accounts in turn",
        }
    }
}

pub(crate) const DAY: usize = 24 * 60;

/// A person's demand.
#[derive(Debug)]
pub(crate) struct Person {
    /// Units asked for through Baton, and by another client of the account, in each minute. A unit is a percent of five
    /// hours.
    pub(crate) own: Vec<f64>,
    pub(crate) others: Vec<f64>,
    /// The readings say what was true so many minutes ago, at most.
    pub(crate) lag: usize,
    pub(crate) whole_percents: bool,
    /// Minutes at which all windows start anew, before their time.
    pub(crate) early_resets: Vec<usize>,
    /// Units that a week has.
    pub(crate) week: f64,
    pub(crate) accounts: u32,
    /// The moment at which the forecast is asked for.
    pub(crate) now: usize,
    /// Requests are recorded, with their weight.
    pub(crate) requests: bool,
}

impl Person {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ kind as u64);
        let days = random.between(4.0, 25.0) as usize;
        // The moment lies in the day after; what follows must last for a week.
        let minutes = (days + 9) * DAY;
        // Units in an hour of work: a window of five hours lasts for less than that.
        let pace = random.between(24.0, 70.0);
        let own = match kind {
            Kind::Constant => vec![pace / 60.0; minutes],
            Kind::WholePercents => office(&mut random, minutes, |_| Work::steady(pace)),
            Kind::DayAndNight | Kind::EarlyResets => office(&mut random, minutes, |random| {
                Work::bursty(pace * random.log_normal(0.25))
            }),
            _ => office(&mut random, minutes, |_| Work::bursty(pace)),
        };
        let others = if kind == Kind::SeveralClients {
            let share = random.between(0.2, 0.8);
            office(&mut random, minutes, |_| Work::bursty(pace * share))
        } else {
            vec![0.0; minutes]
        };
        let early_resets = (0..days)
            .filter(|_| kind == Kind::EarlyResets)
            .filter_map(|day| {
                let (happens, minute) = (random.next() < 0.4, random.next() * DAY as f64);
                happens.then_some(day * DAY + minute as usize)
            })
            .collect();
        let now = moment(&mut random, &own, days);
        Self {
            own,
            others,
            lag: if kind == Kind::LazilyUpdated {
                random.between(8.0, 25.0) as usize
            } else {
                0
            },
            whole_percents: !matches!(kind, Kind::Constant | Kind::Bursty),
            early_resets,
            // By which a week's work doesn't fit into a week, for those that are asked about it.
            week: if kind == Kind::DayAndNight {
                pace * random.between(22.0, 32.0)
            } else {
                4000.0
            },
            accounts: if kind == Kind::TwoAccounts { 2 } else { 1 },
            now,
            // How two accounts compare, only requests tell.
            requests: kind == Kind::TwoAccounts || random.next() < 0.5,
        }
    }
}

/// Some minute of the day after, at work for a quarter of an hour.
fn moment(random: &mut Random, own: &[f64], days: usize) -> usize {
    let at_work =
        |minute: &usize| own[minute - 15..*minute].iter().sum::<f64>() > 0.0 && own[minute - 1] > 0.0;
    let minutes: Vec<_> = (days * DAY..(days + 2) * DAY).filter(at_work).collect();
    let index = (random.next() * minutes.len() as f64) as usize;
    minutes.get(index).copied().unwrap_or(days * DAY)
}

/// How somebody works while they work.
#[derive(Clone, Copy)]
struct Work {
    /// Units in an hour.
    pace: f64,
    bursty: bool,
}

impl Work {
    fn steady(pace: f64) -> Self {
        Self { pace, bursty: false }
    }

    fn bursty(pace: f64) -> Self {
        Self { pace, bursty: true }
    }

    /// Turns of some minutes, each of its own intensity, and pauses between them.
    fn lay(self, random: &mut Random, minutes: &mut [f64]) {
        let a_minute = self.pace / 60.0;
        if !self.bursty {
            return minutes.fill(a_minute);
        }
        let mut at = 0;
        while at < minutes.len() {
            let turn = 1 + random.exponential(4.0) as usize;
            let pause = random.exponential(3.5) as usize;
            // Turns take six tenths of the time.
            let intensity = a_minute / 0.6 * random.log_normal(0.5);
            let end = (at + turn).min(minutes.len());
            minutes[at..end].fill(intensity);
            at = end + pause;
        }
    }
}

/// Five days a week from about nine to about six, with a break at noon; some of the weekends too.
fn office(random: &mut Random, minutes: usize, work: impl Fn(&mut Random) -> Work) -> Vec<f64> {
    let mut demand = vec![0.0; minutes];
    let weekday = (random.next() * 7.0) as usize;
    let (begins, ends) = (random.between(7.5, 10.5), random.between(16.5, 19.5));
    for day in 0..minutes / DAY {
        let works = if (day + weekday) % 7 < 5 { 0.95 } else { 0.2 };
        let (present, of_day) = (random.next() < works, work(random));
        let mut span = |from: f64, to: f64| {
            let minute = |hour: f64| day * DAY + (hour.clamp(0.0, 23.9) * 60.0) as usize;
            if present && from < to {
                of_day.lay(random, &mut demand[minute(from)..minute(to)]);
            }
        };
        // The day's own hours are no more regular than people are.
        let late = (day * 7919 % 61) as f64 / 60.0 - 0.5;
        span(begins + late, 12.5 + late / 2.0);
        span(13.25 + late / 2.0, ends + late);
    }
    demand
}

/// Splitmix: the same seed gives the same people everywhere.
struct Random(u64);

impl Random {
    /// From 0 to under 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.next()).ln()
    }

    /// With a mean of one.
    fn log_normal(&mut self, sigma: f64) -> f64 {
        let (a, b) = (1.0 - self.next(), self.next());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        (sigma * normal - sigma * sigma / 2.0).exp()
    }
}
