// The control protocol as the window's page sees it: made from Rust by tests/types.rs, not by hand.

/**
 * A kind of notification.
 */
export type About = "switched" | "temporary_failover" | "recovered" | "low" | "all_exhausted" | "needs_attention" | "codex_disconnected" | "pin_stopped";

export type AccountForecast = { account: AccountId, windows: Array<WindowForecast>, };

/**
 * Ours, stable, never reused: survives rename, reorder and the removal of others.
 */
export type AccountId = number;

export type AccountView = { id: AccountId, label: string, plan: string | null, state: Eligibility, 
/**
 * The state in words, e.g. `Limit reached · back 16:40`.
 */
state_text: string, windows: Array<WindowView>, skipped: boolean, use_credits: boolean, 
/**
 * Percent used at which it is held back; 100 is off.
 */
threshold: Percent, window_thresholds: Array<[WindowLength, Percent]>, reserve: boolean, last_used: Timestamp | null, 
/**
 * The auth.json that it is read from, which its owner renews; absent: it has a sign-in of its own.
 */
linked: string | null, 
/**
 * Resets that the person may use when they like.
 */
banked: BankedResets, };

export type Appearance = "system" | "light" | "dark";

/**
 * Resets that a person has in the bank, to use up when they like. Baton shows them and never uses one.
 */
export type BankedResets = { count: number, 
/**
 * When they expire, as far as that is known; soonest first.
 */
expire: Array<Timestamp>, };

export type BaseUrls = { 
/**
 * For `openai_base_url` in Codex's config.toml.
 */
openai_base_url: string, 
/**
 * For `chatgpt_base_url`: another origin on purpose (PROTOCOL §1).
 */
chatgpt_base_url: string, };

/**
 * What the forecast rests on.
 */
export type Basis = { 
/**
 * Days of readings, at most 28.
 */
days: number, 
/**
 * The person's usual hours count: there are three days of readings or more.
 */
usual_hours: boolean, 
/**
 * Nothing was used of these yet: they are taken to last as long as others of their plan.
 */
assumed: Array<AccountId>, 
/**
 * Of these nothing is known.
 */
unknown: Array<AccountId>, };

/**
 * Why an account is the one.
 */
export type Because = { "kind": "pinned" } | { "kind": "turn_stays" } | { "kind": "active" } | { "kind": "became_active", cause: Cause, } | { "kind": "temporary_failover", instead_of: AccountId, } | { "kind": "made_compaction" } | { "kind": "chosen_by_person" } | { "kind": "most_headroom" } | { "kind": "session_stays" } | { "kind": "used_longest_ago" } | { "kind": "resets_soonest" } | { "kind": "probe" };

export type Blocked = { from: Timestamp, 
/**
 * `None`: still.
 */
to: Timestamp | null, said: string, };

/**
 * A stretch in which somebody asked and nobody could serve.
 */
export type BlockedTime = { 
/**
 * When the first request met it.
 */
began: Timestamp, 
/**
 * When somebody could serve again; `None`: it lasts.
 */
ended: Timestamp | null, 
/**
 * The return that was expected, if one was known.
 */
until: Timestamp | null, why: BlockedWhy, 
/**
 * The first of them; its explanation says why of every account.
 */
request: number | null, 
/**
 * How many requests were refused, or asked to wait.
 */
requests: number, 
/**
 * The last of them.
 */
asked_last: Timestamp, };

export type BlockedWhy = "no_accounts" | "waits" | "nobody_usable" | "pinned_unusable" | "braked";

/**
 * The only things that change the active account.
 */
export type Cause = "first_use" | "limit_reached" | "threshold_reached" | "cooling_down" | "needs_attention" | "skipped" | "removed" | "returned_to_primary" | "switched_by_person" | "strategy_changed";

/**
 * An account that ends, for a limit or a threshold, in the likely course.
 */
export type Change = { at: Timestamp, from: AccountId, 
/**
 * `None`: nobody serves then.
 */
to: AccountId | null, cause: Cause, };

