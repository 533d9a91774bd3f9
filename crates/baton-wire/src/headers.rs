//! What the upstream says in headers: quota, the limit in use, turn state, Retry-After (PROTOCOL §2 to §4);
//! and what the CLI says of itself.

use std::time::Duration;

use baton_core::{Credits, LimitFamily, LimitReading, Percent, Reading, Source, Timestamp, Window};
use http::HeaderMap;

use crate::family;
use crate::lenient::{self, boolean_text, label, number_text, reset};
use crate::quota::{length, push};

/// More named limits than this in one answer are ignored.
const MAX_FAMILIES: usize = 32;

/// A longer turn state is ignored (bytes).
const MAX_TURN_STATE: usize = 64 * 1024;

const SLOTS: [&str; 2] = ["primary", "secondary"];

/// Everything that the headers say of an account's quota; `None` if they say nothing.
///
/// Families are `x-codex-{primary,secondary}-…` (the general one) and `x-codex-<name>-{primary,secondary}-…`. A window
/// is what has a `window-minutes` and a `used-percent`; the slot means nothing.
pub fn quota(headers: &HeaderMap, now: Timestamp) -> Option<Reading> {
    let mut limits = Vec::new();
    for (prefix, family) in families(headers) {
        let mut windows = Vec::new();
        for slot in SLOTS {
            if let Some(window) = window(headers, &prefix, slot, now) {
                push(&mut windows, window);
            }
        }
        let name = text(headers, &format!("{prefix}-limit-name")).and_then(label);
        limits.push(LimitReading {
            family,
            name,
            windows,
            reached: None,
        });
    }
    family::settle_mirror(&mut limits, active_family(headers).as_ref());
    let plan = text(headers, "x-codex-plan-type").and_then(label);
    let credits = credits(headers);
    let says_something = plan.is_some() || credits.is_some() || limits.iter().any(|l| !l.windows.is_empty());
    says_something.then_some(Reading {
        observed_at: now,
        source: Source::Headers,
        plan,
        limits,
        credits,
    })
}

/// The limit that meters this request, from `x-codex-active-limit`. Group names which are no meter of ours
/// (`premium` has been seen) are `None`, unless the same headers carry a family of that name.
pub fn active_family(headers: &HeaderMap) -> Option<LimitFamily> {
    let name = text(headers, "x-codex-active-limit")?;
    let family = family::normalise(name)?;
    let known =
        family::is_metered_feature(name) || families(headers).iter().any(|(_, known)| *known == family);
    known.then_some(family)
}

/// `x-codex-turn-state`: belongs to the account that answered, and to this turn (PROTOCOL §2).
pub fn turn_state(headers: &HeaderMap) -> Option<Box<str>> {
    text(headers, "x-codex-turn-state")
        .filter(|state| !state.is_empty() && state.len() <= MAX_TURN_STATE)
        .map(Into::into)
}

/// `Retry-After` in seconds (fractions tolerated) or as an HTTP date; at most 24 h, zero if the date has passed.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    text(headers, "retry-after").and_then(|text| lenient::retry_after(text, now))
}

/// `Date`: what the upstream's clock shows, in whole seconds.
pub fn date(headers: &HeaderMap) -> Option<Timestamp> {
    text(headers, "date").and_then(lenient::http_date)
}

/// The family whose limit was hit, as the headers tell it: the active one, else the only one that has a full window.
pub(crate) fn limited_family(headers: &HeaderMap) -> Option<LimitFamily> {
    active_family(headers).or_else(|| {
        let full = |prefix: &str| {
            SLOTS.iter().any(|slot| {
                text(headers, &format!("{prefix}-{slot}-used-percent"))
                    .and_then(number_text)
                    .is_some_and(|used| used >= 100.0)
            })
        };
        let mut families = families(headers).into_iter().filter(|(prefix, _)| full(prefix));
        let first = families.next()?.1;
        families.next().is_none().then_some(first)
    })
}

/// `x-codex-rate-limit-reached-type`
pub(crate) fn reached_type(headers: &HeaderMap) -> Option<&str> {
    text(headers, "x-codex-rate-limit-reached-type")
}

/// Header prefix and family of each limit that has a `used-percent`, each once.
fn families(headers: &HeaderMap) -> Vec<(String, LimitFamily)> {
    let mut found: Vec<(String, LimitFamily)> = Vec::new();
    for name in headers.keys() {
        let name = name.as_str();
        let prefix = SLOTS.iter().find_map(|slot| {
            name.strip_suffix("-used-percent")?
                .strip_suffix(slot)?
                .strip_suffix('-')
        });
        let Some(prefix) = prefix.filter(|prefix| *prefix == "x-codex" || prefix.starts_with("x-codex-"))
        else {
            continue;
        };
        let Some(family) = family::normalise(prefix) else {
            continue;
        };
        if found.len() < MAX_FAMILIES && !found.iter().any(|(_, known)| *known == family) {
            found.push((prefix.to_owned(), family));
        }
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    found
}

fn window(headers: &HeaderMap, prefix: &str, slot: &str, now: Timestamp) -> Option<Window> {
    let field = |name: &str| text(headers, &format!("{prefix}-{slot}-{name}")).and_then(number_text);
    Some(Window {
        length: length(field("window-minutes")?)?,
        used: Percent::clamped(field("used-percent")?)?,
        resets_at: reset(field("reset-at"), field("reset-after-seconds"), now),
        observed_at: now,
        source: Source::Headers,
    })
}

fn credits(headers: &HeaderMap) -> Option<Credits> {
    let truth = |name| text(headers, name).and_then(boolean_text);
    Some(Credits {
        has_credits: truth("x-codex-credits-has-credits")?,
        unlimited: truth("x-codex-credits-unlimited").unwrap_or(false),
        balance: text(headers, "x-codex-credits-balance").and_then(number_text),
    })
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
