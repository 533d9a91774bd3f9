import { screen, waitFor } from '@testing-library/svelte';
import axe from 'axe-core';
import { expect, test } from 'vitest';
import { scenarioNames } from '../src/mock/scenarios';
import { open, settle } from './stage';

/** What axe finds; colours are looked at elsewhere, for jsdom paints nothing. */
async function findings() {
  const { violations } = await axe.run(document.body, { rules: { 'color-contrast': { enabled: false } } });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

test.each(scenarioNames)('axe finds nothing in %s', async (name) => {
  document.documentElement.lang = 'en';
  document.title = 'Baton';
  for (const place of ['now', 'outlook', 'activity', 'settings']) {
    const { unmount } = open(name, place);
    await settle();
    await settle();
    expect(await findings()).toEqual([]);
    unmount();
  }
});

test('axe finds nothing in the check-up, and in adding a linked account', async () => {
  open('linked', 'settings');
  (await screen.findByRole('button', { name: 'Run the check-up' })).click();
  await screen.findByRole('button', { name: 'Check again' });
  for (const each of document.querySelectorAll('details')) each.open = true;
  expect(await findings()).toEqual([]);
  screen.getByRole('button', { name: 'Now' }).click();
  (await screen.findByRole('button', { name: 'Add account' })).click();
  (await screen.findByLabelText(/Use a sign-in that Codex already has/)).click();
  await screen.findByText(/Baton only reads this file/);
  expect(await findings()).toEqual([]);
});

test.each(['Rename…', 'Limits…', 'Sign in again…', 'Remove…'])('axe finds nothing in the dialog of %s', async (item) => {
  open('three');
  (await screen.findByRole('button', { name: 'Actions for Work' })).click();
  const entry = await screen.findByRole('menuitem', { name: item });
  expect(await findings()).toEqual([]);
  entry.click();
  await waitFor(() => screen.getByRole('dialog'));
  expect(await findings()).toEqual([]);
});
