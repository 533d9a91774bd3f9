//! How a quota is written: response headers, the `codex.rate_limits` frame, `wham/usage`.

use crate::meter::{Account, Meter, Reading};
use crate::scenario::Percent;
use crate::script::Slot;

/// A JSON string literal.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn slot_name(slot: Slot) -> &'static str {
    match slot {
        Slot::Primary => "primary",
        Slot::Secondary => "secondary",
    }
}

/// The quota headers of an answer.
pub(crate) fn headers(account: &Account, now: i64, percent: Percent) -> Vec<(String, String)> {
    let mut out = Vec::with_capacity(24);
    let mut add = |name: String, value: String| out.push((name, value));
    let family = |limit: &str, readings: &[Reading], add: &mut dyn FnMut(String, String)| {
        for r in readings {
            let slot = slot_name(r.slot);
            add(
                format!("x-{limit}-{slot}-used-percent"),
                r.used_percent.to_string(),
            );
            add(format!("x-{limit}-{slot}-window-minutes"), r.minutes.to_string());
            add(format!("x-{limit}-{slot}-reset-at"), r.reset_at.to_string());
            add(
                format!("x-{limit}-{slot}-reset-after-seconds"),
                r.reset_after_seconds.to_string(),
            );
        }
    };
    family("codex", &account.general.readings(now, percent), &mut add);
    for (script, meter) in account.script.families.iter().zip(&account.named) {
        let limit = script.feature.replace('_', "-");
        add(format!("x-{limit}-limit-name"), script.name.clone());
        family(&limit, &meter.readings(now, percent), &mut add);
    }
    let balance = account.credits.unwrap_or(0.0);
    add("x-codex-credits-has-credits".into(), (balance > 0.0).to_string());
    add("x-codex-credits-unlimited".into(), "false".into());
    add("x-codex-credits-balance".into(), balance.to_string());
    add("x-codex-active-limit".into(), "codex".into());
    add("x-codex-plan-type".into(), account.script.plan.clone());
    if account.general.is_spent() && balance <= 0.0 {
        add(
            "x-codex-rate-limit-reached-type".into(),
            "rate_limit_reached".into(),
        );
    }
    out
}

fn window(readings: &[Reading], slot: Slot, write: impl Fn(&Reading) -> String) -> String {
    readings
        .iter()
        .find(|r| r.slot == slot)
        .map_or_else(|| "null".to_owned(), write)
}

fn frame_limits(meter: &Meter, now: i64, percent: Percent) -> String {
    let readings = meter.readings(now, percent);
    let write = |r: &Reading| {
        format!(
            r#"{{"used_percent":{},"window_minutes":{},"reset_after_seconds":{},"reset_at":{}}}"#,
            r.used_percent, r.minutes, r.reset_after_seconds, r.reset_at
        )
    };
    let reached = meter.is_spent();
    format!(
        r#"{{"allowed":{},"limit_reached":{reached},"primary":{},"secondary":{}}}"#,
        !reached,
        window(&readings, Slot::Primary, write),
        window(&readings, Slot::Secondary, write)
    )
}

fn credits(account: &Account) -> String {
    match account.credits {
        Some(balance) => {
            format!(
                r#"{{"has_credits":{},"unlimited":false,"balance":"{balance}"}}"#,
                balance > 0.0
            )
        }
        None => r#"{"has_credits":false,"unlimited":false,"balance":null}"#.to_owned(),
    }
}

/// The `codex.rate_limits` frame. With a named limit, that limit is the one shown.
pub(crate) fn frame(account: &Account, family: Option<usize>, now: i64, percent: Percent) -> String {
    let named = family.map(|index| (&account.script.families[index], &account.named[index]));
    let (name, meter) = named.map_or_else(
        || ("null".to_owned(), &account.general),
        |(script, meter)| (quote(&script.feature), meter),
    );
    format!(
        r#"{{"type":"codex.rate_limits","plan_type":{},"metered_limit_name":{name},"rate_limits":{},"additional_rate_limits":null,"credits":{}}}"#,
        quote(&account.script.plan),
        frame_limits(meter, now, percent),
        credits(account)
    )
}

fn usage_limits(meter: &Meter, now: i64, percent: Percent) -> String {
    let readings = meter.readings(now, percent);
    let write = |r: &Reading| {
        format!(
            r#"{{"used_percent":{},"limit_window_seconds":{},"reset_after_seconds":{},"reset_at":{}}}"#,
            r.used_percent,
            r.minutes * 60,
            r.reset_after_seconds,
            r.reset_at
        )
    };
    let reached = meter.is_spent();
    format!(
        r#"{{"allowed":{},"limit_reached":{reached},"primary_window":{},"secondary_window":{}}}"#,
        !reached,
        window(&readings, Slot::Primary, write),
        window(&readings, Slot::Secondary, write)
    )
}

/// The body of `GET wham/usage`.
pub(crate) fn usage(account: &Account, now: i64, percent: Percent) -> String {
    let script = &account.script;
    let additional: Vec<String> = script
        .families
        .iter()
        .zip(&account.named)
        .map(|(family, meter)| {
            format!(
                r#"{{"limit_name":{},"metered_feature":{},"rate_limit":{}}}"#,
                quote(&family.name),
                quote(&family.feature),
                usage_limits(meter, now, percent)
            )
        })
        .collect();
    let additional = if additional.is_empty() {
        "null".to_owned()
    } else {
        format!("[{}]", additional.join(","))
    };
    let balance = account.credits.unwrap_or(0.0);
    let reached = if account.general.is_spent() && balance <= 0.0 {
        r#""rate_limit_reached""#
    } else {
        "null"
    };
    format!(
        r#"{{"user_id":{},"account_id":{},"email":{},"plan_type":{},"rate_limit":{},"additional_rate_limits":{additional},"credits":{{"has_credits":{},"unlimited":false,"balance":"{balance}"}},"spend_control":{{"reached":false}},"rate_limit_reached_type":{reached}}}"#,
        quote(&script.user_id),
        quote(&script.account_id),
        quote(&script.email),
        quote(&script.plan),
        usage_limits(&account.general, now, percent),
        balance > 0.0
    )
}
