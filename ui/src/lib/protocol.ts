// The control protocol as the window's page sees it: made from Rust by tests/types.rs, not by hand.

/**
 * A kind of notification.
 */
export type About = "switched" | "temporary_failover" | "recovered" | "low" | "all_exhausted" | "needs_attention" | "codex_disconnected" | "pin_stopped";

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
 * Why an account is the one.
 */
export type Because = { "kind": "pinned" } | { "kind": "turn_stays" } | { "kind": "active" } | { "kind": "became_active", cause: Cause, } | { "kind": "temporary_failover", instead_of: AccountId, } | { "kind": "made_compaction" } | { "kind": "chosen_by_person" } | { "kind": "most_headroom" } | { "kind": "session_stays" } | { "kind": "used_longest_ago" } | { "kind": "resets_soonest" } | { "kind": "probe" };

/**
 * The only things that change the active account.
 */
export type Cause = "first_use" | "limit_reached" | "threshold_reached" | "cooling_down" | "needs_attention" | "skipped" | "removed" | "returned_to_primary" | "switched_by_person" | "strategy_changed";

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

export type Command = { "command": "status" } | { "command": "switch", account: string, } | { "command": "pin", account: string, } | { "command": "unpin" } | { "command": "use", strategy: Strategy, } | { "command": "set_on_recovery", on_recovery: OnRecovery, } | { "command": "set_wait_for_recovery", seconds: number, } | { "command": "why" } | { "command": "doctor", account: string | null, } | { "command": "log", limit: number, } | { "command": "add_from", path: string, label: string, } | { "command": "add_link", path: string, label: string, } | { "command": "sign_in", 
/**
 * What to call the account, if it is a new one.
 */
label: string, way: SignInWay, } | { "command": "sign_in_wait", id: number, 
/**
 * The [`SignInView::version`] that is known already.
 */
seen: number, } | { "command": "sign_in_paste", id: number, address: Pasted, } | { "command": "sign_in_cancel", id: number, } | { "command": "remove", account: string, } | { "command": "rename", account: string, label: string, } | { "command": "move", account: string, position: number, } | { "command": "skip", account: string, skipped: boolean, } | { "command": "use_credits", account: string, on: boolean, } | { "command": "threshold", account: string | null, window: WindowLength | null, at: Percent, reserve: boolean | null, } | { "command": "bypass", on: boolean, } | { "command": "connect_codex", home: string | null, mode: Mode | null, } | { "command": "disconnect_codex", home: string | null, } | { "command": "look_at_codex" } | { "command": "set_notification", about: About, on: boolean, } | { "command": "set_appearance", appearance: Appearance, } | { "command": "accept_terms" } | { "command": "data" } | { "command": "export", path: string, format: ExportFormat, } | { "command": "delete_history" } | { "command": "watch" } | { "command": "renew_secret" } | { "command": "watch_from_window" } | { "command": "show_window", 
/**
 * Where in it: `now`, `activity`, `settings`, or `account/` and its number.
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

export type Eligibility = { "state": "eligible" } | { "state": "held_back", window: WindowLength, used: Percent, threshold: Percent, until: Timestamp | null, reserve: boolean, } | { "state": "cooling_down", since: Timestamp, until: Timestamp, reason: CoolingReason, } | { "state": "exhausted", until: Timestamp | null, reason: ExhaustedReason, on_credits: boolean, } | { "state": "needs_attention", reason: Refusal, } | { "state": "skipped" };

export type ErrorKind = "invalid" | "other_version" | "keychain" | "failed";

export type Event = { at: Timestamp, kind: EventKind, };

export type EventKind = { "event": "switched" } & Switch | { "event": "temporary_failover", from: AccountId, to: AccountId, } | { "event": "state_changed", account: AccountId, from: Eligibility, to: Eligibility, } | { "event": "added", account: AccountId, } | { "event": "removed", account: AccountId, label: string, } | { "event": "pinned", account: AccountId, } | { "event": "unpinned", account: AccountId, } | { "event": "strategy_changed", from: Strategy, to: Strategy, } | { "event": "brake_engaged" } | { "event": "brake_released" } | { "event": "all_exhausted", earliest: Timestamp | null, } | { "event": "serving" };

export type ExhaustedReason = { "limit": LimitKind } | "used_up";

export type ExportFormat = "csv" | "json";

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
export type LogEntry = { "entry": "event", event: Event, } | { "entry": "request" } & RequestLine;

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
 * Why an account needs a person.
 */
export type Refusal = "deactivated_workspace" | "usage_not_included" | "token_invalidated" | "grant_refused" | "refresh_interrupted" | "unsupported_backend" | "account_blocked" | "link_gone" | "link_unreadable" | "link_of_another" | "link_stale";

export type RefuseReason = { "kind": "no_accounts" } | { "kind": "nobody_usable", earliest: Timestamp | null, } | { "kind": "pinned_unusable", account: AccountId, state: Eligibility, } | { "kind": "braked" } | { "kind": "all_tried" };

export type Reply = { "reply": "done", message: string, } | { "reply": "status", snapshot: Snapshot, } | { "reply": "why", next: Decision, last: Decision | null, } | { "reply": "log", entries: Array<LogEntry>, } | { "reply": "checks", checks: Array<Check>, } | { "reply": "added", account: AccountId, message: string, } | { "reply": "sign_in", sign_in: SignInView, } | { "reply": "data", data: DataView, };

/**
 * One request as the ledger keeps it: no content, no ids of Codex's.
 */
export type RequestLine = { at: Timestamp, 
/**
 * `None`: nobody could serve.
 */
account: AccountId | null, 
/**
 * A hash.
 */
thread: string | null, model: string | null, transport: Transport, outcome: string, 
/**
 * To the first byte of output, milliseconds of real time.
 */
first_output_ms: number | null, 
/**
 * Accounts tried before this one.
 */
failovers: number, input_tokens: number | null, output_tokens: number | null, };

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
 * Who serves when the active account can't.
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

export type Standing = { "kind": "chosen", "why": Because } | { "kind": "passed_over", "why": PassedOver };

export type Strategy = "sequential" | "balanced" | "affinity" | "round_robin" | "soonest_reset";

/**
 * What a finding is about.
 */
export type Subject = "machine" | { "account": string } | "codex";

export type Switch = { from: AccountId | null, to: AccountId, cause: Cause, };

/**
 * Milliseconds since the Unix epoch.
 */
export type Timestamp = number;

export type Transport = "http" | "web_socket";

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
