/** What happened, as the Activity view lists it. */
import type { AccountId, LogEntry, Timestamp } from './protocol';
import { day } from './time';

export type Filter = 'all' | 'switches' | 'accounts' | 'requests';

export const FILTERS: { value: Filter; title: string }[] = [
  { value: 'all', title: 'All' },
  { value: 'switches', title: 'Switches' },
  { value: 'accounts', title: 'Accounts' },
  { value: 'requests', title: 'Requests' },
];

export function at(entry: LogEntry): Timestamp {
  if (entry.entry === 'event') return entry.event.at;
  return entry.entry === 'blocked' ? entry.began : entry.at;
}

/** The request whose explanation is the entry's. */
export const explainedBy = (entry: LogEntry): number | null => {
  if (entry.entry === 'request') return entry.id;
  return entry.entry === 'reading' ? null : entry.request;
};

function kind(entry: LogEntry): Exclude<Filter, 'all'> {
  if (entry.entry === 'request') return 'requests';
  if (entry.entry === 'blocked') return 'switches';
  if (entry.entry === 'reading') return 'accounts';
  switch (entry.event.kind.event) {
    case 'state_changed':
    case 'added':
    case 'removed':
      return 'accounts';
    default:
      return 'switches';
  }
}

/** Whether an entry is about an account. */
function concerns(entry: LogEntry, account: AccountId): boolean {
  if (entry.entry === 'request' || entry.entry === 'reading') return entry.account === account;
  // It is everybody's.
  if (entry.entry === 'blocked') return false;
  const of = entry.event.kind;
  switch (of.event) {
    case 'switched':
    case 'temporary_failover':
      return of.from === account || of.to === account;
    case 'state_changed':
    case 'added':
    case 'removed':
    case 'pinned':
    case 'unpinned':
      return of.account === account;
    default:
      return false;
  }
}

export function filtered(entries: LogEntry[], filter: Filter, account: AccountId | null): LogEntry[] {
  return entries.filter(
    (entry) => (filter === 'all' || kind(entry) === filter) && (account === null || concerns(entry, account)),
  );
}

export interface Day {
  title: string;
  entries: LogEntry[];
}

/** Newest first, under one heading a day. */
export function byDay(entries: LogEntry[], now: Timestamp): Day[] {
  const days: Day[] = [];
  for (const entry of entries) {
    const title = day(at(entry), now);
    const last = days.at(-1);
    if (last?.title === title) last.entries.push(entry);
    else days.push({ title, entries: [entry] });
  }
  return days;
}

/** Tells entries apart: an event that came live is the one that the log has. */
const key = (entry: LogEntry) => JSON.stringify(entry.entry === 'event' ? entry.event : entry);

/** A name for each entry of a list, also where two are the same to the letter. */
export function keys(entries: LogEntry[]): string[] {
  const seen = new Map<string, number>();
  return entries.map((entry) => {
    const name = key(entry);
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    return `${name}${times}`;
  });
}

/** With an event that has just happened, unless it is there already. */
export function withEvent(entries: LogEntry[], entry: LogEntry, limit: number): LogEntry[] {
  const latest = key(entry);
  if (entries.some((other) => key(other) === latest)) return entries;
  return [entry, ...entries].slice(0, limit);
}
