//! From what the upstream says to what happened: PROTOCOL §4 and the judging table's left column.

use std::time::Duration;

use baton_core::{LimitFamily, LimitKind, Outcome, Refusal, Timestamp, Trouble};
use baton_wire::{What, answers, error, ws};

use crate::{NOW, headers};

fn http(status: u16, body: &str) -> Outcome {
    error::http(status, &headers(&[]), body.as_bytes(), NOW)
}

fn event(json: &str) -> Outcome {
    error::event(json.as_bytes(), NOW).unwrap()
}

fn limit(kind: LimitKind) -> Outcome {
    Outcome::UsageLimit {
        family: None,
        resets_at: None,
        kind,
    }
}

#[test]
fn a_usage_limit_is_one_in_any_disguise() {
    let body = r#"{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"free","resets_at":1795400000,"resets_in_seconds":602705}}"#;
    let expected = Outcome::UsageLimit {
        family: None,
        resets_at: Some(Timestamp::from_secs(1_795_400_000)),
        kind: LimitKind::UsageLimit,
    };
    assert_eq!(http(429, body), expected);
    assert_eq!(http(400, body), expected);
    assert_eq!(http(503, body), expected);
    let inside = &body[1..body.len() - 1];
    assert_eq!(
        event(&format!(r#"{{"type":"error","status":429,{inside}}}"#)),
        expected
    );
    assert_eq!(
        event(&format!(
            r#"{{"type":"response.failed","response":{{"id":"r",{inside}}}}}"#
        )),
        expected
    );
    assert_eq!(
        event(
            r#"{"type":"response.failed","response":{"error":{"code":"insufficient_quota","message":"m"}}}"#
        ),
        limit(LimitKind::InsufficientQuota)
    );
    assert_eq!(
        event(r#"{"type":"error","code":"usage_limit_reached","message":"m"}"#),
        limit(LimitKind::UsageLimit)
    );
    assert_eq!(
        http(429, r#"{"detail":{"code":"workspace_owner_credits_depleted"}}"#),
        limit(LimitKind::WorkspaceCredits)
    );
    assert_eq!(
        http(
            403,
            r#"{"error":{"code":"workspace_member_usage_limit_reached"}}"#
        ),
        limit(LimitKind::WorkspaceLimit)
    );
    assert_eq!(
        error::http(
            429,
            &headers(&[(
                "x-codex-rate-limit-reached-type",
                "workspace_member_credits_depleted"
            )]),
            br#"{"error":{"type":"usage_limit_reached"}}"#,
            NOW
        ),
        limit(LimitKind::WorkspaceCredits)
    );
}

#[test]
fn a_reset_that_has_passed_or_is_absurd_is_unknown() {
    let resets = |at: &str| match http(
        429,
        &format!(r#"{{"error":{{"type":"usage_limit_reached",{at}}}}}"#),
    ) {
        Outcome::UsageLimit { resets_at, .. } => resets_at,
        other => panic!("{other:?}"),
    };
    assert_eq!(resets(r#""resets_at":1795320000"#), None);
    assert_eq!(resets(r#""resets_at":1795332915000"#), None);
    assert_eq!(resets(r#""resets_at":-1"#), None);
    assert_eq!(resets(r#""resets_at":"later""#), None);
    assert_eq!(
        resets(r#""resets_at":null,"resets_in_seconds":60"#),
        Some(NOW + Duration::from_secs(60))
    );
}

#[test]
fn the_family_of_a_limit_is_the_active_one_else_the_only_full_one() {
    let family = |pairs: &[(&str, &str)]| {
        let body = br#"{"error":{"type":"usage_limit_reached"}}"#;
        match error::http(429, &headers(pairs), body, NOW) {
            Outcome::UsageLimit { family, .. } => family,
            other => panic!("{other:?}"),
        }
    };
    let full = ("x-codex-primary-used-percent", "100");
    let spark = ("x-codex-bengalfox-secondary-used-percent", "100");
    let named = Some(LimitFamily::Named("bengalfox".into()));
    assert_eq!(family(&[]), None);
    assert_eq!(family(&[full]), Some(LimitFamily::General));
    assert_eq!(family(&[("x-codex-primary-used-percent", "99.6"), spark]), named);
    assert_eq!(family(&[full, spark]), None);
    assert_eq!(
        family(&[full, spark, ("x-codex-active-limit", "codex_bengalfox")]),
        named
    );
    assert_eq!(
        family(&[full, spark, ("x-codex-active-limit", "codex")]),
        Some(LimitFamily::General)
    );
}

/// As users have reported it: `status_code`, header names in title case, a group as the active limit.
#[test]
fn a_limit_frame_of_the_wild_is_read_with_its_headers() {
    let frame = r#"{"type":"error","error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus","resets_at":1795343187,"eligible_promo":null,"resets_in_seconds":13872},"status_code":429,"headers":{"X-Codex-Active-Limit":"premium","X-Codex-Primary-Used-Percent":"100","X-Codex-Secondary-Used-Percent":"80","X-Codex-Primary-Window-Minutes":"300","X-Codex-Credits-Has-Credits":"False"}}"#;
    let expected = Outcome::UsageLimit {
        family: Some(LimitFamily::General),
        resets_at: Some(Timestamp::from_secs(1_795_343_187)),
        kind: LimitKind::UsageLimit,
    };
    assert_eq!(error::frame(frame.as_bytes(), NOW), Some(expected.clone()));
    assert_eq!(ws::server(frame, NOW), What::Failed(expected));
}

#[test]
fn throttles_say_how_long() {
    let throttled = |secs: Option<f64>| Outcome::Throttled {
        retry_after: secs.map(Duration::from_secs_f64),
    };
    assert_eq!(http(429, "<html>Too many requests</html>"), throttled(None));
    assert_eq!(
        error::http(429, &headers(&[("retry-after", "7")]), b"", NOW),
        throttled(Some(7.0))
    );
    assert_eq!(
        event(
            r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"Rate limit reached. Please try again in 1.5s."}}}"#
        ),
        throttled(Some(1.5))
    );
    assert_eq!(
        event(r#"{"type":"response.failed","response":{"error":{"code":"slow_down"}}}"#),
        throttled(None)
    );
    assert_eq!(
        event(
            r#"{"type":"error","status":429,"error":{"type":"rate_limit_exceeded"},"headers":{"retry-after":60}}"#
        ),
        throttled(Some(60.0))
    );
}

#[test]
fn trouble_of_the_server_is_not_the_accounts() {
    assert_eq!(http(502, ""), Outcome::ServerTrouble(Trouble::Status(502)));
    assert_eq!(
        http(503, r#"{"error":{"code":"server_is_overloaded"}}"#),
        Outcome::ServerTrouble(Trouble::Overloaded)
    );
    assert_eq!(
        event(r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"Sorry"}}}"#),
        Outcome::ServerTrouble(Trouble::Status(500))
    );
    assert_eq!(
        event(r#"{"type":"response.failed"}"#),
        Outcome::ServerTrouble(Trouble::Status(500))
    );
    // A server's page may quote anything.
    let quoting =
        r#"{"error":{"message":"The 'x' model is not supported when using Codex with a ChatGPT account."}}"#;
    assert_eq!(http(500, quoting), Outcome::ServerTrouble(Trouble::Status(500)));
}

#[test]
fn refused_accounts_are_told_from_refusing_edges() {
    assert_eq!(
        http(401, r#"{"detail":"Unauthorized"}"#),
        Outcome::Unauthorized { permanent: false }
    );
    assert_eq!(
        http(401, r#"{"error":{"code":"token_expired"}}"#),
        Outcome::Unauthorized { permanent: false }
    );
    for code in ["token_invalidated", "token_revoked", "account_deactivated"] {
        let body = format!(r#"{{"error":{{"message":"m","code":"{code}"}}}}"#);
        assert_eq!(
            http(401, &body),
            Outcome::Unauthorized { permanent: true },
            "{code}"
        );
    }
    for status in [402, 403] {
        assert_eq!(
            http(status, r#"{"detail":{"code":"deactivated_workspace"}}"#),
            Outcome::AccountRefused(Refusal::DeactivatedWorkspace)
        );
        assert_eq!(
            http(status, "<!DOCTYPE html><title>Just a moment...</title>"),
            Outcome::EdgeRefused { status }
        );
        assert_eq!(
            http(status, r#"{"detail":"Forbidden"}"#),
            Outcome::EdgeRefused { status }
        );
    }
    assert_eq!(
        http(429, r#"{"error":{"type":"usage_not_included"}}"#),
        Outcome::AccountRefused(Refusal::UsageNotIncluded)
    );
    assert_eq!(
        http(400, r#"{"error":"invalid_grant","error_description":"m"}"#),
        Outcome::AccountRefused(Refusal::GrantRefused)
    );
}

#[test]
fn what_another_account_could_serve_is_told_from_the_clients_own_mistakes() {
    let models = [
        r#"{"detail":"The 'gpt-5.1-codex' model is not supported when using Codex with a ChatGPT account."}"#,
        r#"{"error":{"message":"This model is not available on your plan"}}"#,
        r#"{"error":{"code":"model_not_found"}}"#,
    ];
    for body in models {
        assert_eq!(http(400, body), Outcome::ModelUnavailable, "{body}");
    }
    let ciphers = [
        r#"{"error":{"type":"invalid_request_error","code":"invalid_encrypted_content","message":"m"}}"#,
        r#"{"error":{"message":"The encrypted content gAAA could not be decrypted or parsed."}}"#,
        r#"{"error":{"message":"Encrypted content organization_id did not match the target organization."}}"#,
    ];
    for body in ciphers {
        assert_eq!(http(400, body), Outcome::CiphertextRefused, "{body}");
        let failed = format!(r#"{{"type":"response.failed","response":{body}}}"#);
        assert_eq!(event(&failed), Outcome::CiphertextRefused, "{body}");
    }
    assert_eq!(
        http(404, r#"{"detail": "Not Found"}"#),
        Outcome::ClientError { status: 404 }
    );
    assert_eq!(
        http(400, r#"{"error":{"type":"invalid_request_error"}}"#),
        Outcome::ClientError { status: 400 }
    );
    assert_eq!(http(413, ""), Outcome::ClientError { status: 413 });
    for failed in [
        r#"{"type":"response.failed","response":{"error":{"code":"context_length_exceeded","message":"m"}}}"#,
        r#"{"type":"response.failed","response":{"error":{"code":"invalid_prompt","message":"m"}}}"#,
        r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#,
    ] {
        assert_eq!(event(failed), Outcome::ClientError { status: 400 }, "{failed}");
    }
}

#[test]
fn a_socket_that_must_be_opened_anew_is_nobodys_fault() {
    // As captured.
    let frame = r#"{"type": "error", "status": 400, "error": {"type": "invalid_request_error", "code": "websocket_connection_limit_reached", "message": "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue."}}"#;
    assert_eq!(event(frame), Outcome::ReconnectAsked);
    assert_eq!(
        event(&frame.replace(
            "websocket_connection_limit_reached",
            "previous_response_not_found"
        )),
        Outcome::ReconnectAsked
    );
    assert_eq!(error::event(br#"{"type":"response.created"}"#, NOW), None);
    assert_eq!(error::frame(br#"{"type":"response.failed"}"#, NOW), None);
}

/// What Baton answers must mean to another reader of the protocol what Baton means.
#[test]
fn answers_of_our_own_read_back_as_what_they_say() {
    let reset = Timestamp::from_millis(1_795_400_000_001);
    let expected = Outcome::UsageLimit {
        family: None,
        resets_at: Some(Timestamp::from_secs(1_795_400_001)),
        kind: LimitKind::UsageLimit,
    };
    let body = answers::usage_limit_reached(Some(reset), Some("plus"), "All \"accounts\" are exhausted");
    assert_eq!(error::http(429, &headers(&[]), &body, NOW), expected);
    assert_eq!(event(&answers::limit_frame(Some(reset), None, "m")), expected);
    assert_eq!(
        event(&answers::limit_frame(None, None, "m")),
        limit(LimitKind::UsageLimit)
    );
    assert_eq!(event(answers::reconnect_frame()), Outcome::ReconnectAsked);
    assert_eq!(
        event(&answers::wait_frame(60, "m")),
        Outcome::ServerTrouble(Trouble::Status(503))
    );
    assert!(answers::wait_frame(60, "m").contains(r#""headers":{"retry-after":"60"}"#));
    let body = answers::service_unavailable("m");
    assert_eq!(
        error::http(503, &headers(&[]), &body, NOW),
        Outcome::ServerTrouble(Trouble::Status(503))
    );
    let body = answers::account_error("Use only Personal: its limit is reached");
    assert_eq!(
        error::http(400, &headers(&[]), &body, NOW),
        Outcome::ClientError { status: 400 }
    );
    assert_eq!(
        event(&answers::account_error_frame("m")),
        Outcome::ClientError { status: 400 }
    );
}
