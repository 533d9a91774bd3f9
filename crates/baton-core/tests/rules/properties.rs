//! What holds for every pool, strategy, time and sequence of events.

use std::{collections::HashMap, mem::Discriminant, time::Duration};

use baton_core::{
    AccountId, Because, Choice, Decision, Eligibility, EventKind, LimitFamily, Pool, RefuseReason, Request,
    Source, Strategy, Timestamp, Turn, choose,
};
use proptest::prelude::{
    Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_assert_ne, prop_oneof, proptest,
};

use crate::{
    histories::{Happening, World, histories, used},
    pools::explains_itself,
};

/// The rules that every single decision keeps.
fn keeps_the_rules(before: &World, request: &Request<'_>, decision: &Decision) {
    explains_itself(decision);
    let pool = &before.pool;
    let order: Vec<_> = pool.accounts().iter().map(|state| state.account.id).collect();
    let lines: Vec<_> = decision.lines.iter().map(|line| line.account).collect();
    assert_eq!(lines, order, "every account has its line, in order");

    let family = request
        .model
        .map_or(LimitFamily::General, |model| pool.family_of(model));
    let state = |id| pool.account(id).unwrap().eligibility(&family, before.now);
    let somebody_has_it = |model| {
        !pool
            .accounts()
            .iter()
            .all(|state| state.lacks_model(model, before.now))
    };
    let open = |id: AccountId| {
        let lacks = request.model.is_some_and(|model| {
            somebody_has_it(model) && pool.account(id).unwrap().lacks_model(model, before.now)
        });
        !lacks && !request.tried.contains(&id)
    };
    let usable = |id| open(id) && state(id).usable();
    let anybody = order.iter().any(|id| usable(*id));
    let able = |id| matches!(state(id), Eligibility::Eligible | Eligibility::HeldBack { .. });
    let running = pool
        .threads()
        .running_turn(request)
        .filter(|id| pool.account(*id).is_some());

    match decision.choice {
        Choice::Use { account, because, .. } => match because {
            Because::Pinned => {
                assert!(pool.pinned() == Some(account) && (able(account) || state(account).usable()));
            }
            Because::Probe => assert!(
                (!anybody || pool.pinned() == Some(account) || pool.brake().engaged())
                    && matches!(state(account), Eligibility::Exhausted { until: None, .. })
            ),
            Because::TurnStays => {
                assert!(running == Some(account) && open(account) && (able(account) || usable(account)));
            }
            _ => assert!(usable(account), "{decision:?}"),
        },
        Choice::Wait { until, account } => {
            assert!(until > before.now, "a wait ends in the future: {decision:?}");
            let brief = matches!(state(account), Eligibility::CoolingDown { .. })
                && until.since(before.now) <= Duration::from_secs(5);
            assert!(
                !anybody || pool.pinned() == Some(account) || brief || pool.brake().engaged(),
                "{decision:?}"
            );
            let patience = pool.policy().wait_for_recovery().max(Duration::from_secs(5));
            assert!(until.since(before.now) <= patience);
        }
        Choice::Refuse { reason } => match reason {
            RefuseReason::Braked => assert!(pool.brake().engaged()),
            RefuseReason::PinnedUnusable { account, .. } => {
                assert!(pool.pinned() == Some(account) && !usable(account));
            }
            _ => assert!(!anybody || pool.pinned().is_some(), "{decision:?}"),
        },
    }

    // A running turn stays while its account can serve; only a pin overrules that.
    if let Some(running) = running
        && pool.pinned().is_none()
        && open(running)
        && able(running)
    {
        assert_eq!(decision.choice.account(), Some(running), "{decision:?}");
    }
    // Held back and credits come after those who are below their threshold.
    if let Some(chosen) = decision.choice.account()
        && pool.pinned().is_none()
        && !pool.brake().engaged()
        && running != Some(chosen)
        && order
            .iter()
            .any(|id| open(*id) && state(*id) == Eligibility::Eligible)
    {
        assert_eq!(state(chosen), Eligibility::Eligible, "{decision:?}");
    }
}

