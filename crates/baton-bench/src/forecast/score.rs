//! What a forecast was worth: what it said at the moment, beside what then came.

use std::time::Duration;

use baton_core::{
    Account, AccountId, AccountState, Forecast, Identity, LimitFamily, Percent, Policy, Pool, Reading,
    Request, Sample, Series, Timestamp, WindowLength, forecast,
    forecast::{Asked, Depletion, History, Outlook, When},
    model::{Limit, Meter, Metered, Upstream},
};

use super::traces::{DAY, Kind, Person};

/// One thing foretold, in hours from the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// How far ahead it looks: the window's length; of the pool, a week.
    pub(crate) horizon: f64,
    /// `None`: nothing was said.
    pub(crate) said: Option<Range>,
    pub(crate) came: f64,
    /// It was used up, rather than reset.
    pub(crate) used_up: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) earliest: f64,
    pub(crate) likely: f64,
    pub(crate) latest: f64,
}

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Window(WindowLength),
    Pool,
}

struct World {
    person: Person,
    pool: Pool,
    upstream: Upstream,
    history: History,
    /// What readings show, for each account: the last one that was made new, and when.
    shown: Vec<(usize, Option<Reading>)>,
}

const START: Timestamp = Timestamp::from_secs(1_790_000_000);

fn at(minute: usize) -> Timestamp {
    START + Duration::from_secs(60 * minute as u64)
}

fn fresh(person: &Person) -> Upstream {
    let accounts = (1..=person.accounts).map(|number| {
        let meters = vec![
            Meter::new(WindowLength::FIVE_HOURS, 1.0),
            Meter::new(WindowLength::WEEK, 100.0 / person.week),
        ];
        Metered {
            id: AccountId::new(number),
            limits: vec![Limit::general(meters)],
        }
    });
    Upstream::new(accounts.collect())
}

impl World {
    fn new(person: Person) -> Self {
        let mut pool = Pool::new(Policy::default());
        let mut history = History::default();
        for number in 1..=person.accounts {
            let id = AccountId::new(number);
            let identity = Identity {
                user: format!("{number}").into(),
                account: "a".into(),
            };
            let account = Account::new(id, identity, format!("{number}"));
            let added = pool.add(account, START, &mut Vec::new());
            debug_assert!(added.is_ok(), "they are all others");
            for length in [WindowLength::FIVE_HOURS, WindowLength::WEEK] {
                history.series.push(Series {
                    account: id,
                    length,
                    samples: Vec::new(),
                });
            }
        }
        let shown = vec![(0, None); person.accounts as usize];
        Self {
            upstream: fresh(&person),
            person,
            pool,
            history,
            shown,
        }
    }

    /// A minute passes. `false`: what was asked for wasn't served.
    fn minute(&mut self, minute: usize, record: bool) -> bool {
        let now = at(minute);
        if self.person.early_resets.contains(&minute) {
            self.upstream = fresh(&self.person);
        }
        let others = self.person.others[minute];
        if others > 0.0 {
            self.upstream
                .serve(AccountId::new(1), &LimitFamily::General, others, now);
        }
        let own = self.person.own[minute];
        if own <= 0.0 {
            return true;
        }
        // The pool learns by readings as they are shown, lazily or not.
        let Some(account) = self
            .pool
            .route(&Request::default(), now, &mut Vec::new())
            .choice
            .account()
        else {
            return false;
        };
        let served = self.upstream.serve(account, &LimitFamily::General, own, now);
        let served = served == baton_core::model::Served::Whole;
        self.read(account, minute, !served, record);
        if record && served && self.person.requests {
            self.history.asked.push(Asked {
                at: now,
                account,
                weight: own,
            });
        }
        served || self.pool.successor(account, now).is_some()
    }

    fn read(&mut self, account: AccountId, minute: usize, refused: bool, record: bool) {
        let now = at(minute);
        let index = account.get() as usize - 1;
        let (made, last) = &self.shown[index];
        let renew = refused || last.is_none() || minute - made >= self.person.lag;
        if renew {
            let Some(mut reading) = self.upstream.reading(account, now) else {
                return;
            };
            if !self.person.whole_percents {
                let meters = &self.upstream.accounts()[index].limits[0].meters;
                for (window, meter) in reading.limits[0].windows.iter_mut().zip(meters) {
                    window.used =
                        Percent::clamped((meter.used() * 100.0).round() / 100.0).unwrap_or(window.used);
                }
            }
            self.shown[index] = (minute, Some(reading));
        }
        let Some(mut reading) = self.shown[index].1.clone() else {
            return;
        };
        reading.observed_at = now;
        reading.limits[0]
            .windows
            .iter_mut()
            .for_each(|window| window.observed_at = now);
        let generation = self.pool.account(account).map_or(0, AccountState::generation);
        self.pool
            .learn(account, generation, &reading, now, &mut Vec::new());
        for window in reading.limits[0].windows.iter().filter(|_| record) {
            let own = |series: &&mut Series| series.account == account && series.length == window.length;
            if let Some(series) = self.history.series.iter_mut().find(own) {
                series.samples.push(Sample {
                    at: now,
                    used: window.used,
                    resets_at: window.resets_at,
                });
            }
        }
    }