export type Check = { id: CheckId, subject: Subject, outcome: Outcome, 
/**
 * How it is, in a sentence.
 */
said: string, to_do: string | null, };

export type CheckId = "baton" | "pool" | "ports" | "keychain" | "clock" | "tray" | "last_request" | "state" | "sign_in" | "plan" | "usage" | "config" | "profile" | "project" | "environment" | "codex_version";

export type Choice = { "kind": "use", account: AccountId, generation: number, because: Because, } | { "kind": "wait", until: Timestamp, account: AccountId, } | { "kind": "refuse", reason: RefuseReason, };

export type CodexHome = { home: string, mode: Mode, };

export type CodexView = { 
/**
 * Which of Codex's folders are connected.
 */
homes: Array<CodexHome>, 
/**
 * Which are to be, and aren't: another program has changed their config.toml.
 */
lost: Array<string>, 
/**
 * Whether Codex's requests come this way, by Baton's doing or by hand.
 */
comes_through: boolean, 
/**
 * When a request of Codex's last came through, across restarts.
 */
last_request: Timestamp | null, };

export type Command = { "command": "status" } | { "command": "switch", account: string, } | { "command": "pin", account: string, } | { "command": "unpin" } | { "command": "use", strategy: Strategy, } | { "command": "set_on_recovery", on_recovery: OnRecovery, } | { "command": "set_wait_for_recovery", seconds: number, } | { "command": "why", request: number | null, } | { "command": "forecast" } | { "command": "timeline", days: number, width: number | null, } | { "command": "replay", days: number | null, } | { "command": "doctor", account: string | null, } | { "command": "log", limit: number, only: LogFilter, } | { "command": "add_from", path: string, label: string, } | { "command": "add_link", path: string, label: string, } | { "command": "sign_in", 
/**
 * What to call the account, if it is a new one.
 */
label: string, way: SignInWay, } | { "command": "sign_in_wait", id: number, 
/**
 * The [`SignInView::version`] that is known already.
 */
seen: number, } | { "command": "sign_in_paste", id: number, address: Pasted, } | { "command": "sign_in_cancel", id: number, } | { "command": "remove", account: string, } | { "command": "rename", account: string, label: string, } | { "command": "move", account: string, position: number, } | { "command": "skip", account: string, skipped: boolean, } | { "command": "use_credits", account: string, on: boolean, } | { "command": "threshold", account: string | null, window: WindowLength | null, at: Percent, reserve: boolean | null, } | { "command": "bypass", on: boolean, } | { "command": "connect_codex", home: string | null, mode: Mode | null, } | { "command": "disconnect_codex", home: string | null, } | { "command": "look_at_codex" } | { "command": "set_notification", about: About, on: boolean, } | { "command": "set_appearance", appearance: Appearance, } | { "command": "accept_terms" } | { "command": "data" } | { "command": "export", path: string, format: ExportFormat, } | { "command": "delete_history" } | { "command": "watch" } | { "command": "renew_secret" } | { "command": "watch_from_window" } | { "command": "show_window", 
/**
 * Where in it: `now`, `outlook`, `activity`, `settings`, or `account/` and its number.
 */
place: string, } | { "command": "stop" } | { "command": "stop_now" };

export type ControlError = { kind: ErrorKind, 
/**
 * Says what to do.
 */
message: string, };

export type CoolingReason = "throttled" | "server_trouble";

export type DataView = { folder: string, 
/**
 * Of the database, in bytes.
 */
size: number, requests: number, events: number, oldest: Timestamp | null, retention_days: number, };

export type Decision = { at: Timestamp, strategy: Strategy, choice: Choice, 
/**
 * The change of the active account that this choice brings with it.
 */
switch: Switch | null, 
/**
 * In the person's order.
 */
lines: Array<Line>, };

export type Depletion = { "kind": "at" } & When | { "kind": "used_up" } | { "kind": "lasts" } | { "kind": "resting" } | { "kind": "unknown" };

