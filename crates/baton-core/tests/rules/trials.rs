//! One request's way through several failures.

use std::time::Duration;

use baton_core::{
    AccountId, Effect, LimitKind, Outcome, Refusal, SendState::Sent, Step, Timestamp, Trial, Trouble,
    trial::Pick,
};

use crate::{
    judging::{DEACTIVATED, MODEL, NOW, SERVER, limit, retry, throttled},
    pools::{A, B, C},
};

fn pick(account: AccountId) -> Pick {
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

    fn meets(&mut self, account: AccountId, outcome: &Outcome) -> (Step, Option<Effect>) {
        self.now = self.now + Duration::from_secs(1);
        let ruling = self.trial.judge(pick(account), outcome, Sent, true, self.now);
        (ruling.step, ruling.report.map(|report| report.effect))
    }

    /// Three times the same trouble, after which it leaves the account.
    fn gives_up_on(&mut self, account: AccountId, outcome: &Outcome) {
        assert_eq!(self.meets(account, outcome), (retry(250), None));
        assert_eq!(self.meets(account, outcome), (retry(500), None));
        assert_eq!(self.meets(account, outcome), (Step::FailOver, None));
        assert!(self.trial.tried().contains(&account));
    }

    fn blamed_after_success_of(mut self, account: AccountId) -> Vec<AccountId> {
        let reports = self.trial.succeeded(pick(account));
        let (last, blamed) = reports.split_last().expect("success itself is reported");
        assert_eq!((last.account, &last.effect), (account, &Effect::Success));
        blamed.iter().map(|report| report.account).collect()
    }
}

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
        for before in [&[][..], &[SERVER], &[DEACTIVATED], std::slice::from_ref(&outcome)] {
            assert!(!stands(before, &outcome), "{outcome:?} after {before:?}");
        }
    }
    for outcome in [SERVER, Outcome::Broken, Outcome::ClientError { status: 400 }] {
        for before in [&[][..], &[SERVER], &[DEACTIVATED]] {
            assert!(stands(before, &outcome), "{outcome:?} after {before:?}");
        }
    }
    for outcome in [DEACTIVATED, Outcome::ModelUnavailable] {
        assert!(stands(&[], &outcome) && stands(std::slice::from_ref(&outcome), &outcome));
        assert!(!stands(&[SERVER], &outcome), "the trouble may pass: {outcome:?}");
    }
}