/// The pool with what time has ended already settled, as routing finds it.
fn settled(world: &World) -> World {
    let mut world = world.clone();
    world.pool.settle(world.now, &mut Vec::new());
    world
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_decision_keeps_the_rules((mut world, history) in histories()) {
        for happening in &history {
            let before = settled(&world);
            let decision = world.happens(happening);
            if let (Happening::Asked(asked), Some(decision)) = (happening, decision) {
                before.request(asked, |request| keeps_the_rules(&before, request, &decision));
            }
        }
    }

    #[test]
    fn the_active_account_changes_with_a_named_event_only((mut world, history) in histories()) {
        for happening in &history {
            let before = world.pool.active();
            world.events.clear();
            world.happens(happening);
            let mut told = before;
            for event in &world.events {
                match &event.kind {
                    EventKind::Switched(switch) => {
                        prop_assert_eq!(switch.from, told);
                        prop_assert_ne!(switch.from, Some(switch.to));
                        told = Some(switch.to);
                    }
                    EventKind::Removed { .. } if world.pool.accounts().is_empty() => told = None,
                    _ => {}
                }
            }
            prop_assert_eq!(world.pool.active(), told, "{:?}", happening);
        }
    }

    #[test]
    fn each_change_of_state_is_told_once((mut world, history) in histories()) {
        let mut known: HashMap<AccountId, Discriminant<Eligibility>> = HashMap::new();
        let mut dark = false;
        for happening in &history {
            world.events.clear();
            world.happens(happening);
            for event in &world.events {
                match &event.kind {
                    EventKind::StateChanged { account, from, to } => {
                        let (from, to) = (std::mem::discriminant(from), std::mem::discriminant(to));
                        prop_assert_ne!(from, to);
                        if let Some(last) = known.insert(*account, to) {
                            prop_assert_eq!(last, from);
                        }
                    }
                    EventKind::Removed { account, .. } => { known.remove(account); }
                    EventKind::AllExhausted { .. } => prop_assert!(!std::mem::replace(&mut dark, true)),
                    EventKind::Serving => prop_assert!(std::mem::replace(&mut dark, false)),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_output_also_after_a_restart((mut world, history) in histories()) {
        for happening in &history {
            if let Happening::Asked(asked) = happening {
                let restarted: Pool = serde_json::from_str(&serde_json::to_string(&world.pool).unwrap()).unwrap();
                prop_assert_eq!(&restarted, &world.pool);
                let now = world.now;
                world.request(asked, |request| {
                    let decision = choose(&world.pool, request, now);
                    assert_eq!(choose(&world.pool, request, now), decision);
                    assert_eq!(choose(&restarted, request, now), decision);
                });
            }
            world.happens(happening);
        }
    }

    /// Reorder, rename and the removal of others change neither who is active nor anybody's state.
    #[test]
    fn identity_survives_reorder_rename_and_removal_of_others(
        (mut world, history) in histories(), shuffle in prop::collection::vec((0..5usize, 0..5usize), 1..4), gone in 0..5usize,
    ) {
        for happening in &history {
            world.happens(happening);
        }
        let before = settled(&world);
        let mut after = before.clone();
        for (who, to) in shuffle {
            after.happens(&Happening::Moved(who, to));
        }
        for (n, id) in before.pool.accounts().iter().map(|state| state.account.id).enumerate() {
            prop_assert_eq!(after.pool.rename(id, &format!("renamed {n}")), Ok(()));
        }
        let gone = after.who(gone).filter(|id| before.pool.active() != Some(*id));
        if let Some(gone) = gone {
            prop_assert_eq!(after.pool.remove(gone, after.now, &mut after.events), Ok(()));
        }
        prop_assert_eq!(after.pool.active(), before.pool.active());
        for state in before.pool.accounts() {
            let id = state.account.id;
            let Some(still) = after.pool.account(id) else {
                prop_assert_eq!(Some(id), gone);
                continue;
            };
            prop_assert_eq!(
                still.eligibility(&LimitFamily::General, after.now),
                state.eligibility(&LimitFamily::General, before.now)
            );
            prop_assert_eq!(still.generation(), state.generation());
        }
        for thread in 0..4 {
            let request = Request { thread: Some(thread), turn: Turn::Continues, ..Request::default() };
            let running = before.pool.threads().running_turn(&request);
            if running != gone {
                prop_assert_eq!(after.pool.threads().running_turn(&request), running);
            }
        }
    }

    #[test]
    fn a_threshold_holds_back_at_and_above_it_and_only_full_is_exhausted(threshold in used(), used in used()) {
        let mut world = World::new(Strategy::Sequential, 1);
        world.happens(&Happening::Threshold(0, threshold, false));
        world.happens(&Happening::Learned(0, Source::Headers, false, used, Some(1000)));
        let state = world.pool.accounts()[0].eligibility(&LimitFamily::General, world.now);
        prop_assert_eq!(matches!(state, Eligibility::Exhausted { .. }), used >= 100.0);
        let held_back = used < 100.0 && threshold < 100.0 && used >= threshold;
        prop_assert_eq!(matches!(state, Eligibility::HeldBack { .. }), held_back);
    }

    #[test]
    fn absurd_times_panic_nowhere(
        (mut world, history) in histories(),
        times in prop::collection::vec(prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(-1), any::<i64>()], 60),
        seconds in any::<bool>(),
    ) {
        for (happening, time) in history.iter().zip(times) {
            world.now = if seconds { Timestamp::from_secs(time) } else { Timestamp::from_millis(time) };
            world.happens(happening);
            world.pool.next_change(world.now);
            world.now.as_secs_ceil();
        }
    }
}
