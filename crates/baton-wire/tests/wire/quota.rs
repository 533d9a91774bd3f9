//! Quota in its three disguises, and what Baton answers in their place.

use baton_core::{Credits, LimitFamily, Percent, Quota, Reading, Source, Timestamp, WindowLength};
use baton_wire::{CliIdentity, What, accounts_check, headers as wire_headers, usage, ws};
use serde_json::{Value, json};

use crate::{NOW, headers};

fn bengalfox() -> LimitFamily {
    LimitFamily::Named("bengalfox".into())
}

fn percent(used: f64) -> Percent {
    Percent::new(used).unwrap()
}

fn known(reading: &Reading) -> Quota {
    let mut quota = Quota::default();
    quota.apply(reading);
    quota
}

const BOTH_FAMILIES: &[(&str, &str)] = &[
    ("x-codex-active-limit", "codex"),
    ("x-codex-primary-used-percent", "41.5"),
    ("x-codex-primary-window-minutes", "300"),
    ("x-codex-primary-reset-at", "1795332915"),
    ("x-codex-primary-reset-after-seconds", "3600"),
    ("x-codex-secondary-used-percent", "13"),
    ("x-codex-secondary-window-minutes", "10080"),
    ("x-codex-secondary-reset-after-seconds", "86400"),
    ("x-codex-primary-over-secondary-limit-percent", "0"),
    ("x-codex-bengalfox-limit-name", "GPT-5.3-Codex-Spark"),
    ("x-codex-bengalfox-primary-used-percent", "100"),
    ("x-codex-bengalfox-primary-window-minutes", "10080"),
    ("x-codex-bengalfox-primary-reset-at", "1795400000"),
    ("x-codex-credits-has-credits", "False"),
    ("x-codex-credits-unlimited", "False"),
    ("x-codex-credits-balance", "0"),
    ("x-codex-plan-type", "plus"),
];

#[test]
fn headers_give_every_family_with_windows_told_by_their_length() {
    let reading = wire_headers::quota(&headers(BOTH_FAMILIES), NOW).unwrap();
    assert_eq!(
        (reading.source, reading.plan.as_deref()),
        (Source::Headers, Some("plus"))
    );
    assert_eq!(
        reading.credits,
        Some(Credits {
            has_credits: false,
            unlimited: false,
            balance: Some(0.0)
        })
    );
    let quota = known(&reading);
    let five_hours = quota
        .window(&LimitFamily::General, WindowLength::FIVE_HOURS)
        .unwrap();
    assert_eq!(five_hours.used, percent(41.5));
    assert_eq!(five_hours.resets_at, Some(Timestamp::from_secs(1_795_332_915)));
    let week = quota.window(&LimitFamily::General, WindowLength::WEEK).unwrap();
    assert_eq!(week.resets_at, Some(Timestamp::from_secs(1_795_329_315 + 86_400)));
    // The named limit's *primary* slot is weekly.
    assert_eq!(
        quota.window(&bengalfox(), WindowLength::WEEK).unwrap().used,
        Percent::FULL
    );
    assert_eq!(quota.family_of("gpt-5.3-codex-spark"), bengalfox());
}

#[test]
fn a_slot_without_a_length_or_percentage_is_no_window() {
    let told = headers(&[
        ("x-codex-primary-used-percent", "50"),
        ("x-codex-secondary-used-percent", "0"),
        ("x-codex-secondary-window-minutes", "0"),
        ("x-codex-secondary-reset-at", ""),
        ("x-codex-plan-type", "pro"),
    ]);
    let reading = wire_headers::quota(&told, NOW).unwrap();
    assert!(reading.limits.iter().all(|limit| limit.windows.is_empty()));
    assert_eq!(
        wire_headers::quota(&headers(&[("content-type", "text/html")]), NOW),
        None
    );
}

#[test]
fn absurd_resets_are_unknown_ones() {
    for absurd in [
        "-5",
        "1e300",
        "NaN",
        "9223372036854775807",
        "1000000000000000000000000000000",
        // Milliseconds; a hundred years.
        "1795332915000",
        "4951002915",
        "1895329315",
        "soon",
        "",
    ] {
        let told = headers(&[
            ("x-codex-primary-used-percent", "50"),
            ("x-codex-primary-window-minutes", "300"),
            ("x-codex-primary-reset-at", absurd),
        ]);
        let reading = wire_headers::quota(&told, NOW).unwrap();
        assert_eq!(reading.limits[0].windows[0].resets_at, None, "{absurd}");
    }
}

