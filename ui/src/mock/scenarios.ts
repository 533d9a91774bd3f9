/** Named situations that the window has to show well. For development, tests and pictures; not in the shipped page. */
import type { AccountView, Eligibility, Event, LogEntry, Snapshot, WindowView } from '../lib/protocol';
import { state, wordsOf } from '../lib/words';
import { choose } from './decide';
import { foreseen } from './foresight';
import { NOW } from './now';

export { NOW };

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;


export interface Scenario {
  snapshot: Snapshot | null;
  entries: LogEntry[];
  /** Every answer is this error. */
  failure?: string;
  /** Why the window was opened without a Baton. */
  why?: string;
  /** Nothing answers, ever. */
  silent?: boolean;
}

function window(length: number, left: number, resetsIn: number | null, more: Partial<WindowView> = {}): WindowView {
  return {
    family: 'general',
    name: null,
    length,
    left,
    resets_at: resetsIn === null ? null : NOW + resetsIn,
    observed_at: NOW - 3 * MINUTE,
    stale: false,
    ...more,
  };
}

const both = (five: number, week: number) => [
  window(300, five, 2 * HOUR + 10 * MINUTE),
  window(10_080, week, 3 * DAY + 4 * HOUR),
];

export function account(id: number, label: string, more: Partial<AccountView> = {}): AccountView {
  const view: AccountView = {
    id,
    label,
    plan: 'plus',
    state: { state: 'eligible' },
    state_text: '',
    windows: both(100, 92),
    skipped: false,
    use_credits: false,
    threshold: 100,
    window_thresholds: [],
    reserve: false,
    last_used: NOW - 5 * HOUR,
    linked: null,
    banked: { count: 0, expire: [] },
    ...more,
  };
  view.state_text = more.state_text ?? state(view.state, wordsOf({ accounts: [] }, NOW));
  return view;
}

export const exhausted = (until: number | null = NOW + 2 * HOUR + 10 * MINUTE): Eligibility => ({
  state: 'exhausted',
  until,
  reason: { limit: 'usage_limit' },
  on_credits: false,
});

const personal = (more: Partial<AccountView> = {}) =>
  account(1, 'Personal', { windows: both(63.5, 88), last_used: NOW - MINUTE, ...more });
const work = (more: Partial<AccountView> = {}) => account(2, 'Work', { plan: 'business', ...more });

export function snapshot(accounts: AccountView[], more: Partial<Snapshot> = {}): Snapshot {
  const view: Omit<Snapshot, 'next_request'> = {
    version: '0.1.0',
    forecast: null,
    at: NOW,
    base_urls: {
      openai_base_url: 'http://127.0.0.1:8642/secret/backend-api/codex',
      chatgpt_base_url: 'http://localhost:8642/secret/backend-api/',
    },
    upstream: 'https://chatgpt.com/backend-api/',
    strategy: 'sequential',
    on_recovery: 'stay',
    wait_for_recovery_secs: 60,
    active: accounts[0]?.id ?? null,
    next: accounts[1]?.id ?? null,
    pinned: null,
    braked: false,
    temporary_failovers: 0,
    running_requests: 0,
    accounts,
    problems: [],
    bypassed: false,
    codex: {
      homes: [{ home: '/home/alex/.codex', mode: 'default' }],
      lost: [],
      comes_through: true,
      last_request: NOW - 4 * MINUTE,
    },
    preferences: {
      notifications: {
        switched: true,
        temporary_failover: false,
        recovered: true,
        low: true,
        all_exhausted: true,
        needs_attention: true,
        codex_disconnected: true,
        pin_stopped: true,
      },
      appearance: 'system',
      terms_accepted: true,
    },
    ...more,
  };
  const serves = { ...view, next_request: more.next_request ?? choose(view) };
  const works = serves.next_request.kind === 'use' && accounts.some(({ windows }) => windows.length > 0);
  return works && more.forecast === undefined ? { ...serves, forecast: foreseen(serves) } : serves;
}

const event = (ago: number, kind: Event['kind'], request: number | null = null): LogEntry => ({
  entry: 'event',
  event: { at: NOW - ago, kind },
  request,
});

const request = (ago: number, account: number | null, outcome = 'completed', failovers = 0): LogEntry => ({
  entry: 'request',
  id: 1_000_000 - Math.floor(ago / MINUTE),
  at: NOW - ago,
  account,
  session: 'd4e5f6',
  thread: 'a1b2c3',
  turn: 'new',
  model: 'gpt-5.5-codex',
  transport: 'web_socket',
  outcome,
  first_byte_ms: account === null ? null : 310,
  first_output_ms: account === null ? null : 1240,
  waited_ms: 0,
  failovers,
  input_tokens: account === null ? null : 18_420,
  cached_tokens: account === null ? null : 12_800,
  output_tokens: account === null ? null : 912,
});

