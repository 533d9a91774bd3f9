import { flushSync } from 'svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Ask } from '../src/lib/asks.svelte';
import { Baton } from '../src/lib/baton.svelte';
import { Clock } from '../src/lib/clock.svelte';
import { SignIn } from '../src/lib/signin.svelte';
import { MockHost } from '../src/mock/host';
import { NOW, SCENARIOS } from '../src/mock/scenarios';
import { settle } from './stage';

const host = (name: keyof typeof SCENARIOS = 'two') => new MockHost(SCENARIOS[name]());
const count = (of: MockHost, command: string) => of.asked.filter((each) => each.command === command).length;

describe('what is asked', () => {
  test('is busy until its answer, and keeps the engine’s words of an error', async () => {
    const ask = new Ask();
    let fail = (_: unknown) => {};
    const running = ask.run(() => new Promise((_, no) => (fail = no)));
    expect(ask.busy).toBe(true);
    expect(await ask.run(() => Promise.resolve())).toBe(false);
    fail({ kind: 'keychain', message: 'The keychain is locked: unlock it' });
    expect(await running).toBe(false);
    expect(ask.busy).toBe(false);
    expect(ask.error?.message).toBe('The keychain is locked: unlock it');
  });
});

describe('the store', () => {
  test('asks once more for any number of changes while it asks', async () => {
    const of = host();
    const baton = new Baton(of, new Clock(() => NOW));
    await baton.open();
    expect(count(of, 'status')).toBe(1);
    for (let n = 0; n < 5; n += 1) of.tell({ message: 'changed' });
    await settle();
    expect(count(of, 'status')).toBe(3);
  });

  test('forgets what it knew when Baton goes, and asks again when it comes', async () => {
    const of = host();
    const baton = new Baton(of, new Clock(() => NOW));
    await baton.open();
    of.tell({ message: 'away' });
    expect([baton.phase, baton.snapshot]).toEqual(['away', null]);
    of.tell({ message: 'here' });
    await settle();
    expect([baton.phase, baton.snapshot?.accounts.length]).toEqual(['here', 2]);
  });

  test('an answer that was on its way when Baton went brings nothing back', async () => {
    const of = host();
    const baton = new Baton(of, new Clock(() => NOW));
    await baton.open();
    of.tell({ message: 'changed' });
    of.tell({ message: 'away' });
    await settle();
    expect([baton.phase, baton.snapshot]).toEqual(['away', null]);
  });

  test('asks nothing while nobody can see the page, and once when somebody can', async () => {
    const of = host();
    const baton = new Baton(of, new Clock(() => NOW));
    await baton.open();
    const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    of.tell({ message: 'changed' });
    of.tell({ message: 'changed' });
    await settle();
    expect(count(of, 'status')).toBe(1);
    hidden.mockReturnValue(false);
    document.dispatchEvent(new Event('visibilitychange'));
    await settle();
    expect(count(of, 'status')).toBe(2);
    hidden.mockRestore();
  });
});

describe('the clock', () => {
  beforeEach(() => vi.useFakeTimers({ now: NOW }));
  afterEach(() => vi.useRealTimers());

  /** Reads the clock as something on screen would. */
  function watch(clock: Clock) {
    const seen: number[] = [];
    const end = $effect.root(() => {
      $effect(() => void seen.push(clock.now));
    });
    flushSync();
    return { seen, end };
  }

  test('wakes with the minute, and only while it is read', async () => {
    const { seen, end } = watch(new Clock());
    vi.advanceTimersByTime(39_000);
    flushSync();
    expect(seen).toEqual([NOW]);
    vi.advanceTimersByTime(1_000);
    flushSync();
    vi.advanceTimersByTime(60_000);
    flushSync();
    expect(seen).toEqual([NOW, NOW + 40_000, NOW + 100_000]);
    end();
    await Promise.resolve();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('sleeps while the page is hidden', () => {
    const { end } = watch(new Clock());
    expect(vi.getTimerCount()).toBe(1);
    const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    document.dispatchEvent(new Event('visibilitychange'));
    expect(vi.getTimerCount()).toBe(0);
    hidden.mockRestore();
    end();
  });
});

describe('a sign-in', () => {
  test('in the browser opens the page once, follows its notes, and ends with the account', async () => {
    const of = host();
    const signIn = new SignIn(of);
    const ended = signIn.begin('Side', 'browser');
    await settle();
    of.noteSignIn('Signed in there; Baton fetches its tokens.');
    await settle();
    expect(signIn.step).toMatchObject({ step: 'waiting', view: { version: 2, note: 'Signed in there; Baton fetches its tokens.' } });
    expect(of.links).toHaveLength(1);
    of.finishSignIn();
    await ended;
    expect(signIn.step).toMatchObject({ step: 'added', message: 'Side is added; its grant is in the keychain.' });
    expect(of.asked.filter((each) => each.command === 'sign_in_wait')).toEqual([
      { command: 'sign_in_wait', id: 7, seen: 1 },
      { command: 'sign_in_wait', id: 7, seen: 2 },
    ]);
  });

  test('that fails says why, and another one can begin', async () => {
    const of = host();
    const signIn = new SignIn(of);
    const ended = signIn.begin('Side', 'device');
    await settle();
    of.failSignIn('The code has expired: begin again.');
    await ended;
    expect([signIn.step.step, signIn.error?.message]).toEqual(['form', 'The code has expired: begin again.']);
    expect(of.links).toEqual([]);
  });

  test('that is cancelled is over for the engine too, and says no more', async () => {
    const of = host();
    const signIn = new SignIn(of);
    const ended = signIn.begin('Side', 'browser');
    await settle();
    await signIn.cancel();
    await ended;
    expect(of.asked.at(-1)).toEqual({ command: 'sign_in_cancel', id: 7 });
    expect([signIn.step.step, signIn.error]).toEqual(['form', null]);
  });
});
