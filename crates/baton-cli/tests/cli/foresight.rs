//! `baton forecast`, `timeline` and `replay`, as a person reads them and as a script does.

use std::{fs, sync::Arc, time::Duration};

use baton_core::Strategy;
use baton_engine::{Engine, Options, clock::Borrowed, vault::MemoryVault};
use baton_sim::{AccountScript, Client, Clock, Login, Mode, Scenario, Sim, WindowScript};
use serde_json::Value;

use super::{Done, Place, with_accounts};

/// A Baton in this process, for there is no keychain for another, and its accounts.
struct Desk {
    place: Place,
    runtime: tokio::runtime::Runtime,
    sim: Sim,
    engine: Engine,
}

impl Desk {
    /// Twenty requests are an account's five hours.
    fn new() -> Self {
        let place = Place::new();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let account = |name| {
            AccountScript::new(name)
                .window(WindowScript::five_hours(20.0))
                .window(WindowScript::weekly(1000.0))
                .cost(1.0)
        };
        let scenario = Scenario::new()
            .account(account("Personal"))
            .account(account("Work"));
        let sim = runtime.block_on(Sim::start(scenario));
        let mut options = Options::from_env(Some(&place.data()), Some(0)).unwrap();
        options.upstream = sim.base_url().parse().unwrap();
        options.issuer = sim.issuer_url().parse().unwrap();
        options.vault = Some(Arc::new(MemoryVault::new()));
        options.clock = Arc::new(Borrowed::new(sim.clock(), Clock::now_unix_millis, Clock::real));
        options.read_usage = false;
        let engine = runtime.block_on(Box::pin(Engine::start(options))).unwrap();
        for name in ["Personal", "Work"] {
            let json = sim.account(name).auth_json();
            runtime
                .block_on(engine.add_auth_json(json.as_bytes(), name))
                .unwrap();
        }
        Self {
            place,
            runtime,
            sim,
            engine,
        }
    }

    /// One turn in every three minutes.
    fn works(&self, turns: u64) {
        let urls = self.engine.base_urls().unwrap();
        let base = urls.openai_base_url.trim_end_matches("/codex");
        for turn in 0..turns {
            let login = Login::from_auth_json(&self.sim.cli().auth_json()).unwrap();
            let client = Client::new(base, login).mode(Mode::Http).clock(self.sim.clock());
            self.runtime.block_on(client.seed(turn).turn("a question"));
            self.sim.clock().advance(Duration::from_secs(180));
        }
    }

    /// A morning's work on both, of which most is over.
    fn after_a_morning() -> Self {
        let desk = Self::new();
        desk.baton(&["pin", "Work"]).fine();
        desk.works(1);
        desk.baton(&["unpin"]).fine();
        desk.works(13);
        desk
    }

    fn baton(&self, args: &[&str]) -> Done {
        let command = self.place.command(args);
        Done(self.place.reaching_this_process(command).output().unwrap())
    }
}

/// What a program calls something is nothing for a person.
#[track_caller]
fn in_words(text: &str) {
    for raw in [
        "soonest_reset",
        "round_robin",
        "limit_reached",
        "built_in",
        "null",
        "NaN",
        "{",
    ] {
        assert!(!text.contains(raw), "{raw}: {text}");
    }
}

