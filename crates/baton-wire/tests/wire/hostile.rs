//! Nothing that a peer sends may panic, whatever it is.

use baton_core::Quota;
use baton_wire::{
    CliIdentity, Facts, Scanner, accounts_check, auth_json, error, headers as wire_headers, jwt, oauth,
    request, usage, ws,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use crate::NOW;

/// Bytes that are nearly JSON, nearly SSE, or nothing.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let token = proptest::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"type\":",
        "\"error\"",
        "\"input\":[",
        "{\"type\":\"reasoning\",",
        "\"encrypted_content\":",
        "\"client_metadata\":{",
        "\"x-codex-turn-state\":",
        "\"turn_id\":",
        "\"headers\":",
        "null",
        "-1e999",
        "18446744073709551616",
        "\"\\ud800\"",
        "\"rate_limit\":",
        "\"primary_window\":",
        "\"used_percent\":",
        "\"limit_window_seconds\":",
        "\"reset_at\":",
        "\"accounts\":",
        "\"email\":",
        "\"status\":",
        "data: ",
        "event: error\n",
        "\n\n",
        "\r",
        "\"response.failed\"",
        "\"response.metadata\"",
        "\"codex.rate_limits\"",
    ]);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes()),
    ]
}

fn header_map() -> impl Strategy<Value = HeaderMap> {
    let name = prop_oneof![
        "x-codex-([a-z_]{0,8}-)?(primary|secondary)-(used-percent|window-minutes|reset-at|reset-after-seconds)",
        proptest::sample::select(vec![
            "x-codex-active-limit",
            "x-codex-turn-metadata",
            "retry-after",
            "x-codex-credits-has-credits",
            "x-codex-credits-balance",
            "session-id",
            "x-codex-routing-hint",
            "x-codex-turn-state",
            "x-codex--used-percent",
            "x-codex-primary-used-percent",
            "primary-used-percent",
        ])
        .prop_map(str::to_owned),
    ];
    let value = prop_oneof![
        "-?[0-9]{0,20}(\\.[0-9]{0,3})?",
        proptest::sample::select(vec![
            "True",
            "codex",
            "codex_x",
            "inf",
            "NaN",
            "{\"turn_id\":\"x\"",
            "é",
            "",
            "$5.00",
            "model="
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec((name, value), 0..24).prop_map(|pairs| {
        let pair = |(name, value): (String, String)| {
            Some((
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_bytes(value.as_bytes()).ok()?,
            ))
        };
        pairs.into_iter().filter_map(pair).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic(bytes in bytes(), headers in header_map(), status in 100..1000_u16) {
        let text = String::from_utf8_lossy(&bytes);
        let identity = CliIdentity { email: Some("e".into()), ..CliIdentity::default() };
        let _ = error::http(status, &headers, &bytes, NOW);
        let _ = error::event(&bytes, NOW);
        let _ = error::frame(&bytes, NOW);
        let _ = ws::server(&text, NOW);
        let _ = request::Skim::read(&bytes);
        let _ = request::strip_ciphertext(&bytes);
        let _ = request::strip_turn_state(&bytes);
        let _ = usage::rewrite_identity(&bytes, &identity);
        let _ = Facts::from_metadata(&bytes);
        let _ = Facts::from_headers(&headers);
        let _ = accounts_check::read(&bytes);
        let _ = auth_json::parse(&bytes);
        let _ = oauth::new_tokens(&bytes);
        let _ = oauth::refresh_failure(status, &bytes);
        let _ = jwt::claims(&text);
        let _ = wire_headers::retry_after(&headers, NOW);
        let _ = wire_headers::date(&headers);
        let _ = baton_wire::client::codex_version(&headers);
        let mut scanner = Scanner::new();
        scanner.feed(&bytes, NOW, &mut |_| {});
        scanner.finish(NOW, &mut |_| {});
        for reading in [usage::read(&bytes, NOW), wire_headers::quota(&headers, NOW)].into_iter().flatten() {
            let mut quota = Quota::default();
            quota.apply(&reading);
            let body = usage::synthesize(&quota, None, &identity, NOW);
            prop_assert!(usage::read(&body, NOW).is_some());
            // No family is said twice, and no window of it.
            for (i, limit) in reading.limits.iter().enumerate() {
                prop_assert!(reading.limits[..i].iter().all(|other| other.family != limit.family));
                for (i, window) in limit.windows.iter().enumerate() {
                    prop_assert!(limit.windows[..i].iter().all(|other| other.length != window.length));
                }
            }
        }
    }
}

#[test]
fn nesting_without_end_is_refused_not_followed() {
    for open in [
        "[",
        "{\"a\":",
        "{\"input\":[",
        "{\"client_metadata\":{\"a\":",
        "{\"item\":",
    ] {
        let bomb = format!("{{\"x\":{}", open.repeat(200_000));
        assert!(request::Skim::read(bomb.as_bytes()).is_err());
        let _ = request::strip_ciphertext(bomb.as_bytes());
        let _ = error::http(400, &HeaderMap::new(), bomb.as_bytes(), NOW);
        let _ = usage::read(bomb.as_bytes(), NOW);
        let _ = ws::server(&bomb, NOW);
    }
}
