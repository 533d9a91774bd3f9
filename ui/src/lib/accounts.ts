/** What a snapshot says about accounts beyond its bare fields. */
import type { AccountView, Snapshot, WindowView } from './protocol';

/** At or under this many percent left an account is low: `LITTLE_LEFT` of src-tauri/src/glance.rs. */
export const LITTLE_LEFT = 20;

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

/** What a button can do about a state; `null` where nothing is to be done, or elsewhere: its words say so. */
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

/** The one value that all accounts share, else `null`. */
export function shared<T>(accounts: AccountView[], of: (account: AccountView) => T): T | null {
  const [first, ...others] = accounts.map(of);
  return first !== undefined && others.every((other) => other === first) ? first : null;
}