export type Eligibility = { "state": "eligible" } | { "state": "held_back", window: WindowLength, used: Percent, threshold: Percent, until: Timestamp | null, reserve: boolean, } | { "state": "cooling_down", since: Timestamp, until: Timestamp, reason: CoolingReason, } | { "state": "exhausted", until: Timestamp | null, reason: ExhaustedReason, on_credits: boolean, } | { "state": "needs_attention", reason: Refusal, } | { "state": "skipped" };

export type ErrorKind = "invalid" | "other_version" | "keychain" | "failed";

export type Event = { at: Timestamp, kind: EventKind, };

export type EventKind = { "event": "switched" } & Switch | { "event": "temporary_failover", from: AccountId, to: AccountId, } | { "event": "state_changed", account: AccountId, from: Eligibility, to: Eligibility, } | { "event": "added", account: AccountId, } | { "event": "removed", account: AccountId, label: string, } | { "event": "pinned", account: AccountId, } | { "event": "unpinned", account: AccountId, } | { "event": "strategy_changed", from: Strategy, to: Strategy, } | { "event": "brake_engaged" } | { "event": "brake_released" } | { "event": "all_exhausted", earliest: Timestamp | null, } | { "event": "serving" };

export type ExhaustedReason = { "limit": LimitKind } | "used_up";

/**
 * What a window is expected to come to.
 */
export type Expected = { 
/**
 * Nothing left of it; `None`: it lasts until its reset, or nothing is known.
 */
depleted: When | null, 
/**
 * Whole again.
 */
recovers: Timestamp | null, };

/**
 * Quota that was unused when its window was reset, of all accounts: 100 is one whole window of one account.
 */
export type Expired = { window: WindowLength, percent: number, };

/**
 * Why a past request went where it went, in the words of that day's decision.
 */
export type Explanation = { at: Timestamp, strategy: Strategy, 
/**
 * In one sentence.
 */
text: string, 
/**
 * In the order that the person had then.
 */
lines: Array<ExplanationLine>, };

export type ExplanationLine = { account: AccountId, label: string, chosen: boolean, text: string, };

export type ExportFormat = "csv" | "json";

/**
 * Everything that can be foretold at one moment, of requests that the general limit meters.
 */
export type Forecast = { at: Timestamp, 
/**
 * The person works: something was used within three quarters of an hour.
 */
in_use: boolean, pool: Outlook, 
/**
 * How many minutes of work are left at the usual pace, recoveries included; `None` where that isn't known, or where
 * it is more than a week of uninterrupted work.
 */
work_left: number | null, 
/**
 * As [`Pool::next`] has it.
 */
next: AccountId | null, 
/**
 * Who ends when, and who serves then, up to the interruption or the horizon; at most [`MOST_CHANGES`].
 */
changes: Array<Change>, 
/**
 * In the person's order.
 */
accounts: Array<AccountForecast>, basis: Basis, };

/**
 * A forecast, and the same in words.
 */
export type ForecastView = { forecast: Forecast, 
/**
 * In one sentence.
 */
said: string, 
/**
 * The changes that are expected, one sentence each.
 */
expected: Array<string>, 
/**
 * What it goes by.
 */
rests_on: string, };

export type Lane = { account: AccountId, label: string, 
/**
 * What is left, or what is the matter, in a few words.
 */
said: string, 
/**
 * When it served requests.
 */
served: Array<Span>, 
/**
 * The shortest window first.
 */
tracks: Array<Track>, };

export type Level = { at: Timestamp, used: Percent, };

/**
 * Which meter a limit belongs to.
 */
export type LimitFamily = "general" | { "named": string };

/**
 * Which kind of exhaustion the upstream named.
 */
export type LimitKind = "usage_limit" | "insufficient_quota" | "workspace_credits" | "workspace_limit";

export type Line = { account: AccountId, 
/**
 * For requests of this model.
 */
state: Eligibility, standing: Standing, };

/**
 * A line of `baton log`.
 */
export type LogEntry = { "entry": "event", event: Event, 
/**
 * The request that brought it, whose explanation is this one's.
 */
request: number | null, } | { "entry": "request" } & RequestLine | { "entry": "blocked" } & BlockedTime | { "entry": "reading" } & ReadingLine;

