//! What requests cost is learned from whole percents, late readings and other clients' traces.

use std::time::Duration;

use baton_core::{
    AccountId, LimitFamily, Policy, Sample, Series, Strategy, Timestamp, WindowLength,
    model::Meter,
    replay::{Basis, Demand, History, Switched, Trace, Work, run, run_told, week::working_weeks},
};

use super::{MINUTE, basis, ledger, policy};
use crate::pools::{A, B, HOUR};

/// How readings are recorded.
#[derive(Clone, Copy)]
struct Recording {
    /// A reading is renewed no more often than this.
    lazy: Duration,
    /// Another client of the second account uses so many units an hour, on one day in four.
    others: f64,
}

const PLAIN: Recording = Recording {
    lazy: Duration::ZERO,
    others: 0.0,
};

/// What a ledger holds after the trace went through Baton.
fn recorded(trace: &Trace, strategy: Strategy, recording: Recording) -> History {
    let mut steps = Vec::new();
    run_told(trace, policy(strategy), &mut |step| steps.push(step));
    let mut history = ledger(trace, &steps);
    for account in [A, B] {
        for length in [WindowLength::FIVE_HOURS, WindowLength::WEEK] {
            history.series.push(Series {
                account,
                length,
                samples: Vec::new(),
            });
        }
    }
    let mut upstream = trace.upstream.clone();
    let mut before = history.attempts[0].at;
    for attempt in &history.attempts {
        let (now, units) = (attempt.at, attempt.units.unwrap_or_default());
        let passed = now.since(before);
        before = now;
        if now.as_millis() / 86_400_000 % 4 == 0 && passed < Duration::from_secs(HOUR) {
            let units = recording.others * passed.as_secs_f64() / 3600.0;
            upstream.serve(B, &LimitFamily::General, units, now);
        }
        let Some(account) = attempt.account else { continue };
        upstream.serve(account, &LimitFamily::General, units, now);
        for window in &upstream.reading(account, now).unwrap().limits[0].windows {
            let own = |series: &&mut Series| (series.account, series.length) == (account, window.length);
            let samples = &mut history.series.iter_mut().find(own).unwrap().samples;
            if samples
                .last()
                .is_none_or(|last| now.since(last.at) >= recording.lazy)
            {
                samples.push(Sample {
                    at: now,
                    used: window.used,
                    resets_at: window.resets_at,
                });
            }
        }
    }
    history
}

fn meters(trace: &Trace, id: AccountId) -> Vec<Meter> {
    let account = trace.upstream.accounts().iter().find(|account| account.id == id);
    account.unwrap().limits[0].meters.clone()
}

/// By how much the worst of the learned costs is off.
fn worst(truth: &Trace, learned: &Trace) -> f64 {
    let off = [A, B].into_iter().flat_map(|id| {
        let pairs = meters(truth, id).into_iter().zip(meters(learned, id));
        pairs.map(|(truth, learned)| (learned.per_unit / truth.per_unit - 1.0).abs())
    });
    off.fold(0.0, f64::max)
}

#[test]
fn costs_are_learned_from_whole_percents() {
    let truth = working_weeks(3, 200);
    for strategy in Strategy::ALL {
        let history = recorded(&truth, strategy, PLAIN);
        let learned = Trace::recorded(&history, &truth.accounts).unwrap();
        let off = worst(&truth, &learned);
        assert!(off < 0.05, "{strategy}: {off}");
        assert_eq!(learned.basis, basis(Vec::new()));
    }
}

#[test]
fn costs_are_learned_from_late_readings_and_beside_another_client() {
    // Half as busy, so that there is room for the other client.
    let mut truth = working_weeks(4, 200);
    let light = truth.demand.work().iter().map(|work| Work {
        units: work.units / 2.0,
        ..work.clone()
    });
    truth.demand = Demand::unblocked(light.collect());
    let recording = Recording {
        lazy: Duration::from_secs(15 * MINUTE),
        others: 20.0,
    };
    let history = recorded(&truth, Strategy::Balanced, recording);
    let learned = Trace::recorded(&history, &truth.accounts).unwrap();
    let off = worst(&truth, &learned);
    assert!(off < 0.05, "{off}");
    let Basis::Recorded { used_elsewhere, .. } = learned.basis else {
        panic!("{:?}", learned.basis);
    };
    assert_eq!(used_elsewhere, [B]);
}

#[test]
fn a_replay_with_learned_costs_has_about_the_switches_that_there_were() {
    let truth = working_weeks(3, 200);
    let policy: Policy = policy(Strategy::Sequential);
    let history = recorded(&truth, Strategy::Sequential, PLAIN);
    let learned = Trace::recorded(&history, &truth.accounts).unwrap();
    let (produced, replayed) = (run(&truth, policy).switches, run(&learned, policy).switches);
    let apart = |a: Timestamp, b: Timestamp| a.since(b).max(b.since(a));
    let near = |switch: &Switched| {
        let alike = |other: &Switched| {
            other.to == switch.to && apart(other.at, switch.at) < Duration::from_secs(30 * MINUTE)
        };
        replayed.iter().any(alike)
    };
    let found = produced.iter().filter(|switch| near(switch)).count();
    assert!(found * 10 >= produced.len() * 9, "{found} of {}", produced.len());
    assert!(replayed.len().abs_diff(produced.len()) * 10 <= produced.len());
}

#[test]
fn an_account_of_which_too_little_is_known_is_taken_to_be_as_the_other() {
    let truth = working_weeks(3, 200);
    let mut history = recorded(&truth, Strategy::Balanced, PLAIN);
    history.series.retain(|series| series.account == A);
    let learned = Trace::recorded(&history, &truth.accounts).unwrap();
    assert_eq!(learned.basis, basis(vec![B]));
    assert_eq!(meters(&learned, A)[0].per_unit, meters(&learned, B)[0].per_unit);
}

#[test]
fn without_readings_there_is_nothing_to_replay() {
    let truth = working_weeks(1, 200);
    let mut history = recorded(&truth, Strategy::Balanced, PLAIN);
    history.series.clear();
    assert_eq!(Trace::recorded(&history, &truth.accounts), None);
    assert_eq!(Trace::recorded(&History::default(), &truth.accounts), None);
}

#[test]
fn a_history_that_begins_in_the_middle_of_a_window_begins_with_what_was_used_by_then() {
    let truth = working_weeks(3, 200);
    let mut history = recorded(&truth, Strategy::Sequential, PLAIN);
    let begin = history.attempts[500].at;
    history.attempts.retain(|attempt| attempt.at >= begin);
    for series in &mut history.series {
        series.samples.retain(|sample| sample.at >= begin);
    }
    let first = |history: &History| {
        let weekly = history
            .series
            .iter()
            .find(|series| series.length == WindowLength::WEEK);
        weekly.unwrap().samples[0]
    };
    let learned = Trace::recorded(&history, &truth.accounts).unwrap();
    let week = meters(&learned, A)[1];
    let known = first(&history);
    assert!(known.used.used() > 10.0, "the week is well begun");
    assert!(
        (week.used() - known.used.used()).abs() < 1.0,
        "{} is not {known:?}",
        week.used()
    );
    assert_eq!(week.resets_at(), known.resets_at);
}
