//! What command line, tray and window say to a running Baton: one JSON object a line, each way.

use std::{fmt, path::PathBuf};

use baton_core::{
    AccountId, BankedResets, Choice, Decision, Eligibility, Event, LimitFamily, OnRecovery, Percent,
    Strategy, Timestamp, WindowLength, timeline::Timeline,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::doctor::Check;

pub use super::history::{
    BlockedTime, BlockedWhy, Explanation, ExplanationLine, LogEntry, LogFilter, LogKind, ReadingLine,
    RequestLine, Transport, TurnMark,
};
pub use super::views::{
    About, Appearance, CodexHome, CodexView, DataView, ExportFormat, ForecastView, Notifications,
    Preferences, ReplayView,
};
pub use crate::codex::Mode;

/// Both sides must have the same; a client of another version is told so.
pub const VERSION: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Call {
    pub version: u32,
    pub command: Command,
}

impl Call {
    /// The command on a line. The version first: what another version means by the rest isn't known.
    pub fn read(line: &[u8]) -> Result<Command, ControlError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let invalid = |what: String| ControlError::new(ErrorKind::Invalid, what);
        let Versioned { version } = serde_json::from_slice(line)
            .map_err(|error| invalid(format!("not a call of Baton's: {error}")))?;
        if version != VERSION {
            return Err(ControlError::new(
                ErrorKind::OtherVersion,
                format!(
                    "the running Baton speaks version {VERSION} of its control protocol, and this program version \
                     {version}: restart Baton after an update, and use the `baton` it came with"
                ),
            ));
        }
        let call: Self =
            serde_json::from_slice(line).map_err(|error| invalid(format!("no such command: {error}")))?;
        Ok(call.command)
    }
}

/// An account as a person names it: its label (case doesn't matter) or its number.
pub type Selector = String;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    Status,
    Switch {
        account: Selector,
    },
    Pin {
        account: Selector,
    },
    Unpin,
    Use {
        strategy: Strategy,
    },
    SetOnRecovery {
        on_recovery: OnRecovery,
    },
    SetWaitForRecovery {
        seconds: u64,
    },
    /// The explanation for the next request, and the latest one made; or, with its number, for a past one.
    Why {
        #[serde(default)]
        request: Option<u64>,
    },
    /// How long it goes on, under the strategy of now.
    Forecast,
    /// So many days back and ahead; with a width in pixels, as a picture for a page too.
    Timeline {
        days: u32,
        width: Option<u32>,
    },
    /// The last days (90 at most, and by default) under every strategy.
    Replay {
        days: Option<u32>,
    },
    /// How everything is: accounts are asked for their usage. With an account: only that one.
    Doctor {
        account: Option<Selector>,
    },
    /// Newest first.
    Log {
        limit: usize,
        #[serde(default)]
        only: LogFilter,
    },
    /// Moves the grant of an auth.json into the keychain; the file is removed once that has worked.
    AddFrom {
        path: PathBuf,
        label: String,
    },
    /// Follows an auth.json, or the one in a folder, that a Codex goes on using: it is read, and never written.
    AddLink {
        path: PathBuf,
        label: String,
    },
    /// Begins a sign-in; one under way ends.
    SignIn {
        /// What to call the account, if it is a new one.
        label: String,
        way: SignInWay,
    },
    /// Answers with [`Reply::Added`] at the end of a sign-in; before, when there is news or a while has passed.
    SignInWait {
        id: u64,
        /// The [`SignInView::version`] that is known already.
        seen: u64,
    },
    /// The address that the sign-in page has sent a browser to which can't come back by itself.
    SignInPaste {
        id: u64,
        address: Pasted,
    },
    SignInCancel {
        id: u64,
    },
    Remove {
        account: Selector,
    },
    Rename {
        account: Selector,
        label: String,
    },
    /// 1 is the primary.
    Move {
        account: Selector,
        position: usize,
    },
    Skip {
        account: Selector,
        skipped: bool,
    },
    UseCredits {
        account: Selector,
        on: bool,
    },
    /// Percent used; 100 is off. Without a window: every window. Without an account: every account.
    Threshold {
        account: Option<Selector>,
        window: Option<WindowLength>,
        at: Percent,
        reserve: Option<bool>,
    },
    /// On: requests pass with Codex's own sign-in, as if Baton weren't there.
    Bypass {
        on: bool,
    },
    /// Edits Codex's config.toml; without a home that of `$CODEX_HOME`. Without a mode: as it was connected before, else in the
    /// first one that passes the self-test.
    ConnectCodex {
        home: Option<PathBuf>,
        mode: Option<Mode>,
    },
    /// Without a home: every one.
    DisconnectCodex {
        home: Option<PathBuf>,
    },
    /// Somebody else has connected or disconnected it, or changed what starts at login: screens look again.
    LookAtCodex,
    SetNotification {
        about: About,
        on: bool,
    },
    SetAppearance {
        appearance: Appearance,
    },
    /// The person has read what Baton does with their accounts.
    AcceptTerms,
    /// What is stored, and where.
    Data,
    /// The log and the readings, as a file that isn't there yet.
    Export {
        path: PathBuf,
        format: ExportFormat,
    },
    /// The whole ledger; accounts and settings stay.
    DeleteHistory,
    /// From then on the connection carries [`Message::Event`] and, on any change, [`Message::Changed`].
    Watch,
    /// A new secret in the base URLs, at once; connected Codexes are told.
    RenewSecret,
    /// [`Self::Watch`] for a window, which is to come to the front on [`Message::Show`].
    WatchFromWindow,
    /// The window that watches comes to the front; an error where none does.
    ShowWindow {
        /// Where in it: `now`, `outlook`, `activity`, `settings`, or `account/` and its number.
        place: String,
    },
    /// Ends Baton: running requests are drained.
    Stop,
    /// [`Self::Stop`], also while it is under way: running requests are cut, and asked again by Codex.
    StopNow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum SignInWay {
    Browser,
    Device,
}

