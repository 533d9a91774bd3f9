//! Made-up working weeks on two equal accounts, the same every time: shown, marked as such, where too little is recorded
//! yet, and run by the benchmark. Nobody measured them; they are of somebody whose two accounts just about last a week.

use std::time::Duration;

use super::{
    demand::{Demand, Work},
    trace::{Basis, Trace},
};
use crate::{
    Account, AccountId, Identity, Timestamp, Turn, WindowLength,
    model::{Limit, Meter, Metered, Upstream},
    random::Random,
};

/// A Monday, midnight: 2026-01-05.
const MONDAY: Timestamp = Timestamp::from_secs(1_767_571_200);
/// How busy the days of a week are.
const BUSY: [f64; 5] = [0.8, 1.2, 1.0, 1.3, 0.7];
/// Hours of work, as begin and end in minutes of the day.
const HOURS: [(u64, u64); 2] = [(9 * 60, 12 * 60 + 30), (13 * 60 + 15, 18 * 60)];
/// What a usual day is in five-hour windows of one account, and in weeks.
const DAY_IN_FIVE_HOURS: f64 = 3.0;
const DAY_IN_WEEKS: f64 = 0.42;
const REQUESTS_A_TURN: usize = 6;

/// One week of some 300 requests a day.
pub fn working_week() -> Trace {
    working_weeks(1, 300)
}

pub fn working_weeks(weeks: u32, requests_a_day: u32) -> Trace {
    let per_day = f64::from(requests_a_day.max(1));
    let ids = [AccountId::new(1), AccountId::new(2)];
    let accounts = ids.map(|id| {
        let identity = Identity {
            user: format!("made-up-{id}").into(),
            account: "made-up".into(),
        };
        Account::new(id, identity, format!("Account {id}"))
    });
    let metered = ids.map(|id| Metered {
        id,
        limits: vec![Limit::general(vec![
            Meter::new(WindowLength::FIVE_HOURS, DAY_IN_FIVE_HOURS * 100.0 / per_day),
            Meter::new(WindowLength::WEEK, DAY_IN_WEEKS * 100.0 / per_day),
        ])],
    });
    let mut random = Random::new(7);
    let mut work = Vec::new();
    for week in 0..u64::from(weeks) {
        for (day, busy) in (0..).zip(BUSY) {
            let midnight = MONDAY + Duration::from_secs((week * 7 + day) * 86_400);
            day_of_work(midnight, busy * per_day, &mut random, &mut work);
        }
    }
    Trace {
        accounts: accounts.to_vec(),
        upstream: Upstream::new(metered.to_vec()),
        demand: Demand::unblocked(work),
        presences: Vec::new(),
        basis: Basis::BuiltIn,
    }
}

/// Turns of some requests each, of which three threads take turns.
fn day_of_work(midnight: Timestamp, requests: f64, random: &mut Random, work: &mut Vec<Work>) {
    let minutes: u64 = HOURS.iter().map(|(begin, end)| end - begin).sum();
    let turns = (requests / REQUESTS_A_TURN as f64).round().max(1.0) as u64;
    let first_thread = work.len() as u64;
    for turn in 0..turns {
        let share = (turn as f64 + random.fraction()) / turns as f64;
        let mut into = (share * minutes as f64 * 60_000.0) as u64;
        for (begin, end) in HOURS {
            let lasting = (end - begin) * 60_000;
            if into < lasting {
                into += begin * 60_000;
                break;
            }
            into -= lasting;
        }
        let thread = first_thread + random.below(3) as u64;
        let mut at = midnight + Duration::from_millis(into);
        for _ in 0..REQUESTS_A_TURN {
            work.push(Work {
                at,
                session: Some(thread),
                thread: Some(thread),
                turn: Turn::Id(turn),
                model: None,
                // 0.25 to 1.75.
                units: 0.25 + 1.5 * random.fraction(),
            });
            at = at + Duration::from_millis(2_000 + (random.fraction() * 8_000.0) as u64);
        }
    }
    let today = first_thread as usize;
    work[today..].sort_by_key(|work| work.at);
}
