/**
 * The first line of the window: the most pressing thing, each hiding those below it. The order and the words are those of
 * `src-tauri/src/glance.rs`, so that the tray's menu and the window say the same.
 */
import { generalWindows, LITTLE_LEFT } from './accounts';
import type { AccountId, AccountView, Snapshot, WindowView } from './protocol';
import { windowLength } from './time';
import { percent, type Words } from './words';

export interface Glance {
  kicker: string;
  tone: 'good' | 'wait' | 'alert';
  icon: 'active' | 'pinned' | 'next' | 'out' | 'wait' | 'swap' | 'info' | 'alert' | 'plug';
  title: string;
  detail: string;
}

export function glance(snapshot: Snapshot, words: Words): Glance {
  const { next_request: request } = snapshot;
  const find = (id: AccountId | null) => snapshot.accounts.find((account) => account.id === id);
  const active = find(snapshot.active);
  if (snapshot.bypassed) {
    return {
      kicker: 'Bypassed',
      tone: 'wait',
      icon: 'swap',
      title: 'Codex uses its own sign-in',
      detail: 'Requests pass as if Baton weren’t there.',
    };
  }
  if (snapshot.accounts.length === 0) {
    return { kicker: 'To begin', tone: 'wait', icon: 'info', title: 'No account yet', detail: 'Add one to begin.' };
  }
  if (request.kind === 'wait') {
    return {
      kicker: 'Waiting',
      tone: 'wait',
      icon: 'wait',
      title: `Waiting for ${words.label(request.account)} until ${words.time(request.until)}`,
      detail: 'Codex is kept waiting, and goes on by itself.',
    };
  }
  if (request.kind === 'refuse') {
    const { reason } = request;
    if (reason.kind === 'nobody_usable' && allNeedPerson(snapshot)) {
      const detail = 'Each card says what its account needs.';
      return stuck('No account can serve: each needs you', detail);
    }
    if (reason.kind === 'nobody_usable') {
      const back = reason.earliest === null ? 'return unknown' : `first back ${words.time(reason.earliest)}`;
      const detail =
        reason.earliest === null
          ? 'Codex is told that its limit is reached. One request every 5 minutes finds out whether an account is back.'
          : 'Codex is told that its limit is reached, and when to come back.';
      return { kicker: 'Exhausted', tone: 'wait', icon: 'out', title: `All exhausted · ${back}`, detail };
    }
    if (reason.kind === 'pinned_unusable') {
      const is = find(reason.account)?.state_text;
      return stuck(
        `Only ${words.label(reason.account)} may be used, and it can't serve`,
        `${is ? `${is}. ` : ''}Unpin to let the others serve.`,
      );
    }
    if (reason.kind === 'braked') {
      const detail = 'Running turns go on; everything else waits for you.';
      return stuck('Stopped after refusals: choose an account', detail);
    }
  }
  if (!snapshot.codex.comes_through) {
    return {
      kicker: 'Nothing comes through',
      tone: 'wait',
      icon: 'plug',
      title: "Codex isn't connected",
      detail: 'Connect it under Settings; a Codex that runs has to be started anew.',
    };
  }
  if (snapshot.pinned !== null) {
    return {
      kicker: 'Pinned',
      tone: 'good',
      icon: 'pinned',
      title: `Use only ${words.label(snapshot.pinned)} (no failover)`,
      detail: 'Nobody takes over when it can’t serve.',
    };
  }
  if (request.kind === 'use' && request.because.kind === 'temporary_failover') {
    const instead = find(request.because.instead_of);
    const label = words.label(request.because.instead_of);
    const back = instead?.state.state === 'cooling_down' ? ` from ${words.time(instead.state.until)}` : '';
    return {
      kicker: 'Temporary failover',
      tone: 'wait',
      icon: 'next',
      title: `Temporarily on ${words.label(request.account)}: ${label} ${instead ? trouble(instead) : ''}`.trimEnd(),
      detail: `Until the end of the turn. ${label} stays the active account and serves again${back}.`,
    };
  }
  const follows = after(snapshot, words);
  const needy = snapshot.accounts.filter(needsPerson);
  if (!active) {
    const detail = needy.length ? `${who(needy)} · ${follows}` : follows;
    return { kicker: 'Ready', tone: 'good', icon: 'info', title: 'No account is active yet', detail };
  }
  const low = lowWindow(active);
  const says = [
    needy.length > 0 && who(needy),
    needy.length === 0 && low && `${windowLength(low.length)}: ${percent(low.left)} % left`,
    follows,
  ];
  return {
    kicker: 'Active',
    tone: 'good',
    icon: 'active',
    title: active.label,
    detail: says.filter(Boolean).join(' · '),
  };
}

const stuck = (title: string, detail: string): Glance => ({ kicker: 'Needs you', tone: 'alert', icon: 'alert', title, detail });

/** Who serves after the active account. */
function after(snapshot: Snapshot, words: Words): string {
  const { next_request: request, active, next } = snapshot;
  if (request.kind === 'use' && request.account !== active) {
    return `The next request goes to ${words.label(request.account)}`;
  }
  return next === null ? 'Nobody else can take over' : `Next: ${words.label(next)}`;
}

const who = ([first, ...others]: AccountView[]) =>
  others.length ? `${others.length + 1} accounts need you` : `${first?.label} needs you`;

const needsPerson = (account: AccountView) => account.state.state === 'needs_attention';

/** Those left out on purpose don't count. */
function allNeedPerson({ accounts }: Snapshot): boolean {
  const counted = accounts.filter(({ skipped }) => !skipped);
  return counted.length > 0 && counted.every(needsPerson);
}

/** In a few words, after the label. */
function trouble({ state, state_text }: AccountView): string {
  if (state.state !== 'cooling_down') return state_text;
  return state.reason === 'throttled' ? 'throttled' : 'has server errors';
}

/** The window with the least left, where that is little. */
function lowWindow(account: AccountView): WindowView | undefined {
  const [least] = generalWindows(account).sort((a, b) => a.left - b.left);
  return least && least.left <= LITTLE_LEFT ? least : undefined;
}