const log = (): LogEntry[] => [
  request(MINUTE, 1),
  request(4 * MINUTE, 1),
  event(31 * MINUTE, { event: 'state_changed', account: 2, from: exhausted(null), to: { state: 'eligible' } }),
  request(32 * MINUTE, 1, 'completed', 1),
  event(33 * MINUTE, { event: 'switched', from: 2, to: 1, cause: 'limit_reached' }, 1_000_000 - 32),
  event(33 * MINUTE + 1, { event: 'state_changed', account: 2, from: { state: 'eligible' }, to: exhausted() }),
  event(2 * HOUR, { event: 'temporary_failover', from: 2, to: 1 }),
  request(3 * HOUR, 2),
  event(23 * HOUR, { event: 'strategy_changed', from: 'balanced', to: 'sequential' }),
  request(23 * HOUR + MINUTE, null, 'nobody_usable'),
  {
    entry: 'blocked',
    began: NOW - 24 * HOUR,
    ended: NOW - 20 * HOUR,
    until: NOW - 20 * HOUR,
    why: 'nobody_usable',
    request: 1_000_000 - 23 * 60 - 1,
    requests: 1,
    asked_last: NOW - 23 * HOUR - MINUTE,
  },
  event(24 * HOUR, { event: 'all_exhausted', earliest: NOW - 20 * HOUR }),
  event(3 * DAY, { event: 'added', account: 2 }),
  event(3 * DAY + HOUR, { event: 'switched', from: null, to: 1, cause: 'first_use' }),
  event(3 * DAY + HOUR + 1, { event: 'added', account: 1 }),
];

const play = (of: Snapshot | null, entries: LogEntry[] = log(), more: Partial<Scenario> = {}): Scenario => ({
  snapshot: of,
  entries,
  ...more,
});

const unconnected = { codex: { homes: [], lost: [], comes_through: false, last_request: null } };

function twenty(): AccountView[] {
  const states: Eligibility[] = [
    { state: 'eligible' },
    { state: 'eligible' },
    exhausted(),
    { state: 'held_back', window: 300, used: 95, threshold: 95, until: NOW + HOUR, reserve: false },
    { state: 'needs_attention', reason: 'grant_refused' },
    { state: 'cooling_down', since: NOW, until: NOW + 4 * MINUTE, reason: 'server_trouble' },
    { state: 'skipped' },
  ];
  return Array.from({ length: 20 }, (_, index) => {
    const id = index + 1;
    const of = states[index % states.length] ?? { state: 'eligible' };
    const left = of.state === 'exhausted' ? 0 : of.state === 'held_back' ? 5 : 100 - index * 4;
    const label =
      index % 3 === 0
        ? `Team workspace ${id} of the research department, shared with the reviewers of the quarterly release`
        : index % 3 === 1
          ? `Donaudampfschifffahrtsgesellschaftskapitänskonto-${id}`
          : `Account ${id}`;
    const windows = both(left, Math.min(99, left + 3));
    if (index === 1) {
      windows.push(
        window(300, 12.4, HOUR, { family: { named: 'codex_spark' }, name: 'GPT-5.3-Codex-Spark' }),
        window(10_080, 0.04, DAY, { family: { named: 'codex_spark' }, name: 'GPT-5.3-Codex-Spark', stale: true }),
      );
    }
    return account(id, label, {
      state: of,
      skipped: of.state === 'skipped',
      windows,
      plan: index % 2 ? 'enterprise' : 'pro',
      threshold: of.state === 'held_back' ? 95 : 100,
      banked: index === 2 ? { count: 2, expire: [NOW + 5 * DAY] } : { count: 0, expire: [] },
    });
  });
}

