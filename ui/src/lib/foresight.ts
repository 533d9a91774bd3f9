import type { ForecastView } from './protocol';

/** There is something to say, be it only that nobody serves. */
export function known(view: ForecastView | null): boolean {
  if (view === null) return false;
  const { at, pool } = view.forecast;
  return pool.kind !== 'unknown' || pool.from > at;
}