/**
 * Which lines of the log; by default all but readings.
 */
export type LogFilter = { account: string | null, kind: LogKind | null, since: Timestamp | null, };

export type LogKind = "switches" | "requests" | "events" | "blocked" | "readings";

export type Message = { "message": "reply", reply: Reply, } | { "message": "error", error: ControlError, } | { "message": "event", event: Event, } | { "message": "changed" } | { "message": "show", place: string, };

/**
 * What of Codex goes through Baton (PROTOCOL §1).
 */
export type Mode = "default" | "requests" | "provider";

/**
 * What is told by a notification.
 */
export type Notifications = { switched: boolean, temporary_failover: boolean, recovered: boolean, low: boolean, all_exhausted: boolean, needs_attention: boolean, codex_disconnected: boolean, pin_stopped: boolean, };

/**
 * What `sequential` does when an earlier account of the order is eligible again.
 */
export type OnRecovery = "stay" | "return";

export type Outcome = "fine" | "note" | "problem" | "not_checked";

/**
 * Until when somebody serves.
 */
export type Outlook = { "kind": "until" } & When | { "kind": "interrupted", until: Timestamp | null, } | { "kind": "beyond", horizon: Timestamp, } | { "kind": "unknown", account: AccountId | null, from: Timestamp, } | { "kind": "resting" };

/**
 * Why an account isn't the one.
 */
export type PassedOver = { "kind": "not_usable" } | { "kind": "tried" } | { "kind": "lacks_model" } | { "kind": "breaks_off" } | { "kind": "waits_its_turn" } | { "kind": "later_tier" } | { "kind": "other_pinned" } | { "kind": "other_chosen_by_person" } | { "kind": "turn_elsewhere" } | { "kind": "compaction_elsewhere" } | { "kind": "session_elsewhere" } | { "kind": "less_headroom" } | { "kind": "used_more_recently" } | { "kind": "resets_later" } | { "kind": "braked" };

/**
 * It holds a code: not in a `Debug` output.
 */
export type Pasted = string;

/**
 * Percent *used*, 0 to 100, fractions kept: 99.6 is not 100.
 */
export type Percent = number;

/**
 * What a person chose for how Baton looks and speaks.
 */
export type Preferences = { notifications: Notifications, appearance: Appearance, terms_accepted: boolean, };

/**
 * What was read of one window.
 */
export type ReadingLine = { at: Timestamp, account: AccountId, family: LimitFamily, window: WindowLength, 
/**
 * Percent *used*, as the service says it.
 */
used: Percent, 
/**
 * Absent while the timer isn't running.
 */
resets_at: Timestamp | null, source: Source, };

/**
 * Why an account needs a person.
 */
export type Refusal = "deactivated_workspace" | "usage_not_included" | "token_invalidated" | "grant_refused" | "refresh_interrupted" | "unsupported_backend" | "account_blocked" | "link_gone" | "link_unreadable" | "link_of_another" | "link_stale";

export type RefuseReason = { "kind": "no_accounts" } | { "kind": "nobody_usable", earliest: Timestamp | null, } | { "kind": "pinned_unusable", account: AccountId, state: Eligibility, } | { "kind": "braked" } | { "kind": "all_tried" };

/**
 * What the replay goes by.
 */
export type ReplayBasis = { "kind": "built_in" } | { "kind": "recorded", 
/**
 * What a request costs them isn't known: taken to be as on the others, as if on equal plans.
 */
assumed: Array<AccountId>, 
/**
 * Other clients used them as well, which isn't replayed.
 */
used_elsewhere: Array<AccountId>, };

export type ReplayComparison = { from: Timestamp, to: Timestamp, 
/**
 * On which anything was asked for.
 */
working_days: number, basis: ReplayBasis, 
/**
 * The person's strategy.
 */
present: Strategy, verdict: ReplayVerdict, 
/**
 * In the order of [`Strategy::ALL`], with the person's thresholds.
 */
outcomes: Array<ReplayOutcome>, 
/**
 * The same with no account held back; empty where no threshold is set.
 */
without_thresholds: Array<ReplayOutcome>, };

