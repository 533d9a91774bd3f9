import { expect, test } from 'vitest';
import { brief, groups, summary } from '../src/lib/checks';
import { absolute } from '../src/lib/home';
import type { Check, Outcome, Subject } from '../src/lib/protocol';

const check = (subject: Subject, outcome: Outcome, said = ''): Check => ({ id: 'baton', subject, outcome, said, to_do: null });

test('findings stand under what they are about, the troubled first', () => {
  const found = groups([
    check('machine', 'fine', 'a'),
    check('machine', 'note', 'b'),
    check({ account: 'Work' }, 'fine', 'c'),
    check({ account: 'Work' }, 'problem', 'd'),
    check({ account: 'Codex' }, 'fine', 'e'),
    check('codex', 'problem', 'f'),
  ]);
  expect(found.map(({ title, worst, checks }) => [title, worst, checks.map(({ said }) => said).join('')])).toEqual([
    ['Work', 'problem', 'dc'],
    ['Codex', 'problem', 'f'],
    ['This computer', 'note', 'ba'],
    ['Codex', 'fine', 'e'],
  ]);
});

test('the summary counts, problems first', () => {
  expect(summary([check('codex', 'fine'), check('codex', 'not_checked')])).toBe('No problems, 1 not checked, 1 fine');
  expect(summary([check('codex', 'problem'), check('machine', 'problem')])).toBe('2 problems');
});

test('a group says what isn’t fine', () => {
  const says = (...of: Outcome[]) => groups(of.map((outcome) => check('machine', outcome))).map(brief);
  expect([says('fine', 'fine'), says('fine', 'not_checked', 'problem')]).toEqual([['All fine'], ['1 problem, 1 not checked']]);
});

test.each([
  ['~/.codex/auth.json', '/home/alex', '/home/alex/.codex/auth.json'],
  [' notes.csv ', '/home/alex/', '/home/alex/notes.csv'],
  ['/tmp/x', '/home/alex', '/tmp/x'],
  ['~', '/home/alex', '/home/alex'],
  ['~\\.codex', 'C:\\Users\\alex', 'C:\\Users\\alex\\.codex'],
  ['D:\\x', 'C:\\Users\\alex', 'D:\\x'],
])('%j at %j is %j', (typed, home, path) => expect(absolute(typed, home)).toBe(path));
