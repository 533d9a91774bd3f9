/** Whom the engine would choose under `sequential`, as far as the window can tell. */
import type { AccountView, Choice, Decision, Snapshot } from '../lib/protocol';

type Pool = Omit<Snapshot, 'next_request'>;

const MINUTE = 60_000;

const usable = ({ state }: AccountView) => state.state === 'eligible' || state.state === 'held_back';

const until = ({ state }: AccountView) =>
  state.state === 'exhausted' || state.state === 'cooling_down' ? state.until : null;

export function choose(now: Pool): Choice {
  const { accounts, pinned, at } = now;
  if (accounts.length === 0) return { kind: 'refuse', reason: { kind: 'no_accounts' } };
  const only = accounts.find(({ id }) => id === pinned);
  if (only) {
    if (usable(only)) return { kind: 'use', account: only.id, generation: 1, because: { kind: 'pinned' } };
    return { kind: 'refuse', reason: { kind: 'pinned_unusable', account: only.id, state: only.state } };
  }
  const active = accounts.find(({ id }) => id === now.active);
  if (active && usable(active)) return { kind: 'use', account: active.id, generation: 1, because: { kind: 'active' } };
  if (now.braked) return { kind: 'refuse', reason: { kind: 'braked' } };
  const other = accounts.find(usable);
  const passing = active?.state.state === 'cooling_down' && active.state.until - at <= MINUTE;
  if (other) {
    const because =
      active && passing
        ? ({ kind: 'temporary_failover', instead_of: active.id } as const)
        : ({ kind: 'became_active', cause: active ? 'limit_reached' : 'first_use' } as const);
    return { kind: 'use', account: other.id, generation: 1, because };
  }
  const returns = accounts.flatMap((account) => {
    const back = until(account);
    return back === null ? [] : [{ account: account.id, back }];
  });
  const [first] = returns.sort((a, b) => a.back - b.back);
  if (first && first.back - at <= now.wait_for_recovery_secs * 1000) {
    return { kind: 'wait', until: first.back, account: first.account };
  }
  return { kind: 'refuse', reason: { kind: 'nobody_usable', earliest: first?.back ?? null } };
}

export function decision(now: Pool): Decision {
  const choice = choose(now);
  const chosen = choice.kind === 'use' ? choice : null;
  return {
    at: now.at,
    strategy: now.strategy,
    choice,
    switch: null,
    lines: now.accounts.map((each) => ({
      account: each.id,
      state: each.state,
      standing:
        chosen?.account === each.id
          ? { kind: 'chosen', why: chosen.because }
          : { kind: 'passed_over', why: { kind: usable(each) ? 'waits_its_turn' : 'not_usable' } },
    })),
  };
}
