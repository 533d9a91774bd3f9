//! Which strategy is best, how sure that is, and the sentence about it.

use baton_core::{
    AccountId, Percent, Strategy, Timestamp,
    explain::Words,
    model::{Limit, Meter, Metered, Upstream},
    replay::{
        Basis, Comparison, Trace, Verdict, Work, compare,
        week::{working_week, working_weeks},
        words::sentence,
    },
};

use super::{DAY, MINUTE, basis, policy, trace, work};
use crate::pools::{A, B, HOUR};

struct Labels;

impl Words for Labels {
    fn label(&self, account: AccountId) -> String {
        if account == A { "Work" } else { "Private" }.to_owned()
    }

    fn time(&self, _: Timestamp) -> String {
        unreachable!("a comparison names no time of the day")
    }
}

fn compared(trace: &Trace, present: Strategy) -> Comparison {
    compare(trace, policy(present)).unwrap()
}

fn said(comparison: &Comparison) -> String {
    sentence(comparison, &Labels)
}

/// Ten hours a day, so many percent of five hours in each of them.
fn days(count: u64, percent: f64) -> Vec<Work> {
    let day = |day: u64| (0..60).map(move |n| work(day * DAY + 8 * HOUR + n * 10 * MINUTE, percent / 6.0));
    (0..count).flat_map(day).collect()
}

#[test]
fn where_quota_lasts_every_strategy_does() {
    let comparison = compared(&trace(2, days(14, 5.0)), Strategy::Sequential);
    assert_eq!(comparison.verdict, Verdict::NeverBlocked);
    assert_eq!(
        said(&comparison),
        "In the last 14 days no strategy would have blocked you: your quota lasted."
    );
}

#[test]
fn a_few_days_are_too_little() {
    let comparison = compared(&trace(2, days(3, 60.0)), Strategy::Sequential);
    assert_eq!(comparison.verdict, Verdict::TooLittle);
    assert_eq!(
        said(&comparison),
        "Only 3 working days of yours are recorded: the data can't tell yet which strategy is best for you."
    );
}

