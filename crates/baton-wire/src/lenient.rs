//! Reading small JSON values and header texts the way upstreams really write them: numbers as strings, booleans as
//! `True`, dates in several forms.

use std::time::Duration;

use baton_core::Timestamp;
use serde_json::Value;

/// A larger body of an error, a usage answer or an event is judged without being parsed.
pub(crate) const MAX_PARSED: usize = 1024 * 1024;

/// A reset further away than this is no reset (seconds).
pub(crate) const MAX_RESET_SECS: i64 = 400 * 86_400;

/// Waits longer than this are cut to it.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Texts kept from an upstream (plan, limit name, model) are at most this long, in bytes.
pub(crate) const MAX_LABEL: usize = 128;

pub(crate) fn parse(json: &[u8]) -> Option<Value> {
    (json.len() <= MAX_PARSED)
        .then(|| serde_json::from_slice(json).ok())
        .flatten()
}

pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => number_text(text),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

pub(crate) fn number_text(text: &str) -> Option<f64> {
    let text = text.trim();
    text.strip_prefix('$')
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => boolean_text(text),
        _ => None,
    }
}

pub(crate) fn boolean_text(text: &str) -> Option<bool> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") || text == "1" {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") || text == "0" {
        Some(false)
    } else {
        None
    }
}

/// A name to show or compare; empty, long and control-character ones are none.
pub(crate) fn label(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= MAX_LABEL && !text.chars().any(char::is_control);
    fits.then(|| text.into())
}

/// The moment of a reset, both numbers in seconds. The absolute one is preferred, unless it has passed while the
/// relative one is still to come: then one of the two clocks is wrong, and the relative one needs neither.
/// Negative and absurd values are none.
pub(crate) fn reset(at: Option<f64>, after: Option<f64>, now: Timestamp) -> Option<Timestamp> {
    let relative = after
        .filter(|secs| (0.0..=MAX_RESET_SECS as f64).contains(secs))
        .and_then(|secs| Duration::try_from_secs_f64(secs).ok())
        .map(|wait| now + wait);
    let absolute = at
        .filter(|secs| *secs > 0.0 && *secs < i64::MAX as f64 / 1000.0)
        .map(|secs| Timestamp::from_millis((secs * 1000.0) as i64))
        .filter(|at| at.since(now) <= Duration::from_secs(MAX_RESET_SECS.unsigned_abs()));
    match (absolute, relative) {
        (Some(absolute), Some(relative)) if absolute <= now && relative > now => Some(relative),
        (absolute, relative) => absolute.or(relative),
    }
}

/// A wait in seconds, fractions kept, cut to [`MAX_WAIT`]; negative ones are none.
pub(crate) fn wait(secs: f64) -> Option<Duration> {
    (secs >= 0.0).then(|| Duration::try_from_secs_f64(secs).map_or(MAX_WAIT, |wait| wait.min(MAX_WAIT)))
}

/// `Retry-After` as seconds or an HTTP date.
pub(crate) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(secs) = text.parse::<f64>() {
        return wait(secs);
    }
    Some(http_date(text)?.since(now).min(MAX_WAIT))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` and its older forms.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(
        i64::try_from(since_epoch.as_millis()).ok()?,
    ))
}

/// RFC 3339 with any fraction and offset, as `last_refresh` of auth.json (PROTOCOL §6).
pub(crate) fn rfc3339(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone_at);
    let mut clock = clock.splitn(3, ':');
    let hour: i64 = clock.next()?.parse().ok()?;
    let minute: i64 = clock.next()?.parse().ok()?;
    let second: f64 = clock.next()?.parse().ok()?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..61.0).contains(&second);
    if !in_range {
        return None;
    }
    let offset_minutes = match zone.split_at(1) {
        ("Z" | "z", "") => 0,
        (sign, rest) => {
            let (h, m) = rest.split_once(':')?;
            let (h, m) = (h.parse::<u8>().ok()?, m.parse::<u8>().ok()?);
            (i64::from(h) * 60 + i64::from(m)) * if sign == "-" { -1 } else { 1 }
        }
    };
    // Days since 1970 of a civil date, with March as the first month so that the leap day comes last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let secs = days * 86_400 + hour * 3600 + (minute - offset_minutes) * 60;
    Some(Timestamp::from_millis(secs * 1000 + (second * 1000.0) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_auth_json_are_read_to_the_millisecond() {
        assert_eq!(
            rfc3339("2026-11-22T06:49:33.709276612Z"),
            Some(Timestamp::from_millis(1_795_330_173_709))
        );
        assert_eq!(
            rfc3339("2026-11-22T07:49:33+01:00"),
            Some(Timestamp::from_secs(1_795_330_173))
        );
        assert_eq!(
            rfc3339("2024-02-29T00:00:00Z"),
            Some(Timestamp::from_secs(1_709_164_800))
        );
        for bad in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+é:1",
        ] {
            assert_eq!(rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_passed_absolute_reset_yields_to_a_relative_one_still_to_come() {
        let now = Timestamp::from_secs(10_000);
        assert_eq!(
            reset(Some(9_000.0), Some(60.0), now),
            Some(Timestamp::from_secs(10_060))
        );
        assert_eq!(
            reset(Some(12_000.0), Some(60.0), now),
            Some(Timestamp::from_secs(12_000))
        );
        assert_eq!(reset(Some(9_000.0), None, now), Some(Timestamp::from_secs(9_000)));
        assert_eq!(reset(Some(-1.0), Some(-1.0), now), None);
        assert_eq!(reset(Some(1e15), None, now), None);
        assert_eq!(reset(None, Some(401.0 * 86_400.0), now), None);
        assert_eq!(reset(Some(f64::NAN), Some(f64::INFINITY), now), None);
    }
}
