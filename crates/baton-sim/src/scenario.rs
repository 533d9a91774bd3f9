//! What a simulation starts from: its accounts, how the model answers, how limits show.

use std::time::Duration;

use crate::fault::FaultRule;
use crate::script::AccountScript;

/// A percent reading as the backend would round it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Percent {
    /// Whole percents, rounded down: 99.6 reads 99, and 100 means spent.
    #[default]
    Floor,
    /// Whole percents, rounded to the nearest: 99.6 reads 100 although the account still answers.
    Round,
    /// The exact fraction.
    Exact,
}

/// In which disguise a spent account refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitForm {
    /// HTTP: a 429 head. WebSocket: an error frame in answer to the frame.
    Head,
    /// WebSocket: the upgrade itself is refused with 429. HTTP: as [`LimitForm::Head`].
    Upgrade,
    /// `response.created`, then `response.failed`.
    Failed,
    /// `response.created`, then an `error` event (on WebSocket: an error frame).
    ErrorEvent,
    /// Some output is delivered, then `response.failed` (on WebSocket: an error frame).
    AfterOutput,
}

/// What happens to the request that uses up the last of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Crossing {
    /// It completes; the next one is refused.
    #[default]
    Completes,
    /// A request that doesn't fit any more is refused, and the window counts as used up.
    Refused,
    /// It is broken off by the limit after some output.
    CutAfterOutput,
}

/// How the model answers.
#[derive(Clone, Debug)]
pub struct Output {
    pub(crate) template: String,
    pub(crate) latency: Duration,
    pub(crate) delta_delay: Duration,
    pub(crate) delta_words: usize,
    pub(crate) bulk: Option<(usize, usize)>,
    pub(crate) reasoning: bool,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            template: "Answer to: {user} #{n}".to_owned(),
            latency: Duration::ZERO,
            delta_delay: Duration::ZERO,
            delta_words: 8,
            bulk: None,
            reasoning: true,
        }
    }
}

impl Output {
    /// The default: `Answer to: <last user text> #<n>`, at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The text of every answer. Placeholders: `{user}` the last user text, `{n}` the number of the response,
    /// `{id}` its id, `{account}` the account that served it, `{model}`.
    #[must_use]
    pub fn template(mut self, template: impl Into<String>) -> Self {
        self.template = template.into();
        self
    }

    /// Simulated time before the first output event.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Simulated time between text deltas.
    #[must_use]
    pub fn delta_delay(mut self, delay: Duration) -> Self {
        self.delta_delay = delay;
        self
    }

    /// How many words a text delta carries (8).
    #[must_use]
    pub fn delta_words(mut self, words: usize) -> Self {
        self.delta_words = words.max(1);
        self
    }

    /// For benches: `total` bytes of text in deltas of `event` bytes that are built once and shared.
    #[must_use]
    pub fn bulk(mut self, total: usize, event: usize) -> Self {
        self.bulk = Some((total, event.max(1)));
        self
    }

    /// Whether answers begin with a reasoning item that carries `encrypted_content` (they do).
    #[must_use]
    pub fn reasoning(mut self, yes: bool) -> Self {
        self.reasoning = yes;
        self
    }
}

/// Everything a simulation starts from.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(crate) seed: u64,
    pub(crate) speed: f64,
    pub(crate) start_millis: Option<i64>,
    pub(crate) port: u16,
    pub(crate) https: bool,
    pub(crate) accounts: Vec<AccountScript>,
    pub(crate) cli: AccountScript,
    pub(crate) output: Output,
    pub(crate) percent: Percent,
    pub(crate) limit_on_http: LimitForm,
    pub(crate) limit_on_websocket: LimitForm,
    pub(crate) prewarm_when_spent: bool,
    pub(crate) crossing: Crossing,
    pub(crate) readings_include_request: bool,
    pub(crate) refuse_foreign_ciphertext: bool,
    pub(crate) websocket_lifetime: Duration,
    pub(crate) models: String,
    pub(crate) keep_bodies: bool,
    pub(crate) faults: Vec<FaultRule>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            speed: 1.0,
            start_millis: None,
            port: 0,
            https: false,
            accounts: Vec::new(),
            cli: AccountScript::new("acct-cli"),
            output: Output::default(),
            percent: Percent::default(),
            limit_on_http: LimitForm::Head,
            limit_on_websocket: LimitForm::Head,
            prewarm_when_spent: true,
            crossing: Crossing::default(),
            readings_include_request: false,
            refuse_foreign_ciphertext: false,
            websocket_lifetime: Duration::from_secs(3600),
            models: r#"{"models":[]}"#.to_owned(),
            keep_bodies: true,
            faults: Vec::new(),
        }
    }
}