#[test]
fn the_active_limit_is_a_family_only_if_it_is_a_meter() {
    let active = |name| wire_headers::active_family(&headers(&[("x-codex-active-limit", name)]));
    assert_eq!(active("codex"), Some(LimitFamily::General));
    for spelling in [
        "codex_bengalfox",
        "codex-bengalfox",
        "x-codex-bengalfox",
        "CODEX_BENGALFOX",
    ] {
        assert_eq!(active(spelling), Some(bengalfox()), "{spelling}");
    }
    // A group of plans, seen with the general limit exhausted.
    assert_eq!(active("premium"), None);
}

#[test]
fn a_general_limit_that_mirrors_the_named_one_in_use_is_not_the_general_limit() {
    let mirror = [
        ("x-codex-active-limit", "codex_bengalfox"),
        ("x-codex-primary-used-percent", "100"),
        ("x-codex-primary-window-minutes", "10080"),
        ("x-codex-primary-reset-at", "1795400000"),
    ];
    let mut with_family = mirror.to_vec();
    with_family.extend([
        ("x-codex-bengalfox-primary-used-percent", "100"),
        ("x-codex-bengalfox-primary-window-minutes", "10080"),
        ("x-codex-bengalfox-primary-reset-at", "1795400000"),
    ]);
    for told in [headers(&mirror), headers(&with_family)] {
        let quota = known(&wire_headers::quota(&told, NOW).unwrap());
        assert!(quota.windows(&LimitFamily::General).is_empty());
        assert_eq!(quota.windows(&bengalfox()).len(), 1);
    }
}

#[test]
fn the_upstreams_clock_and_the_clis_version_are_read_where_they_are_told() {
    let date = |text| wire_headers::date(&headers(&[("date", text)]));
    assert_eq!(
        date("Sun, 22 Nov 2026 06:37:15 GMT"),
        Some(Timestamp::from_secs(1_795_329_435))
    );
    assert_eq!(date("today"), None);
    let version =
        |text| baton_wire::client::codex_version(&headers(&[("user-agent", text)])).map(str::to_owned);
    assert_eq!(
        version("codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm").as_deref(),
        Some("0.169.0")
    );
    assert_eq!(
        version("Codex Desktop/1.2.3-beta.1").as_deref(),
        Some("1.2.3-beta.1")
    );
    for other in [
        "curl/8.0",
        "codex",
        "codex/",
        "codex/x",
        "codex/1<b>",
        "co/1",
        "codex/1.000000000000000000000000000000001",
    ] {
        assert_eq!(version(other), None, "{other}");
    }
}

#[test]
fn waits_and_turn_states_are_bounded() {
    let wait = |text| {
        wire_headers::retry_after(&headers(&[("retry-after", text)]), NOW).map(|wait| wait.as_secs_f64())
    };
    assert_eq!(wait("60"), Some(60.0));
    assert_eq!(wait(" 1.5 "), Some(1.5));
    assert_eq!(
        wait("Sun, 22 Nov 2026 06:37:15 GMT"),
        Some(1_795_329_435.0 - 1_795_329_315.0)
    );
    assert_eq!(wait("Sun, 22 Nov 2020 06:37:15 GMT"), Some(0.0));
    for absurd in [
        "1e30",
        "1000000000000000000",
        "inf",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        assert_eq!(wait(absurd), Some(86_400.0), "{absurd}");
    }
    for none in [
        "-1",
        "-1000000000000000000",
        "-inf",
        "NaN",
        "soon",
        "",
        "Sun, 32 Foo 2026",
    ] {
        assert_eq!(wait(none), None, "{none}");
    }
    let state = |text: &str| wire_headers::turn_state(&headers(&[("x-codex-turn-state", text)]));
    assert_eq!(state("ts-1").as_deref(), Some("ts-1"));
    assert_eq!(state(&"x".repeat(100_000)), None);
}

/// PROTOCOL §3, verbatim.
const FRAME: &str = r#"{"type":"codex.rate_limits","plan_type":"plus","metered_limit_name":null,"rate_limits":{"allowed":true,"limit_reached":false,
 "primary":{"used_percent":41,"window_minutes":300,"reset_after_seconds":3600,"reset_at":1795332915},
 "secondary":{"used_percent":13,"window_minutes":10080,"reset_after_seconds":86400,"reset_at":1795415715}},
 "additional_rate_limits":null,"credits":{"has_credits":false,"unlimited":false,"balance":null}}"#;

