/** What a snapshot says about accounts beyond its bare fields. */
import type { AccountId, AccountView, Snapshot, WindowView } from './protocol';
import type { Words } from './words';

/** How a state looks: an icon and a colour, always beside its words. */
export type Tone = 'ok' | 'wait' | 'out' | 'alert' | 'off';

export function tone(account: Pick<AccountView, 'state'>): Tone {
  switch (account.state.state) {
    case 'eligible':
      return 'ok';
    case 'held_back':
    case 'cooling_down':
      return 'wait';
    case 'exhausted':
      return 'out';
    case 'needs_attention':
      return 'alert';
    case 'skipped':
      return 'off';
  }
}

/** Who stands where in the routing, for a badge. */
export function role(account: AccountView, snapshot: Snapshot): 'pinned' | 'active' | 'next' | null {
  if (account.id === snapshot.pinned) return 'pinned';
  if (account.id === snapshot.active) return 'active';
  if (account.id === snapshot.next && snapshot.pinned === null) return 'next';
  return null;
}

export const generalWindows = (account: AccountView) => account.windows.filter((window) => window.family === 'general');

export const windowName = (window: WindowView) =>
  window.family === 'general' ? null : (window.name ?? window.family.named);

/** What a person can do about a state; `null` where nothing is to be done but wait. */
export function remedy(account: AccountView): 'sign_in' | 'unskip' | null {
  if (account.state.state === 'skipped') return 'unskip';
  if (account.state.state !== 'needs_attention') return null;
  switch (account.state.reason) {
    case 'token_invalidated':
    case 'grant_refused':
    case 'refresh_interrupted':
      return 'sign_in';
    default:
      return null;
  }
}

const usable = (account: AccountView) => account.state.state === 'eligible' || account.state.state === 'held_back';

const find = (snapshot: Snapshot, id: AccountId | null) => snapshot.accounts.find((account) => account.id === id);

export interface Headline {
  kicker: string;
  icon: 'active' | 'pinned' | 'next' | 'out' | 'swap' | 'info';
  title: string;
  detail: string;
}

/** The first line of the window: who serves, and what follows. */
export function headline(snapshot: Snapshot, words: Words): Headline {
  const active = find(snapshot, snapshot.active);
  const next = find(snapshot, snapshot.next);
  if (snapshot.bypassed) {
    const detail = 'Requests pass as if Baton weren’t there.';
    return { kicker: 'Bypassed', icon: 'swap', title: 'Codex’s own sign-in', detail };
  }
  if (snapshot.pinned !== null && active) {
    const detail = usable(active) ? 'Nobody takes over when it can’t serve.' : `It can’t serve: ${active.state_text}.`;
    return { kicker: 'Use only this (no failover)', icon: 'pinned', title: active.label, detail };
  }
  if (active && next && active.state.state === 'cooling_down') {
    const why = active.state.reason === 'throttled' ? 'throttled' : 'server errors';
    return {
      kicker: 'Temporary failover',
      icon: 'next',
      title: `Temporarily on ${next.label}`,
      detail: `${active.label}: ${why}. It stays the active account and goes on ${words.time(active.state.until)}.`,
    };
  }
  if (snapshot.accounts.length > 0 && !snapshot.accounts.some(usable)) {
    const earliest = earliestReturn(snapshot);
    const detail = earliest === null ? 'No return is known.' : `The first is back ${words.time(earliest)}.`;
    return { kicker: 'Waiting', icon: 'out', title: 'No account can serve', detail };
  }
  if (!active) {
    const detail = next ? `Next: ${next.label}` : 'The first request decides.';
    return { kicker: 'Ready', icon: 'info', title: 'No account is active yet', detail };
  }
  const follows = next ? `Next: ${next.label}` : 'Nobody else can take over.';
  const detail = usable(active) ? follows : `It can’t serve: ${active.state_text}. ${follows}`;
  return { kicker: 'Active', icon: 'active', title: active.label, detail };
}

/** When the first of those that come back by themselves does. */
export function earliestReturn(snapshot: Snapshot): number | null {
  const returns = snapshot.accounts.flatMap(({ state }) =>
    state.state === 'exhausted' || state.state === 'cooling_down' ? (state.until ?? []) : [],
  );
  return returns.length ? Math.min(...returns) : null;
}

/** The one value that all accounts share, else `null`. */
export function shared<T>(accounts: AccountView[], of: (account: AccountView) => T): T | null {
  const [first, ...others] = accounts.map(of);
  return first !== undefined && others.every((other) => other === first) ? first : null;
}