    fn meter(&self, length: WindowLength) -> Option<&Meter> {
        self.upstream.accounts()[0].limits[0]
            .meters
            .iter()
            .find(|meter| meter.length == length)
    }
}

/// Makes the trace, asks for the forecast at its moment, and goes on to see what comes. `None` where there is nothing to
/// ask about: nobody can serve, or the window is unused.
pub(crate) fn score(kind: Kind, about: About, seed: u64) -> Option<Told> {
    let mut world = World::new(Person::new(kind, seed));
    let now = world.person.now;
    for minute in 0..now {
        world.minute(minute, true);
    }
    // Without anybody who serves, only the return is to be foretold, and that is known.
    world.pool.successor(AccountId::new(0), at(now))?;
    let told = forecast(&world.pool, &world.history, at(now));
    match about {
        About::Window(length) => of_window(&mut world, length, &told),
        About::Pool => of_pool(&mut world, &told),
    }
}

fn hours(when: Timestamp, now: usize) -> f64 {
    when.since(at(now)).as_secs_f64() / 3600.0
}

fn range(when: When, end: f64, now: usize) -> Range {
    let or_end = |when: Option<Timestamp>| when.map_or(end, |when| hours(when, now));
    Range {
        earliest: hours(when.earliest, now),
        likely: or_end(when.likely),
        latest: or_end(when.latest),
    }
}

fn of_window(world: &mut World, length: WindowLength, told: &Forecast) -> Option<Told> {
    let now = world.person.now;
    let resets_at = world
        .meter(length)?
        .resets_at()
        .filter(|reset| *reset > at(now))?;
    let reset = hours(resets_at, now);
    let own = told.accounts[0]
        .windows
        .iter()
        .find(|window| window.length == length)?;
    let said = match own.depletes {
        Depletion::At(when) => Some(range(when, reset, now)),
        Depletion::Lasts => Some(Range {
            earliest: reset,
            likely: reset,
            latest: reset,
        }),
        Depletion::UsedUp | Depletion::Resting | Depletion::Unknown => None,
    };
    let mut minute = now;
    while at(minute) < resets_at && minute < world.person.own.len() {
        if world.meter(length)?.is_full() {
            break;
        }
        world.minute(minute, false);
        minute += 1;
    }
    let used_up = at(minute) < resets_at;
    let came = if used_up {
        (minute - now) as f64 / 60.0
    } else {
        reset
    };
    Some(Told {
        horizon: f64::from(length.minutes()) / 60.0,
        said,
        came,
        used_up,
    })
}

fn of_pool(world: &mut World, told: &Forecast) -> Option<Told> {
    let now = world.person.now;
    let end = 7 * DAY;
    let said = match told.pool {
        Outlook::Until(when) => Some(range(when, end as f64 / 60.0, now)),
        Outlook::Beyond { horizon } => {
            let horizon = hours(horizon, now);
            Some(Range {
                earliest: horizon,
                likely: horizon,
                latest: horizon,
            })
        }
        Outlook::Interrupted { .. } => return None,
        Outlook::Resting | Outlook::Unknown { .. } => None,
    };
    let interrupted = (now..now + end).find(|minute| !world.minute(*minute, false));
    let came = interrupted.map_or(end, |minute| minute - now) as f64 / 60.0;
    Some(Told {
        horizon: end as f64 / 60.0,
        said,
        came,
        used_up: interrupted.is_some(),
    })
}

/// Four accounts with ninety days of readings.
pub(crate) fn four_accounts() -> (Pool, History, Timestamp) {
    let mut person = Person::new(Kind::DayAndNight, 1);
    let span = person.now - person.now % (7 * DAY);
    let days = 91 * DAY;
    person.own = (0..days)
        .map(|minute| person.own[minute % span.max(7 * DAY)])
        .collect();
    person.others = vec![0.0; days];
    person.accounts = 4;
    person.requests = true;
    let now = (90 * DAY..days)
        .find(|minute| person.own[*minute] > 0.0)
        .unwrap_or(90 * DAY);
    let mut world = World::new(person);
    for minute in 0..now {
        world.minute(minute, true);
    }
    (world.pool, world.history, at(now))
}