#[test]
fn the_frame_is_read_and_its_metered_limit_named() {
    let What::RateLimits(reading) = ws::server(FRAME, NOW) else {
        panic!()
    };
    assert_eq!(
        (reading.source, reading.limits[0].reached),
        (Source::Frame, Some(false))
    );
    let quota = known(&reading);
    assert_eq!(quota.windows(&LimitFamily::General).len(), 2);
    let named = FRAME.replace("null,\"rate", "\"codex_bengalfox\",\"rate");
    let What::RateLimits(reading) = ws::server(&named, NOW) else {
        panic!()
    };
    assert_eq!(reading.limits[0].family, bengalfox());
}

/// PROTOCOL §3, verbatim but for the identity, which a capture shows.
const USAGE: &str = r#"{"user_id": "user-1", "account_id": "acct-1", "email": "a@example.invalid", "plan_type":"plus","rate_limit":{"allowed":true,"limit_reached":false,
 "primary_window":{"used_percent":37,"limit_window_seconds":18000,"reset_after_seconds":3600,"reset_at":1795333351},
 "secondary_window":{"used_percent":12,"limit_window_seconds":604800,"reset_after_seconds":86400,"reset_at":1795416151}},
 "additional_rate_limits":[{"limit_name":"GPT-5.3-Codex-Spark","metered_feature":"codex_bengalfox","rate_limit":{}}],
 "credits":{"has_credits":false,"unlimited":false,"balance":"0"},"spend_control":{"reached":false},"rate_limit_reached_type":null}"#;

#[test]
fn the_usage_route_is_read_null_windows_included() {
    let reading = usage::read(USAGE.as_bytes(), NOW).unwrap();
    assert_eq!(reading.source, Source::UsageRoute);
    assert_eq!(reading.credits.unwrap().balance, Some(0.0));
    let quota = known(&reading);
    let five_hours = quota
        .window(&LimitFamily::General, WindowLength::FIVE_HOURS)
        .unwrap();
    assert_eq!(
        (five_hours.used, five_hours.resets_at),
        (percent(37.0), Some(Timestamp::from_secs(1_795_333_351)))
    );
    assert_eq!(quota.family_of("GPT-5.3-Codex-Spark"), bengalfox());
    assert!(quota.windows(&bengalfox()).is_empty());

    let nulls = br#"{"plan_type":null,"rate_limit":{"primary_window":null,"secondary_window":null},"additional_rate_limits":null,"credits":null}"#;
    let reading = usage::read(nulls, NOW).unwrap();
    assert!(reading.limits[0].windows.is_empty() && reading.credits.is_none());
    for none in [&b"[]"[..], b"", b"<html>", b"null"] {
        assert_eq!(usage::read(none, NOW), None);
    }
}

#[test]
fn a_usage_body_whose_top_mirrors_a_named_limit_says_nothing_of_the_general_one() {
    let window = json!({"used_percent": 100, "limit_window_seconds": 604_800, "reset_at": 1_795_416_151});
    let body = json!({
        "rate_limit": {"primary_window": window},
        "additional_rate_limits": [{"metered_feature": "codex_bengalfox", "rate_limit": {"primary_window": window}}],
    });
    let quota = known(&usage::read(body.to_string().as_bytes(), NOW).unwrap());
    assert!(quota.windows(&LimitFamily::General).is_empty());
    assert_eq!(quota.windows(&bengalfox()).len(), 1);
}

#[test]
fn a_rewritten_usage_body_keeps_every_byte_but_the_identity() {
    let cli = CliIdentity {
        user_id: Some("user-9".into()),
        account_id: Some("acct-\"9\"".into()),
        email: None,
    };
    let body = usage::rewrite_identity(USAGE.as_bytes(), &cli).unwrap();
    let expected = USAGE.replace(
        r#""user_id": "user-1", "account_id": "acct-1", "email": "a@example.invalid", "#,
        r#""user_id": "user-9", "account_id": "acct-\"9\"", "#,
    );
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    assert_eq!(usage::rewrite_identity(b"<html>", &cli), None);
    assert!(
        !format!(
            "{:?}",
            CliIdentity {
                email: Some("a@b.c".into()),
                ..cli
            }
        )
        .contains("a@b.c")
    );
}

