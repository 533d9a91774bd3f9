//! Faults by script: which request, where in its life, and what happens to it.
//!
//! A rule is one line: `FaultRule::new(At::Output(1), Fault::Reset).account("acct-a").nth(3)`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::failure::Failure;
use crate::ids::Ids;
use crate::log::{Kind, Transport};

/// Where in a request's life a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// When a connection is accepted, before a byte is read. Only [`Fault::Cut`], [`Fault::Reset`] and
    /// [`Fault::Stall`] make sense here, and only `nth`, `first`, `after` choose among connections.
    Accept,
    /// In place of the answer to a WebSocket upgrade.
    Upgrade,
    /// In place of the response head, before the request is charged; on WebSocket in place of the first event.
    Head,
    /// After `response.created` and `response.in_progress`, before any output.
    Created,
    /// After this many output events.
    Output(usize),
    /// Inside a tool call item; strikes only answers that have one.
    ToolCall,
    /// After all output, before `response.completed`.
    BeforeCompleted,
    /// After `response.completed`.
    AfterCompleted,
    /// In place of the answer of a side route: `Models`, `AccountsCheck`, `Usage`, `Token`, …
    Route(Kind),
    /// After a side route has done its work, in place of its answer: a refresh token is used up, and the new
    /// tokens are lost on their way. `Token` only.
    AfterRoute(Kind),
}

/// What happens there.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A refusal: an HTTP head where there is none yet, an error frame on WebSocket, else `response.failed`.
    Refuse(Failure),
    /// `response.failed` in the stream.
    Failed(Failure),
    /// An `error` event in the stream; on WebSocket an error frame.
    ErrorEvent(Failure),
    /// `response.incomplete` with this reason.
    Incomplete(String),
    /// WebSocket: a close frame of this code. HTTP: the end of the connection.
    Close(u16),
    /// The connection ends (FIN) without another word.
    Cut,
    /// The connection is reset (RST).
    Reset,
    /// Nothing more is said; the connection stays open.
    Stall,
    /// A pause of simulated time, then everything as if nothing were.
    Delay(Duration),
    /// The rest comes in pieces of a few bytes, with a pause of simulated time after each.
    Drip {
        /// Bytes a piece.
        bytes: usize,
        /// The pause after each.
        pause: Duration,
    },
    /// The next event is broken off in its middle, inside a chunk or frame.
    TruncateEvent,
    /// An event whose text is not UTF-8.
    BadUtf8,
    /// An event that is not JSON.
    BadJson,
    /// An output event with this many bytes of text.
    GiantEvent(usize),
    /// An event of a type that nobody knows, with a payload.
    UnknownEvent,
    /// `response.completed` comes twice.
    DuplicateCompletion,
    /// Another item and its text after the completion.
    TrailingData,
    /// The stream ends here as if it were over, without `response.completed`.
    End,
    /// The head claims another content type.
    ContentType(String),
    /// The head claims this content encoding over bytes that aren't so encoded.
    BadEncoding(String),
    /// A redirect.
    Redirect(String),
    /// Any head and body, in place of the answer.
    Respond {
        /// The status.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
}

impl Fault {
    /// The name in the log.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Refuse(failure) | Self::Failed(failure) | Self::ErrorEvent(failure) => failure.code(),
            other => {
                let text = format!("{other:?}");
                text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
            }
        }
    }
}

/// What a rule may look at when it decides whether a request is its own.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The account, by the bearer.
    pub account: Option<String>,
    /// The transport.
    pub transport: Transport,
    /// What is asked for.
    pub kind: Kind,
    /// The conversation.
    pub thread_id: Option<String>,
    /// The turn.
    pub turn_id: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The last user text.
    pub user_text: Option<String>,
}

type Predicate = Arc<dyn Fn(&Facts) -> bool + Send + Sync>;

/// A fault, where it strikes, and which requests. Without further conditions it strikes every request for output
/// (not prewarms) that reaches its place.
#[derive(Clone)]
pub struct FaultRule {
    pub(crate) at: At,
    pub(crate) fault: Fault,
    account: Option<String>,
    transport: Option<Transport>,
    thread: Option<String>,
    model: Option<String>,
    prewarm: bool,
    when: Option<Predicate>,
    skip: u64,
    times: u64,
    probability: f64,
}

