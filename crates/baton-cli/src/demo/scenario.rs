//! What is played: two accounts with small quotas, a compressed day, and work that goes on all the time.

use std::time::Duration;

use baton_core::Timestamp;
use baton_sim::{AccountScript, Output, Scenario, WindowScript};
use jiff::Zoned;

/// The accounts in the person's order: A and B of the plan.
pub(super) const CAST: [Role; 2] = [
    Role {
        name: "personal",
        label: "Personal",
    },
    Role {
        name: "work",
        label: "Work",
    },
];

/// How long the day is, simulated: two rounds of the five-hour windows, so that no strategy is measured in mid-round.
pub(super) const DAY: Duration = Duration::from_secs(10 * 3600);
pub(super) const FIVE_HOURS: Duration = Duration::from_secs(5 * 3600);
const STARTS_AT_HOUR: i8 = 9;

/// Requests that fit into five hours: about two hours of this work.
pub(super) const QUOTA: u32 = 100;
const WEEKLY_QUOTA: f64 = 1000.0;

#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    /// In the simulated backend's log.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
}

pub(super) fn scenario(seed: u64, speed: f64) -> Scenario {
    let accounts = CAST.iter().map(|role| {
        AccountScript::new(role.name)
            .window(WindowScript::five_hours(QUOTA.into()))
            .window(WindowScript::weekly(WEEKLY_QUOTA))
    });
    let mut scenario = Scenario::new()
        .seed(seed)
        .speed(speed)
        .keep_bodies(false)
        .start_at(morning().as_millis())
        .output(Output::new().latency(Duration::from_secs(15)));
    for account in accounts {
        scenario = scenario.account(account);
    }
    scenario
}

/// For the Codex CLI, which lives in real time: an account is spent after a few requests, and the demo itself moves
/// the clock on.
pub(super) fn for_codex(seed: u64, requests: u32) -> Scenario {
    let mut scenario = Scenario::new().seed(seed);
    for role in CAST {
        let account = AccountScript::new(role.name)
            .window(WindowScript::five_hours(requests.into()))
            .window(WindowScript::weekly(WEEKLY_QUOTA));
        scenario = scenario.account(account);
    }
    scenario
}

/// Nine o'clock today, so that times read as those of a working day.
fn morning() -> Timestamp {
    let now = Zoned::now();
    let nine = now
        .with()
        .hour(STARTS_AT_HOUR)
        .minute(0)
        .second(0)
        .subsec_nanosecond(0)
        .build()
        .unwrap_or(now);
    Timestamp::from_millis(nine.timestamp().as_millisecond())
}
