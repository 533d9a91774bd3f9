import { describe, expect, test } from 'vitest';
import { remedy, role, shared } from '../src/lib/accounts';
import { byDay, filtered, keys, withEvent } from '../src/lib/activity';
import { notes } from '../src/lib/notes';
import { gapAt, positionInGap, step } from '../src/lib/order';
import { place } from '../src/lib/place';
import { size } from '../src/lib/size';
import { steps } from '../src/lib/steps';
import { account, NOW, SCENARIOS, snapshot, type ScenarioName } from '../src/mock/scenarios';

describe('the order', () => {
  test('ends at its ends', () => {
    expect([step(1, -1, 3), step(1, 1, 3), step(3, 1, 3)]).toEqual([null, 2, null]);
  });

  test('a drop goes where the line was shown', () => {
    const middles = [50, 150, 250];
    expect([10, 100, 151, 400].map((y) => gapAt(y, middles))).toEqual([0, 1, 2, 3]);
    // The second of three: above the first, beside itself twice, below the third.
    expect([0, 1, 2, 3].map((gap) => positionInGap(gap, 2))).toEqual([1, null, null, 3]);
  });
});

test('a card says what is set, and what is in the bank', () => {
  const says = (more: Parameters<typeof account>[2]) => notes(account(1, 'A', more), NOW);
  expect(says({})).toBe('');
  expect(says({ threshold: 95, window_thresholds: [[300, 100]], reserve: true })).toBe(
    'Set aside at 5 % left · 5 h: never set aside · kept in reserve',
  );
  const day = 86_400_000;
  expect(says({ banked: { count: 2, expire: [NOW + 5 * day] } })).toBe('2 resets in the bank, the first expires Fri 14:30');
  expect(says({ banked: { count: 1, expire: [] } })).toBe('1 reset in the bank');
});

test('a badge tells the active account from the next', () => {
  const of = snapshot([account(1, 'A'), account(2, 'B'), account(3, 'C')]);
  expect(of.accounts.map((each) => role(each, of))).toEqual(['active', 'next', null]);
  const pinned = { ...of, pinned: 2, active: 2, next: 3 };
  expect(pinned.accounts.map((each) => role(each, pinned))).toEqual([null, 'pinned', null]);
});

test('signing in again is offered only for what it mends', () => {
  const needs = (reason: 'grant_refused' | 'deactivated_workspace') =>
    remedy(account(1, 'A', { state: { state: 'needs_attention', reason } }));
  expect([needs('grant_refused'), needs('deactivated_workspace')]).toEqual(['sign_in', null]);
});

test('a value is everybody’s only where all have it', () => {
  const accounts = [account(1, 'A'), account(2, 'B', { threshold: 95 })];
  expect(shared(accounts, (each) => each.threshold)).toBeNull();
  expect(shared(accounts, (each) => each.reserve)).toBe(false);
  expect(shared([], () => 1)).toBeNull();
});

describe('activity', () => {
  const { entries } = SCENARIOS.two();

  test('is filtered by kind and by account, both sides of a switch', () => {
    expect(filtered(entries, 'requests', null).every((entry) => entry.entry === 'request')).toBe(true);
    const switches = filtered(entries, 'switches', 2);
    expect(switches.map((entry) => entry.entry === 'event' && entry.event.kind.event)).toEqual([
      'switched',
      'temporary_failover',
    ]);
  });

  test('stands under its days, newest first', () => {
    expect(byDay(entries, NOW).map(({ title }) => title)).toEqual(['Today', 'Yesterday', 'Thu 19 Nov']);
  });

  test('an event that came live isn’t there twice', () => {
    const [first] = filtered(entries, 'switches', null);
    if (!first) throw new Error('there is one');
    expect(withEvent(entries, first, 99)).toBe(entries);
    // The live one doesn’t say yet which request brought it.
    if (first.entry !== 'event') throw new Error('it is one');
    expect(withEvent(entries, { ...first, request: 7 }, 99)).toBe(entries);
    const live = { entry: 'event', event: { at: NOW, kind: { event: 'serving' } }, request: null } as const;
    expect(withEvent(entries, live, 3)).toEqual([live, ...entries.slice(0, 2)]);
  });

  test('entries that are the same to the letter are told apart', () => {
    const [first] = entries;
    if (!first) throw new Error('there is one');
    expect(new Set(keys([first, first])).size).toBe(2);
  });
});

test('a notification’s place opens what it is about', () => {
  expect(place('account/3')).toEqual({ view: 'now', account: 3 });
  expect(place('settings')).toEqual({ view: 'settings', account: null });
  expect(place('nowhere')).toEqual({ view: 'now', account: null });
});

test('the steps are done one by one', () => {
  const done = (name: ScenarioName) => steps(SCENARIOS[name]().snapshot ?? snapshot([])).map((each) => each.done);
  expect([done('empty'), done('one'), done('two')]).toEqual([
    [false, false, false],
    [true, false, false],
    [true, true, true],
  ]);
});

test('sizes are read at a glance', () => {
  expect([999, 1_843_200, 12_400_000].map(size)).toEqual(['999 bytes', '1.8 MB', '12 MB']);
});
