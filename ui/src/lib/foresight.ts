import type { ForecastView, Timestamp } from './protocol';

/** What was foretold longer ago may long be untrue. */
const HOLDS = 20 * 60_000;

/** There is something to say that still holds, be it only that nobody serves. */
export function known(view: ForecastView | null, now: Timestamp): boolean {
  if (view === null) return false;
  const { at, pool } = view.forecast;
  return now - at < HOLDS && (pool.kind !== 'unknown' || pool.from > at);
}
