//! Quota in its disguises, and the routing of accounts.

use std::time::Duration;

use baton_core::{LimitFamily, Quota, Reading, Timestamp};
use baton_wire::{
    CliIdentity, Facts, accounts_check as wire_check, client::cli_version, headers as wire_headers,
    usage as wire_usage,
};
use serde_json::Value;

use crate::{
    NOW, http_text,
    json::{is_left_over, unambiguous},
};

/// Nothing that an upstream names lies further away.
const FURTHEST: Duration = Duration::from_secs(400 * 86_400);
/// Nor is anybody made to wait longer.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(86_400);
const LONGEST_LABEL: usize = 128;

pub(crate) fn headers(data: &[u8]) {
    let (headers, _) = http_text::headers(data);
    if let Some(reading) = wire_headers::quota(&headers, NOW) {
        check_reading(&reading);
    }
    if let Some(family) = wire_headers::active_family(&headers) {
        check_family(&family);
    }
    if let Some(version) = cli_version(&headers) {
        // It is shown to people.
        assert!(version.len() <= 40 && version.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    if let Some(state) = wire_headers::turn_state(&headers) {
        assert!(!state.is_empty() && state.len() <= 64 * 1024);
    }
    if let Some(wait) = wire_headers::retry_after(&headers, NOW) {
        assert!(wait <= LONGEST_WAIT, "{wait:?}");
    }
    let facts = Facts::from_headers(&headers);
    assert!(
        facts
            .model
            .is_none_or(|model| !model.is_empty() && model.len() <= 256)
    );
}

pub(crate) fn usage(data: &[u8]) {
    let identity = CliIdentity {
        user_id: Some("user-of-the-cli".into()),
        account_id: None,
        email: Some("\"é\\".into()),
    };
    if let Some(reading) = wire_usage::read(data, NOW) {
        check_reading(&reading);
        let mut quota = Quota::default();
        quota.apply(&reading);
        synthesized(&quota, &identity);
    }
    let banked = wire_usage::banked(data, NOW).unwrap_or_default();
    assert!(banked.count as usize >= banked.expire.len() && banked.count <= 1000);
    assert!(banked.expire.is_sorted() && banked.left(NOW) == banked);
    assert!(wire_usage::banked_count(data).is_none_or(|count| count <= 1000));
    let Some(rewritten) = wire_usage::rewrite_identity(data, &identity) else {
        assert!(
            !unambiguous(data).is_some_and(|body| body.is_object()),
            "a body that isn't rewritten"
        );
        return;
    };
    if let Some(mut body) = unambiguous(data) {
        let object = body.as_object_mut().expect("what is rewritten is an object");
        object.remove("account_id");
        for (key, ours) in [("user_id", &identity.user_id), ("email", &identity.email)] {
            if let (Some(theirs), Some(ours)) = (object.get_mut(key), ours) {
                *theirs = (**ours).into();
            }
        }
        assert_eq!(unambiguous(&rewritten), Some(body));
    } else if serde_json::from_slice::<Value>(data).is_ok() {
        let rewritten: Value = serde_json::from_slice(&rewritten).expect("JSON stays JSON");
        assert!(rewritten.get("account_id").is_none());
    }
    let nobody = wire_usage::rewrite_identity(data, &CliIdentity::default()).expect("as before");
    assert!(is_left_over(&nobody, data));
}

/// What Baton makes up from what it knows says neither more nor less.
fn synthesized(quota: &Quota, identity: &CliIdentity) {
    let body = wire_usage::synthesize(quota, Some("plus"), identity, NOW);
    let again = wire_usage::read(&body, NOW).expect("what Baton writes it can read");
    check_reading(&again);
    for limit in &again.limits {
        // An unused mirror may have taken the other's place; the numbers are somebody's.
        for window in &limit.windows {
            let known = quota.limits.iter().flat_map(|limit| &limit.windows).any(|known| {
                known.length == window.length && known.used_at(NOW).used().floor() == window.used.used()
            });
            assert!(known, "{window:?} is in none of {quota:?}");
        }
    }
}

pub(crate) fn accounts_check(data: &[u8]) {
    let Some(accounts) = wire_check::read(data) else {
        return;
    };
    assert!(accounts.len() <= 256);
    for (id, routing) in &accounts {
        for text in [Some(id), routing.override_.as_ref(), routing.origin.as_ref()]
            .into_iter()
            .flatten()
        {
            check_label(text);
            assert_ne!(&**text, "", "an empty text is none");
        }
        assert_ne!(routing.override_.as_deref(), Some("NO_CONSTRAINT"));
        assert!(wire_check::routing(data, id).is_some());
        let answer = wire_check::read(&wire_check::answer(id)).expect("what Baton writes it can read");
        assert_eq!(answer.len(), 1);
        assert_eq!((&answer[0].0, answer[0].1.override_.as_deref()), (id, None));
    }
}

fn check_reading(reading: &Reading) {
    assert_eq!(reading.observed_at, NOW);
    assert!(reading.limits.len() <= 65);
    if let Some(plan) = &reading.plan {
        check_label(plan);
    }
    for (i, limit) in reading.limits.iter().enumerate() {
        check_family(&limit.family);
        if let Some(name) = &limit.name {
            check_label(name);
        }
        assert!(
            reading.limits[..i]
                .iter()
                .all(|other| other.family != limit.family),
            "a family is said once"
        );
        for (i, window) in limit.windows.iter().enumerate() {
            assert!((0.0..=100.0).contains(&window.used.used()));
            assert!((1..=5_270_400).contains(&window.length.minutes()), "{window:?}");
            if let Some(reset) = window.resets_at {
                check_reset(reset);
            }
            assert!(
                limit.windows[..i]
                    .iter()
                    .all(|other| other.length != window.length),
                "a window is said once"
            );
        }
    }
    if let Some(balance) = reading.credits.and_then(|credits| credits.balance) {
        assert!(balance.is_finite());
    }
}

pub(crate) fn check_family(family: &LimitFamily) {
    if let LimitFamily::Named(name) = family {
        assert!(!name.is_empty() && name.len() <= 64 && name.is_ascii());
        assert_eq!(name.to_ascii_lowercase(), **name);
    }
}

pub(crate) fn check_reset(reset: Timestamp) {
    assert!(
        reset.as_millis() >= 0 && reset.since(NOW) <= FURTHEST,
        "{reset:?}"
    );
}

fn check_label(text: &str) {
    assert!(
        text.len() <= LONGEST_LABEL && !text.chars().any(char::is_control),
        "{text:?}"
    );
}
