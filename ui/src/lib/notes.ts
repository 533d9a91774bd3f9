/** What a card says below its windows: what the person has set, and what they have in the bank. */
import type { AccountView, Timestamp } from './protocol';
import { clockTime, windowLength } from './time';
import { percent } from './words';

export function notes(account: AccountView, now: Timestamp): string {
  const says: string[] = [];
  // What its state says is not said again.
  if (account.threshold < 100 && account.state.state !== 'held_back') {
    says.push(`Set aside at ${percent(100 - account.threshold)} % left`);
  }
  for (const [length, at] of account.window_thresholds) {
    const name = windowLength(length);
    says.push(at < 100 ? `${name}: set aside at ${percent(100 - at)} % left` : `${name}: never set aside`);
  }
  if (says.length && account.reserve) says.push('kept in reserve');
  if (account.use_credits) says.push('uses credits');
  const { count, expire } = account.banked;
  const [first] = expire;
  if (count > 0) {
    const resets = count === 1 ? '1 reset in the bank' : `${count} resets in the bank`;
    const expires = first === undefined ? '' : `, ${count === 1 ? '' : 'the first '}expires ${clockTime(first, now)}`;
    says.push(resets + expires);
  }
  return says.join(' · ');
}