impl Scenario {
    /// No accounts but the CLI's own login (`acct-cli`, without limits), real time.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Seeds ids and random faults.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Simulated seconds per real second; 0 freezes time.
    #[must_use]
    pub fn speed(mut self, speed: f64) -> Self {
        self.speed = speed;
        self
    }

    /// The simulated Unix time at the start, in milliseconds; by default the real time.
    #[must_use]
    pub fn start_at(mut self, unix_millis: i64) -> Self {
        self.start_millis = Some(unix_millis);
        self
    }

    /// The http port; by default any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Also serve https and wss, under a throwaway certificate authority.
    #[must_use]
    pub fn https(mut self) -> Self {
        self.https = true;
        self
    }

    /// Adds an account.
    #[must_use]
    pub fn account(mut self, account: AccountScript) -> Self {
        self.accounts.push(account);
        self
    }

    /// The account of the CLI's own login, which is not meant to be in the pool.
    #[must_use]
    pub fn cli_account(mut self, account: AccountScript) -> Self {
        self.cli = account;
        self
    }

    /// How the model answers.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// How used percents are rounded.
    #[must_use]
    pub fn percent(mut self, percent: Percent) -> Self {
        self.percent = percent;
        self
    }

    /// How a spent account refuses on HTTP.
    #[must_use]
    pub fn limit_on_http(mut self, form: LimitForm) -> Self {
        self.limit_on_http = form;
        self
    }

    /// How a spent account refuses on WebSocket.
    #[must_use]
    pub fn limit_on_websocket(mut self, form: LimitForm) -> Self {
        self.limit_on_websocket = form;
        self
    }

    /// Whether a spent account still answers a prewarm (it does).
    #[must_use]
    pub fn prewarm_when_spent(mut self, yes: bool) -> Self {
        self.prewarm_when_spent = yes;
        self
    }

    /// What happens to the request that crosses 100 %.
    #[must_use]
    pub fn crossing(mut self, crossing: Crossing) -> Self {
        self.crossing = crossing;
        self
    }

    /// Whether the quota headers and frames of an answer count that answer itself (they don't: the reading
    /// lags by one request, and an account runs out by refusing rather than by announcing 100 %).
    #[must_use]
    pub fn readings_include_request(mut self, yes: bool) -> Self {
        self.readings_include_request = yes;
        self
    }

    /// Whether `encrypted_content` made by another account is refused with `invalid_encrypted_content`.
    #[must_use]
    pub fn refuse_foreign_ciphertext(mut self, yes: bool) -> Self {
        self.refuse_foreign_ciphertext = yes;
        self
    }

    /// After how long a WebSocket answers with `websocket_connection_limit_reached` (60 minutes).
    #[must_use]
    pub fn websocket_lifetime(mut self, lifetime: Duration) -> Self {
        self.websocket_lifetime = lifetime;
        self
    }

    /// The body of `GET codex/models`.
    #[must_use]
    pub fn models_json(mut self, json: impl Into<String>) -> Self {
        self.models = json.into();
        self
    }

    /// Whether the log keeps request bodies and headers (it does; a long soak shouldn't).
    #[must_use]
    pub fn keep_bodies(mut self, yes: bool) -> Self {
        self.keep_bodies = yes;
        self
    }

    /// A fault from the start; more can be added to the running simulation.
    #[must_use]
    pub fn fault(mut self, rule: FaultRule) -> Self {
        self.faults.push(rule);
        self
    }
}