#[test]
fn the_forecast_is_told_with_who_comes_when_and_status_says_the_same() {
    let desk = Desk::after_a_morning();
    let text = desk.baton(&["forecast"]).fine();
    in_words(&text);
    let said = text.lines().next().unwrap();
    assert!(said.starts_with("Uninterrupted until about "), "{text}");
    assert!(text.contains("from Personal to Work (limit reached)"), "{text}");
    assert!(text.contains("nobody can serve (Work: limit reached)"), "{text}");
    assert!(
        text.contains("% an hour of work") && text.contains("used up about "),
        "{text}"
    );
    assert!(
        text.contains(" of readings. Your usual hours aren't known yet"),
        "{text}"
    );
    let status = desk.baton(&["status"]).fine();
    let line = status.lines().find(|line| line.starts_with("Forecast: "));
    let line = line.expect(&status);
    assert!(line.contains("Uninterrupted until about "), "{status}");

    let json = desk.baton(&["forecast", "--json"]).json();
    let told = &json["forecast"]["forecast"];
    assert_eq!(told["pool"]["kind"], "until", "{json}");
    let status = desk.baton(&["status", "--json"]).json();
    assert_eq!(told["next"], status["next"], "{json}");
    assert_eq!(
        status["forecast"]["forecast"]["changes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    // With Codex's own sign-in, no account of these serves.
    desk.baton(&["bypass", "on"]).fine();
    let status = desk.baton(&["status"]).fine();
    assert!(!status.contains("Forecast: "), "{status}");
}

#[test]
fn what_isnt_known_is_said_and_no_line_of_status() {
    let place = Place::new();
    with_accounts(&place.data());
    let text = place.baton(&["forecast"]).fine();
    assert!(
        text.starts_with("Unknown: too little is known of Personal's use yet"),
        "{text}"
    );
    let status = place.baton(&["status"]).fine();
    assert!(
        !status.contains("Forecast: ") && !status.contains("Unknown"),
        "{status}"
    );
    let json = place.baton(&["forecast", "--json"]).json();
    assert_eq!(json["forecast"]["forecast"]["pool"]["kind"], "unknown");
}

#[test]
fn the_timeline_is_drawn_in_the_terminal_and_into_a_new_file() {
    let desk = Desk::after_a_morning();
    let text = desk.baton(&["timeline"]).fine();
    in_words(&text);
    assert!(text.lines().next().unwrap().contains("now"), "{text}");
    // Sixty percent used, and nearly nothing; both are whole again in the afternoon.
    for (label, used) in [("Personal", '▅'), ("Work", '·')] {
        let lane = text.lines().find(|line| line.starts_with(label)).expect(&text);
        assert!(
            lane.contains(used) && lane.contains('│') && lane.contains('↺'),
            "{text}"
        );
    }
    assert!(text.contains("5 h: 40 % left"), "{text}");
    assert!(!text.contains("blocked "), "{text}");

    let json = desk.baton(&["timeline", "--json", "--days", "2"]).json();
    let timeline = &json["timeline"];
    let at = |name: &str| timeline[name].as_i64().unwrap();
    assert_eq!(at("to") - at("from"), 4 * 86_400_000);
    assert_eq!(timeline["lanes"].as_array().unwrap().len(), 2);

    let file = desk.place.path("timeline.svg");
    let draw = ["timeline", "--svg", file.to_str().unwrap()];
    let said = desk.baton(&draw).fine();
    assert!(said.contains("timeline.svg"), "{said}");
    let drawn = fs::read_to_string(&file).unwrap();
    assert!(
        drawn.starts_with("<svg ") && drawn.trim_end().ends_with("</svg>"),
        "{drawn}"
    );
    assert!(
        drawn.contains("prefers-color-scheme:dark") && drawn.contains(">Personal<"),
        "{drawn}"
    );
    let refused = desk.baton(&draw).refused(1);
    assert!(refused.contains("is there already"), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap(), drawn);
    let nowhere = desk.place.path("nowhere/timeline.svg");
    let refused = desk
        .baton(&["timeline", "--svg", nowhere.to_str().unwrap()])
        .refused(1);
    assert!(refused.contains("can't be written"), "{refused}");

    // Past the interruption.
    desk.works(30);
    let text = desk.baton(&["timeline"]).fine();
    let blocked = text.lines().find(|line| line.starts_with("blocked"));
    assert!(blocked.expect(&text).contains('×'), "{text}");
}

#[test]
fn a_replay_says_which_strategy_and_ends_with_one_line_of_all_five() {
    let place = Place::new();
    let text = place.baton(&["replay"]).fine();
    in_words(&text);
    assert!(
        text.starts_with("Too little is recorded of you yet. In a made-up working week"),
        "{text}"
    );
    assert!(
        text.contains("Sequential (drain first) (yours)") && text.contains("Soonest reset"),
        "{text}"
    );

    let desk = Desk::after_a_morning();
    let text = desk.baton(&["replay", "--days", "1"]).fine();
    in_words(&text);
    assert!(text.starts_with("Only 1 working day of yours"), "{text}");
    let last = |done: Done| {
        let out = done.fine();
        let last = out.lines().last().unwrap();
        serde_json::from_str::<Value>(last).unwrap()["replay"].take()
    };
    for (replay, basis) in [
        (last(place.baton(&["replay", "--json"])), "built_in"),
        (last(desk.baton(&["replay", "--json"])), "recorded"),
    ] {
        let comparison = &replay["comparison"];
        assert_eq!(comparison["basis"]["kind"], basis, "{replay}");
        let outcomes = comparison["outcomes"].as_array().unwrap();
        let strategies: Vec<&str> = outcomes
            .iter()
            .map(|one| one["strategy"].as_str().unwrap())
            .collect();
        assert_eq!(strategies, Strategy::ALL.map(Strategy::name));
        for outcome in outcomes {
            for figure in ["interruptions", "blocked_minutes", "longest_stretch_minutes"] {
                assert!(outcome[figure].is_number(), "{outcome}");
            }
            assert!(
                outcome["expired"].is_array() && outcome["switches"].is_array(),
                "{outcome}"
            );
        }
    }
    for days in ["0", "91", "x"] {
        let refused = place.baton(&["replay", "--days", days]).refused(2);
        assert!(refused.contains("--days"), "{refused}");
    }
}
