//! The timeline that the page's scenarios show is what is drawn here. `BATON_WRITE_PICTURES=1` writes it anew.

use std::{fs, path::Path};

use baton_core::{
    AccountId, Percent, Sample, Timestamp, WindowLength,
    explain::Words,
    forecast::When,
    timeline::{Blocked, Expected, Lane, Look, Span, SwitchMark, Tick, Timeline, Track, stretches, svg},
};

struct Clock;

impl Words for Clock {
    fn label(&self, account: AccountId) -> String {
        ["Personal", "Work"][account.get() as usize - 1].to_owned()
    }

    fn time(&self, at: Timestamp) -> String {
        let minutes = at.as_millis() / 60_000;
        format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
    }
}

/// In hours from some midnight.
fn at(hours: f64) -> Timestamp {
    Timestamp::from_millis((hours * 3_600_000.0) as i64)
}

fn span(from: f64, to: f64) -> Span {
    Span {
        from: at(from),
        to: at(to),
    }
}

/// Use that grows evenly.
fn grows(from: f64, to: f64, until: f64, resets: f64) -> impl Iterator<Item = Sample> {
    let steps = ((to - from) * 12.0) as u32;
    (0..=steps).map(move |step| Sample {
        at: at(from + f64::from(step) / 12.0),
        used: Percent::clamped(until * f64::from(step) / f64::from(steps)).expect("a number"),
        resets_at: Some(at(resets)),
    })
}

fn track(length: WindowLength, samples: &[Sample], expected: Option<Expected>) -> Track {
    Track {
        length,
        stretches: stretches(length, samples),
        expected,
    }
}

fn lane(id: u32, said: &str, served: Vec<Span>, tracks: Vec<Track>) -> Lane {
    Lane {
        account: AccountId::new(id),
        label: Clock.label(AccountId::new(id)),
        said: said.to_owned(),
        served,
        tracks,
    }
}

/// A day of two accounts, at 14:30 on the second.
fn day() -> Timeline {
    let (five, week) = (WindowLength::FIVE_HOURS, WindowLength::WEEK);
    let recovers = |hours: f64| Expected {
        depleted: None,
        recovers: Some(at(hours)),
    };
    let first: Vec<_> = grows(16.0, 18.5, 70.0, 21.0)
        .chain(grows(33.0, 35.5, 100.0, 38.0))
        .chain(grows(38.0, 38.5, 9.0, 43.0))
        .collect();
    let second: Vec<_> = grows(35.5, 37.5, 100.0, 40.5).collect();
    let weekly = |to: f64| -> Vec<_> { grows(14.6, 38.5, to, 110.0).collect() };
    let (personal, work) = (AccountId::new(1), AccountId::new(2));
    let switch = |hours: f64, from, to, expected| SwitchMark {
        at: at(hours),
        from: Some(from),
        to,
        said: "limit reached".to_owned(),
        expected,
    };
    let depletes = Expected {
        depleted: Some(When {
            earliest: at(40.2),
            likely: Some(at(40.8)),
            latest: Some(at(41.7)),
        }),
        recovers: Some(at(43.0)),
    };
    Timeline {
        from: at(14.5),
        now: at(38.5),
        to: at(62.5),
        ticks: [
            (18, "18:00"),
            (24, "Sun 22"),
            (30, "06:00"),
            (36, "12:00"),
            (42, "18:00"),
            (48, "Mon 23"),
        ]
        .into_iter()
        .chain([(54, "06:00"), (60, "12:00")])
        .map(|(hours, label)| Tick {
            at: at(f64::from(hours)),
            label: label.to_owned(),
        })
        .collect(),
        lanes: vec![
            lane(
                1,
                "5 h: 91 % left · week: 57 % left",
                vec![span(16.0, 18.5), span(33.0, 35.5), span(38.0, 38.5)],
                vec![
                    track(five, &first, Some(depletes)),
                    track(week, &weekly(43.0), Some(recovers(110.0))),
                ],
            ),
            lane(
                2,
                "Limit reached · back 16:30",
                vec![span(35.5, 37.5)],
                vec![
                    track(five, &second, Some(recovers(40.5))),
                    track(week, &weekly(19.0), Some(recovers(110.0))),
                ],
            ),
        ],
        switches: vec![
            switch(35.5, personal, work, false),
            switch(38.0, work, personal, false),
            switch(40.8, personal, work, true),
        ],
        blocked: vec![Blocked {
            from: at(37.5),
            to: Some(at(38.0)),
            said: "no account could serve".to_owned(),
        }],
        interruption: Some(When {
            earliest: at(42.1),
            likely: Some(at(42.7)),
            latest: Some(at(44.0)),
        }),
    }
}

#[test]
fn the_page_s_scenarios_show_what_is_drawn() {
    let mock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/mock");
    for (width, name) in [
        (280.0, "timeline-narrow.svg"),
        (360.0, "timeline.svg"),
        (840.0, "timeline-wide.svg"),
    ] {
        let look = Look {
            width,
            standalone: false,
        };
        let drawn = svg(&day(), look, &Clock);
        let file = mock.join(name);
        if std::env::var_os("BATON_WRITE_PICTURES").is_some() {
            fs::write(&file, &drawn).expect("the page's folder");
        }
        let shown = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            shown == drawn,
            "{name} is another: BATON_WRITE_PICTURES=1 writes it anew"
        );
    }
}
