import { describe, expect, test } from 'vitest';
import { ago, clockTime, countdown, day, untilNextMinute, wait, windowLength } from '../src/lib/time';

const NOW = Date.UTC(2026, 10, 22, 14, 30, 20);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('a clock time has as much of a date as is needed', () => {
  expect(clockTime(NOW + 2 * HOUR, NOW)).toBe('16:30');
  expect(clockTime(NOW + 19 * HOUR, NOW)).toBe('09:30');
  expect(clockTime(NOW + 20 * HOUR, NOW)).toBe('Mon 10:30');
  expect(clockTime(NOW + 8 * 24 * HOUR, NOW)).toBe('Mon 30 Nov 14:30');
  expect(clockTime(NOW + 300 * 24 * HOUR, NOW)).toMatch(/^2027-09-\d\d \d\d:\d\d$/);
});

describe('a countdown', () => {
  test.each([
    [2 * HOUR + 10 * MINUTE, '2 h 10 min'],
    [3 * HOUR, '3 h'],
    [45 * MINUTE, '45 min'],
    [10_000, '1 min'],
    [3 * 24 * HOUR + 4 * HOUR, '3 d 4 h'],
    [7 * 24 * HOUR, '7 d'],
    [0, 'now'],
    [-HOUR, 'now'],
  ])('of %i ms says %s', (away, says) => expect(countdown(NOW + away, NOW)).toBe(says));

  test('changes when the clock’s minute does, and not between', () => {
    const reset = NOW + 5 * MINUTE + 15_000;
    const edge = NOW + untilNextMinute(NOW);
    expect(countdown(reset, NOW)).toBe(countdown(reset, edge - 1));
    expect(countdown(reset, edge)).not.toBe(countdown(reset, edge - 1));
  });
});

test('how long ago is said in the largest unit that says enough', () => {
  expect(ago(NOW - 10_000, NOW)).toBe('just now');
  expect(ago(NOW - 119 * MINUTE, NOW)).toBe('119 min ago');
  expect(ago(NOW - 2 * HOUR, NOW)).toBe('2 h ago');
  expect(ago(NOW - 49 * HOUR, NOW)).toBe('2 d ago');
});

test('windows and waits are named as the engine names them', () => {
  expect([300, 10_080, 1440, 90].map(windowLength)).toEqual(['5 h', 'week', '1 d', '90 min']);
  expect([0, 60, 90, 3600].map(wait)).toEqual(["don't wait", '1 min', '90 s', '1 h']);
});

test('days have names near by', () => {
  expect(day(NOW - 14 * HOUR, NOW)).toBe('Today');
  expect(day(NOW - 15 * HOUR, NOW)).toBe('Yesterday');
  expect(day(NOW - 72 * HOUR, NOW)).toMatch(/19 Nov/);
});
