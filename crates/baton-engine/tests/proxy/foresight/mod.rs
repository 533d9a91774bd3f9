//! What is foretold then happens; what is shown of the past is what happened.

mod ahead;
mod picture;
mod replayed;

use std::time::Duration;

use baton_core::{AccountId, Cause, Event, EventKind, Timestamp, forecast::When, timeline::Timeline};
use baton_engine::control::protocol::{
    BlockedTime, Command, ForecastView, LogEntry, LogFilter, LogKind, ReplayView, Reply, Snapshot,
};
use baton_sim::Mode;

use crate::stage::{Stage, account, scenario};

const STEP: Duration = Duration::from_secs(180);
const HOUR: Duration = Duration::from_secs(3600);
/// Two thirds of the first account's quota.
const WHILE: Duration = Duration::from_secs(40 * 60);

async fn forecast(stage: &Stage) -> ForecastView {
    match stage.baton.execute(Command::Forecast).await {
        Ok(Reply::Forecast { forecast }) => forecast,
        other => panic!("{other:?}"),
    }
}

/// As the tray, the window and `baton status` are told.
async fn status(stage: &Stage) -> Snapshot {
    match stage.baton.execute(Command::Status).await {
        Ok(Reply::Status { snapshot }) => snapshot,
        other => panic!("{other:?}"),
    }
}

async fn timeline(stage: &Stage, days: u32, width: Option<u32>) -> (Timeline, Option<String>) {
    match stage.baton.execute(Command::Timeline { days, width }).await {
        Ok(Reply::Timeline { timeline, svg }) => (*timeline, svg),
        other => panic!("{other:?}"),
    }
}

async fn replay(stage: &Stage, days: Option<u32>) -> ReplayView {
    match stage.baton.execute(Command::Replay { days }).await {
        Ok(Reply::Replay { replay }) => *replay,
        other => panic!("{other:?}"),
    }
}

async fn log(stage: &Stage, kind: LogKind) -> Vec<LogEntry> {
    let only = LogFilter {
        kind: Some(kind),
        ..LogFilter::default()
    };
    match stage.baton.execute(Command::Log { limit: 1000, only }).await {
        Ok(Reply::Log { mut entries }) => {
            entries.reverse();
            entries
        }
        other => panic!("{other:?}"),
    }
}

async fn switches(stage: &Stage) -> Vec<(Timestamp, AccountId, Cause)> {
    let entries = log(stage, LogKind::Switches).await.into_iter();
    let switch = |entry| match entry {
        LogEntry::Event {
            event:
                Event {
                    at,
                    kind: EventKind::Switched(switch),
                },
            ..
        } => (at, switch.to, switch.cause),
        other => panic!("{other:?}"),
    };
    entries.map(switch).collect()
}

async fn blocked(stage: &Stage) -> Vec<BlockedTime> {
    let entries = log(stage, LogKind::Blocked).await.into_iter();
    let time = |entry| match entry {
        LogEntry::Blocked(time) => time,
        other => panic!("{other:?}"),
    };
    entries.map(time).collect()
}

/// Somebody who asks for one turn in every three minutes. Twenty use an account's five hours up.
struct Person {
    stage: Stage,
    /// Every turn that was answered: when, and by whom.
    served: Vec<(Timestamp, AccountId)>,
}

impl Person {
    /// Both accounts are known, and the primary is the active one.
    async fn new() -> Self {
        Self::named("a", "b").await
    }

    async fn named(first: &str, second: &str) -> Self {
        let accounts = [account("a", 20.0), account("b", 20.0)];
        let stage = Stage::with(scenario(accounts), &["a", "b"]).await;
        for (old, new) in [("a", first), ("b", second)] {
            let (account, label) = (old.to_owned(), new.to_owned());
            if old != new {
                stage.run(Command::Rename { account, label }).await;
            }
        }
        let mut person = Self {
            stage,
            served: Vec::new(),
        };
        for account in [second, first] {
            let account = account.to_owned();
            person.stage.run(Command::Pin { account }).await;
            assert!(person.turn().await);
        }
        person.stage.run(Command::Unpin).await;
        person
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.stage.sim.clock().now_unix_millis())
    }

    fn rests(&self, time: Duration) {
        self.stage.sim.clock().advance(time);
    }

    async fn turn(&mut self) -> bool {
        let before = [self.stage.served("a"), self.stage.served("b")];
        let at = self.now();
        // In a thread of its own: each is as much.
        let mut client = self
            .stage
            .client(Mode::Http)
            .seed(self.now().as_millis().unsigned_abs());
        let completed = client.turn("a question").await.completed;
        let ids: Vec<AccountId> = self
            .stage
            .baton
            .snapshot()
            .accounts
            .iter()
            .map(|account| account.id)
            .collect();
        if completed {
            let by = usize::from(self.stage.served("a") == before[0]);
            self.served.push((at, ids[by]));
        }
        completed
    }

    async fn works(&mut self, time: Duration) {
        let until = self.now() + time;
        while self.now() < until {
            assert!(self.turn().await);
            self.rests(STEP);
        }
    }

    /// Goes on until a turn fails: when that was.
    async fn works_until_blocked(&mut self) -> Timestamp {
        loop {
            let now = self.now();
            if !self.turn().await {
                return now;
            }
            self.rests(STEP);
        }
    }
}

/// As far as whole steps tell.
fn within(when: When, at: Timestamp) -> bool {
    when.earliest.before(STEP) <= at && when.latest.is_none_or(|latest| at <= latest + STEP)
}
