import type { Host, Told } from '../lib/host';
import type {
  AccountView,
  Command,
  ControlError,
  EventKind,
  LogEntry,
  Reply,
  SignInView,
  Snapshot,
} from '../lib/protocol';
import { choice, line as lineText, state, wordsOf } from '../lib/words';
import { checks } from './checks';
import { picture, replayed, unknown } from './foresight';
import { choose, decision } from './decide';
import { account, NOW, type Scenario } from './scenarios';

const refuse = (message: string): ControlError => ({ kind: 'invalid', message });
const done = (message: string): Reply => ({ reply: 'done', message });

/** As the engine words it. */
function explained(entries: LogEntry[], number: number, now: Snapshot): Reply {
  const line = entries.find((entry) => entry.entry === 'request' && entry.id === number);
  const words = wordsOf(now, NOW);
  const { strategy, choice: chosen, lines } = decision(now);
  return {
    reply: 'explained',
    request: line?.entry === 'request' ? line : null,
    explanations: [
      {
        at: line?.entry === 'request' ? line.at : NOW,
        strategy,
        text: choice(chosen, words),
        lines: lines.map((each) => ({
          account: each.account,
          label: words.label(each.account),
          chosen: each.standing.kind === 'chosen',
          text: lineText(each, words),
        })),
      },
    ],
  };
}

/** Plays a scenario: commands change it as the engine would, as far as the window can tell. */
export class MockHost implements Host {
  /** What was asked, for tests to look at. */
  readonly asked: Command[] = [];
  readonly links: string[] = [];
  /** Commands that get no answer until what is here has ended. */
  readonly holds = new Map<Command['command'], Promise<unknown>>();
  /** Commands that are refused, and with which words. */
  readonly refuses = new Map<Command['command'], string>();
  #told: ((told: Told) => void) | null = null;
  #autostart = false;
  #signIn: { view: SignInView; label: string; answer: ((reply: Reply) => void) | null; fail: ((e: ControlError) => void) | null } | null =
    null;

  constructor(
    readonly scenario: Scenario,
    readonly opensAt = '',
  ) {}

  async call(command: Command): Promise<Reply> {
    this.asked.push(command);
    if (this.scenario.silent) return new Promise(() => {});
    if (this.scenario.failure) throw refuse(this.scenario.failure);
    await this.holds.get(command.command);
    const refused = this.refuses.get(command.command);
    if (refused !== undefined) throw refuse(refused);
    if (!this.scenario.snapshot) throw { kind: 'failed', message: 'no Baton is running here' } satisfies ControlError;
    return this.#answer(command, this.scenario.snapshot);
  }

  async listen(on: (told: Told) => void): Promise<() => void> {
    this.#told = on;
    if (!this.scenario.snapshot && !this.scenario.failure) on({ message: 'away' });
    return () => {
      this.#told = null;
    };
  }

  async why() {
    return this.scenario.why ?? null;
  }

  async autostart() {
    return this.#autostart;
  }

  async setAutostart(on: boolean) {
    this.#autostart = on;
  }

  async openLink(link: string) {
    this.links.push(link);
  }

  async start() {
    throw refuse('could not start Baton: the port 8642 is taken; choose another one with --port');
  }

  async home() {
    return '/home/alex';
  }

  async place() {
    return this.opensAt;
  }

  tell(told: Told) {
    this.#told?.(told);
  }

  happen(kind: EventKind) {
    const event = { at: NOW, kind };
    this.scenario.entries.unshift({ entry: 'event', event, request: null });
    this.tell({ message: 'event', event });
  }

  change(more: Partial<Snapshot>) {
    if (this.scenario.snapshot) Object.assign(this.scenario.snapshot, more);
    this.tell({ message: 'changed' });
  }

  /** The service's side of a sign-in: the person has finished there. */
  finishSignIn() {
    const of = this.#signIn;
    const now = this.scenario.snapshot;
    if (!of?.answer || !now) return;
    const there = now.accounts.find((each) => each.label.toLowerCase() === of.label.toLowerCase());
    const added = there ?? account(Math.max(0, ...now.accounts.map((each) => each.id)) + 1, of.label, { windows: [] });
    const message = there
      ? `This is ${there.label} again, renewed; nothing added.`
      : `${of.label} is added; its grant is in the keychain.`;
    if (!there) now.accounts = [...now.accounts, added];
    now.active ??= added.id;
    this.#signIn = null;
    of.answer({ reply: 'added', account: added.id, message });
  }

  failSignIn(message: string) {
    this.#signIn?.fail?.({ kind: 'failed', message });
    this.#signIn = null;
  }

  noteSignIn(note: string) {
    const of = this.#signIn;
    if (!of?.answer) return;
    of.view = { ...of.view, note, version: of.view.version + 1 };
    of.answer({ reply: 'sign_in', sign_in: of.view });
  }

