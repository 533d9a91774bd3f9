/**
 * States, causes and explanations in words: those of `crates/baton-core/src/explain.rs`, so that window, tray, log and
 * `baton why` say the same.
 */
import { LITTLE_LEFT } from './accounts';
import type {
  About,
  AccountId,
  Because,
  BlockedTime,
  BlockedWhy,
  Cause,
  Choice,
  Eligibility,
  EventKind,
  ExhaustedReason,
  Line,
  PassedOver,
  Refusal,
  RefuseReason,
  RequestLine,
  Snapshot,
  Strategy,
  Timestamp,
} from './protocol';
import { clockTime, windowLength } from './time';

/** How accounts and times are written. */
export interface Words {
  label(account: AccountId): string;
  time(at: Timestamp): string;
}

export function wordsOf(snapshot: Pick<Snapshot, 'accounts'>, now: Timestamp): Words {
  const labels = new Map(snapshot.accounts.map((account) => [account.id, account.label]));
  return {
    label: (account) => labels.get(account) ?? `account ${account} (removed)`,
    time: (at) => clockTime(at, now),
  };
}

/** Whole percents where they are whole, one decimal elsewhere; a little is never shown as nothing. */
export function percent(value: number): string {
  const tenths = Math.round(value * 10) / 10;
  if (value > 0 && tenths === 0) return 'under 0.1';
  return Number.isInteger(tenths) ? tenths.toFixed(0) : tenths.toFixed(1);
}

export const STRATEGIES: Record<Strategy, { title: string; does: string }> = {
  sequential: {
    title: 'Sequential (drain first)',
    does: 'One account serves everything until its limit; then the next one in your order takes over.',
  },
  balanced: {
    title: 'Balanced',
    does: 'Each turn goes to the account with the most quota left, so all are used evenly.',
  },
  affinity: {
    title: 'Affinity',
    does: 'A session keeps its account while that can serve; new sessions go where most is left.',
  },
  round_robin: {
    title: 'Round robin',
    does: 'Each turn goes to the account that was used longest ago.',
  },
  soonest_reset: {
    title: 'Soonest reset',
    does: 'The account whose quota would be lost soonest goes first, so that little expires unused.',
  },
};

const CAUSES: Record<Cause, string> = {
  first_use: 'first use',
  limit_reached: 'limit reached',
  threshold_reached: 'threshold reached',
  cooling_down: 'cooling down for more than a minute',
  needs_attention: 'needs attention',
  skipped: 'skipped',
  removed: 'removed',
  returned_to_primary: 'returned to primary',
  switched_by_person: 'switched by you',
  strategy_changed: 'strategy changed',
};

const REFUSALS: Record<Refusal, string> = {
  deactivated_workspace: 'its workspace is deactivated',
  usage_not_included: "its plan doesn't include Codex",
  token_invalidated: 'its sign-in was refused; sign in again',
  grant_refused: 'its sign-in has expired; sign in again',
  refresh_interrupted: 'needs sign-in (refresh interrupted)',
  unsupported_backend: "it is bound to another backend, which Baton doesn't support",
  account_blocked: 'the service refuses it; see its account page',
  link_gone: 'the auth.json that it is linked to is gone; sign in there with `codex login`',
  link_unreadable: "the auth.json that it is linked to can't be read as a sign-in; sign in there with `codex login`",
  link_of_another:
    "the auth.json that it is linked to is another account's now; sign in there as this one, or remove it",
  link_stale: 'run the Codex once that it is linked to: only that can renew its sign-in',
};

const PASSED_OVER: Record<PassedOver['kind'], string> = {
  not_usable: "can't serve",
  tried: 'has failed for this request',
  lacks_model: 'its plan lacks the model',
  breaks_off: 'its answers broke off twice in this turn',
  waits_its_turn: 'waits its turn in the order',
  later_tier: 'serves only when nobody below the threshold can',
  other_pinned: 'another account is pinned',
  other_chosen_by_person: 'you switched to another account',
  turn_elsewhere: 'the turn runs on another account',
  compaction_elsewhere: "another account made the thread's compacted history",
  session_elsewhere: 'the session is with another account',
  less_headroom: 'less headroom',
  used_more_recently: 'used more recently',
  resets_later: 'its quota resets later',
  braked: 'automatic failover is stopped',
};

