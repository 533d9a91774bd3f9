use super::*;
use crate::{Sample, forecast::When};

const HOUR: i64 = 3_600_000;

fn at(hours: f64) -> Timestamp {
    Timestamp::from_millis((hours * HOUR as f64) as i64)
}

fn used(percent: f64) -> Percent {
    Percent::new(percent).unwrap()
}

fn sample(hours: f64, percent: f64, resets: Option<f64>) -> Sample {
    Sample {
        at: at(hours),
        used: used(percent),
        resets_at: resets.map(at),
    }
}

fn five_hours(samples: &[Sample]) -> Vec<(Timestamp, Option<Timestamp>, Vec<f64>)> {
    let found = stretches(WindowLength::FIVE_HOURS, samples);
    let levels = |stretch: &Stretch| stretch.levels.iter().map(|level| level.used.used()).collect();
    found
        .iter()
        .map(|stretch| (stretch.from, stretch.resets_at, levels(stretch)))
        .collect()
}

#[test]
fn a_window_begins_at_its_first_use_and_ends_at_its_reset() {
    let found = five_hours(&[
        sample(1.0, 10.0, Some(5.5)),
        sample(2.0, 40.0, Some(5.5)),
        sample(9.0, 5.0, Some(13.0)),
    ]);
    assert_eq!(
        found,
        [
            (at(0.5), Some(at(5.5)), vec![10.0, 40.0]),
            (at(8.0), Some(at(13.0)), vec![5.0]),
        ]
    );
}

#[test]
fn two_sources_that_disagree_by_seconds_mean_one_window() {
    let found = five_hours(&[sample(1.0, 10.0, Some(5.5)), sample(2.0, 40.0, Some(5.51))]);
    assert_eq!(found, [(at(0.5), Some(at(5.51)), vec![10.0, 40.0])]);
}

#[test]
fn an_early_reset_ends_a_window() {
    let found = five_hours(&[sample(1.0, 90.0, Some(5.5)), sample(2.0, 3.0, Some(6.5))]);
    assert_eq!(
        found,
        [
            (at(0.5), Some(at(2.0)), vec![90.0]),
            (at(2.0), Some(at(6.5)), vec![3.0])
        ]
    );
}

#[test]
fn a_window_that_is_lifted_early_is_over_though_nothing_is_used_since() {
    let found = five_hours(&[sample(1.0, 80.0, Some(5.5)), sample(2.0, 0.0, None)]);
    assert_eq!(found, [(at(0.5), Some(at(2.0)), vec![80.0])]);
}

#[test]
fn a_late_reader_who_sees_less_of_the_same_window_begins_none() {
    let found = five_hours(&[sample(1.0, 42.0, Some(5.5)), sample(1.1, 41.0, Some(5.5))]);
    assert_eq!(found.len(), 1);
}

#[test]
fn without_resets_a_fall_of_the_level_tells_windows_apart() {
    let found = five_hours(&[
        sample(1.0, 42.0, None),
        sample(2.0, 50.0, None),
        sample(3.0, 1.0, None),
    ]);
    assert_eq!(
        found,
        [
            (at(1.0), Some(at(3.0)), vec![42.0, 50.0]),
            (at(3.0), None, vec![1.0])
        ]
    );
}

#[test]
fn what_nothing_was_used_of_shows_nothing() {
    assert_eq!(five_hours(&[sample(1.0, 0.0, None), sample(2.0, 0.0, None)]), []);
}

struct Clock;

impl Words for Clock {
    fn label(&self, account: AccountId) -> String {
        ["Personal", "Work <&\">"][account.get() as usize - 1].to_owned()
    }

    fn time(&self, at: Timestamp) -> String {
        let minutes = at.as_millis() / 60_000;
        format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
    }
}

use crate::explain::Words;

