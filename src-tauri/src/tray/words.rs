//! How numbers and times are said in the tray.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{Timestamp, Zoned};

use crate::view::{Left, Window};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// "5 h 63 % left"
pub(super) fn window(window: Window) -> String {
    format!("{} {} left", length(window.length), left(window.left))
}

/// A window is named by its length: the provider's slots say nothing reliable.
fn length(length: Duration) -> String {
    match length.as_secs() {
        WEEK => "week".to_owned(),
        seconds if seconds >= DAY => format!("{} d", rounded(seconds, DAY)),
        seconds if seconds >= HOUR => format!("{} h", rounded(seconds, HOUR)),
        seconds if seconds >= MINUTE => format!("{} min", rounded(seconds, MINUTE)),
        seconds => format!("{seconds} s"),
    }
}

fn rounded(seconds: u64, unit: u64) -> u64 {
    (seconds + unit / 2) / unit
}

/// Whole percent, rounded down: what is promised is there. Never 0 while anything is left, for 99.6 % used is not
/// exhausted.
pub(super) fn left(left: Left) -> String {
    let percent = left.percent();
    if percent > 0.0 && percent < 1.0 {
        "under 1 %".to_owned()
    } else {
        format!("{} %", percent.floor())
    }
}

/// The time of day, with the day where it isn't today's: "16:40", "Thu 16:40", "28 Nov 16:40".
pub(super) fn clock(at: Timestamp, now: &Zoned) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    let pattern = match days_apart(now.date(), at.date()) {
        0 => "%H:%M",
        // A weekday's name is clear for the coming six days only: on the seventh it is today's again.
        1..=6 => "%a %H:%M",
        _ => "%-d %b %H:%M",
    };
    at.strftime(pattern).to_string()
}

fn days_apart(from: Date, to: Date) -> i32 {
    to.since(from).map_or(i32::MAX, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(used: f64) -> String {
        left(Left::from_used(used))
    }

    #[test]
    fn percent_left_is_rounded_down_and_only_nothing_is_zero() {
        assert_eq!(said(0.0), "100 %");
        assert_eq!(said(0.4), "99 %");
        assert_eq!(said(36.5), "63 %");
        assert_eq!(said(99.0), "1 %");
        assert_eq!(said(99.6), "under 1 %");
        assert_eq!(said(100.0), "0 %");
        assert_eq!(said(104.0), "0 %");
        assert_eq!(said(f64::NAN), "100 %");
    }

    #[test]
    fn windows_are_named_by_their_length() {
        let name = |seconds| length(Duration::from_secs(seconds));
        assert_eq!(name(300 * 60), "5 h");
        assert_eq!(name(299 * 60), "5 h");
        assert_eq!(name(10_080 * 60), "week");
        assert_eq!(name(30 * DAY), "30 d");
        assert_eq!(name(5 * DAY), "5 d");
        assert_eq!(name(90), "2 min");
        assert_eq!(name(12), "12 s");
    }

    #[test]
    fn a_time_says_its_day_unless_it_is_today() {
        let now: Zoned = "2026-11-25T09:00[Europe/Berlin]".parse().expect("a time");
        let said = |at: &str| clock(at.parse::<Zoned>().expect("a time").timestamp(), &now);
        assert_eq!(said("2026-11-25T16:40[Europe/Berlin]"), "16:40");
        assert_eq!(said("2026-11-26T16:40[Europe/Berlin]"), "Thu 16:40");
        assert_eq!(said("2026-12-01T08:05[Europe/Berlin]"), "Tue 08:05");
        assert_eq!(said("2026-12-02T08:05[Europe/Berlin]"), "2 Dec 08:05");
        assert_eq!(said("2026-11-24T16:40[Europe/Berlin]"), "24 Nov 16:40");
    }
}
