//! The judging table (docs/behaviour.md, "Judging"), row by row, and one request's way through several failures.

use std::time::Duration;

use baton_core::{
    CoolingReason, Effect, ExhaustedReason, LimitFamily, LimitKind, Outcome, Refusal, SendState, Step,
    Timestamp, Trial, Trouble, Verdict,
    judge::{Blame, Circumstances, judge},
    trial::Pick,
};

use crate::pools::{A, B, C};
use SendState::{Delivered, Sent, Unsent};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const MODEL: &str = "gpt-6";

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

fn limit(kind: LimitKind) -> Outcome {
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

fn throttled(retry_after: Option<u64>) -> Outcome {
    Outcome::Throttled {
        retry_after: retry_after.map(Duration::from_secs),
    }
}

fn retry(millis: u64) -> Step {
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

// === one request through several failures ===

fn pick(account: baton_core::AccountId) -> Pick {
    Pick {
        account,
        generation: 0,
    }
}

struct Way {
    trial: Trial,
    now: Timestamp,
}

impl Way {
    fn new() -> Self {
        Self {
            trial: Trial::new(Some(MODEL)),
            now: NOW,
        }
    }

    fn meets(&mut self, account: baton_core::AccountId, outcome: &Outcome) -> (Step, Option<Effect>) {
        self.now = self.now + Duration::from_secs(1);
        let ruling = self.trial.judge(pick(account), outcome, Sent, true, self.now);
        (ruling.step, ruling.report.map(|report| report.effect))
    }

    /// Three times the same trouble, after which it leaves the account.
    fn gives_up_on(&mut self, account: baton_core::AccountId, outcome: &Outcome) {
        assert_eq!(self.meets(account, outcome), (retry(250), None));
        assert_eq!(self.meets(account, outcome), (retry(500), None));
        assert_eq!(self.meets(account, outcome), (Step::FailOver, None));
        assert!(self.trial.tried().contains(&account));
    }

    fn blamed_after_success_of(mut self, account: baton_core::AccountId) -> Vec<baton_core::AccountId> {
        let reports = self.trial.succeeded(pick(account));
        let (last, blamed) = reports.split_last().expect("success itself is reported");
        assert_eq!((last.account, &last.effect), (account, &Effect::Success));
        blamed.iter().map(|report| report.account).collect()
    }
}

const SERVER: Outcome = Outcome::ServerTrouble(Trouble::Status(500));
const DEACTIVATED: Outcome = Outcome::AccountRefused(Refusal::DeactivatedWorkspace);

#[test]
fn server_trouble_is_blamed_only_if_another_account_succeeds() {
    let mut way = Way::new();
    way.gives_up_on(A, &SERVER);
    assert_eq!(way.blamed_after_success_of(B), [A]);

    let mut way = Way::new();
    way.gives_up_on(A, &SERVER);
    assert_eq!(way.trial.given_up(), []);
}

#[test]
fn server_trouble_of_two_accounts_is_passed_on_and_nobody_is_blamed() {
    for second in [SERVER, Outcome::Broken, Outcome::ServerTrouble(Trouble::Connect)] {
        let mut way = Way::new();
        way.gives_up_on(A, &SERVER);
        assert_eq!(way.meets(B, &second), (Step::PassOn, None), "{second:?}");
        assert_eq!(way.trial.given_up(), []);
    }
}

#[test]
fn a_retry_that_succeeds_blames_nobody() {
    let mut way = Way::new();
    way.meets(A, &SERVER);
    assert!(way.trial.failed_before());
    assert!(way.blamed_after_success_of(A).is_empty());
}

#[test]
fn the_first_failure_is_the_accounts_own() {
    let mut way = Way::new();
    way.meets(A, &throttled(None));
    way.now = way.now + Duration::from_secs(600);
    let (_, effect) = way.meets(B, &throttled(None));
    assert!(matches!(effect, Some(Effect::CoolingDown { first_failure, .. }) if first_failure == way.now));
}

#[test]
fn two_accounts_that_refuse_alike_mean_the_request() {
    for outcome in [DEACTIVATED, Outcome::ModelUnavailable] {
        let mut way = Way::new();
        assert_eq!(way.meets(A, &outcome), (Step::FailOver, None));
        assert_eq!(way.meets(B, &outcome), (Step::PassOn, None));
        assert_eq!(way.trial.given_up(), [], "{outcome:?}");
    }
}

#[test]
fn two_accounts_that_refuse_for_different_reasons_are_both_to_blame() {
    let mut way = Way::new();
    way.meets(A, &DEACTIVATED);
    let other = Outcome::AccountRefused(Refusal::UsageNotIncluded);
    assert_eq!(way.meets(B, &other), (Step::FailOver, None));
    assert_eq!(way.blamed_after_success_of(C), [A, B]);
}

#[test]
fn a_refusal_stands_where_no_other_account_contradicts_it() {
    let mut way = Way::new();
    way.meets(A, &DEACTIVATED);
    let reports = way.trial.given_up();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].account, A);
    assert_eq!(way.trial.given_up(), [], "told once");
}

