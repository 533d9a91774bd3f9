//! The judging table (docs/behaviour.md, "Judging"), row by row.

use std::time::Duration;

use baton_core::{
    CoolingReason, Effect, ExhaustedReason, LimitFamily, LimitKind, Outcome, Refusal, SendState, Step,
    Timestamp, Trouble, Verdict,
    judge::{Blame, Circumstances, judge},
};

use SendState::{Delivered, Sent, Unsent};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const MODEL: &str = "gpt-6";
pub(crate) const SERVER: Outcome = Outcome::ServerTrouble(Trouble::Status(500));
pub(crate) const DEACTIVATED: Outcome = Outcome::AccountRefused(Refusal::DeactivatedWorkspace);

fn first(sent: SendState) -> Circumstances<'static> {
    Circumstances {
        sent,
        replayable: true,
        retries: 0,
        refreshed: false,
        stripped: false,
        alike_elsewhere: false,
        model: Some(MODEL),
        first_failure: NOW,
    }
}

pub(crate) fn limit(kind: LimitKind) -> Outcome {
    Outcome::UsageLimit {
        family: Some(LimitFamily::General),
        resets_at: Some(NOW),
        kind,
    }
}

fn exhausted(kind: LimitKind) -> Option<(Blame, Effect)> {
    let effect = Effect::Exhausted {
        family: Some(LimitFamily::General),
        until: Some(NOW),
        reason: ExhaustedReason::Limit(kind),
    };
    Some((Blame::Now, effect))
}

fn cooling(blame: Blame, secs: u64, reason: CoolingReason) -> Option<(Blame, Effect)> {
    let effect = Effect::CoolingDown {
        lasting: Duration::from_secs(secs),
        reason,
        first_failure: NOW,
    };
    Some((blame, effect))
}

fn attention(blame: Blame, reason: Refusal) -> Option<(Blame, Effect)> {
    Some((blame, Effect::NeedsAttention { reason }))
}

pub(crate) fn throttled(retry_after: Option<u64>) -> Outcome {
    Outcome::Throttled {
        retry_after: retry_after.map(Duration::from_secs),
    }
}

pub(crate) fn retry(millis: u64) -> Step {
    Step::Retry {
        after: Duration::from_millis(millis),
    }
}

