//! Labels and clock times as people know them.

use baton_core::{AccountId, Pool, Timestamp, explain::Words, timeline::Tick};

#[derive(Debug)]
pub struct PoolWords<'a> {
    pool: &'a Pool,
    now: Timestamp,
}

impl<'a> PoolWords<'a> {
    pub fn new(pool: &'a Pool, now: Timestamp) -> Self {
        Self { pool, now }
    }
}

impl Words for PoolWords<'_> {
    fn label(&self, account: AccountId) -> String {
        let state = self.pool.account(account);
        state.map_or_else(
            || format!("account {account} (removed)"),
            |state| state.account.label.to_string(),
        )
    }

    fn time(&self, at: Timestamp) -> String {
        clock_time(at, self.now)
    }
}

/// `20 min ago`, in the largest unit that says enough.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.since(at).as_secs() / 60 {
        minutes @ 0..120 => format!("{minutes} min ago"),
        minutes @ 120..2880 => format!("{} h ago", minutes / 60),
        minutes => format!("{} d ago", minutes / 1440),
    }
}

/// In the machine's time zone: `16:40` within a day, `Tue 16:40` within a week, `Sun 29 Nov 16:40` within half a year, a date
/// with its year beyond.
pub fn clock_time(at: Timestamp, now: Timestamp) -> String {
    let local = |at: Timestamp| jiff::Timestamp::from_millisecond(at.as_millis()).ok();
    let Some(when) = local(at) else {
        return "in the far future".to_owned();
    };
    let when = when.to_zoned(jiff::tz::TimeZone::system());
    let away = at.since(now).max(now.since(at));
    let format = match away.as_secs() {
        0..72_000 => "%H:%M",
        72_000..518_400 => "%a %H:%M",
        518_400..15_552_000 => "%a %-d %b %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    when.strftime(format).to_string()
}

/// The beginning of a day, such as `2026-11-20`, in the machine's time zone.
pub fn day(text: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = text.parse().ok()?;
    let begins = day.to_zoned(jiff::tz::TimeZone::system()).ok()?;
    Some(Timestamp::from_millis(begins.timestamp().as_millisecond()))
}

/// Every sixth hour of some days, every day of more; in the machine's time zone.
pub fn ticks(from: Timestamp, to: Timestamp) -> Vec<Tick> {
    /// Of so many days hours can still be told apart.
    const HOURS: u64 = 4;
    let zone = jiff::tz::TimeZone::system();
    let Ok(begins) = jiff::Timestamp::from_millisecond(from.as_millis()) else {
        return Vec::new();
    };
    let days = to.since(from).as_secs() / 86_400;
    let hours: &[i8] = if days <= HOURS { &[0, 6, 12, 18] } else { &[0] };
    let mut ticks = Vec::new();
    let mut day = begins.to_zoned(zone.clone()).date();
    while let Ok(midnight) = day.to_zoned(zone.clone()) {
        let first = Timestamp::from_millis(midnight.timestamp().as_millisecond());
        if first > to {
            break;
        }
        for hour in hours {
            // An hour that is skipped in spring is the one after it.
            let Ok(when) = day.at(*hour, 0, 0, 0).to_zoned(zone.clone()) else {
                continue;
            };
            let at = Timestamp::from_millis(when.timestamp().as_millisecond());
            if at > from && at < to {
                let format = if *hour == 0 { "%a %-d" } else { "%H:%M" };
                ticks.push(Tick {
                    at,
                    label: when.strftime(format).to_string(),
                });
            }
        }
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// As the window writes it (`ui/test/time.test.ts`), in whichever time zone this runs.
    #[test]
    fn a_time_is_as_long_as_it_needs_to_be() {
        const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);
        const DAY: u64 = 24 * 3600;
        let words = |seconds| clock_time(NOW + Duration::from_secs(seconds), NOW);
        assert_eq!(words(3600).len(), "16:40".len());
        assert_eq!(words(5 * DAY).split(' ').count(), 2, "{}", words(5 * DAY));
        let week = words(7 * DAY);
        let parts: Vec<&str> = week.split(' ').collect();
        assert!(
            matches!(parts[..], [_, day, "Nov", _] if day.parse::<u8>().is_ok()),
            "{week}"
        );
        assert!(words(300 * DAY).starts_with("2027-"), "{}", words(300 * DAY));
    }
}