#[test]
fn all_five_strategies_are_compared_on_the_same_work() {
    let comparison = compared(&trace(2, days(6, 60.0)), Strategy::Affinity);
    let strategies: Vec<_> = comparison
        .outcomes
        .iter()
        .map(|outcome| outcome.strategy)
        .collect();
    assert_eq!(strategies, Strategy::ALL);
    let work = days(6, 60.0).len();
    for outcome in &comparison.outcomes {
        assert_eq!((outcome.served + outcome.undone) as usize, work);
    }
    let text = serde_json::to_string(&comparison).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), comparison);
    for strategy in Strategy::ALL {
        assert!(text.contains(&format!(r#""strategy":"{strategy}""#)));
    }
}

/// Quiet from 9:00 to 11:00, busy until 18:00, for fourteen days; the week doesn't matter. Whoever begins both accounts'
/// five hours early has both back at 14:00.
fn busy_afternoons() -> Trace {
    let day = |day: u64| {
        (0..54).map(move |n| {
            let units = if n < 12 { 0.8 } else { 10.0 };
            work(day * DAY + 9 * HOUR + n * 10 * MINUTE, units)
        })
    };
    let mut trace = trace(2, (0..14).flat_map(day).collect());
    let metered = [A, B].map(|id| Metered {
        id,
        limits: vec![Limit::general(vec![Meter::new(
            baton_core::WindowLength::FIVE_HOURS,
            1.0,
        )])],
    });
    trace.upstream = Upstream::new(metered.to_vec());
    trace
}

#[test]
fn it_says_so_where_drain_first_is_not_the_best_for_this_person() {
    let comparison = compared(&busy_afternoons(), Strategy::Sequential);
    let Verdict::Better {
        strategy,
        minutes_less,
        interruptions_fewer,
        sure,
    } = comparison.verdict
    else {
        panic!("{:?}", comparison.verdict);
    };
    let outcome = |wanted| {
        comparison
            .outcomes
            .iter()
            .find(|it| it.strategy == wanted)
            .unwrap()
    };
    let (own, best) = (outcome(Strategy::Sequential), outcome(strategy));
    assert_eq!(strategy, Strategy::Balanced);
    assert!(minutes_less > 14.0 * 30.0, "{minutes_less}");
    assert_eq!(minutes_less, own.blocked_minutes - best.blocked_minutes);
    assert_eq!(
        i64::from(interruptions_fewer),
        i64::from(own.interruptions) - i64::from(best.interruptions)
    );
    assert_eq!(sure, Some(1.0));
    let said = said(&comparison);
    assert!(
        said.starts_with("In the last 14 days balanced would have blocked you ")
            && said.ends_with(" (so in 100 % of redrawn histories)."),
        "{said}"
    );
}

#[test]
fn who_uses_the_best_already_is_told_that() {
    let comparison = compared(&busy_afternoons(), Strategy::Balanced);
    assert_eq!(comparison.verdict, Verdict::PresentIsBest { sure: Some(1.0) });
    assert_eq!(
        said(&comparison),
        "In the last 14 days no strategy would have blocked you less than balanced, which you use (so in 100 % of redrawn \
         histories)."
    );
}

#[test]
fn a_difference_that_comes_and_goes_with_the_days_is_not_called_one() {
    let mut trace = working_weeks(12, 100);
    trace.basis = basis(vec![B]);
    let comparison = compared(&trace, Strategy::Sequential);
    assert!(matches!(comparison.verdict, Verdict::CannotTell { sure, .. } if sure < 0.9));
    let said = said(&comparison);
    assert!(
        said.contains("that may be chance") && said.contains("the data can't tell"),
        "{said}"
    );
    assert!(
        said.ends_with(" What a request costs Private isn't known yet, so equal plans are assumed."),
        "{said}"
    );
}

#[test]
fn a_made_up_week_is_called_that_and_nothing_is_said_of_how_sure_it_is() {
    let comparison = compared(&working_week(), Strategy::Sequential);
    assert_eq!(
        (comparison.basis.clone(), comparison.working_days),
        (Basis::BuiltIn, 5)
    );
    assert!(
        comparison
            .outcomes
            .iter()
            .all(|outcome| outcome.blocked_minutes > 0.0)
    );
    assert!(matches!(
        comparison.verdict,
        Verdict::Better { sure: None, .. } | Verdict::PresentIsBest { sure: None }
    ));
    let said = said(&comparison);
    assert!(
        said.starts_with(
            "Too little is recorded of you yet. In a made-up working week with two equal accounts, "
        ) && said.ends_with(" Yours may be quite different."),
        "{said}"
    );
}

#[test]
fn where_thresholds_are_set_the_same_is_shown_without_them() {
    let mut trace = trace(2, days(6, 40.0));
    assert!(
        compared(&trace, Strategy::Sequential)
            .without_thresholds
            .is_empty()
    );
    trace.accounts[0].thresholds.every_window = Percent::new(50.0).unwrap();
    trace.accounts[0].thresholds.reserve = true;
    let comparison = compared(&trace, Strategy::Sequential);
    assert_eq!(comparison.without_thresholds.len(), 5);
    for (with, without) in comparison.outcomes.iter().zip(&comparison.without_thresholds) {
        assert!(
            with.blocked_minutes > without.blocked_minutes,
            "a reserve has its price"
        );
    }
}

#[test]
fn strategies_are_called_as_people_call_them() {
    let names = |strategy, present| {
        let mut comparison = compared(&trace(2, days(6, 60.0)), present);
        comparison.verdict = Verdict::Better {
            strategy,
            minutes_less: 75.0,
            interruptions_fewer: 3,
            sure: Some(0.95),
        };
        said(&comparison)
    };
    assert_eq!(
        names(Strategy::SoonestReset, Strategy::Sequential),
        "In the last 6 days soonest reset would have blocked you 1 h 15 min less than sequential (drain first), with 3 fewer \
         interruptions (so in 95 % of redrawn histories)."
    );
    let said = names(Strategy::RoundRobin, Strategy::Affinity);
    assert!(
        said.contains(" round robin would ") && said.contains(" than affinity,"),
        "{said}"
    );
}
