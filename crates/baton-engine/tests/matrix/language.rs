//! The words of the table, and how a row is played.

use std::{sync::Arc, time::Duration};

use baton_core::Eligibility;
use baton_sim::{At, Failure, Fault, FaultHandle, FaultRule, Mode, Sim, TurnReport};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    bytes::{self, Bytes},
    stage::{Stage, account, scenario},
};

/// Rows at work at a time.
const AT_ONCE: usize = 40;
/// A client that waits for an answer longer than this takes it for dead, in rows that are about that.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much faster time passes where the client asks again and again before it gives up.
const HURRY: f64 = 20.0;

/// What the upstream does, and when.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    how: How,
    /// Only so often.
    times: u64,
    /// Whomever it serves, rather than `a` only.
    everywhere: bool,
    /// Answers before the one that is struck.
    after: u64,
    turns: usize,
    tool: bool,
    impatient: bool,
    ciphertext: bool,
}

#[derive(Clone, Debug)]
enum How {
    Simulated(At, Fault),
    /// Answers that the simulation is too well behaved for.
    Raw(Bytes),
}

/// What the client sees of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sees {
    /// The answer, as if nothing had been.
    Silent(By),
    /// The answer, after it has connected or asked again.
    Again(By),
    /// This error's code.
    Fails(&'static str),
    /// The fault doesn't exist on this transport.
    Nothing,
}

/// Whose answers were completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    A,
    B,
    /// First `a`, then `b`.
    Both,
    /// Neither: the raw answer was whole.
    Raw,
}

/// What is thought of `a` afterwards (and of `b`, where the fault struck everywhere).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Eligible,
    Cooling,
    Exhausted,
    Attention,
    Other,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) text: &'static str,
    pub(crate) trouble: Trouble,
    pub(crate) websocket: Sees,
    pub(crate) http: Sees,
    pub(crate) state: State,
    pub(crate) active: &'static str,
    /// Temporary failovers.
    pub(crate) detours: u64,
}

/// `fault => websocket, http, state of a, active account, temporary failovers;`
macro_rules! rows {
    ($($trouble:expr => $websocket:expr, $http:expr, $state:expr, $active:ident, $detours:literal;)*) => {
        vec![$($crate::language::Row {
            text: stringify!($trouble => $websocket, $http, $state, $active, $detours),
            trouble: $trouble,
            websocket: $websocket,
            http: $http,
            state: $state,
            active: stringify!($active),
            detours: $detours,
        }),*]
    };
}
pub(crate) use rows;

// === when ===

fn at(at: At, fault: Fault) -> Trouble {
    Trouble {
        how: How::Simulated(at, fault),
        times: u64::MAX,
        everywhere: false,
        after: 0,
        turns: 1,
        tool: false,
        impatient: false,
        ciphertext: false,
    }
}

/// When a connection is accepted.
pub(crate) fn accept(fault: Fault) -> Trouble {
    at(At::Accept, fault).everywhere()
}

/// In place of the answer to a WebSocket's upgrade.
pub(crate) fn upgrade(fault: Fault) -> Trouble {
    at(At::Upgrade, fault)
}

/// Before the head; on WebSocket before the first event.
pub(crate) fn head(fault: Fault) -> Trouble {
    at(At::Head, fault)
}

/// After the first events, before any output.
pub(crate) fn held(fault: Fault) -> Trouble {
    at(At::Created, fault)
}

/// After output.
pub(crate) fn output(fault: Fault) -> Trouble {
    at(At::Output(2), fault)
}

/// In the middle of a tool call.
pub(crate) fn call(fault: Fault) -> Trouble {
    Trouble {
        tool: true,
        ..at(At::ToolCall, fault)
    }
}

/// After all output, before the completion.
pub(crate) fn last(fault: Fault) -> Trouble {
    at(At::BeforeCompleted, fault)
}

/// After the completion; another turn follows.
pub(crate) fn after(fault: Fault) -> Trouble {
    Trouble {
        turns: 2,
        ..at(At::AfterCompleted, fault).once()
    }
}

/// In the same turn, in place of the answer to a tool's output.
pub(crate) fn mid_turn(fault: Fault) -> Trouble {
    Trouble {
        tool: true,
        after: 1,
        ..at(At::Head, fault)
    }
}

/// In place of the next turn's answer.
pub(crate) fn next_turn(fault: Fault) -> Trouble {
    Trouble {
        turns: 2,
        after: 1,
        ..at(At::Head, fault)
    }
}