export type ReplayOutcome = { strategy: Strategy, 
/**
 * How often the person had to stop because nobody could serve, once for each day that this went on.
 */
interruptions: number, 
/**
 * Of the hours that the person worked.
 */
blocked_minutes: number, 
/**
 * The most work hours in a row without an interruption, in minutes.
 */
longest_stretch_minutes: number, 
/**
 * Requests that no longer fitted into their day.
 */
undone: number, served: number, 
/**
 * Shortest window first.
 */
expired: Array<Expired>, 
/**
 * Of the active account; none under a strategy without one.
 */
switches: Array<Switched>, 
/**
 * Requests of a thread that another account had served before: their caches are cold.
 */
moves: number, };

/**
 * `sure`: the share of draws of the recorded days in which the same comes out; `None` for the made-up week.
 */
export type ReplayVerdict = { "kind": "too_little" } | { "kind": "never_blocked" } | { "kind": "better", strategy: Strategy, 
/**
 * Blocked less than under the present one.
 */
minutes_less: number, 
/**
 * Negative: more.
 */
interruptions_fewer: number, sure: number | null, } | { "kind": "present_is_best", sure: number | null, } | { "kind": "cannot_tell", strategy: Strategy, 
/**
 * 0 for the present one.
 */
minutes_less: number, sure: number, };

/**
 * The past under every strategy, and what follows from it in words.
 */
export type ReplayView = { comparison: ReplayComparison | null, said: string, };

export type Reply = { "reply": "done", message: string, } | { "reply": "status", snapshot: Snapshot, } | { "reply": "why", next: Decision, last: Decision | null, } | { "reply": "explained", request: RequestLine | null, explanations: Array<Explanation>, } | { "reply": "forecast", forecast: ForecastView, } | { "reply": "timeline", timeline: Timeline, svg: string | null, } | { "reply": "replay", replay: ReplayView, } | { "reply": "log", entries: Array<LogEntry>, } | { "reply": "checks", checks: Array<Check>, } | { "reply": "added", account: AccountId, message: string, } | { "reply": "sign_in", sign_in: SignInView, } | { "reply": "data", data: DataView, };

/**
 * One request.
 */
export type RequestLine = { 
/**
 * By which a person names it; they go up in the order of arrival.
 */
id: number, at: Timestamp, 
/**
 * `None`: nobody could serve.
 */
account: AccountId | null, 
/**
 * A hash, as are thread and turn.
 */
session: string | null, thread: string | null, turn: TurnMark, model: string | null, transport: Transport, outcome: string, 
/**
 * To the first byte of the answer, milliseconds of real time.
 */
first_byte_ms: number | null, 
/**
 * To the first byte of output.
 */
first_output_ms: number | null, 
/**
 * Held here until an account was back, milliseconds of real time.
 */
waited_ms: number, 
/**
 * Accounts tried before this one.
 */
failovers: number, input_tokens: number | null, 
/**
 * Of the input, read from the prompt cache.
 */
cached_tokens: number | null, output_tokens: number | null, };

/**
 * A sign-in that waits for a person.
 */
export type SignInView = { id: number, 
/**
 * The page to open.
 */
link: string, 
/**
 * To be entered there.
 */
code: string | null, expires_at: Timestamp, 
/**
 * Goes up with every note.
 */
version: number, 
/**
 * How it goes, if there is anything to say.
 */
note: string | null, };

export type SignInWay = "browser" | "device";

/**
 * Everything that a screen shows, at one moment.
 */
