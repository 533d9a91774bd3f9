//! Drain first: one active account serves all requests, sessions and models until a named cause changes it; the next
//! is the first eligible account after it in the person's order, wrapping round.

use super::{Field, Outcome, PASSING};
use crate::{
    Because, Cause, Choice, Eligibility, LimitFamily, OnRecovery, PassedOver, Switch, Timestamp,
    eligibility::Tier,
};

pub(super) fn choose(field: &mut Field<'_>, between_turns: bool) -> Outcome {
    let Some(active) = field.pool.active().and_then(|id| field.position(id)) else {
        let Some(tier) = field.best_tier() else {
            return (field.nobody(), None);
        };
        let first = field
            .candidates
            .iter()
            .position(|candidate| candidate.tier == Some(tier))
            .unwrap_or(0);
        return become_active(field, first, Cause::FirstUse);
    };
    if between_turns
        && field.pool.policy().on_recovery == OnRecovery::Return
        && let Some(earlier) = (0..active).find(|index| may_return(field, *index))
    {
        return become_active(field, earlier, Cause::ReturnedToPrimary);
    }
    if field.candidates[active].tier == Some(Tier::Included) {
        return (
            field.pick(active, Because::Active, PassedOver::WaitsItsTurn),
            None,
        );
    }
    if let Some(wait) = field.brief_wait(active, PassedOver::WaitsItsTurn) {
        return (wait, None);
    }
    let Some(best) = field.best_tier() else {
        return (field.nobody(), None);
    };
    if field.candidates[active].tier == Some(best) {
        return (
            field.pick(active, Because::Active, PassedOver::WaitsItsTurn),
            None,
        );
    }
    let count = field.candidates.len();
    let next = (1..count)
        .map(|step| (active + step) % count)
        .find(|index| field.candidates[*index].tier == Some(best))
        // The best tier isn't the active account's, so somebody else has it.
        .unwrap_or(active);
    match cause(field, active) {
        Some(cause) => become_active(field, next, cause),
        None => {
            let instead_of = field.candidates[active].line.account;
            let because = Because::TemporaryFailover { instead_of };
            (field.pick(next, because, PassedOver::WaitsItsTurn), None)
        }
    }
}

/// An earlier account of the order takes over again, unless the person has switched away from it since it came back.
/// It must serve general requests, whatever this one is: else the next of those would move the active account again.
fn may_return(field: &Field<'_>, index: usize) -> bool {
    let state = field.state(index);
    let recovered = field
        .pool
        .active_asked_for()
        .is_none_or(|asked| state.eligible_since() > Some(asked));
    recovered
        && field.candidates[index].tier == Some(Tier::Included)
        && state.eligibility(&LimitFamily::General, field.now) == Eligibility::Eligible
}

/// Why the active account changes; `None` if the trouble is this request's or a passing one.
fn cause(field: &Field<'_>, active: usize) -> Option<Cause> {
    let candidate = &field.candidates[active];
    if candidate.barred.is_some() {
        return None;
    }
    match candidate.line.state {
        Eligibility::Eligible => None,
        // A named limit never changes the active account.
        Eligibility::HeldBack { .. } | Eligibility::Exhausted { .. }
            if field.family != LimitFamily::General =>
        {
            None
        }
        Eligibility::HeldBack { .. } => Some(Cause::ThresholdReached),
        Eligibility::CoolingDown { since, until, .. } => lasts(since, until).then_some(Cause::CoolingDown),
        Eligibility::Exhausted { .. } => Some(Cause::LimitReached),
        Eligibility::NeedsAttention { .. } => Some(Cause::NeedsAttention),
        Eligibility::Skipped => Some(Cause::Skipped),
    }
}

fn lasts(first_failure: Timestamp, until: Timestamp) -> bool {
    until.since(first_failure) > PASSING
}

fn become_active(field: &mut Field<'_>, index: usize, cause: Cause) -> Outcome {
    let switch = Switch {
        from: field.pool.active(),
        to: field.candidates[index].line.account,
        cause,
    };
    let choice: Choice = field.pick(index, Because::BecameActive { cause }, PassedOver::WaitsItsTurn);
    (choice, Some(switch))
}
