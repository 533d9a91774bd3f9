//! The timeline, as a value and as a picture.

use std::time::Duration;

use baton_core::{
    Percent, Timestamp, WindowLength,
    forecast::{Depletion, Outlook},
    timeline::{Span, Timeline, Track},
};
use baton_engine::control::protocol::Command;

use super::{HOUR, Person, STEP, WHILE, blocked, status, switches, timeline};
use crate::stage::Stage;

fn five_hours(timeline: &Timeline, lane: usize) -> &Track {
    let track = &timeline.lanes[lane].tracks[0];
    assert_eq!(track.length, WindowLength::FIVE_HOURS);
    track
}

#[tokio::test]
async fn the_timeline_is_what_happened() {
    let mut person = Person::new().await;
    let began = person.served[0].0;
    let interrupted = person.works_until_blocked().await;
    person.rests(5 * HOUR);
    person.works(WHILE).await;
    let (a, b) = (person.stage.id("a"), person.stage.id("b"));
    let (timeline, none) = timeline(&person.stage, 1, None).await;
    assert_eq!(none, None, "no picture was asked for");
    let now = person.now();
    assert!(now.since(timeline.now) < STEP);
    assert_eq!(timeline.now.since(timeline.from), 24 * HOUR);
    assert_eq!(timeline.to.since(timeline.now), 24 * HOUR);
    let lanes: Vec<_> = timeline
        .lanes
        .iter()
        .map(|lane| (lane.account, &*lane.label))
        .collect();
    assert_eq!(lanes, [(a, "a"), (b, "b")]);

    // Spans are where turns of the account are, and nowhere else, as far as a picture tells them apart.
    let resolution = Duration::from_secs(86_400 / 600 + 1);
    let near = |a: Timestamp, b: Timestamp| a.since(b).max(b.since(a)) <= resolution;
    for lane in &timeline.lanes {
        let own = || {
            person
                .served
                .iter()
                .filter(|(_, by)| *by == lane.account)
                .map(|(at, _)| *at)
        };
        for at in own() {
            let shown = |span: &Span| span.from.before(resolution) <= at && at <= span.to;
            assert!(lane.served.iter().any(shown), "{at:?} {lane:#?}");
        }
        for edge in lane.served.iter().flat_map(|span| [span.from, span.to]) {
            assert!(own().any(|at| near(at, edge)), "{edge:?} {lane:#?}");
        }
    }

    // The window that was used up, and the next one, from its first use.
    for lane in [0, 1] {
        let track = five_hours(&timeline, lane);
        let full = &track.stretches[0];
        assert!(full.from.since(began) < STEP, "{full:?}");
        let reset = full.resets_at.expect("a reset");
        assert!(reset.since(full.from) <= 5 * HOUR + STEP, "{full:?}");
        assert_eq!(
            full.levels.last().expect("a level").used,
            Percent::FULL,
            "{full:?}"
        );
        assert!(full.levels.is_sorted_by_key(|level| level.at));
    }
    // B goes on; nobody has begun a new window of A's.
    assert_eq!(five_hours(&timeline, 0).stretches.len(), 1);
    let again = five_hours(&timeline, 1);
    let served_again = person.served.iter().filter(|(at, _)| *at > interrupted);
    let percent = served_again.inspect(|(_, by)| assert_eq!(*by, b)).count() as f64 * 5.0;
    assert_eq!(again.stretches.len(), 2, "{again:#?}");
    let used = again.stretches[1].levels.last().expect("a level").used.used();
    // An answer tells what was used before it.
    assert!((0.0..=5.5).contains(&(percent - used)), "{used} {percent}");

    let past: Vec<_> = timeline
        .switches
        .iter()
        .filter(|switch| !switch.expected)
        .map(|switch| (switch.at, switch.to))
        .collect();
    let logged: Vec<_> = switches(&person.stage)
        .await
        .into_iter()
        .map(|(at, to, _)| (at, to))
        .collect();
    assert_eq!(past, logged);
    let times = blocked(&person.stage).await;
    let shown: Vec<_> = timeline.blocked.iter().map(|time| (time.from, time.to)).collect();
    assert_eq!(shown, [(times[0].began, times[0].ended)]);
    assert!(times[0].began.since(interrupted) < STEP);
    assert!(times[0].ended.is_some());

    // What is expected is what the forecast says.
    let shown = status(&person.stage).await;
    let (told, current) = (shown.forecast.expect("a forecast").forecast, shown.active);
    let expected: Vec<_> = timeline
        .switches
        .iter()
        .filter(|switch| switch.expected)
        .map(|switch| switch.to)
        .collect();
    let foretold: Vec<_> = told.changes.iter().filter_map(|change| change.to).collect();
    assert_eq!(expected, foretold);
    let Outlook::Until(when) = told.pool else {
        panic!("{told:#?}")
    };
    assert_eq!(timeline.interruption, Some(when));
    for (lane, of) in timeline.lanes.iter().zip(&told.accounts) {
        let expected = lane.tracks[0].expected.expect("something known");
        let depletes = match of
            .windows
            .iter()
            .find(|window| window.length == WindowLength::FIVE_HOURS)
        {
            Some(window) if current == Some(lane.account) => match window.depletes {
                Depletion::At(when) => Some(when),
                _ => None,
            },
            _ => None,
        };
        assert_eq!(expected.depleted, depletes, "{}", lane.label);
    }
}

#[tokio::test]
async fn days_that_make_no_sense_are_refused_with_what_does() {
    let stage = Stage::two(20.0, 20.0).await;
    for days in [0, 91, u32::MAX] {
        let commands = [
            Command::Timeline {
                days,
                width: Some(800),
            },
            Command::Replay { days: Some(days) },
        ];
        for command in commands {
            let error = stage.baton.execute(command).await.unwrap_err();
            assert!(error.message.contains("between 1 and 90 days"), "{error}");
        }
    }
    for days in [1, 90] {
        let (timeline, svg) = timeline(&stage, days, Some(800)).await;
        assert_eq!(timeline.to.since(timeline.from), 48 * HOUR * days);
        assert!(svg.is_some());
    }
}

#[tokio::test]
async fn the_picture_is_xml_whatever_an_account_is_called() {
    const NASTY: &str = r#"<&">]]>'"#;
    let mut person = Person::named(NASTY, "b").await;
    person.works_until_blocked().await;
    for width in [0, 1, 280, 800, u32::MAX] {
        let (_, svg) = timeline(&person.stage, 1, Some(width)).await;
        let svg = svg.expect("a picture");
        let xml = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
        assert_eq!(xml.root_element().tag_name().name(), "svg");
        let texts: Vec<&str> = xml.descendants().filter_map(|node| node.text()).collect();
        assert!(texts.contains(&NASTY), "{texts:?}");
        let figures: Vec<_> = xml
            .descendants()
            .filter(|node| node.attribute("class") == Some("tl-figure"))
            .collect();
        for figure in &figures {
            let title = figure
                .children()
                .find(|node| node.has_tag_name("title") || node.tag_name().name() == "title");
            assert_eq!(
                title.and_then(|title| title.text()),
                figure.attribute("aria-label"),
                "{svg}"
            );
        }
        let said = |what: &str| {
            let mut labels = figures.iter().filter_map(|figure| figure.attribute("aria-label"));
            assert!(labels.any(|label| label.contains(what)), "{what}: {svg}");
        };
        said(&format!("Switched from {NASTY} to b"));
        said("Blocked");
        for number in xml.descendants().flat_map(|node| node.attributes()) {
            assert!(
                !number.value().contains("NaN") && !number.value().contains("inf"),
                "{number:?}"
            );
        }
    }
}