export const SCENARIOS = {
  first_run: () => {
    const fresh = snapshot([], unconnected);
    return play({ ...fresh, preferences: { ...fresh.preferences, terms_accepted: false } }, []);
  },
  empty: () => play(snapshot([], unconnected), []),
  one: () => play(snapshot([personal()], unconnected), log().slice(0, 2)),
  two: () => play(snapshot([personal(), work()])),
  three: () =>
    play(
      snapshot([
        personal({ threshold: 95, windows: both(63.5, 88) }),
        work({ windows: both(41, 18.2), state: { state: 'eligible' } }),
        account(3, 'Side project', { state: exhausted(), windows: both(0, 40) }),
      ]),
    ),
  twenty: () => play(snapshot(twenty())),
  exhausted: () =>
    play(
      snapshot(
        [
          personal({ state: exhausted(), windows: both(0, 31) }),
          work({ state: exhausted(NOW + 3 * DAY), windows: both(20, 0), banked: { count: 1, expire: [NOW + 9 * DAY] } }),
        ],
        { next: null },
      ),
    ),
  keychain_locked: () =>
    play(
      snapshot([personal(), work()], {
        problems: ['The keychain is locked: unlock it (log in to your desktop, or open your keyring application).'],
      }),
    ),
  problems: () =>
    play(
      snapshot([personal(), work()], {
        problems: [
          'The disk is full: make room in /home/alex/.local/share/baton. Readings and switches wait in memory.',
          'Usage of Work could not be read three times in a row; Baton asks again at 15:10.',
        ],
      }),
    ),
  pinned: () => play(snapshot([personal(), work()], { pinned: 2, active: 2 })),
  bypassed: () => play(snapshot([personal(), work()], { bypassed: true })),
  braked: () =>
    play(
      snapshot(
        [
          personal({ state: { state: 'needs_attention', reason: 'token_invalidated' } }),
          work({ state: { state: 'needs_attention', reason: 'deactivated_workspace' } }),
          account(3, 'Side project'),
        ],
        { braked: true, next: null },
      ),
    ),
  failover: () =>
    play(
      snapshot(
        [personal({ state: { state: 'cooling_down', since: NOW, until: NOW + 40_000, reason: 'throttled' } }), work()],
        { temporary_failovers: 3 },
      ),
    ),
  waiting: () =>
    play(
      snapshot(
        [
          personal({ state: { state: 'cooling_down', since: NOW, until: NOW + 40_000, reason: 'server_trouble' } }),
          work({ state: exhausted(), windows: both(0, 44) }),
        ],
        { next: null },
      ),
    ),
  low: () => play(snapshot([personal({ windows: both(12, 88) }), work()])),
  pin_stopped: () =>
    play(snapshot([personal(), work({ state: exhausted(), windows: both(0, 44) })], { pinned: 2, active: 2 })),
  stuck: () =>
    play(
      snapshot(
        [
          personal({ state: { state: 'needs_attention', reason: 'grant_refused' } }),
          work({ state: { state: 'skipped' }, skipped: true }),
        ],
        { next: null },
      ),
    ),
  unconnected: () => play(snapshot([personal(), work()], unconnected)),
  disconnected: () =>
    play(
      snapshot([personal(), work()], {
        codex: { homes: [], lost: ['/home/alex/.codex'], comes_through: false, last_request: NOW - HOUR },
        problems: [
          'Codex no longer goes through Baton: another program has changed /home/alex/.codex/config.toml. Connect it again (`baton connect`), or leave it so (`baton disconnect`).',
        ],
      }),
    ),
  linked: () =>
    play(
      snapshot(
        [
          personal({ linked: '/home/alex/.codex/auth.json' }),
          work({
            linked: '/home/alex/projects/quarterly-release/.codex-work/auth.json',
            state: { state: 'needs_attention', reason: 'link_stale' },
            state_text:
              'Needs its owner: run `codex` once with CODEX_HOME=/home/alex/projects/quarterly-release/.codex-work, to renew its sign-in',
          }),
          account(3, 'Side project'),
        ],
        { next: 3 },
      ),
    ),
  unknown: () => play(snapshot([personal({ windows: [], plan: null }), work({ windows: [] })])),
  stale: () =>
    play(
      snapshot([
        personal({ windows: both(63.5, 88).map((each) => ({ ...each, stale: true, observed_at: NOW - 3 * HOUR })) }),
        work({ windows: [window(10_080, 100, null)] }),
      ]),
    ),
  sign_in_needed: () =>
    play(snapshot([personal(), work({ state: { state: 'needs_attention', reason: 'grant_refused' } })], { next: null })),
  away: () => play(null, []),
  cannot_start: () => play(null, [], { why: 'port 27460 is taken by another program' }),
  error: () =>
    play(snapshot([]), [], {
      failure:
        'the running Baton speaks version 2 of its control protocol, and this program version 1: restart Baton after an update, and use the `baton` it came with',
    }),
  loading: () => play(snapshot([]), [], { silent: true }),
} satisfies Record<string, () => Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;

export const scenarioNames = Object.keys(SCENARIOS) as ScenarioName[];
