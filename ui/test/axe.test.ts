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
  for (const place of ['now', 'activity', 'settings']) {
    const { unmount } = open(name, place);
    await settle();
    await settle();
    expect(await findings()).toEqual([]);
    unmount();
  }
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
