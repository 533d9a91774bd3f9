/** What lies ahead and behind, as far as scenarios show it. The pictures are the engine's (crates/baton-core/tests/rules/picture.rs). */
import type { Forecast, ForecastView, ReplayOutcome, ReplayView, Reply, Snapshot, Strategy } from '../lib/protocol';
import { hour } from '../lib/time';
import { NOW } from './now';
import middle from './timeline.svg?raw';
import narrow from './timeline-narrow.svg?raw';
import wide from './timeline-wide.svg?raw';

const MINUTE = 60_000;

const nothing = (now: Snapshot): Forecast => ({
  at: NOW,
  in_use: false,
  pool: { kind: 'unknown', account: null, from: NOW },
  work_left: null,
  next: now.next,
  changes: [],
  accounts: [],
  basis: { days: 0, usual_hours: false, assumed: [], unknown: now.accounts.map(({ id }) => id) },
});

export const unknown = (now: Snapshot): ForecastView => ({
  forecast: nothing(now),
  said: 'Unknown: nothing is known of any use yet',
  expected: [],
  rests_on: 'Nothing that was used could be measured yet. Your usual hours aren’t known yet: that takes three days.',
});

/** A working afternoon that two accounts last for. */
export function foreseen(now: Snapshot): ForecastView {
  const until = NOW + 250 * MINUTE;
  const [earliest, likely, latest] = [until - 40 * MINUTE, until, until + 75 * MINUTE];
  const [first, second] = now.accounts;
  const change = NOW + 138 * MINUTE;
  return {
    ...unknown(now),
    forecast: {
      ...nothing(now),
      in_use: true,
      pool: { kind: 'until', earliest, likely, latest },
      basis: { days: 12, usual_hours: true, assumed: [], unknown: [] },
    },
    said: `Uninterrupted until about ${hour(likely)} (between ${hour(earliest)} and ${hour(latest)})`,
    expected:
      first && second
        ? [
            `About ${hour(change)}: from ${first.label} to ${second.label} (limit reached)`,
            `About ${hour(until)}: nobody can serve (${second.label}: limit reached)`,
          ]
        : [],
    rests_on: 'From 12 days of readings. Your usual hours count.',
  };
}

export function picture(width: number): Reply {
  const svg = width >= 800 ? wide : width >= 360 ? middle : narrow;
  const timeline = { from: 0, now: 0, to: 0, ticks: [], lanes: [], switches: [], blocked: [], interruption: null };
  return { reply: 'timeline', timeline, svg };
}

export function replayed(present: Strategy): ReplayView {
  const outcome = (strategy: Strategy, interruptions: number, blocked: number, stretch: number, unused: number, switches: number): ReplayOutcome => ({
    strategy,
    interruptions,
    blocked_minutes: blocked,
    longest_stretch_minutes: stretch,
    undone: 0,
    served: 4211,
    expired: [
      { window: 300, percent: 1804 },
      { window: 10_080, percent: unused },
    ],
    switches: Array.from({ length: switches }, (_, index) => ({ at: NOW - index * 60 * MINUTE, from: 1, to: 2, cause: 'limit_reached' })),
    moves: 0,
  });
  return {
    said: 'In the last 14 days balanced would have blocked you 12 minutes less than sequential (drain first), with 3 fewer interruptions (so in 94 % of redrawn histories).',
    comparison: {
      from: NOW - 14 * 1440 * MINUTE,
      to: NOW,
      working_days: 10,
      basis: { kind: 'recorded', assumed: [], used_elsewhere: [] },
      present,
      verdict: { kind: 'better', strategy: 'balanced', minutes_less: 12, interruptions_fewer: 3, sure: 0.94 },
      outcomes: [
        outcome('sequential', 7, 171, 1210, 31, 24),
        outcome('balanced', 4, 159, 1495, 28, 0),
        outcome('affinity', 5, 164, 1302, 30, 0),
        outcome('round_robin', 4, 163, 1480, 29, 0),
        outcome('soonest_reset', 6, 168, 1260, 22, 0),
      ],
      without_thresholds: [],
    },
  };
}