/// It holds a code: not in a `Debug` output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct Pasted(String);

impl Pasted {
    pub fn new(address: impl Into<String>) -> Self {
        Self(address.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pasted(…)")
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    Reply {
        reply: Box<Reply>,
    },
    Error {
        error: ControlError,
    },
    Event {
        event: Event,
    },
    Changed,
    /// The window is to come to the front.
    Show {
        place: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    Done {
        message: String,
    },
    Status {
        snapshot: Snapshot,
    },
    Why {
        next: Decision,
        last: Option<Decision>,
    },
    /// Of a past request: the choices that it brought, the last one being its own. The line is absent where only a choice
    /// for its connection is known.
    Explained {
        request: Option<RequestLine>,
        explanations: Vec<Explanation>,
    },
    Forecast {
        forecast: ForecastView,
    },
    Timeline {
        timeline: Box<Timeline>,
        svg: Option<String>,
    },
    Replay {
        replay: Box<ReplayView>,
    },
    Log {
        entries: Vec<LogEntry>,
    },
    Checks {
        checks: Vec<Check>,
    },
    Added {
        account: AccountId,
        message: String,
    },
    SignIn {
        sign_in: SignInView,
    },
    Data {
        data: DataView,
    },
}

/// A sign-in that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SignInView {
    pub id: u64,
    /// The page to open.
    pub link: String,
    /// To be entered there.
    pub code: Option<String>,
    pub expires_at: Timestamp,
    /// Goes up with every note.
    pub version: u64,
    /// How it goes, if there is anything to say.
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[error("{message}")]
pub struct ControlError {
    pub kind: ErrorKind,
    /// Says what to do.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// What was asked for makes no sense: nothing has changed.
    Invalid,
    OtherVersion,
    Keychain,
    /// Disk, network, or a bug.
    Failed,
}

impl ControlError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// Everything that a screen shows, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Snapshot {
    /// Baton's own version.
    pub version: String,
    pub at: Timestamp,
    /// What Codex must be given; absent while Baton doesn't serve.
    pub base_urls: Option<BaseUrls>,
    pub upstream: String,
    pub strategy: Strategy,
    pub on_recovery: OnRecovery,
    pub wait_for_recovery_secs: u64,
    /// Pinned, active, or used last: whom people see as current.
    pub active: Option<AccountId>,
    /// Who serves when the active account can't, or first where none is active yet.
    pub next: Option<AccountId>,
    /// What a request would meet now.
    pub next_request: Choice,
    pub pinned: Option<AccountId>,
    /// Automatic failover has stopped: `baton switch` releases it.
    pub braked: bool,
    pub temporary_failovers: u64,
    pub running_requests: u64,
    /// Absent where none was made since the rules, or who can serve, changed.
    pub forecast: Option<Box<ForecastView>>,
    /// In the person's order.
    pub accounts: Vec<AccountView>,
    /// What is wrong outside the accounts (keychain locked, …), each with what to do.
    pub problems: Vec<String>,
    /// Requests pass with Codex's own sign-in.
    pub bypassed: bool,
    pub codex: CodexView,
    pub preferences: Preferences,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct BaseUrls {
    /// For `openai_base_url` in Codex's config.toml.
    pub openai_base_url: String,
    /// For `chatgpt_base_url`: another origin on purpose (PROTOCOL §1).
    pub chatgpt_base_url: String,
}

impl BaseUrls {
    /// Of a Baton on this port.
    pub(crate) fn new(port: u16, path_secret: &SecretString) -> Self {
        let secret = path_secret.expose_secret();
        Self {
            openai_base_url: format!("http://127.0.0.1:{port}/{secret}/backend-api/codex"),
            chatgpt_base_url: format!("http://localhost:{port}/{secret}/backend-api/"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AccountView {
    pub id: AccountId,
    pub label: String,
    pub plan: Option<String>,
    pub state: Eligibility,
    /// The state in words, e.g. `Limit reached · back 16:40`.
    pub state_text: String,
    pub windows: Vec<WindowView>,
    pub skipped: bool,
    pub use_credits: bool,
    /// Percent used at which it is held back; 100 is off.
    pub threshold: Percent,
    pub window_thresholds: Vec<(WindowLength, Percent)>,
    pub reserve: bool,
    pub last_used: Option<Timestamp>,
    /// The auth.json that it is read from, which its owner renews; absent: it has a sign-in of its own.
    #[serde(default)]
    pub linked: Option<PathBuf>,
    /// Resets that the person may use when they like.
    #[serde(default)]
    pub banked: BankedResets,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct WindowView {
    pub family: LimitFamily,
    /// Of a named limit.
    pub name: Option<String>,
    pub length: WindowLength,
    /// Percent *left*, as every screen shows it.
    pub left: f64,
    /// Absent while the timer isn't running.
    pub resets_at: Option<Timestamp>,
    pub observed_at: Timestamp,
    /// Too old to go by: it may be otherwise by now.
    #[serde(default)]
    pub stale: bool,
}