/** Why the active account changed. */
export const cause = (why: Cause) => CAUSES[why];

/** What is the matter, and what to do. */
export const refusal = (reason: Refusal) => REFUSALS[reason];

/** A state as a person reads it, e.g. `Limit reached · back 16:40`. */
export function state(of: Eligibility, words: Words): string {
  switch (of.state) {
    case 'eligible':
      return 'Eligible';
    case 'held_back': {
      const kept = of.reserve ? ', kept in reserve' : '';
      return `Set aside at ${percent(100 - of.used)} % left (${windowLength(of.window)} window${kept})`;
    }
    case 'cooling_down':
      return `Cooling down until ${words.time(of.until)} (${of.reason === 'throttled' ? 'throttled' : 'server errors'})`;
    case 'exhausted':
      return `${exhausted(of.reason, of.on_credits)} · ${back(of.until, words)}`;
    case 'needs_attention':
      return `Needs you: ${refusal(of.reason)}`;
    case 'skipped':
      return 'Skipped';
  }
}

function exhausted(reason: ExhaustedReason, onCredits: boolean): string {
  if (onCredits) return 'Included quota used up, on credits';
  return reason === 'used_up' ? 'Used up' : 'Limit reached';
}

const back = (until: Timestamp | null, words: Words) =>
  until === null ? 'return unknown' : `back ${words.time(until)}`;

/** One account's line of an explanation, without its label. */
export function line(of: Line, words: Words): string {
  if (of.standing.kind === 'chosen') return `chosen: ${chosen(of.standing.why, words)}`;
  const is = state(of.state, words);
  const why = of.standing.why.kind;
  return why === 'not_usable' ? is : `${is}; ${PASSED_OVER[why]}`;
}

function chosen(because: Because, words: Words): string {
  switch (because.kind) {
    case 'pinned':
      return 'use only this (no failover)';
    case 'turn_stays':
      return 'a running turn stays with its account';
    case 'active':
      return 'the active account';
    case 'became_active':
      return `the active account from now on (${cause(because.cause)})`;
    case 'temporary_failover':
      return `temporarily, instead of ${words.label(because.instead_of)}, until the end of the turn`;
    case 'made_compaction':
      return 'it made the compacted history of this thread';
    case 'chosen_by_person':
      return 'you switched to it';
    case 'most_headroom':
      return 'most headroom';
    case 'session_stays':
      return 'the session keeps its account';
    case 'used_longest_ago':
      return 'used longest ago';
    case 'resets_soonest':
      return 'its quota would be lost soonest';
    case 'probe':
      return 'one request to see whether it is back';
  }
}

/** What a decision comes to. */
export function choice(of: Choice, words: Words): string {
  switch (of.kind) {
    case 'use':
      return `${words.label(of.account)}: ${chosen(of.because, words)}`;
    case 'wait':
      return `Codex is kept waiting for ${words.label(of.account)}, back ${words.time(of.until)}`;
    case 'refuse':
      return refused(of.reason, words);
  }
}

/** Why a request is refused. What to do is said for the window: its buttons, not the command line's commands. */
export function refused(reason: RefuseReason, words: Words): string {
  switch (reason.kind) {
    case 'no_accounts':
      return 'Baton has no account yet: add one.';
    case 'nobody_usable':
      return reason.earliest === null
        ? 'No account can serve, and no return is known. Each card says what its account needs.'
        : `Every account is exhausted; the first is back ${words.time(reason.earliest)}.`;
    case 'pinned_unusable':
      return `Baton uses only ${words.label(reason.account)} (no failover), and it can't serve: ${state(reason.state, words)}. Unpin to let the others serve.`;
    case 'braked':
      return 'Baton has stopped switching: two accounts were refused for good within half an hour. Switch to an account to go on.';
    case 'all_tried':
      return 'Every account that could serve has failed for this request.';
  }
}

