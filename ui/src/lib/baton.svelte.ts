import { getContext, setContext } from 'svelte';
import { withEvent } from './activity';
import { Clock } from './clock.svelte';
import { CheckUp } from './checkup.svelte';
import { absolute } from './home';
import { controlError, type Host, type Told } from './host';
import type { Command, ControlError, DataView, Decision, Explanation, LogEntry, Reply, Snapshot } from './protocol';
import { Toasts } from './toasts.svelte';
import { happened, wordsOf } from './words';

/** Whether there is an engine: `away` where none runs, `failed` where one runs and can't answer. */
export type Phase = 'loading' | 'here' | 'away' | 'failed';

/** How much of the log is looked at. */
const ENTRIES = 300;

/**
 * What the page knows of the engine. Nothing is assumed: a command's effect is seen once the engine shows it in the next
 * snapshot.
 */
export class Baton {
  phase = $state<Phase>('loading');
  error = $state<ControlError | null>(null);
  snapshot = $state.raw<Snapshot | null>(null);
  entries = $state.raw<LogEntry[] | null>(null);
  why = $state.raw<{ next: Decision; last: Decision | null } | null>(null);
  /** Which of the two larger answers are on screen and follow changes. */
  readonly follows = { log: false, why: false };
  readonly toasts = new Toasts();
  readonly checkUp: CheckUp;
  /** Called with the place that somebody outside wants shown: a notification, the tray, a second start. */
  onshow: (place: string) => void = () => {};

  #refreshing: Promise<void> | null = null;
  #again = false;
  /** Changes that came while nobody could see the page. */
  #missed = false;
  /** Goes up when Baton goes: what was asked before is no answer any more. */
  #gone = 0;

  constructor(
    readonly host: Host,
    readonly clock: Clock = new Clock(),
  ) {
    this.checkUp = new CheckUp(host);
  }

  get words() {
    return wordsOf(this.snapshot ?? { accounts: [] }, this.clock.now);
  }

  /** Begins to follow the engine; returns what ends it. */
  async open(): Promise<() => void> {
    const seen = () => {
      if (!document.hidden && this.#missed) void this.refresh();
    };
    document.addEventListener('visibilitychange', seen);
    const end = await this.host.listen((told) => this.hear(told));
    await this.refresh();
    return () => {
      document.removeEventListener('visibilitychange', seen);
      end();
    };
  }

  hear(told: Told) {
    switch (told.message) {
      case 'away':
        this.#gone += 1;
        this.phase = 'away';
        this.snapshot = null;
        this.entries = null;
        this.why = null;
        this.checkUp.forget();
        return;
      case 'here':
        this.phase = 'loading';
        void this.refresh();
        return;
      case 'changed':
        if (document.hidden) this.#missed = true;
        else void this.refresh();
        return;
      case 'show':
        this.onshow(told.place);
        return;
      case 'event': {
        const entry: LogEntry = { entry: 'event', event: told.event, request: null };
        if (this.entries) this.entries = withEvent(this.entries, entry, ENTRIES);
        const worthToast = ['switched', 'temporary_failover', 'all_exhausted', 'brake_engaged'];
        if (worthToast.includes(told.event.kind.event)) this.toasts.say(happened(told.event.kind, this.words));
        return;
      }
    }
  }

  /** Asks for everything that is on screen. Those who ask while it runs share one further run. */
  refresh(): Promise<void> {
    if (this.#refreshing) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#missed = false;
    this.#refreshing = (async () => {
      do {
        this.#again = false;
        await this.#ask();
      } while (this.#again);
    })().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #ask() {
    const gone = this.#gone;
    try {
      const reply = await this.host.call({ command: 'status' });
      if (gone !== this.#gone) return;
      if (reply.reply === 'status') {
        this.snapshot = reply.snapshot;
        this.phase = 'here';
        this.error = null;
      }
      if (this.follows.log) await this.loadLog();
      if (this.follows.why) await this.loadWhy();
    } catch (thrown) {
      // Whoever is away said so, and says when that ends.
      if (gone !== this.#gone || this.phase === 'away') return;
      this.error = controlError(thrown);
      if (this.snapshot === null) this.phase = 'failed';
    }
  }

  /** Does something and shows what has become of it. */
  async act(command: Command): Promise<Reply> {
    const reply = await this.host.call(command);
    await this.refresh();
    return reply;
  }

  /** As `act`, with the engine's answer as a passing message. */
  async tell(command: Command): Promise<void> {
    const reply = await this.act(command);
    if (reply.reply === 'done' || reply.reply === 'added') this.toasts.say(reply.message);
  }

  async loadLog(): Promise<void> {
    const only = { account: null, kind: null, since: null };
    const reply = await this.host.call({ command: 'log', limit: ENTRIES, only });
    if (reply.reply === 'log') this.entries = reply.entries;
  }

  async loadWhy(): Promise<void> {
    const reply = await this.host.call({ command: 'why', request: null });
    if (reply.reply === 'why') this.why = { next: reply.next, last: reply.last };
  }

  /** Why a past request went where it went: the choices that it brought, its own last. */
  async explain(request: number): Promise<Explanation[]> {
    const reply = await this.host.call({ command: 'why', request });
    return reply.reply === 'explained' ? reply.explanations : [];
  }

  /** A typed path, from the root: the engine knows no `~`, and its folder isn't the person's. */
  async absolute(path: string): Promise<string> {
    return absolute(path, await this.host.home());
  }

  async data(): Promise<DataView | null> {
    const reply = await this.host.call({ command: 'data' });
    return reply.reply === 'data' ? reply.data : null;
  }
}

const KEY = Symbol('baton');

export const provideBaton = (baton: Baton) => setContext(KEY, baton);

export const useBaton = () => getContext<Baton>(KEY);