#[test]
fn the_table() {
    let server = Outcome::ServerTrouble(Trouble::Status(502));
    let overloaded = Outcome::ServerTrouble(Trouble::Overloaded);
    let no_connection = Outcome::ServerTrouble(Trouble::ConnectTimeout);
    let unauthorized = Outcome::Unauthorized { permanent: false };
    let invalidated = Outcome::Unauthorized { permanent: true };
    let deactivated = Outcome::AccountRefused(Refusal::DeactivatedWorkspace);
    let not_included = Outcome::AccountRefused(Refusal::UsageNotIncluded);
    let edge = Outcome::EdgeRefused { status: 403 };
    let client = Outcome::ClientError { status: 400 };
    let model = Outcome::ModelUnavailable;

    let kept = |sent| first(sent);
    let too_large = |sent| Circumstances {
        replayable: false,
        ..first(sent)
    };
    let retried = |times| Circumstances {
        retries: times,
        ..first(Sent)
    };
    let alike = |sent| Circumstances {
        alike_elsewhere: true,
        ..first(sent)
    };
    let refreshed = Circumstances {
        refreshed: true,
        ..first(Sent)
    };
    let stripped = Circumstances {
        stripped: true,
        ..first(Sent)
    };
    let lacking = Effect::LacksModel { model: MODEL.into() };
    let server_cools = cooling(Blame::IfAnotherSucceeds, 30, CoolingReason::ServerTrouble);
    let throttle_cools = |secs| cooling(Blame::Now, secs, CoolingReason::Throttled);

    let rows = [
        // Usage limit in any disguise: exhausted, fail over, replay if no output was delivered.
        (
            limit(LimitKind::UsageLimit),
            kept(Unsent),
            Step::FailOver,
            exhausted(LimitKind::UsageLimit),
        ),
        (
            limit(LimitKind::UsageLimit),
            kept(Sent),
            Step::FailOver,
            exhausted(LimitKind::UsageLimit),
        ),
        (
            limit(LimitKind::InsufficientQuota),
            kept(Sent),
            Step::FailOver,
            exhausted(LimitKind::InsufficientQuota),
        ),
        (
            limit(LimitKind::WorkspaceCredits),
            kept(Sent),
            Step::FailOver,
            exhausted(LimitKind::WorkspaceCredits),
        ),
        (
            limit(LimitKind::WorkspaceLimit),
            kept(Sent),
            Step::FailOver,
            exhausted(LimitKind::WorkspaceLimit),
        ),
        // A limit after output: cut, with the account exhausted.
        (
            limit(LimitKind::UsageLimit),
            kept(Delivered),
            Step::Resend,
            exhausted(LimitKind::UsageLimit),
        ),
        (
            limit(LimitKind::UsageLimit),
            too_large(Sent),
            Step::Resend,
            exhausted(LimitKind::UsageLimit),
        ),
        (
            limit(LimitKind::UsageLimit),
            too_large(Unsent),
            Step::FailOver,
            exhausted(LimitKind::UsageLimit),
        ),
        (
            limit(LimitKind::UsageLimit),
            alike(Sent),
            Step::FailOver,
            exhausted(LimitKind::UsageLimit),
        ),
        // Throttled: Retry-After, or 30 s.
        (throttled(Some(7)), kept(Sent), Step::FailOver, throttle_cools(7)),
        (throttled(None), kept(Sent), Step::FailOver, throttle_cools(30)),
        (throttled(None), kept(Delivered), Step::Resend, throttle_cools(30)),
        (
            throttled(Some(u64::MAX)),
            kept(Sent),
            Step::FailOver,
            throttle_cools(86_400),
        ),
        (throttled(None), alike(Sent), Step::FailOver, throttle_cools(30)),
        // Server trouble: the same account twice, then one temporary failover.
        (server.clone(), retried(0), retry(250), None),
        (server.clone(), retried(1), retry(500), None),
        (server.clone(), retried(2), Step::FailOver, server_cools.clone()),
        (overloaded, retried(2), Step::FailOver, server_cools.clone()),
        (no_connection.clone(), kept(Unsent), retry(250), None),
        (no_connection, too_large(Unsent), retry(250), None),
        (server.clone(), too_large(Sent), Step::Resend, None),
        (server.clone(), kept(Delivered), Step::Resend, None),
        (server, alike(Sent), Step::PassOn, None),
        // 401: one refresh for all who wait; refused for good needs attention.
        (unauthorized.clone(), kept(Sent), Step::Refresh, None),
        (
            unauthorized.clone(),
            refreshed,
            Step::FailOver,
            attention(Blame::Now, Refusal::TokenInvalidated),
        ),
        (unauthorized.clone(), kept(Delivered), Step::Resend, None),
        (unauthorized, alike(Sent), Step::Refresh, None),
        (
            invalidated,
            kept(Sent),
            Step::FailOver,
            attention(Blame::Now, Refusal::TokenInvalidated),
        ),
        // 401 of a linked account: its file is read again, and no code is final.
        (Outcome::LinkRefused, kept(Sent), Step::Refresh, None),
        (
            Outcome::LinkRefused,
            refreshed,
            Step::FailOver,
            attention(Blame::Now, Refusal::LinkStale),
        ),
        (Outcome::LinkRefused, kept(Delivered), Step::Resend, None),
        // 402, 403 with a known code, usage_not_included.
        (
            deactivated.clone(),
            kept(Sent),
            Step::FailOver,
            attention(Blame::UnlessAnotherAgrees, Refusal::DeactivatedWorkspace),
        ),
        (
            not_included,
            kept(Sent),
            Step::FailOver,
            attention(Blame::UnlessAnotherAgrees, Refusal::UsageNotIncluded),
        ),
        (
            deactivated.clone(),
            kept(Delivered),
            Step::Resend,
            attention(Blame::UnlessAnotherAgrees, Refusal::DeactivatedWorkspace),
        ),
        (deactivated, alike(Sent), Step::PassOn, None),
        // ... without one: passed on, nobody is blamed.
        (edge.clone(), kept(Sent), Step::PassOn, None),
        (edge, alike(Sent), Step::PassOn, None),
        // Ciphertext of another account: strip, retry once.
        (Outcome::CiphertextRefused, kept(Sent), Step::Strip, None),
        (Outcome::CiphertextRefused, stripped, Step::PassOn, None),
        (Outcome::CiphertextRefused, too_large(Sent), Step::PassOn, None),
        (Outcome::CiphertextRefused, kept(Delivered), Step::PassOn, None),
        // The plan lacks the model.
        (
            model.clone(),
            kept(Sent),
            Step::FailOver,
            Some((Blame::UnlessAnotherAgrees, lacking)),
        ),
        (model.clone(), alike(Sent), Step::PassOn, None),
        (
            model,
            Circumstances {
                model: None,
                ..first(Sent)
            },
            Step::FailOver,
            None,
        ),
        // Other 4xx: the client's.
        (client.clone(), kept(Sent), Step::PassOn, None),
        (client, kept(Delivered), Step::PassOn, None),
        // Broken: after output the client resends, even where another account broke before.
        (Outcome::Broken, kept(Sent), retry(250), None),
        (Outcome::Broken, retried(2), Step::FailOver, server_cools),
        (Outcome::Broken, kept(Delivered), Step::Resend, None),
        (Outcome::Broken, alike(Delivered), Step::Resend, None),
        (Outcome::Broken, too_large(Sent), Step::Resend, None),
        // What the client heals by itself.
        (Outcome::ReconnectAsked, kept(Sent), Step::PassOn, None),
    ];
    for (outcome, circumstances, step, effect) in rows {
        let verdict = judge(&outcome, &circumstances);
        assert_eq!(
            verdict,
            Verdict { step, effect },
            "{outcome:?}, {circumstances:?}"
        );
    }
}

#[test]
fn output_is_never_delivered_twice() {
    let anything = [
        limit(LimitKind::UsageLimit),
        throttled(None),
        SERVER,
        DEACTIVATED,
        Outcome::Broken,
        Outcome::CiphertextRefused,
        Outcome::ModelUnavailable,
        Outcome::Unauthorized { permanent: false },
        Outcome::Unauthorized { permanent: true },
        Outcome::EdgeRefused { status: 403 },
        Outcome::ClientError { status: 404 },
        Outcome::ReconnectAsked,
    ];
    for outcome in &anything {
        for alike_elsewhere in [false, true] {
            let delivered = Circumstances {
                alike_elsewhere,
                ..first(Delivered)
            };
            let step = judge(outcome, &delivered).step;
            assert!(
                matches!(step, Step::Resend | Step::PassOn),
                "{outcome:?} => {step:?}"
            );
        }
    }
}
