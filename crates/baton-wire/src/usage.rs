//! `GET wham/usage` (PROTOCOL §3): read for an account, and answered to the client for the account it will be served by.

use std::fmt;

use baton_core::{BankedResets, LimitFamily, LimitReading, Quota, Reading, Timestamp, Window};
use serde_json::{Value, json};

use crate::edit::{Edits, Members};
use crate::json::Cursor;
use crate::{lenient, quota};

/// More resets in the bank than this are not believed.
const MAX_BANKED: usize = 1000;

/// The identity of the CLI's own login, as its requests and answers show it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CliIdentity {
    pub user_id: Option<Box<str>>,
    pub account_id: Option<Box<str>>,
    pub email: Option<Box<str>>,
}

/// Says what is known, not what it is: e-mails stay out of logs.
impl fmt::Debug for CliIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CliIdentity")
            .field("user_id", &self.user_id.is_some())
            .field("account_id", &self.account_id.is_some())
            .field("email", &self.email.is_some())
            .finish()
    }
}

/// A reading of the body; `None` if it is no JSON object or larger than 1 MiB. Null windows are no windows.
pub fn read(body: &[u8], now: Timestamp) -> Option<Reading> {
    let body = lenient::parse(body)?;
    body.is_object().then(|| quota::usage(&body, now))
}

/// How many resets a usage body says are in the bank; `None` where it doesn't say.
pub fn banked_count(body: &[u8]) -> Option<u32> {
    let body = lenient::parse(body)?;
    count(body.get("rate_limit_reset_credits")?)
}

/// The body of `wham/rate-limit-reset-credits`: those that are neither used nor expired. `None` if it says nothing.
pub fn banked(body: &[u8], now: Timestamp) -> Option<BankedResets> {
    let body = lenient::parse(body)?;
    let credits = body.get("credits").and_then(Value::as_array);
    let credits = || credits.into_iter().flatten().take(MAX_BANKED);
    let available = |credit: &&Value| {
        let status = credit.get("status").and_then(Value::as_str);
        status.is_none_or(|status| status == "available")
    };
    let mut expire: Vec<_> = credits()
        .filter(available)
        .filter_map(|credit| lenient::rfc3339(credit.get("expires_at")?.as_str()?))
        .filter(|at| *at > now)
        .collect();
    expire.sort();
    let listed = || {
        body.get("credits")
            .map(|_| credits().filter(available).count() as u32)
    };
    Some(BankedResets {
        count: count(&body).or_else(listed)?.max(expire.len() as u32),
        expire,
    })
}

fn count(of: &Value) -> Option<u32> {
    let count = lenient::number(of.get("available_count")?)?;
    (0.0..=MAX_BANKED as f64).contains(&count).then_some(count as u32)
}

/// The same body with `user_id`, `account_id` and `email` of the CLI's own login; those that `identity` lacks are left
/// out, so that nothing of the account behind shows. Every other byte stays. `None` if it is no JSON object.
pub fn rewrite_identity(body: &[u8], identity: &CliIdentity) -> Option<Vec<u8>> {
    let mut edits = Edits::default();
    let mut members = Members::default();
    let mut cursor = Cursor::new(body);
    cursor
        .object(|cursor, key, key_at| {
            let value = cursor.skip()?;
            let fields = [
                ("user_id", &identity.user_id),
                ("account_id", &identity.account_id),
                ("email", &identity.email),
            ];
            let ours = fields
                .into_iter()
                .find(|(name, _)| key.is(name))
                .map(|(_, ours)| ours.as_deref());
            if let Some(Some(ours)) = ours {
                edits.replace(value, Value::from(ours).to_string().into_bytes());
            }
            members.push(key_at, value, ours == Some(None));
            Ok(())
        })
        .ok()?;
    members.cut(&mut edits);
    Some(edits.apply(body))
}

/// A body from what is known of an account, for when the upstream can't be asked. Percentages are whole numbers there,
/// so 99.6 becomes 99: a full window is never invented. A window whose timer hasn't started ends one length from now.
pub fn synthesize(known: &Quota, plan: Option<&str>, identity: &CliIdentity, now: Timestamp) -> Vec<u8> {
    let general = known
        .limits
        .iter()
        .find(|limit| limit.family == LimitFamily::General);
    let additional: Vec<Value> = known
        .limits
        .iter()
        .filter_map(|limit| match &limit.family {
            LimitFamily::General => None,
            LimitFamily::Named(name) => Some(json!({
                "limit_name": limit.name.as_deref().unwrap_or(name),
                "metered_feature": format!("codex_{name}"),
                "rate_limit": rate_limit(Some(limit), now),
            })),
        })
        .collect();
    let mut body = json!({
        "plan_type": plan.unwrap_or("unknown"),
        "rate_limit": rate_limit(general, now),
        "additional_rate_limits": if additional.is_empty() { Value::Null } else { additional.into() },
        "credits": known.credits.map(|credits| json!({
            "has_credits": credits.has_credits,
            "unlimited": credits.unlimited,
            "balance": credits.balance.map(|balance| balance.to_string()),
        })),
        "spend_control": {"reached": false},
        "rate_limit_reached_type": null,
    });
    let fields = [
        ("user_id", &identity.user_id),
        ("account_id", &identity.account_id),
        ("email", &identity.email),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            body[name] = Value::from(&**value);
        }
    }
    body.to_string().into_bytes()
}

fn rate_limit(limit: Option<&LimitReading>, now: Timestamp) -> Value {
    let mut windows: Vec<&Window> = limit.iter().flat_map(|limit| &limit.windows).collect();
    windows.sort_by_key(|window| window.length);
    let reached = windows.iter().any(|window| window.used_at(now).is_full());
    // Two slots for perhaps more windows: the shortest and the longest.
    let first = windows.first().map(|window| slot(window, now));
    let last = windows
        .get(1..)
        .and_then(<[_]>::last)
        .map(|window| slot(window, now));
    json!({"allowed": !reached, "limit_reached": reached, "primary_window": first, "secondary_window": last})
}

fn slot(window: &Window, now: Timestamp) -> Value {
    let secs = u64::from(window.length.minutes()) * 60;
    let reset = window
        .next_reset(now)
        .unwrap_or_else(|| now + std::time::Duration::from_secs(secs));
    json!({
        "used_percent": window.used_at(now).used().floor() as u8,
        "limit_window_seconds": secs,
        "reset_after_seconds": reset.since(now).as_secs(),
        "reset_at": reset.as_secs_ceil(),
    })
}
