import { expect, test } from 'vitest';
import { glance } from '../src/lib/glance';
import type { Snapshot } from '../src/lib/protocol';
import { wordsOf } from '../src/lib/words';
import { account, NOW, SCENARIOS, snapshot, type ScenarioName } from '../src/mock/scenarios';

const of = (snapshot: Snapshot) => glance(snapshot, wordsOf(snapshot, NOW));

// The titles are those of the tray's menu; what stands before a colon there, as in `Active: Personal`, is the line above.
test.each<[ScenarioName, string, string, string]>([
  ['bypassed', 'Bypassed', 'Codex uses its own sign-in', 'Requests pass'],
  ['empty', 'To begin', 'No account yet', 'Add one'],
  ['waiting', 'Waiting', 'Waiting for Personal until 14:31', 'goes on by itself'],
  ['stuck', 'Needs you', 'No account can serve: each needs you', 'Each card'],
  ['exhausted', 'Exhausted', 'All exhausted · first back 16:40', 'when to come back'],
  ['pin_stopped', 'Needs you', "Only Work may be used, and it can't serve", 'Limit reached · back 16:40. Unpin'],
  ['braked', 'Needs you', 'Stopped after refusals: choose an account', 'Running turns go on'],
  ['unconnected', 'Nothing comes through', "Codex isn't connected", 'Connect it'],
  ['pinned', 'Pinned', 'Use only Work (no failover)', 'Nobody takes over'],
  ['failover', 'Temporary failover', 'Temporarily on Work: Personal throttled', 'serves again from 14:31.'],
  ['sign_in_needed', 'Active', 'Personal', 'Work needs you · Nobody else'],
  ['low', 'Active', 'Personal', '5 h: 12 % left · Next: Work'],
  ['two', 'Active', 'Personal', 'Next: Work'],
])('the headline of %s', (name, kicker, title, detail) => {
  const now = SCENARIOS[name]().snapshot;
  const says = now && of(now);
  expect([says?.kicker, says?.title]).toEqual([kicker, title]);
  expect(says?.detail).toContain(detail);
});

test('what stops everything hides what does not', () => {
  const now = SCENARIOS.pin_stopped().snapshot as Snapshot;
  now.codex.comes_through = false;
  expect(of(now).title).toBe("Only Work may be used, and it can't serve");
  expect(of({ ...now, bypassed: true }).title).toBe('Codex uses its own sign-in');
});

test('what a request would meet counts, not the states', () => {
  const now = SCENARIOS.two().snapshot as Snapshot;
  const refused = { kind: 'refuse', reason: { kind: 'nobody_usable', earliest: null } } as const;
  expect(of({ ...now, next_request: refused }).title).toBe('All exhausted · return unknown');
  const elsewhere = { kind: 'use', account: 2, generation: 1, because: { kind: 'most_headroom' } } as const;
  expect(of({ ...now, next_request: elsewhere }).detail).toBe('The next request goes to Work');
});

test('before the first request nobody is active, and it is said who will be', () => {
  const says = of(snapshot([account(1, 'A')], { active: null, next: null }));
  expect([says.title, says.detail]).toEqual(['No account is active yet', 'The next request goes to A']);
});