fn timeline() -> Timeline {
    let lane = |id: u32, samples: &[Sample], expected| Lane {
        account: AccountId::new(id),
        label: Clock.label(AccountId::new(id)),
        said: "5 h: 38 % left · week: 80 % left".to_owned(),
        served: vec![Span {
            from: at(10.0),
            to: at(11.0),
        }],
        tracks: vec![Track {
            length: WindowLength::FIVE_HOURS,
            stretches: stretches(WindowLength::FIVE_HOURS, samples),
            expected,
        }],
    };
    let first = [sample(10.0, 20.0, Some(15.0)), sample(12.0, 62.0, Some(15.0))];
    let expected = Expected {
        depleted: Some(When {
            earliest: at(13.0),
            likely: Some(at(13.5)),
            latest: None,
        }),
        recovers: Some(at(15.0)),
    };
    Timeline {
        from: at(0.0),
        now: at(12.0),
        to: at(24.0),
        ticks: vec![Tick {
            at: at(6.0),
            label: "06:00".to_owned(),
        }],
        lanes: vec![lane(1, &first, Some(expected)), lane(2, &[], None)],
        switches: vec![
            SwitchMark {
                at: at(10.0),
                from: Some(AccountId::new(2)),
                to: AccountId::new(1),
                said: "limit reached".to_owned(),
                expected: false,
            },
            SwitchMark {
                at: at(13.5),
                from: Some(AccountId::new(1)),
                to: AccountId::new(2),
                said: "limit reached".to_owned(),
                expected: true,
            },
        ],
        blocked: vec![Blocked {
            from: at(8.0),
            to: Some(at(9.5)),
            said: "every account is exhausted".to_owned(),
        }],
        interruption: None,
    }
}

fn figures(picture: &str) -> Vec<String> {
    let labels = picture.split("class=\"tl-figure\" role=\"img\"").skip(1);
    labels
        .map(|rest| {
            let (_, label) = rest.split_once("aria-label=\"").unwrap();
            label.split('"').next().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn every_mark_says_its_figures() {
    let look = Look {
        width: 900.0,
        standalone: false,
    };
    assert_eq!(
        figures(&svg(&timeline(), look, &Clock)),
        [
            "Personal, 5 h window from 10:00 to 15:00: 62 % used",
            "Personal, 5 h window: expected to be used up about 13:30 (not before 13:00)",
            "Personal, 5 h window: whole again 15:00",
            "Blocked from 08:00 to 09:30: every account is exhausted",
            "Switched from Work &lt;&amp;&quot;&gt; to Personal, 10:00: limit reached",
            "Expected switch from Personal to Work &lt;&amp;&quot;&gt;, 13:30: limit reached",
        ]
    );
}

#[test]
fn one_mark_is_reached_by_tab_and_the_others_from_it() {
    let look = Look {
        width: 900.0,
        standalone: false,
    };
    let picture = svg(&timeline(), look, &Clock);
    assert_eq!(picture.matches("tabindex=\"0\"").count(), 1);
    assert!(picture.matches("tabindex=\"-1\"").count() > 1);
}

#[test]
fn a_page_s_picture_brings_no_style_and_a_file_s_reads_on_light_and_dark() {
    let look = |standalone| Look {
        width: 320.0,
        standalone,
    };
    let page = svg(&timeline(), look(false), &Clock);
    assert!(
        !page.contains("<style") && !page.contains("style="),
        "a strict content policy refuses it"
    );
    let file = svg(&timeline(), look(true), &Clock);
    assert!(file.contains("prefers-color-scheme:dark"));
    for colour in ["TEXT", "MUTED", "PAGE", "LINE", "USED", "ACCENT", "ALERT", "WAIT"] {
        assert!(!file.contains(colour), "{colour} has a colour");
    }
}

#[test]
fn nothing_stands_outside_of_the_picture() {
    let mut timeline = timeline();
    timeline.lanes[0].tracks[0].stretches[0].from = at(-100.0);
    timeline.switches[0].at = at(100.0);
    timeline.interruption = Some(When {
        earliest: at(20.0),
        likely: Some(at(90.0)),
        latest: Some(at(400.0)),
    });
    let look = Look {
        width: 320.0,
        standalone: false,
    };
    let picture = svg(&timeline, look, &Clock);
    let numbers = |name: &str| -> Vec<f64> {
        let attribute = format!(" {name}=\"");
        let values = picture.split(&attribute).skip(1);
        values
            .filter_map(|rest| rest.split('"').next()?.parse().ok())
            .collect()
    };
    for x in ["x", "x1", "x2", "cx"].into_iter().flat_map(numbers) {
        assert!((0.0..=320.0).contains(&x), "{x}");
    }
    assert!(!figures(&picture).iter().any(|said| said.starts_with("Switched")));
}