export type Snapshot = { 
/**
 * Baton's own version.
 */
version: string, at: Timestamp, 
/**
 * What Codex must be given; absent while Baton doesn't serve.
 */
base_urls: BaseUrls | null, upstream: string, strategy: Strategy, on_recovery: OnRecovery, wait_for_recovery_secs: number, 
/**
 * Pinned, active, or used last: whom people see as current.
 */
active: AccountId | null, 
/**
 * Who serves when the active account can't, or first where none is active yet.
 */
next: AccountId | null, 
/**
 * What a request would meet now.
 */
next_request: Choice, pinned: AccountId | null, 
/**
 * Automatic failover has stopped: `baton switch` releases it.
 */
braked: boolean, temporary_failovers: number, running_requests: number, 
/**
 * Absent where none was made since the rules, or who can serve, changed.
 */
forecast: ForecastView | null, 
/**
 * In the person's order.
 */
accounts: Array<AccountView>, 
/**
 * What is wrong outside the accounts (keychain locked, …), each with what to do.
 */
problems: Array<string>, 
/**
 * Requests pass with Codex's own sign-in.
 */
bypassed: boolean, codex: CodexView, preferences: Preferences, };

/**
 * Where a reading came from.
 */
export type Source = "headers" | "frame" | "usage_route";

export type Span = { from: Timestamp, to: Timestamp, };

export type Standing = { "kind": "chosen", "why": Because } | { "kind": "passed_over", "why": PassedOver };

export type Strategy = "sequential" | "balanced" | "affinity" | "round_robin" | "soonest_reset";

/**
 * One window from its first use to its reset, as it was read.
 */
export type Stretch = { from: Timestamp, 
/**
 * When it was reset, or will be; `None`: nobody has said.
 */
resets_at: Timestamp | null, 
/**
 * In order of time.
 */
levels: Array<Level>, };

/**
 * What a finding is about.
 */
export type Subject = "machine" | { "account": string } | "codex";

export type Switch = { from: AccountId | null, to: AccountId, cause: Cause, };

export type SwitchMark = { at: Timestamp, from: AccountId | null, to: AccountId, 
/**
 * Why, in a few words.
 */
said: string, 
/**
 * It is foretold, not past.
 */
expected: boolean, };

export type Switched = { at: Timestamp, from: AccountId | null, to: AccountId, cause: Cause, };

export type Tick = { at: Timestamp, label: string, };

/**
 * Everything that a picture shows. Times in milliseconds since the epoch, percents *used*.
 */
export type Timeline = { from: Timestamp, now: Timestamp, to: Timestamp, 
/**
 * Where the axis is marked.
 */
ticks: Array<Tick>, 
/**
 * In the person's order.
 */
lanes: Array<Lane>, switches: Array<SwitchMark>, 
/**
 * When nobody could serve although somebody asked.
 */
blocked: Array<Blocked>, 
/**
 * When nobody will be able to, as far as that can be foretold.
 */
interruption: When | null, };

/**
 * Milliseconds since the Unix epoch.
 */
export type Timestamp = number;

/**
 * One kind of window of one account.
 */
export type Track = { length: WindowLength, stretches: Array<Stretch>, expected: Expected | null, };

export type Transport = "http" | "web_socket";

/**
 * What a request is to its turn.
 */
export type TurnMark = { "id": string } | "continues" | "new" | "prewarm";

/**
 * A moment, with the range in which it lies four times of five.
 */
export type When = { earliest: Timestamp, 
/**
 * `None`: beyond what can be foretold.
 */
likely: Timestamp | null, latest: Timestamp | null, };

/**
 * One window, if the account serves everything from now on.
 */
export type WindowForecast = { length: WindowLength, 
/**
 * Percent used by an hour of work: at the pace of now, or the usual one when nobody works.
 */
pace: number | null, depletes: Depletion, 
/**
 * When it starts anew, if its timer runs.
 */
recovers: Timestamp | null, };

/**
 * How long a window lasts, in minutes: 300 is five hours, 10,080 a week.
 */
export type WindowLength = number;

export type WindowView = { family: LimitFamily, 
/**
 * Of a named limit.
 */
name: string | null, length: WindowLength, 
/**
 * Percent *left*, as every screen shows it.
 */
left: number, 
/**
 * Absent while the timer isn't running.
 */
resets_at: Timestamp | null, observed_at: Timestamp, 
/**
 * Too old to go by: it may be otherwise by now.
 */
stale: boolean, };