#[test]
fn one_refresh_an_account_then_it_needs_attention() {
    let unauthorized = Outcome::Unauthorized { permanent: false };
    let attention = Effect::NeedsAttention {
        reason: Refusal::TokenInvalidated,
    };
    let mut way = Way::new();
    for account in [A, B] {
        assert_eq!(way.meets(account, &unauthorized), (Step::Refresh, None));
        assert_eq!(
            way.meets(account, &unauthorized),
            (Step::FailOver, Some(attention.clone()))
        );
    }
}

#[test]
fn stripped_once() {
    let mut way = Way::new();
    assert_eq!(way.meets(B, &Outcome::CiphertextRefused), (Step::Strip, None));
    assert_eq!(way.meets(B, &Outcome::CiphertextRefused), (Step::PassOn, None));
}

#[test]
fn limits_of_two_accounts_exhaust_both() {
    let mut way = Way::new();
    for account in [A, B] {
        let (step, effect) = way.meets(account, &limit(LimitKind::UsageLimit));
        assert_eq!(step, Step::FailOver);
        assert!(matches!(effect, Some(Effect::Exhausted { .. })));
    }
    assert!(way.trial.tried().is_empty(), "their state says why");
}

#[test]
fn a_request_is_tried_sixteen_times_at_most_and_a_throttle_is_not_passed_on_even_then() {
    for (outcome, at_last) in [
        (throttled(Some(1)), Step::Resend),
        (limit(LimitKind::InsufficientQuota), Step::Resend),
        (DEACTIVATED, Step::PassOn),
    ] {
        let mut way = Way::new();
        for attempt in 1..=16 {
            let expected = if attempt < 16 { Step::FailOver } else { at_last };
            let (step, effect) = way.meets(A, &outcome);
            assert_eq!(step, expected, "{outcome:?}, attempt {attempt}");
            assert_eq!(effect.is_some(), outcome != DEACTIVATED);
        }
    }
}

#[test]
fn of_limits_throttles_and_refused_tokens_the_upstreams_words_never_stand() {
    let stands = |before: &[Outcome], outcome: &Outcome| {
        let mut way = Way::new();
        for outcome in before {
            way.meets(A, outcome);
        }
        way.trial.judge(pick(B), outcome, Sent, true, way.now).stands
    };
    for outcome in [
        limit(LimitKind::UsageLimit),
        limit(LimitKind::InsufficientQuota),
        throttled(None),
        Outcome::Unauthorized { permanent: false },
        Outcome::Unauthorized { permanent: true },
    ] {
        for before in [&[][..], &[SERVER], &[DEACTIVATED], &[outcome.clone()]] {
            assert!(!stands(before, &outcome), "{outcome:?} after {before:?}");
        }
    }
    for outcome in [SERVER, Outcome::Broken, Outcome::ClientError { status: 400 }] {
        for before in [&[][..], &[SERVER], &[DEACTIVATED]] {
            assert!(stands(before, &outcome), "{outcome:?} after {before:?}");
        }
    }
    for outcome in [DEACTIVATED, Outcome::ModelUnavailable] {
        assert!(stands(&[], &outcome) && stands(&[outcome.clone()], &outcome));
        assert!(!stands(&[SERVER], &outcome), "the trouble may pass: {outcome:?}");
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
