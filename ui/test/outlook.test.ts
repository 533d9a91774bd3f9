import { fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import { expect, test } from 'vitest';
import { known } from '../src/lib/foresight';
import { Look } from '../src/lib/looks.svelte';
import { minutes } from '../src/lib/time';
import { foreseen, unknown } from '../src/mock/foresight';
import { NOW, SCENARIOS } from '../src/mock/scenarios';
import { open, settle } from './stage';

test('says how long it goes on, what is expected, and what that rests on', async () => {
  open('two', 'outlook');
  const ahead = await screen.findByRole('region', { name: 'What lies ahead' });
  await within(ahead).findByText(/^Uninterrupted until about 18:40/);
  expect(within(ahead).getAllByRole('listitem').map((each) => each.textContent)).toEqual([
    'About 16:48: from Personal to Work (limit reached)',
    'About 18:40: nobody can serve (Work: limit reached)',
  ]);
  within(ahead).getByText('From 12 days of readings. Your usual hours count.');
});

test('stands on the first view too, where anything is known', async () => {
  const { unmount } = open('two');
  await screen.findByText(/^Uninterrupted until about 18:40/);
  unmount();
  open('bypassed');
  await screen.findByText('Codex uses its own sign-in');
  expect(screen.queryByText(/^Uninterrupted/)).toBeNull();
});

test('the marks of the timeline are reached by Tab and the arrow keys, and say their figures', async () => {
  open('two', 'outlook');
  const timeline = await screen.findByRole('region', { name: 'Timeline' });
  const marks = await within(timeline).findAllByRole('img');
  expect(marks.filter((mark) => mark.getAttribute('tabindex') === '0')).toHaveLength(1);
  const [first, second] = marks;
  first?.focus();
  await fireEvent.keyDown(first as Element, { key: 'ArrowRight' });
  expect(document.activeElement).toBe(second);
  expect(marks.filter((mark) => mark.getAttribute('tabindex') === '0')).toEqual([second]);
  const figures = second?.getAttribute('aria-label') ?? '';
  expect(figures).toMatch(/^Personal, 5 h window from /);
  await within(timeline).findByText(figures, { selector: 'p' });
  await fireEvent.keyDown(second as Element, { key: 'End' });
  expect(document.activeElement).toBe(marks.at(-1));
});

test('the timeline is drawn for the room it has, and for a week', async () => {
  const { host } = open('two', 'outlook');
  const timeline = await screen.findByRole('region', { name: 'Timeline' });
  await within(timeline).findAllByRole('img');
  await fireEvent.click(within(timeline).getByLabelText('Week'));
  await waitFor(() => expect(host.asked).toContainEqual({ command: 'timeline', days: 7, width: 840 }));
  expect(host.asked).toContainEqual({ command: 'timeline', days: 1, width: 840 });
});

test('the strategies stand side by side, one’s own marked', async () => {
  open('two', 'outlook');
  const rows = within(await screen.findByRole('table', { name: 'Strategies side by side' })).getAllByRole('row');
  expect(rows).toHaveLength(6);
  const cells = (row: HTMLElement | undefined) =>
    row && [...row.children].map((cell) => cell.textContent?.replace(/\s+/g, ' ').trim());
  expect(cells(rows[1])).toEqual(['Sequential (drain first) · yours', '7', '2 h 51 min', '20 h 10 min', '31 %', '24']);
  await screen.findByText(/^In the last 14 days balanced would have blocked you 12 minutes less/);
});

test('what is refused is said in its place, and the rest shows', async () => {
  const { host } = open('two', 'now');
  host.refuses.set('timeline', 'the disk is full: make room');
  await fireEvent.click(await screen.findByRole('button', { name: 'Outlook' }));
  const timeline = await screen.findByRole('region', { name: 'Timeline' });
  expect((await within(timeline).findByRole('alert')).textContent).toContain('the disk is full: make room');
  await screen.findByRole('table', { name: 'Strategies side by side' });
});

test('without accounts there is nothing to foresee', async () => {
  open('empty', 'outlook');
  await screen.findByText('Nothing to foresee yet');
});

test('whoever looks while a look is under way gets one further look, the last one', async () => {
  const look = new Look();
  const done: string[] = [];
  let end = () => {};
  const first = look.run(() => new Promise<void>((resolve) => (end = resolve)).then(() => void done.push('first')));
  void look.run(async () => void done.push('second'));
  void look.run(async () => void done.push('third'));
  end();
  await first;
  await settle();
  expect(done).toEqual(['first', 'third']);
});

test.each([
  [0.2, '0 min'],
  [45, '45 min'],
  [171, '2 h 51 min'],
  [120, '2 h'],
  [2880, '2 d'],
  [4560, '3 d 4 h'],
])('%d minutes are %s', (length, said) => {
  expect(minutes(length)).toBe(said);
});

test('what was foretold long ago, or isn’t known, isn’t said', () => {
  const now = SCENARIOS.two().snapshot;
  if (!now) throw new Error('a scenario with accounts');
  const foretold = foreseen(now);
  expect(known(foretold, NOW + 19 * 60_000)).toBe(true);
  expect(known(foretold, NOW + 20 * 60_000)).toBe(false);
  expect(known(unknown(now), NOW)).toBe(false);
  expect(known(null, NOW)).toBe(false);
});