/// The first answer (to a request, or to an upgrade) is these bytes, and then the connection ends.
pub(crate) fn raw(bytes: Bytes) -> Trouble {
    Trouble {
        how: How::Raw(bytes),
        ..at(At::Head, Fault::Cut)
    }
}

impl Trouble {
    pub(crate) fn once(self) -> Self {
        self.times(1)
    }

    pub(crate) fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    pub(crate) fn everywhere(mut self) -> Self {
        self.everywhere = true;
        self
    }

    /// The client doesn't wait for ever.
    pub(crate) fn impatient(mut self) -> Self {
        self.impatient = true;
        self
    }

    /// Another turn follows.
    pub(crate) fn and_another_turn(mut self) -> Self {
        self.turns += 1;
        self
    }

    /// What one account has encrypted the other refuses.
    pub(crate) fn ciphertext(mut self) -> Self {
        self.ciphertext = true;
        self
    }
}

// === what ===

pub(crate) fn refuse(failure: Failure) -> Fault {
    Fault::Refuse(failure)
}

pub(crate) fn failed(failure: Failure) -> Fault {
    Fault::Failed(failure)
}

pub(crate) fn error(failure: Failure) -> Fault {
    Fault::ErrorEvent(failure)
}

pub(crate) fn limit() -> Failure {
    Failure::usage_limit_reached()
}

/// A throttle for this many seconds.
pub(crate) fn throttle(seconds: u64) -> Failure {
    Failure::rate_limit_exceeded().retry_after(seconds)
}

/// Any refusal with this code.
pub(crate) fn code(status: u16, code: &str) -> Failure {
    Failure::new(status, "invalid_request_error", code, "No.")
}

pub(crate) fn delay() -> Fault {
    Fault::Delay(Duration::from_millis(50))
}

pub(crate) fn drip() -> Fault {
    Fault::Drip {
        bytes: 50,
        pause: Duration::from_millis(1),
    }
}

pub(crate) fn content_type(value: &str) -> Fault {
    Fault::ContentType(value.to_owned())
}

pub(crate) fn encoding(value: &str) -> Fault {
    Fault::BadEncoding(value.to_owned())
}

/// Another status or body than an answer has.
pub(crate) fn respond(status: u16, body: &str) -> Fault {
    Fault::Respond {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: body.to_owned(),
    }
}

// === impl Row ===

impl Row {
    pub(crate) fn both(&self) -> bool {
        self.websocket != Sees::Nothing && self.http != Sees::Nothing
    }

    /// What differs from what is expected.
    async fn play(&self, mode: Mode) -> Vec<String> {
        let sees = match mode {
            Mode::WebSocket => self.websocket,
            Mode::Http => self.http,
        };
        let speed = if matches!(sees, Sees::Fails(_)) {
            HURRY
        } else {
            1.0
        };
        let accounts = scenario([account("a", 100.0), account("b", 100.0)])
            .speed(speed)
            .refuse_foreign_ciphertext(self.trouble.ciphertext);
        let sim = Sim::start(accounts).await;
        let upstream = match &self.trouble.how {
            How::Simulated(..) => sim.base_url(),
            How::Raw(bytes) => bytes::in_front_of(&sim.base_url(), bytes.clone(), self.trouble.times).await,
        };
        let stage = Stage::between(sim, &["a", "b"], &upstream).await;
        let fault = self.strike(&stage);
        let mut client = stage.client(mode);
        if self.trouble.impatient {
            client = client.idle_timeout(PATIENCE);
        }
        let text = if self.trouble.tool {
            "hello [tool: ls]"
        } else {
            "hello [words: 30]"
        };
        let mut reports = Vec::new();
        for _ in 0..self.trouble.turns {
            reports.push(client.turn(text).await);
        }
        // What has been said to the client is known here once its request is over.
        while stage.baton.snapshot().running_requests > 0 {
            tokio::task::yield_now().await;
        }
        let mut differs = Differences::default();
        if fault.is_some_and(|fault| fault.hits() == 0) {
            differs.0.push("the fault never struck".to_owned());
        }
        self.compare(&stage, &reports, sees, &mut differs);
        stage.shutdown().await;
        differs.0
    }

    fn strike(&self, stage: &Stage) -> Option<FaultHandle> {
        let How::Simulated(at, fault) = &self.trouble.how else {
            return None;
        };
        let mut rule = FaultRule::new(*at, fault.clone())
            .after(self.trouble.after)
            .first(self.trouble.times);
        if !self.trouble.everywhere {
            rule = rule.account("a");
        }
        Some(stage.sim.fault(rule))
    }

