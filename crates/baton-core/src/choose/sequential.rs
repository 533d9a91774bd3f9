//! Drain first: one active account serves all requests, sessions and models until a named cause changes it; the next
//! is the first eligible account after it in the person's order, wrapping round.

use super::{Field, Outcome, PASSING};
use crate::{
    Because, Cause, Choice, Eligibility, LimitFamily, OnRecovery, PassedOver, Standing, Switch, Timestamp,
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
    if let Some(wait) = field.brief_wait(active) {
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
fn may_return(field: &Field<'_>, index: usize) -> bool {
    let chosen_by_person = field.pool.active_cause() == Some(Cause::SwitchedByPerson);
    field.candidates[index].tier == Some(Tier::Included)
        && (!chosen_by_person || field.state(index).eligible_since() > field.pool.active_since())
}

/// Why the active account changes; `None` if the trouble is this request's or a passing one.
fn cause(field: &Field<'_>, active: usize) -> Option<Cause> {
    let line = field.candidates[active].line;
    if line.standing != Standing::PassedOver(PassedOver::NotUsable) && field.candidates[active].tier.is_none()
    {
        return None;
    }
    // A named limit never changes the active account: whatever else is the matter shows at the next general request.
    if field.family != LimitFamily::General {
        return None;
    }
    match line.state {
        Eligibility::Eligible => None,
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
