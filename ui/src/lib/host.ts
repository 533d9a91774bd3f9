import type { Command, ControlError, Message, Reply } from './protocol';

/** What the host tells the page unasked: the engine's messages, and whether an engine is there at all. */
export type Told = Message | { message: 'away' } | { message: 'here' };

/** All that the page can reach outside itself. */
export interface Host {
  /** Rejects with a `ControlError`. */
  call(command: Command): Promise<Reply>;
  /** Returns what ends it. */
  listen(on: (told: Told) => void): Promise<() => void>;
  autostart(): Promise<boolean>;
  setAutostart(on: boolean): Promise<void>;
  openLink(link: string): Promise<void>;
  /** Starts Baton where none runs; rejects with why it can't start. */
  start(): Promise<void>;
  /** Why Baton couldn't start, where this window was opened for that. */
  why(): Promise<string | null>;
  /** The person's folder. */
  home(): Promise<string>;
  /** Where a notification wants the window to open: `''`, `now`, `outlook`, `activity`, `settings`, `account/3`. */
  place(): Promise<string>;
}

/** Whatever was thrown, as an error that can be shown. */
export function controlError(thrown: unknown): ControlError {
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) {
    const { message, kind } = thrown as { message: unknown; kind?: ControlError['kind'] };
    return { kind: kind ?? 'failed', message: String(message) };
  }
  return { kind: 'failed', message: String(thrown) };
}