    fn compare(&self, stage: &Stage, reports: &[TurnReport], sees: Sees, differs: &mut Differences) {
        differs.unless("client", &seen(reports, stage), &sees);
        let snapshot = stage.baton.snapshot();
        let state = |label: &str| {
            let view = snapshot.accounts.iter().find(|account| account.label == label);
            view.map_or(State::Other, |view| State::of(&view.state))
        };
        differs.unless("a", &state("a"), &self.state);
        let b = if self.trouble.everywhere {
            self.state
        } else {
            State::Eligible
        };
        differs.unless("b", &state("b"), &b);
        let active = snapshot
            .accounts
            .iter()
            .find(|account| Some(account.id) == snapshot.active)
            .map_or("none", |account| &account.label);
        differs.unless("active", &active, &self.active.to_ascii_lowercase().as_str());
        differs.unless(
            "temporary failovers",
            &snapshot.temporary_failovers,
            &self.detours,
        );
        let violations = stage.sim.log().violations();
        if !violations.is_empty() {
            differs.0.push(format!("violations: {violations:?}"));
        }
        if reports.iter().any(|report| !report.repeated.is_empty()) {
            differs.0.push("items were delivered twice".to_owned());
        }
        if !differs.0.is_empty() {
            let brief = |report: &TurnReport| {
                format!(
                    "requests {}, retried {:?}, error {:?}",
                    report.requests, report.retried, report.error
                )
            };
            differs.0.extend(reports.iter().map(brief));
        }
    }
}

/// What the client has seen, in the table's words.
fn seen(reports: &[TurnReport], stage: &Stage) -> Sees {
    if let Some(error) = reports.iter().find_map(|report| report.error.as_ref()) {
        return Sees::Fails(Box::leak(error.code.clone().into_boxed_str()));
    }
    let by = match (stage.served("a"), stage.served("b")) {
        (0, 0) => By::Raw,
        (_, 0) => By::A,
        (0, _) => By::B,
        (_, _) => By::Both,
    };
    if reports
        .iter()
        .all(|report| report.completed && report.reconnects == 0 && !report.fell_back)
    {
        Sees::Silent(by)
    } else {
        Sees::Again(by)
    }
}

impl State {
    fn of(state: &Eligibility) -> Self {
        match state {
            Eligibility::Eligible => Self::Eligible,
            Eligibility::CoolingDown { .. } => Self::Cooling,
            Eligibility::Exhausted { .. } => Self::Exhausted,
            Eligibility::NeedsAttention { .. } => Self::Attention,
            Eligibility::HeldBack { .. } | Eligibility::Skipped => Self::Other,
        }
    }
}

#[derive(Debug, Default)]
struct Differences(Vec<String>);

impl Differences {
    fn unless<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, is: &T, expected: &T) {
        if is != expected {
            self.0.push(format!("{what}: {is:?} rather than {expected:?}"));
        }
    }
}

/// Plays all rows on both transports, and names every one that isn't as it says.
pub(crate) async fn hold(mut rows: Vec<Row>) {
    // What takes longest begins first.
    rows.sort_by_key(|row| ![row.websocket, row.http].contains(&Sees::Fails("retries_exhausted")));
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut playing = JoinSet::new();
    let mut texts = std::collections::HashMap::new();
    for row in rows {
        for (mode, sees) in [(Mode::WebSocket, row.websocket), (Mode::Http, row.http)] {
            if sees == Sees::Nothing {
                continue;
            }
            let (row, room) = (row.clone(), Arc::clone(&room));
            let text = row.text;
            let task = playing.spawn(async move {
                let _room = room.acquire_owned().await;
                Box::pin(row.play(mode)).await
            });
            texts.insert(task.id(), (mode, text));
        }
    }
    let mut failing = Vec::new();
    while let Some(played) = playing.join_next_with_id().await {
        let (id, differs) = played.unwrap_or_else(|error| (error.id(), vec![error.to_string()]));
        if !differs.is_empty() {
            let (mode, text) = texts[&id];
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            failing.push(format!("{mode:?}: {line}\n    {}", differs.join("\n    ")));
        }
    }
    failing.sort_unstable();
    assert!(
        failing.is_empty(),
        "{} failing\n{}",
        failing.len(),
        failing.join("\n")
    );
}
