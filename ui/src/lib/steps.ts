/** The way from nothing to a connected Codex with two accounts. */
import type { Snapshot } from './protocol';

export interface Step {
  title: string;
  detail: string;
  done: boolean;
  does: 'add' | 'connect';
  action: string;
}

export function steps(snapshot: Snapshot): Step[] {
  const { length } = snapshot.accounts;
  return [
    {
      title: 'Add your first account',
      detail: 'It becomes the primary: the one that serves first.',
      done: length >= 1,
      does: 'add',
      action: 'Add account',
    },
    {
      title: 'Add a second one',
      detail: 'It takes over when the first has reached its limit.',
      done: length >= 2,
      does: 'add',
      action: 'Add account',
    },
    {
      title: 'Connect Codex',
      detail: 'Sets two lines in Codex’s config.toml, which go again when Baton ends.',
      done: snapshot.codex.homes.length > 0,
      does: 'connect',
      action: 'Connect Codex',
    },
  ];
}
