import type { Timestamp, WindowLength } from './protocol';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const two = (value: number) => String(value).padStart(2, '0');

/** `2026-11-22`, of this machine's day. */
export function date(at: Timestamp): string {
  const when = new Date(at);
  return `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
}

/** `16:40`, whatever the day. */
export function hour(at: Timestamp): string {
  const when = new Date(at);
  return `${two(when.getHours())}:${two(when.getMinutes())}`;
}

const dayAndMonth = (at: Timestamp) =>
  `${new Date(at).getDate()} ${new Date(at).toLocaleDateString('en-US', { month: 'short' })}`;

const weekday = (at: Timestamp) => new Date(at).toLocaleDateString('en-GB', { weekday: 'short' });

/**
 * `16:40` within a day, `Tue 16:40` within a week, `Sun 29 Nov 16:40` within half a year, a date with its year beyond: as the
 * engine writes it in its own texts.
 */
export function clockTime(at: Timestamp, now: Timestamp): string {
  const away = Math.abs(at - now);
  if (away < 20 * HOUR) return hour(at);
  if (away < 6 * DAY) return `${weekday(at)} ${hour(at)}`;
  if (away < 180 * DAY) return `${weekday(at)} ${dayAndMonth(at)} ${hour(at)}`;
  return `${date(at)} ${hour(at)}`;
}

/**
 * Minutes between the clock's minutes, at least one while `at` is ahead: it changes when the clock on the wall does, so
 * that one wake a minute serves every countdown of the page.
 */
function minutesUntil(at: Timestamp, now: Timestamp): number {
  if (at <= now) return 0;
  return Math.max(1, Math.floor(at / MINUTE) - Math.floor(now / MINUTE));
}

/** `2 h 10 min`, in the two largest units that say enough. */
export function countdown(at: Timestamp, now: Timestamp): string {
  const minutes = minutesUntil(at, now);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (minutes === 0) return 'now';
  if (hours === 0) return `${minutes} min`;
  if (days === 0) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** `20 min ago`, in the largest unit that says enough; as the engine writes it. */
export function ago(at: Timestamp, now: Timestamp): string {
  const minutes = Math.floor(Math.max(0, now - at) / MINUTE);
  if (minutes < 1) return 'just now';
  if (minutes < 120) return `${minutes} min ago`;
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ago`;
  return `${Math.floor(minutes / 1440)} d ago`;
}

/** A length of time that was measured: `0 min`, `45 min`, `12 h 5 min`, `3 d 4 h`. */
export function minutes(length: number): string {
  const whole = Math.round(length);
  const hours = Math.floor(whole / 60);
  if (hours === 0) return `${whole} min`;
  if (hours < 48) return whole % 60 ? `${hours} h ${whole % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

/** Until the clock's minute changes. */
export function untilNextMinute(now: Timestamp): number {
  return MINUTE - (now % MINUTE);
}

/** `5 h`, `week`. */
export function windowLength(minutes: WindowLength): string {
  if (minutes === 10_080) return 'week';
  if (minutes >= 1440 && minutes % 1440 === 0) return `${minutes / 1440} d`;
  if (minutes >= 60 && minutes % 60 === 0) return `${minutes / 60} h`;
  return `${minutes} min`;
}

/** `Today`, `Yesterday`, else `Fri 20 Nov`. */
export function day(at: Timestamp, now: Timestamp): string {
  if (date(at) === date(now)) return 'Today';
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  if (date(at) === date(yesterday.getTime())) return 'Yesterday';
  return new Date(at).toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short' });
}

/** A wait as it is chosen: `none`, `90 s`, `5 min`, `6 h`. */
export function wait(seconds: number): string {
  if (seconds === 0) return "don't wait";
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  if (seconds % 60 === 0) return `${seconds / 60} min`;
  return `${seconds} s`;
}