impl FaultRule {
    /// A fault at a place.
    #[must_use]
    pub fn new(at: At, fault: Fault) -> Self {
        Self {
            at,
            fault,
            account: None,
            transport: None,
            thread: None,
            model: None,
            prewarm: false,
            when: None,
            skip: 0,
            times: u64::MAX,
            probability: 1.0,
        }
    }

    /// Only requests of this account.
    #[must_use]
    pub fn account(mut self, name: impl Into<String>) -> Self {
        self.account = Some(name.into());
        self
    }

    /// Only requests on this transport.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Only requests of this conversation.
    #[must_use]
    pub fn thread(mut self, id: impl Into<String>) -> Self {
        self.thread = Some(id.into());
        self
    }

    /// Only requests for this model.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Prewarms rather than requests for output.
    #[must_use]
    pub fn prewarm(mut self) -> Self {
        self.prewarm = true;
        self
    }

    /// Only where this says so.
    #[must_use]
    pub fn when(mut self, condition: impl Fn(&Facts) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(condition));
        self
    }

    /// Only the nth request (from 1) that the other conditions admit.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        self.after(n.saturating_sub(1)).first(1)
    }

    /// Only the first `times` of them, counted after [`FaultRule::after`].
    #[must_use]
    pub fn first(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Not the first `skip` of them.
    #[must_use]
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Each with this probability, from the scenario's seed.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    fn admits(&self, facts: &Facts) -> bool {
        let same = |want: &Option<String>, is: &Option<String>| want.is_none() || want == is;
        let kind = match self.at {
            At::Accept => true,
            At::Upgrade => facts.kind == Kind::Upgrade,
            At::Route(kind) | At::AfterRoute(kind) => facts.kind == kind,
            _ if self.prewarm => facts.kind == Kind::Prewarm,
            _ => matches!(facts.kind, Kind::Generate | Kind::Compact),
        };
        kind && same(&self.account, &facts.account)
            && same(&self.thread, &facts.thread_id)
            && same(&self.model, &facts.model)
            && self
                .transport
                .is_none_or(|transport| transport == facts.transport)
            && self.when.as_ref().is_none_or(|when| when(facts))
    }
}

impl fmt::Debug for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}", self.fault.name(), self.at)
    }
}

/// A rule at work: how often it struck.
#[derive(Clone, Debug)]
pub struct FaultHandle(Arc<Active>);

impl FaultHandle {
    /// How many requests it has struck.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.0.hits.load(Ordering::Acquire)
    }

    /// Ends the rule.
    pub fn remove(&self) {
        self.0.removed.store(1, Ordering::Release);
    }
}

#[derive(Debug)]
struct Active {
    rule: FaultRule,
    seen: AtomicU64,
    hits: AtomicU64,
    removed: AtomicU64,
}

/// The rules of a running simulation; the first that admits a request strikes it.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Arc<Active>>>);

impl Faults {
    pub(crate) fn add(&self, rule: FaultRule) -> FaultHandle {
        let zero = || AtomicU64::new(0);
        let active = Arc::new(Active {
            rule,
            seen: zero(),
            hits: zero(),
            removed: zero(),
        });
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(active.clone());
        FaultHandle(active)
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The fault for a request at the places that `reaches` names, if any.
    pub(crate) fn pick(&self, facts: &Facts, ids: &Ids, reaches: impl Fn(At) -> bool) -> Option<(At, Fault)> {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for active in rules {
            let rule = &active.rule;
            if active.removed.load(Ordering::Acquire) != 0 || !reaches(rule.at) || !rule.admits(facts) {
                continue;
            }
            let n = active.seen.fetch_add(1, Ordering::AcqRel);
            let counted = n >= rule.skip && n - rule.skip < rule.times;
            if counted && (rule.probability >= 1.0 || ids.unit() < rule.probability) {
                active.hits.fetch_add(1, Ordering::AcqRel);
                return Some((rule.at, rule.fault.clone()));
            }
        }
        None
    }
}