/** An event in words, as `baton log` writes it. */
export function happened(kind: EventKind, words: Words): string {
  switch (kind.event) {
    case 'switched': {
      const to = words.label(kind.to);
      return kind.from === null
        ? `${to} is active: ${cause(kind.cause)}`
        : `Switched to ${to}: ${cause(kind.cause)} (${words.label(kind.from)})`;
    }
    case 'temporary_failover':
      return `Temporarily on ${words.label(kind.to)}, instead of ${words.label(kind.from)}`;
    case 'state_changed':
      return `${words.label(kind.account)}: ${state(kind.to, words)}`;
    case 'added':
      return `${words.label(kind.account)} added`;
    case 'removed':
      return `${kind.label} removed`;
    case 'pinned':
      return `Use only ${words.label(kind.account)} (no failover)`;
    case 'unpinned':
      return 'Unpinned';
    case 'strategy_changed':
      return `Strategy: ${STRATEGIES[kind.to].title}`;
    case 'brake_engaged':
      return 'Automatic failover stopped: two accounts were refused for good';
    case 'brake_released':
      return 'Automatic failover goes on';
    case 'all_exhausted':
      return kind.earliest === null
        ? 'Every account is exhausted; no return is known'
        : `Every account is exhausted; the first is back ${words.time(kind.earliest)}`;
    case 'serving':
      return 'Serving again';
  }
}

/** What is known of a request beside its account and model. */
export function request(of: RequestLine): string {
  const parts = [of.outcome.replaceAll('_', ' ')];
  if (of.waited_ms > 0) parts.push(`waited ${of.waited_ms} ms for an account`);
  if (of.first_output_ms !== null) parts.push(`first output after ${of.first_output_ms} ms`);
  if (of.failovers === 1) parts.push('1 account tried before');
  if (of.failovers > 1) parts.push(`${of.failovers} accounts tried before`);
  if (of.input_tokens !== null && of.output_tokens !== null) {
    parts.push(`${of.input_tokens.toLocaleString('en')} + ${of.output_tokens.toLocaleString('en')} tokens`);
  }
  parts.push(of.transport === 'http' ? 'HTTP' : 'WebSocket');
  return parts.join(' · ');
}

const BLOCKED: Record<BlockedWhy, string> = {
  no_accounts: 'there was no account',
  waits: 'Codex was kept waiting for an account',
  nobody_usable: 'no account could serve',
  pinned_unusable: "the only account that was used couldn't serve",
  braked: 'automatic failover had stopped',
};

/** A time in which nobody could serve, as `baton log` writes it. */
export function blocked(of: BlockedTime, words: Words): string {
  const requests = of.requests === 1 ? '1 request' : `${of.requests} requests`;
  return `Blocked ${until(of, words)}: ${BLOCKED[of.why]} · ${requests}`;
}

function until(of: BlockedTime, words: Words): string {
  if (of.ended !== null) return `until ${words.time(of.ended)} (${lasted(of.ended - of.began)})`;
  return of.until === null
    ? 'still, and no return is known'
    : `until ${words.time(of.until)} at the earliest`;
}

/** `2 h 5 min`; what is shorter than a minute in seconds. */
function lasted(millis: number): string {
  const seconds = Math.max(0, Math.floor(millis / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

/** What can be told by a notification. */
export const NOTIFICATIONS: Record<About, { title: string; detail?: string }> = {
  switched: { title: 'Switched to another account' },
  temporary_failover: { title: 'Temporary failover', detail: 'For the rest of a turn, while an account is throttled.' },
  recovered: { title: 'An account is back', detail: 'After it was exhausted, or needed you.' },
  low: { title: 'Little is left', detail: `Of the active account: ${LITTLE_LEFT} % or less in one of its windows.` },
  all_exhausted: { title: 'Every account is exhausted' },
  needs_attention: { title: 'An account needs you' },
  codex_disconnected: { title: 'Codex was disconnected' },
  pin_stopped: { title: 'The only account that may serve can’t' },
};