  #answer(command: Command, now: Snapshot): Promise<Reply> | Reply {
    const named = 'account' in command && command.account !== null ? this.#find(now, command.account) : null;
    switch (command.command) {
      case 'status':
        return { reply: 'status', snapshot: structuredClone({ ...now, next_request: choose(now) }) };
      case 'log':
        return { reply: 'log', entries: this.scenario.entries.slice(0, command.limit) };
      case 'why':
        if (command.request !== null) return explained(this.scenario.entries, command.request, now);
        return { reply: 'why', next: decision(now), last: { ...decision(now), at: NOW - 60_000 } };
      case 'forecast': {
        const forecast = now.forecast ?? unknown(now);
        return { reply: 'forecast', forecast };
      }
      case 'timeline':
        return picture(command.width ?? 0);
      case 'replay':
        return { reply: 'replay', replay: replayed(now.strategy) };
      case 'switch':
        now.active = named?.id ?? null;
        now.next = now.accounts.find((each) => each !== named && each.state.state === 'eligible')?.id ?? null;
        now.pinned = null;
        now.braked = false;
        return done(`Switched to ${named?.label}.`);
      case 'pin':
        now.pinned = now.active = named?.id ?? null;
        return done(`Use only ${named?.label} (no failover).`);
      case 'unpin':
        now.pinned = null;
        return done('Unpinned.');
      case 'use':
        now.strategy = command.strategy;
        return done('Strategy changed.');
      case 'set_on_recovery':
        now.on_recovery = command.on_recovery;
        return done('Changed.');
      case 'set_wait_for_recovery':
        now.wait_for_recovery_secs = command.seconds;
        return done('Changed.');
      case 'move': {
        const rest = now.accounts.filter((each) => each !== named);
        if (named) rest.splice(command.position - 1, 0, named);
        now.accounts = rest;
        return done(`${named?.label} is number ${command.position} now.`);
      }
      case 'rename':
        if (named) named.label = command.label;
        return done(`Renamed to ${command.label}.`);
      case 'remove':
        now.accounts = now.accounts.filter((each) => each !== named);
        if (now.active === named?.id) now.active = now.accounts[0]?.id ?? null;
        if (now.next === named?.id) now.next = null;
        return done(`${named?.label} is removed; its grant is deleted from the keychain.`);
      case 'skip':
        if (named) {
          named.skipped = command.skipped;
          named.state = { state: command.skipped ? 'skipped' : 'eligible' };
          named.state_text = state(named.state, wordsOf(now, NOW));
        }
        return done(command.skipped ? `${named?.label} is skipped.` : `${named?.label} may serve again.`);
      case 'use_credits':
        if (named) named.use_credits = command.on;
        return done('Changed.');
      case 'threshold':
        for (const each of named ? [named] : now.accounts) {
          if (command.window === null) {
            each.threshold = command.at;
            each.window_thresholds = [];
          } else each.window_thresholds.push([command.window, command.at]);
          each.reserve = command.reserve ?? each.reserve;
        }
        return done('Changed.');
      case 'stop':
      case 'stop_now':
        return done('Baton is stopping.');
      case 'bypass':
        now.bypassed = command.on;
        return done(command.on ? 'Requests pass with Codex’s own sign-in.' : 'Baton serves again.');
      case 'connect_codex':
        now.codex.homes = [
          ...now.codex.homes,
          { home: command.home ?? '/home/alex/.codex', mode: command.mode ?? 'default' },
        ];
        now.codex.lost = [];
        now.codex.comes_through = true;
        return done('Codex is connected: start it again where it runs.');
      case 'disconnect_codex':
        now.codex.homes = now.codex.homes.filter(({ home }) => command.home !== null && home !== command.home);
        now.codex.lost = now.codex.lost.filter((home) => command.home !== null && home !== command.home);
        now.codex.comes_through = now.codex.homes.length > 0;
        return done('Codex is disconnected: its configuration is what it was.');
      case 'set_notification':
        now.preferences.notifications[command.about] = command.on;
        return done('Changed.');
      case 'set_appearance':
        now.preferences.appearance = command.appearance;
        return done('Changed.');
      case 'accept_terms':
        now.preferences.terms_accepted = true;
        return done('Accepted.');
      case 'data':
        return {
          reply: 'data',
          data: {
            folder: '/home/alex/.local/share/baton',
            size: 1_843_200,
            requests: 4211,
            events: 187,
            oldest: NOW - 41 * 86_400_000,
            retention_days: 90,
          },
        };
      case 'export':
        return done(`14 lines are in ${command.path}.`);
      case 'delete_history':
        this.scenario.entries = [];
        return done('The history is deleted.');
      case 'add_link': {
        const id = Math.max(0, ...now.accounts.map((each) => each.id)) + 1;
        now.accounts = [...now.accounts, account(id, command.label, { linked: command.path, windows: [] })];
        now.active ??= id;
        return {
          reply: 'added',
          account: id,
          message: `${command.label} is linked to ${command.path}. Baton reads that file and never changes it: the Codex that uses it renews it.`,
        };
      }
      case 'doctor':
        return { reply: 'checks', checks: checks(now) };
      case 'sign_in': {
        this.#signIn?.fail?.(refuse('Another sign-in was begun, which ended this one.'));
        const device = command.way === 'device';
        const view: SignInView = {
          id: 7,
          link: device ? 'https://auth.openai.com/codex/device' : 'https://auth.openai.com/oauth/authorize?client_id=app_x&state=y',
          code: device ? 'WDJB-MJHT' : null,
          expires_at: NOW + (device ? 15 : 10) * 60_000,
          version: 1,
          note: null,
        };
        this.#signIn = { view, label: command.label, answer: null, fail: null };
        return { reply: 'sign_in', sign_in: view };
      }
      case 'sign_in_wait':
        return new Promise((answer, fail) => {
          if (this.#signIn) Object.assign(this.#signIn, { answer, fail });
          else fail(refuse('this sign-in has ended'));
        });
      case 'sign_in_paste':
        if (!command.address.startsWith('http')) {
          throw refuse('this is no address: copy the whole line from the browser’s address bar');
        }
        this.finishSignIn();
        return done('Signed in.');
      case 'sign_in_cancel':
        this.failSignIn('the sign-in was cancelled: nothing was added');
        return done('Cancelled.');
      default:
        throw refuse(`the scenario doesn’t play ${command.command}`);
    }
  }

  #find(now: Snapshot, label: string): AccountView {
    const found = now.accounts.find((each) => each.label === label);
    if (!found) throw refuse(`there is no account \`${label}\``);
    return found;
  }
}
