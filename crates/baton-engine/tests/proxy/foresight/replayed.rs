//! Which part of the past counts, and what each strategy would have made of it.

use baton_core::{
    Strategy, Timestamp,
    forecast::Outlook,
    replay::{Basis, Outcome, Verdict},
};
use baton_engine::control::protocol::{Command, LogKind};
use baton_sim::{FamilyScript, Mode, WindowScript};

use super::{HOUR, Person, STEP, WHILE, forecast, log, replay, timeline};
use crate::stage::{Stage, account, scenario};

const SPARK: &str = "gpt-5.3-codex-spark";

#[tokio::test]
async fn a_replay_has_all_strategies_of_ones_own_past_or_of_a_made_up_week() {
    let stage = Stage::two(20.0, 20.0).await;
    for _ in 0..2 {
        let view = replay(&stage, None).await;
        let made_up = view.comparison.expect("a comparison");
        assert_eq!(made_up.basis, Basis::BuiltIn);
        let marked = "Too little is recorded of you yet. In a made-up working week";
        assert!(view.said.starts_with(marked), "{}", view.said);
        assert_eq!(strategies(&made_up.outcomes), Strategy::ALL);
        // What one request costs doesn't show yet.
        assert!(stage.client(Mode::Http).turn("a question").await.completed);
    }

    let mut person = Person::new().await;
    let began = person.served[0].0;
    let interrupted = person.works_until_blocked().await;
    for days in [None, Some(1)] {
        let view = replay(&person.stage, days).await;
        let own = view.comparison.expect("a comparison");
        assert!(
            matches!(&own.basis, Basis::Recorded { assumed, used_elsewhere }
            if assumed.is_empty() && used_elsewhere.is_empty()),
            "{own:#?}"
        );
        assert_eq!(strategies(&own.outcomes), Strategy::ALL);
        assert_eq!((own.working_days, own.verdict), (1, Verdict::TooLittle));
        assert!(view.said.contains("1 working day "), "{}", view.said);
        assert!(
            own.from.since(began) < STEP && own.to.since(interrupted) < STEP,
            "{own:#?}"
        );
        assert_eq!(own.present, Strategy::Sequential);
        // Two accounts that began together end together, whichever goes first.
        for outcome in &own.outcomes {
            assert_eq!(outcome.interruptions, 1, "{outcome:#?}");
        }
    }
}

fn strategies(outcomes: &[Outcome]) -> Vec<Strategy> {
    outcomes.iter().map(|outcome| outcome.strategy).collect()
}
#[tokio::test]
async fn what_is_unknown_stays_so_and_a_deleted_past_is_forgotten() {
    let stage = Stage::two(20.0, 20.0).await;
    let told = forecast(&stage).await;
    assert!(matches!(told.forecast.pool, Outlook::Unknown { .. }), "{told:#?}");
    assert!(told.said.starts_with("Unknown"), "{}", told.said);
    assert_eq!(told.expected, [] as [String; 0]);
    assert_eq!(
        told.rests_on.split('.').next(),
        Some("Nothing that was used could be measured yet")
    );

    let mut person = Person::new().await;
    person.works(WHILE).await;
    assert!(matches!(
        forecast(&person.stage).await.forecast.pool,
        Outlook::Until(_)
    ));
    person.stage.run(Command::DeleteHistory).await;
    assert_eq!(person.stage.baton.snapshot().forecast, None);
    let told = forecast(&person.stage).await;
    assert!(matches!(told.forecast.pool, Outlook::Unknown { .. }), "{told:#?}");
    let (timeline, _) = timeline(&person.stage, 1, None).await;
    assert!(timeline.switches.is_empty() && timeline.blocked.is_empty());
    assert!(
        timeline
            .lanes
            .iter()
            .all(|lane| lane.served.is_empty() && lane.tracks.is_empty())
    );
    assert_eq!(
        replay(&person.stage, None).await.comparison.unwrap().basis,
        Basis::BuiltIn
    );
}

/// Neither a limit of its own nor what opens a connection ahead of a turn says that the person works on the general one.
#[tokio::test]
async fn what_the_general_limit_doesnt_meter_isnt_counted() {
    let spark = || {
        FamilyScript::new("GPT-5.3-Codex-Spark", "codex_bengalfox")
            .model(SPARK)
            .window(WindowScript::five_hours(100.0))
    };
    let accounts = [
        account("a", 20.0).family(spark()),
        account("b", 20.0).family(spark()),
    ];
    let stage = Stage::with_usage(scenario(accounts), &["a", "b"]).await;
    let look = async || {
        let account = None;
        stage.run(Command::Doctor { account }).await;
        forecast(&stage).await
    };
    let mut client = stage.client(Mode::Http);
    let mut last = Timestamp::from_millis(0);
    for _ in 0..12 {
        last = Timestamp::from_millis(stage.sim.clock().now_unix_millis());
        assert!(client.turn("a question").await.completed);
        stage.sim.clock().advance(STEP);
    }
    assert!(look().await.forecast.in_use);
    stage.sim.clock().advance(2 * HOUR);
    assert!(!look().await.forecast.in_use);
    let before = replay(&stage, None).await.comparison.unwrap();
    assert!(before.to.since(last) < STEP);

    let mut fast = stage.client(Mode::Http).seed(7).model(SPARK);
    for _ in 0..3 {
        assert!(fast.turn("quick").await.completed);
    }
    let requests = log(&stage, LogKind::Requests).await.len();
    assert_eq!(requests, 15);
    let told = look().await;
    assert!(!told.forecast.in_use, "{told:#?}");
    let after = replay(&stage, None).await.comparison.unwrap();
    assert_eq!((after.to, after.outcomes), (before.to, before.outcomes));
    // It is work all the same: the timeline shows it.
    let (timeline, _) = timeline(&stage, 1, None).await;
    let spans = &timeline.lanes[0].served;
    assert!(
        spans.last().is_some_and(|span| span.from > last + HOUR),
        "{spans:?}"
    );
}

#[tokio::test]
async fn a_connection_that_is_opened_ahead_of_a_turn_is_no_work() {
    let stage = Stage::two(20.0, 20.0).await;
    let mut client = stage.client(Mode::WebSocket);
    for _ in 0..10 {
        assert!(client.turn("a question").await.completed);
        stage.sim.clock().advance(STEP);
    }
    assert_eq!(
        log(&stage, LogKind::Requests).await.len(),
        11,
        "a prewarm and ten turns"
    );
    let own = replay(&stage, None).await.comparison.expect("a comparison");
    let served: Vec<u32> = own.outcomes.iter().map(|outcome| outcome.served).collect();
    assert_eq!(served, [10; 5]);
}
