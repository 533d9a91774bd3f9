//! Windows and credits as JSON spells them: in `codex.rate_limits` frames and in `wham/usage` (PROTOCOL §3).

use baton_core::{
    Credits, LimitFamily, LimitReading, Percent, Reading, Source, Timestamp, Window, WindowLength,
};
use serde_json::Value;

use crate::family;
use crate::lenient::{boolean, label, number, reset};

/// More named limits than this in one answer are ignored.
const MAX_LIMITS: usize = 64;

/// Windows longer than this (minutes) are ignored: ten years.
const MAX_MINUTES: f64 = 10.0 * 366.0 * 1440.0;

/// A window's length from minutes; none, zero and absurd lengths make it no window.
pub(crate) fn length(minutes: f64) -> Option<WindowLength> {
    (1.0..=MAX_MINUTES)
        .contains(&minutes)
        .then(|| WindowLength::from_minutes(minutes.round() as u32))
}

/// Puts a window into its limit. Two slots of one length are one window: the fuller counts.
pub(crate) fn push(windows: &mut Vec<Window>, window: Window) {
    match windows.iter_mut().find(|known| known.length == window.length) {
        Some(known) if known.used < window.used => *known = window,
        Some(_) => {}
        None => windows.push(window),
    }
}

/// A `codex.rate_limits` event.
pub(crate) fn frame(event: &Value, now: Timestamp) -> Reading {
    reading(event, "rate_limits", now, Source::Frame)
}

/// A `wham/usage` body.
pub(crate) fn usage(body: &Value, now: Timestamp) -> Reading {
    reading(body, "rate_limit", now, Source::UsageRoute)
}

fn reading(root: &Value, key: &str, now: Timestamp, source: Source) -> Reading {
    let mut limits = Vec::new();
    let named = root
        .get("metered_limit_name")
        .and_then(Value::as_str)
        .and_then(family::normalise);
    if let Some(top) = root.get(key).filter(|value| value.is_object()) {
        limits.push(limit(
            top,
            named.unwrap_or(LimitFamily::General),
            None,
            now,
            source,
        ));
    }
    let additional = root.get("additional_rate_limits");
    let entries: Box<dyn Iterator<Item = (Option<&str>, &Value)>> = match additional {
        Some(Value::Array(entries)) => Box::new(entries.iter().map(|entry| (None, entry))),
        Some(Value::Object(entries)) => {
            Box::new(entries.iter().map(|(name, entry)| (Some(name.as_str()), entry)))
        }
        _ => Box::new(std::iter::empty()),
    };
    for (name, entry) in entries.take(MAX_LIMITS) {
        let text = |key| entry.get(key).and_then(Value::as_str);
        let shown = text("limit_name").and_then(label);
        let feature = text("metered_feature")
            .or_else(|| text("metered_limit_name"))
            .or(name);
        let Some(family) = feature.and_then(family::normalise) else {
            continue;
        };
        let inside = ["rate_limit", "rate_limits"]
            .into_iter()
            .find_map(|key| entry.get(key));
        let new = limit(inside.unwrap_or(entry), family, shown, now, source);
        if !limits.iter().any(|known| known.family == new.family) {
            limits.push(new);
        }
    }
    family::settle_mirror(&mut limits, None);
    Reading {
        observed_at: now,
        source,
        plan: root.get("plan_type").and_then(Value::as_str).and_then(label),
        limits,
        credits: root.get("credits").and_then(credits),
    }
}

fn limit(
    value: &Value,
    family: LimitFamily,
    name: Option<Box<str>>,
    now: Timestamp,
    source: Source,
) -> LimitReading {
    let mut windows = Vec::new();
    for slot in ["primary", "secondary", "primary_window", "secondary_window"] {
        if let Some(window) = value.get(slot).and_then(|slot| window(slot, now, source)) {
            push(&mut windows, window);
        }
    }
    LimitReading {
        family,
        name,
        windows,
        reached: value.get("limit_reached").and_then(boolean),
    }
}

fn window(value: &Value, now: Timestamp, source: Source) -> Option<Window> {
    let field = |key| value.get(key).and_then(number);
    let minutes =
        field("window_minutes").or_else(|| field("limit_window_seconds").map(|secs| secs / 60.0))?;
    Some(Window {
        length: length(minutes)?,
        used: Percent::clamped(field("used_percent")?)?,
        resets_at: reset(field("reset_at"), field("reset_after_seconds"), now),
        observed_at: now,
        source,
    })
}

fn credits(value: &Value) -> Option<Credits> {
    let truth = |key| value.get(key).and_then(boolean);
    Some(Credits {
        has_credits: truth("has_credits")?,
        unlimited: truth("unlimited").unwrap_or(false),
        balance: value.get("balance").and_then(number),
    })
}
