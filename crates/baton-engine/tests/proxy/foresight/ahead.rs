//! Forecasts come true, and never contradict the router.

use baton_core::{
    Cause, Percent, Strategy, WindowLength,
    forecast::{Depletion, Outlook},
};
use baton_engine::control::protocol::Command;

use super::{HOUR, Person, STEP, WHILE, blocked, forecast, status, switches, within};

#[tokio::test]
async fn an_interruption_is_foretold_with_the_switch_before_it_and_both_come() {
    let mut person = Person::new().await;
    person.works(WHILE).await;
    let told = forecast(&person.stage).await;
    let (a, b) = (person.stage.id("a"), person.stage.id("b"));
    let Outlook::Until(interruption) = told.forecast.pool else {
        panic!("{told:#?}")
    };
    let changes: Vec<_> = told
        .forecast
        .changes
        .iter()
        .map(|change| (change.from, change.to, change.cause))
        .collect();
    let limit = Cause::LimitReached;
    assert_eq!(changes, [(a, Some(b), limit), (b, None, limit)], "{told:#?}");
    assert!(
        told.said.starts_with("Uninterrupted until about"),
        "{}",
        told.said
    );
    assert!(
        told.expected[0].ends_with("from a to b (limit reached)"),
        "{:?}",
        told.expected
    );
    assert!(told.forecast.in_use);
    let of_a = told
        .forecast
        .accounts
        .iter()
        .find(|one| one.account == a)
        .unwrap();
    let five_hours = of_a
        .windows
        .iter()
        .find(|one| one.length == WindowLength::FIVE_HOURS)
        .unwrap();
    let Depletion::At(switch) = five_hours.depletes else {
        panic!("{of_a:#?}")
    };

    // One forecast for all who show it.
    let shown = status(&person.stage).await;
    assert_eq!(shown.forecast.as_deref(), Some(&told));
    assert_eq!(shown.next, told.forecast.next);

    let interrupted = person.works_until_blocked().await;
    let (switched, to, cause) = *switches(&person.stage).await.last().expect("a switch");
    assert_eq!((to, cause), (b, limit));
    assert!(within(switch, switched), "{switched:?} isn't in {switch:?}");
    assert!(
        within(interruption, interrupted),
        "{interrupted:?} isn't in {interruption:?}"
    );
    // A range that holds everything would say nothing.
    assert!(interruption.latest < five_hours.recovers, "{interruption:?}");
    let told = forecast(&person.stage).await;
    let Outlook::Interrupted { until: Some(until) } = told.forecast.pool else {
        panic!("{told:#?}")
    };
    assert_eq!(blocked(&person.stage).await[0].until, Some(until));
}

#[tokio::test]
async fn what_changes_the_routing_changes_the_forecast_at_once() {
    let mut person = Person::new().await;
    person.works(WHILE).await;
    let b = || "b".to_owned();
    let half = Percent::new(50.0).unwrap();
    let threshold = |at| Command::Threshold {
        account: Some("a".to_owned()),
        window: None,
        at,
        reserve: None,
    };
    let changes = [
        Command::Switch { account: b() },
        Command::Pin { account: b() },
        Command::Unpin,
        Command::Skip {
            account: b(),
            skipped: true,
        },
        Command::Skip {
            account: b(),
            skipped: false,
        },
        threshold(half),
        threshold(Percent::FULL),
        Command::Use {
            strategy: Strategy::Balanced,
        },
        Command::Move {
            account: b(),
            position: 1,
        },
        Command::Remove { account: b() },
    ];
    let mut told = forecast(&person.stage).await;
    for change in changes {
        assert_eq!(person.stage.baton.snapshot().forecast.as_deref(), Some(&told));
        person.stage.run(change.clone()).await;
        assert_eq!(
            person.stage.baton.snapshot().forecast,
            None,
            "{change:?}: the old one holds no more"
        );
        let shown = status(&person.stage).await;
        let new = *shown.forecast.expect("a forecast");
        assert_eq!(new.forecast.next, shown.next, "{change:?}");
        told = new;
    }
    assert_eq!(told.forecast.accounts.len(), 1);
}

#[tokio::test]
async fn a_skipped_or_pinned_account_ends_it_sooner() {
    let mut person = Person::new().await;
    person.works(WHILE).await;
    let likely = async |person: &Person| match forecast(&person.stage).await.forecast.pool {
        Outlook::Until(when) => when.likely.expect("a time"),
        other => panic!("{other:?}"),
    };
    let both = likely(&person).await;
    let account = "a".to_owned();
    person.stage.run(Command::Pin { account }).await;
    let pinned = likely(&person).await;
    assert!(pinned + HOUR / 2 < both, "{pinned:?} {both:?}");
    person.stage.run(Command::Unpin).await;
    let (account, skipped) = ("b".to_owned(), true);
    person.stage.run(Command::Skip { account, skipped }).await;
    let skipped = likely(&person).await;
    assert!(
        skipped.since(pinned).max(pinned.since(skipped)) < STEP,
        "{pinned:?} {skipped:?}"
    );
}

#[tokio::test]
async fn it_never_contradicts_who_is_shown_as_next() {
    let mut person = Person::new().await;
    for strategy in Strategy::ALL {
        person.stage.run(Command::Use { strategy }).await;
        for pinned in [None, Some("a"), Some("b")] {
            let command = match pinned {
                Some(account) => Command::Pin {
                    account: account.to_owned(),
                },
                None => Command::Unpin,
            };
            person.stage.run(command).await;
            // Before a request, and after ones that change what the next would meet.
            for _ in 0..3 {
                let shown = status(&person.stage).await;
                let told = shown.forecast.expect("a forecast").forecast;
                assert_eq!(told.next, shown.next, "{strategy} {pinned:?}");
                let other = person.stage.baton.snapshot();
                if let Some(known) = other.forecast {
                    assert_eq!(known.forecast.next, other.next, "{strategy} {pinned:?}");
                }
                if let (Some(account), None) = (shown.active, pinned) {
                    let account = account.to_string();
                    let skip = |skipped| Command::Skip {
                        account: account.clone(),
                        skipped,
                    };
                    person.stage.run(skip(true)).await;
                    let then = person.stage.baton.snapshot().next_request.account();
                    assert_eq!(then, shown.next, "{strategy}: it is next");
                    person.stage.run(skip(false)).await;
                }
                assert!(person.turn().await, "{strategy} {pinned:?}");
                let other = person.stage.baton.snapshot();
                if let Some(known) = other.forecast {
                    assert_eq!(known.forecast.next, other.next, "{strategy} {pinned:?}");
                }
                // What is used up comes back.
                person.rests(STEP * 10);
            }
        }
    }
}