#[test]
fn a_synthesized_usage_body_reads_back_and_never_invents_a_full_window() {
    let mut told = BOTH_FAMILIES.to_vec();
    told.retain(|(name, _)| *name != "x-codex-primary-used-percent");
    told.push(("x-codex-primary-used-percent", "99.6"));
    let quota = known(&wire_headers::quota(&headers(&told), NOW).unwrap());
    let cli = CliIdentity {
        email: Some("me@example.invalid".into()),
        ..CliIdentity::default()
    };
    let body = usage::synthesize(&quota, Some("plus"), &cli, NOW);
    let json: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(json["rate_limit"]["primary_window"]["used_percent"], 99);
    assert_eq!(json["rate_limit"]["limit_reached"], false);
    assert_eq!(json["rate_limit"]["primary_window"]["reset_after_seconds"], 3600);
    assert_eq!(
        json["additional_rate_limits"][0]["metered_feature"],
        "codex_bengalfox"
    );
    assert_eq!(
        json["additional_rate_limits"][0]["rate_limit"]["limit_reached"],
        true
    );
    assert_eq!(
        (json["email"].as_str(), json.get("user_id")),
        (Some("me@example.invalid"), None)
    );
    let again = known(&usage::read(&body, NOW).unwrap());
    assert_eq!(again.windows(&LimitFamily::General).len(), 2);
    assert_eq!(
        again.window(&bengalfox(), WindowLength::WEEK).unwrap().used,
        Percent::FULL
    );
    // Once the reset has passed the window is empty again.
    let later = usage::synthesize(&quota, None, &cli, NOW + std::time::Duration::from_secs(7200));
    let json: Value = serde_json::from_slice(&later).unwrap();
    assert_eq!(json["rate_limit"]["primary_window"]["used_percent"], 0);
}

#[test]
fn accounts_check_tells_an_accounts_constraints_and_our_answer_has_none() {
    let body = br#"{"accounts":[{"id":"acct-1","workspace_backend_origin":"NO_CONSTRAINT","account_routing_override":"us"},
        {"id":"acct-2","workspace_backend_origin":"https://eu.chatgpt.com","account_routing_override":"NO_CONSTRAINT"}],
        "account_ordering":["acct-1"],"default_account_id":"acct-1"}"#;
    let routing = |id| accounts_check::routing(body, id);
    assert_eq!(routing("acct-1").unwrap().override_.as_deref(), Some("us"));
    assert_eq!(routing("acct-1").unwrap().origin, None);
    assert_eq!(
        routing("acct-2").unwrap().origin.as_deref(),
        Some("https://eu.chatgpt.com")
    );
    assert_eq!(routing("acct-3"), None);
    assert_eq!(accounts_check::routing(b"{}", "acct-1"), None);

    // As the captured backend answered it, which the CLI accepted.
    let ours: Value = serde_json::from_slice(&accounts_check::answer("acct-1")).unwrap();
    assert_eq!(
        ours,
        json!({"accounts": [{"id": "acct-1", "plan_type": "plus", "workspace_backend_origin": "https://chatgpt.com",
            "account_routing_override": "NO_CONSTRAINT", "name": null, "structure": "personal"}],
            "account_ordering": ["acct-1"], "default_account_id": "acct-1"})
    );
}

#[test]
fn banked_resets_are_those_neither_used_nor_expired() {
    let now = Timestamp::from_secs(1_795_333_000);
    let usage = br#"{"plan_type":"plus","rate_limit":null,"rate_limit_reset_credits":{"available_count":2}}"#;
    assert_eq!(usage::banked_count(usage), Some(2));
    assert_eq!(usage::banked_count(br#"{"plan_type":"plus"}"#), None);
    assert_eq!(
        usage::banked_count(br#"{"rate_limit_reset_credits":{"available_count":-1}}"#),
        None
    );
    let listed = br#"{"available_count":2,"credits":[
        {"id":"1","status":"available","expires_at":"2099-02-01T00:00:00Z"},
        {"id":"2","status":"available","expires_at":"2099-01-01T00:00:00Z"},
        {"id":"3","status":"redeemed","expires_at":"2099-01-01T00:00:00Z"},
        {"id":"4","status":"available","expires_at":"2000-01-01T00:00:00Z"}]}"#;
    let banked = usage::banked(listed, now).unwrap();
    let expire: Vec<_> = banked.expire.iter().map(|at| at.as_millis() / 1000).collect();
    assert_eq!((banked.count, expire), (2, vec![4_070_908_800, 4_073_587_200]));
    assert_eq!(banked.left(Timestamp::from_secs(4_070_908_800)).count, 1);
    let none = usage::banked(br#"{"available_count":0,"credits":[]}"#, now).unwrap();
    assert_eq!((none.count, none.expire), (0, vec![]));
    assert_eq!(usage::banked(b"{}", now), None);
    assert_eq!(usage::banked(b"<html>", now), None);
}
