//! The strategies that rank the usable accounts for each new turn: balanced, affinity, round robin, soonest reset.

use std::cmp::Ordering;

use super::Field;
use crate::{AccountState, Because, Choice, LimitFamily, PassedOver, Strategy, Timestamp};

pub(super) fn choose(field: &mut Field<'_>, strategy: Strategy) -> Choice {
    let Some(best) = field.best_tier() else {
        return field.nobody();
    };
    let usable = |field: &Field<'_>, index: usize| field.candidates[index].tier == Some(best);

    let wanted = [
        (
            field.pool.chosen_by_person(),
            Because::ChosenByPerson,
            PassedOver::OtherChosenByPerson,
        ),
        (
            field.pool.threads().compacted_by(field.request),
            Because::MadeCompaction,
            PassedOver::CompactionElsewhere,
        ),
        (
            field
                .pool
                .threads()
                .session(field.request)
                .filter(|_| strategy == Strategy::Affinity),
            Because::SessionStays,
            PassedOver::SessionElsewhere,
        ),
    ];
    for (account, because, others) in wanted {
        if let Some(index) = account
            .and_then(|id| field.position(id))
            .filter(|index| usable(field, *index))
        {
            return field.pick(index, because, others);
        }
    }

    let (rank, because, others): (Rank, _, _) = match strategy {
        Strategy::RoundRobin => (longest_ago, Because::UsedLongestAgo, PassedOver::UsedMoreRecently),
        Strategy::SoonestReset => (soonest_reset, Because::ResetsSoonest, PassedOver::ResetsLater),
        // Sequential never comes here.
        Strategy::Balanced | Strategy::Affinity | Strategy::Sequential => {
            (headroom, Because::MostHeadroom, PassedOver::LessHeadroom)
        }
    };
    let first = (0..field.candidates.len())
        .filter(|index| usable(field, *index))
        .min_by(|a, b| rank(field.state(*a), field.state(*b), &field.family, field.now))
        .unwrap_or(0);
    field.pick(first, because, others)
}

type Rank = fn(&AccountState, &AccountState, &LimitFamily, Timestamp) -> Ordering;

/// Lowest weekly use, then five-hour use; ties to the least recently used. Unknown use counts as none: using the
/// account is how it becomes known.
fn headroom(a: &AccountState, b: &AccountState, family: &LimitFamily, now: Timestamp) -> Ordering {
    let (a_long, a_short) = used(a, family, now);
    let (b_long, b_short) = used(b, family, now);
    a_long
        .total_cmp(&b_long)
        .then(a_short.total_cmp(&b_short))
        .then(a.last_used.cmp(&b.last_used))
}

/// Percent used of the longest and of the shortest window: the week and the five hours, where those exist.
fn used(state: &AccountState, family: &LimitFamily, now: Timestamp) -> (f64, f64) {
    let windows = state.quota.windows(family);
    let used = |window: Option<&crate::Window>| window.map_or(0.0, |window| window.used_at(now).used());
    let long = windows.iter().max_by_key(|window| window.length);
    let short = windows.iter().min_by_key(|window| window.length);
    (used(long), used(short))
}

fn longest_ago(a: &AccountState, b: &AccountState, _: &LimitFamily, _: Timestamp) -> Ordering {
    a.last_used.cmp(&b.last_used)
}

/// A window whose timer isn't running loses nothing by waiting: it comes last.
fn soonest_reset(a: &AccountState, b: &AccountState, family: &LimitFamily, now: Timestamp) -> Ordering {
    let resets = |state: &AccountState| {
        let windows = state.quota.windows(family).iter();
        windows
            .filter(|window| !window.used_at(now).is_full())
            .filter_map(|window| window.next_reset(now))
            .min()
            .unwrap_or(Timestamp::from_millis(i64::MAX))
    };
    resets(a).cmp(&resets(b)).then(a.last_used.cmp(&b.last_used))
}
