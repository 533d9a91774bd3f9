import { expect, test } from 'vitest';
import type { Because, Cause, Eligibility } from '../src/lib/protocol';
import { happened, line, percent, refused, state, type Words } from '../src/lib/words';

const words: Words = { label: (id) => (id === 1 ? 'Personal' : 'Work'), time: () => '16:40' };

// The same sentences as crates/baton-core's tests of explain.rs and `baton log`.
test.each<[Eligibility, string]>([
  [{ state: 'eligible' }, 'Eligible'],
  [
    { state: 'held_back', window: 300, used: 95, threshold: 95, until: null, reserve: false },
    'Set aside at 5 % left (5 h window)',
  ],
  [
    { state: 'held_back', window: 10_080, used: 99.5, threshold: 95, until: null, reserve: true },
    'Set aside at 0.5 % left (week window, kept in reserve)',
  ],
  [{ state: 'cooling_down', since: 0, until: 1, reason: 'throttled' }, 'Cooling down until 16:40 (throttled)'],
  [{ state: 'exhausted', until: 1, reason: { limit: 'usage_limit' }, on_credits: false }, 'Limit reached · back 16:40'],
  [{ state: 'exhausted', until: null, reason: 'used_up', on_credits: false }, 'Used up · return unknown'],
  [
    { state: 'exhausted', until: 1, reason: 'used_up', on_credits: true },
    'Included quota used up, on credits · back 16:40',
  ],
  [{ state: 'needs_attention', reason: 'grant_refused' }, 'Needs you: its sign-in has expired; sign in again'],
  [
    { state: 'needs_attention', reason: 'link_stale' },
    'Needs you: run the Codex once that it is linked to: only that can renew its sign-in',
  ],
  [{ state: 'skipped' }, 'Skipped'],
])('%j', (of, says) => expect(state(of, words)).toBe(says));

test('percent keeps what matters: a little is never nothing', () => {
  expect([100, 63.5, 63.54, 0.04, 0, 99.96].map(percent)).toEqual(['100', '63.5', '63.5', 'under 0.1', '0', '100']);
});

test('a line says the state, and why another one serves', () => {
  const eligible: Eligibility = { state: 'eligible' };
  const why: Because = { kind: 'temporary_failover', instead_of: 1 };
  expect(line({ account: 2, state: eligible, standing: { kind: 'chosen', why } }, words)).toBe(
    'chosen: temporarily, instead of Personal, until the end of the turn',
  );
  expect(
    line({ account: 2, state: eligible, standing: { kind: 'passed_over', why: { kind: 'waits_its_turn' } } }, words),
  ).toBe('Eligible; waits its turn in the order');
  expect(
    line({ account: 2, state: { state: 'skipped' }, standing: { kind: 'passed_over', why: { kind: 'not_usable' } } }, words),
  ).toBe('Skipped');
});

test('a switch says from where, to where, and why', () => {
  const cause: Cause = 'limit_reached';
  expect(happened({ event: 'switched', from: 1, to: 2, cause }, words)).toBe('Switched to Work: limit reached (Personal)');
  expect(happened({ event: 'switched', from: null, to: 2, cause: 'first_use' }, words)).toBe('Work is active: first use');
});

test('a refusal says what to do in the window, not on the command line', () => {
  const pinned = refused({ kind: 'pinned_unusable', account: 1, state: { state: 'skipped' } }, words);
  expect(pinned).toContain('Unpin');
  for (const kind of ['no_accounts', 'braked', 'all_tried'] as const) expect(refused({ kind }, words)).not.toContain('`');
});
