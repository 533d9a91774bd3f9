//! What a person types for times, windows, percents and strategies.

use std::time::Duration;

use baton_core::{Percent, Strategy, Timestamp, WindowLength, policy::LONGEST_WAIT};
use baton_engine::{Clock, SystemClock, control::protocol::About, words};

pub(crate) fn strategy(text: &str) -> Result<Strategy, String> {
    text.parse().map_err(|_| {
        let names: Vec<String> = Strategy::ALL
            .iter()
            .map(|known| format!("  {:<14} {}", known.name(), rule(*known)))
            .collect();
        format!("there is no such strategy. There are:\n{}", names.join("\n"))
    })
}

/// In a line, what a strategy does.
fn rule(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Sequential => "drain first: one account until it is spent, then the next",
        Strategy::Balanced => "the account with the most headroom",
        Strategy::Affinity => "a session keeps its account",
        Strategy::RoundRobin => "the account used longest ago",
        Strategy::SoonestReset => "the account whose quota would be lost soonest",
    }
}

/// Percent used.
pub(crate) fn percent(text: &str) -> Result<Percent, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let value: f64 = number
        .parse()
        .map_err(|_| "it must be a number from 0 to 100".to_owned())?;
    Percent::new(value).map_err(|_| {
        "it must be from 0 to 100: the percent *used* at which the account is held back (100 is off)"
            .to_owned()
    })
}

/// `5h`, `week`, `300m`.
pub(crate) fn window(text: &str) -> Result<WindowLength, String> {
    let text = text.trim().to_ascii_lowercase();
    let number = |unit: char| {
        text.strip_suffix(unit)
            .and_then(|number| number.parse::<u32>().ok())
    };
    let minutes = match text.as_str() {
        "week" | "weekly" => Some(WindowLength::WEEK.minutes()),
        _ => number('m')
            .or_else(|| number('h').and_then(|hours| hours.checked_mul(60)))
            .or_else(|| number('d').and_then(|days| days.checked_mul(1440))),
    };
    let minutes = minutes.filter(|minutes| *minutes > 0);
    minutes
        .map(WindowLength::from_minutes)
        .ok_or_else(|| "it must be `5h`, `week`, or minutes such as `300m`".to_owned())
}

/// `90s`, `1m`, `6h`, `1h30m`.
pub(crate) fn wait(text: &str) -> Result<Duration, String> {
    let wrong = || "it must be a time such as `90s`, `1m` or `1h30m`, 6h at most".to_owned();
    let mut rest = text.trim();
    let mut seconds = 0_u64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let mut after = rest[digits..].trim_start().chars();
        let factor = match after.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            // A bare 0 has no need of a unit.
            None if number == 0 => 1,
            _ => return Err(wrong()),
        };
        seconds = number
            .checked_mul(factor)
            .and_then(|more| seconds.checked_add(more))
            .ok_or_else(wrong)?;
        rest = after.as_str().trim_start();
    }
    let wait = Duration::from_secs(seconds);
    if wait > LONGEST_WAIT {
        Err(wrong())
    } else {
        Ok(wait)
    }
}

/// `2h` or `3d` ago, or the beginning of a day: `2026-11-20`.
pub(crate) fn since(text: &str) -> Result<Timestamp, String> {
    since_at(text, SystemClock.now())
}

fn since_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let unit = text.chars().next_back();
    let seconds = match unit {
        Some('m') => Some(60),
        Some('h') => Some(3600),
        Some('d') => Some(86_400),
        _ => None,
    };
    let number = seconds.and_then(|_| text[..text.len() - 1].parse::<i64>().ok());
    let ago = number.filter(|number| *number >= 0).zip(seconds);
    let ago = ago.and_then(|(number, seconds)| number.checked_mul(seconds * 1000));
    let at = ago.and_then(|ago| now.as_millis().checked_sub(ago));
    at.map(Timestamp::from_millis)
        .or_else(|| words::day(text))
        .ok_or_else(|| {
            "it must be a time ago such as `30m`, `2h` or `3d`, or a day such as `2026-11-20`".to_owned()
        })
}

/// A kind of notification.
pub(crate) fn about(text: &str) -> Result<About, String> {
    let wanted = text.trim().replace('-', "_");
    let known = About::ALL.into_iter().find(|about| about.name() == wanted);
    known.ok_or_else(|| {
        let names = About::ALL.map(About::name).join(", ");
        format!("there is no such notification; there are {names}")
    })
}

/// Simulated seconds per real second.
pub(crate) fn speed(text: &str) -> Result<f64, String> {
    let value: f64 = text
        .trim()
        .parse()
        .map_err(|_| "it must be a number".to_owned())?;
    if (600.0..=20_000.0).contains(&value) {
        Ok(value)
    } else {
        Err("it must be from 600 (a simulated hour takes six seconds) to 20000".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_go_by_their_names_and_by_length() {
        for (text, minutes) in [("5h", 300), ("week", 10_080), ("300m", 300), ("7d", 10_080)] {
            assert_eq!(window(text), Ok(WindowLength::from_minutes(minutes)), "{text}");
        }
        for text in ["", "0m", "h", "5", "5x", "-5h", "99999999h"] {
            assert!(window(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percents_stay_between_0_and_100() {
        assert_eq!(percent("99.6 %").map(Percent::used), Ok(99.6));
        for text in ["101", "-1", "NaN", "many", ""] {
            assert!(percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_since_is_so_long_ago_or_a_day() {
        let now = Timestamp::from_secs(1_000_000);
        for (text, secs) in [
            ("30m", 998_200),
            ("2h", 992_800),
            (" 3d ", 740_800),
            ("0h", 1_000_000),
        ] {
            assert_eq!(since_at(text, now), Ok(Timestamp::from_secs(secs)), "{text}");
        }
        let day = since_at("2026-11-20", now).unwrap();
        let next = since_at("2026-11-21", now).unwrap();
        assert!(day < next && day > now);
        for text in [
            "",
            "2",
            "h",
            "-2h",
            "yesterday",
            "2026-13-01",
            "99999999999999999999d",
            "9223372036854775807d",
            "é",
        ] {
            assert!(since_at(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn waits_are_six_hours_at_most() {
        assert_eq!(wait("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(wait("0"), Ok(Duration::ZERO));
        for text in ["", "5", "7h", "1x", "99999999999999999h", "m"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }
}
