//! What is recorded of a run replays to the same run, although the blocks in it had put the work off.

use std::time::Duration;

use baton_core::{
    AccountId, Percent, Strategy, Timestamp, Turn, WindowLength,
    model::{Limit, Meter, Metered, Upstream},
    replay::{Demand, Presence, Step, Trace, Work, run_told},
};
use proptest::{prelude::*, strategy::Strategy as Arbitrarily};

use super::{at, basis, ledger, policy};
use crate::{
    histories::strategy,
    pools::{HOUR, account},
};

fn demand(trace: &Trace, steps: &[Step]) -> Demand {
    let history = ledger(trace, steps);
    Demand::recorded(&history.attempts, &history.blocked)
}

fn served(steps: &[Step]) -> Vec<(Timestamp, AccountId)> {
    let served = steps.iter().filter_map(|step| match *step {
        Step::Served { at, by, .. } => Some((at, by)),
        Step::Blocked { .. } => None,
    });
    served.collect()
}

/// Those that the person waited out, but for whole nights: the hours of a day end with its last request.
fn waited_out(steps: &[Step]) -> Vec<(Timestamp, Timestamp)> {
    let served =
        |wanted: usize| move |step: &Step| matches!(*step, Step::Served { work, .. } if work == wanted);
    let waits = steps.iter().filter_map(|step| match *step {
        Step::Blocked { at, work, until } if steps.iter().any(served(work)) => Some((at, until)),
        _ => None,
    });
    waits
        .filter(|(at, until)| until.since(*at) < Duration::from_secs(8 * HOUR))
        .collect()
}

/// Days of work that use an account or more each, in turns of some threads.
fn works() -> impl Arbitrarily<Value = Vec<Work>> {
    let gap = prop_oneof![
        8 => 1_000..900_000u64,
        2 => 900_000..7_200_000u64,
        1 => 14_400_000..70_000_000u64,
    ];
    let turn =
        prop_oneof![3 => (0..6u64).prop_map(Turn::Id), 1 => Just(Turn::Continues), 1 => Just(Turn::New)];
    let request = (gap, prop::option::of(0..3u64), turn, 1..250u32);
    prop::collection::vec(request, 1..200).prop_map(|requests| {
        let mut now = 0;
        let work = requests.into_iter().map(|(gap, thread, turn, tenths)| {
            now += gap;
            Work {
                at: at(0) + Duration::from_millis(now),
                session: thread,
                thread,
                turn,
                model: None,
                units: f64::from(tenths) / 10.0,
            }
        });
        work.collect()
    })
}

/// Two or three accounts, some of whose windows are begun, or which are held back or away at times.
fn traces() -> impl Arbitrarily<Value = Trace> {
    let one = (
        0..100u32,
        0..18_000u64,
        prop::option::weighted(0.3, 30..99u32),
        any::<bool>(),
    );
    let away = prop::collection::vec((0..3u32, 0..500_000u64, any::<bool>()), 0..4);
    (prop::collection::vec(one, 2..4), works(), away).prop_map(|(ones, work, away)| {
        let (mut accounts, mut metered) = (Vec::new(), Vec::new());
        for (number, (used, reset, threshold, reserve)) in (1..).zip(ones) {
            let mut account = account(number);
            if let Some(threshold) = threshold {
                account.thresholds.every_window = Percent::new(f64::from(threshold)).unwrap();
                account.thresholds.reserve = reserve;
            }
            let five = Meter::new(WindowLength::FIVE_HOURS, 1.0);
            let meters = vec![
                five.begun(f64::from(used), Some(at(reset)), at(0)),
                Meter::new(WindowLength::WEEK, 0.2),
            ];
            metered.push(Metered {
                id: account.id,
                limits: vec![Limit::general(meters)],
            });
            accounts.push(account);
        }
        let mut presences: Vec<_> = away
            .into_iter()
            .map(|(number, secs, present)| Presence {
                at: at(secs),
                account: AccountId::new(number + 1),
                present,
            })
            .collect();
        presences.sort_by_key(|change| change.at);
        Trace {
            accounts,
            upstream: Upstream::new(metered),
            demand: Demand::unblocked(work),
            presences,
            basis: basis(Vec::new()),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_strategy_that_produced_a_trace_reproduces_it_switch_by_switch(
        trace in traces(),
        strategy in prop_oneof![2 => Just(Strategy::Sequential), 1 => strategy()],
        returns in any::<bool>(),
    ) {
        let mut policy = policy(strategy);
        if returns {
            policy.on_recovery = baton_core::OnRecovery::Return;
        }
        let mut steps = Vec::new();
        let produced = run_told(&trace, policy, &mut |step| steps.push(step));
        let again = Trace { demand: demand(&trace, &steps), ..trace.clone() };
        let mut replayed = Vec::new();
        let outcome = run_told(&again, policy, &mut |step| replayed.push(step));
        prop_assert_eq!(&outcome.switches, &produced.switches);
        prop_assert_eq!(served(&replayed), served(&steps));
        prop_assert_eq!(waited_out(&replayed), waited_out(&steps));
    }
}
