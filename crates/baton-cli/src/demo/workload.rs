//! The work: conversations that go on all the time, each turn soon after the one before, some with tool calls.

use std::time::Duration;

use baton_core::Timestamp;
use baton_sim::{Client, TurnReport};
use tokio::task::JoinSet;

use super::{record::Turn, stage::Stage};
use crate::error::Failure;

const CONVERSATIONS: u64 = 2;
/// Work that stood still for so long is not caught up on.
const LATE: Duration = Duration::from_secs(600);
const ASKED: [&str; 8] = [
    "why does this test fail",
    "extract that into a function",
    "what calls this",
    "add a case for the empty list",
    "rename it everywhere",
    "write down how to run it",
    "find where the time is lost",
    "make the error say what to do",
];

/// Several conversations at once, as with several terminals.
pub(super) struct Workload {
    conversations: JoinSet<Vec<Turn>>,
}

impl Workload {
    /// Until the day is over; a turn that is under way then is finished.
    pub(super) fn start(stage: &Stage, seed: u64, day: Duration) -> Result<Self, Failure> {
        let base = stage.base_urls()?.openai_base_url.clone();
        let base = base.trim_end_matches("/codex").to_owned();
        let until = (stage.started + day).as_millis();
        let mut conversations = JoinSet::new();
        for number in 0..CONVERSATIONS {
            let client = Client::new(base.clone(), stage.login()?)
                .seed(seed.wrapping_mul(100).wrapping_add(number))
                .clock(stage.sim.clock());
            let random = fastrand::Rng::with_seed(seed.wrapping_mul(1000).wrapping_add(number));
            conversations.spawn(converse(client, stage.sim.clock(), random, until));
        }
        Ok(Self { conversations })
    }

    pub(super) async fn done(mut self) -> Result<Vec<Turn>, Failure> {
        let mut turns = Vec::new();
        while let Some(done) = self.conversations.join_next().await {
            turns.extend(
                done.map_err(|error| Failure::new(format!("a conversation of the demo broke: {error}")))?,
            );
        }
        turns.sort_by_key(|turn| turn.started);
        Ok(turns)
    }
}

async fn converse(
    mut client: Client,
    clock: baton_sim::Clock,
    mut random: fastrand::Rng,
    until: i64,
) -> Vec<Turn> {
    let now = || Timestamp::from_millis(clock.now_unix_millis());
    let mut turns = Vec::new();
    let mut due = now();
    loop {
        // By the clock, not after the turn before: else a strategy whose turns take some more of the compressed time
        // would be given less work.
        due = due + Duration::from_secs(random.u64(120..300));
        if now().since(due) > LATE {
            due = now();
        }
        clock.sleep(due.since(now())).await;
        let text = random.choice(ASKED).unwrap_or("go on");
        let text = match random.u8(0..10) {
            0..6 => text.to_owned(),
            6..9 => format!("{text} [tool: cargo test]"),
            _ => format!("{text} [tools: 2 cargo test]"),
        };
        let started = now();
        if started.as_millis() >= until {
            return turns;
        }
        let report = client.turn(&text).await;
        turns.push(turn(&report, started));
        if !report.completed {
            // The CLI would stop here, and a person would start it again.
            client.disconnect();
        }
    }
}

fn turn(report: &TurnReport, started: Timestamp) -> Turn {
    Turn {
        started,
        lost: (!report.completed).then(|| {
            report
                .error
                .as_ref()
                .map_or("no end".to_owned(), ToString::to_string)
        }),
        repeated: report.repeated.len(),
    }
}
