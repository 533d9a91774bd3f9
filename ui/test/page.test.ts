import { fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { asked, open, settle } from './stage';

const card = async (label: string) => (await screen.findByRole('article', { name: label })) as HTMLElement;
const order = () => screen.getAllByRole('article').map((each) => within(each).getByRole('heading').textContent);
const menu = async (label: string, item: string | RegExp) => {
  await fireEvent.click(await screen.findByRole('button', { name: `Actions for ${label}` }));
  await fireEvent.click(await screen.findByRole('menuitem', { name: item }));
};

describe('the order', () => {
  test('is changed from the keyboard, said aloud, and the focus stays with the account', async () => {
    const { host } = open('three');
    await card('Personal');
    const grip = screen.getByRole('button', { name: 'Move Personal, 1 of 3' });
    grip.focus();
    await fireEvent.keyDown(grip, { key: 'ArrowDown', altKey: true });
    await waitFor(() => expect(order()).toEqual(['Work', 'Personal', 'Side project']));
    expect(asked(host)).toEqual([{ command: 'move', account: 'Personal', position: 2 }]);
    await screen.findByText('Personal is 2 of 3 now.');
    await waitFor(() => expect(document.activeElement?.getAttribute('aria-label')).toBe('Move Personal, 2 of 3'));
  });

  test('isn’t asked for beyond its end', async () => {
    const { host } = open('two');
    await fireEvent.keyDown(await card('Personal'), { key: 'ArrowUp', altKey: true });
    expect(asked(host)).toEqual([]);
  });

  test('is changed from the menu: make primary', async () => {
    const { host } = open('three');
    await menu('Side project', 'Make primary');
    await waitFor(() => expect(order()[0]).toBe('Side project'));
    expect(asked(host)).toEqual([{ command: 'move', account: 'Side project', position: 1 }]);
  });

  test('that the engine refuses stays as it is, and the card says why', async () => {
    const { host } = open('two');
    host.refuses.set('move', 'the disk is full: make room');
    await menu('Work', 'Make primary');
    expect((await within(await card('Work')).findByRole('alert')).textContent).toContain('the disk is full: make room');
    expect(order()).toEqual(['Personal', 'Work']);
  });
});

test('the menu is walked with the arrows and left with Escape', async () => {
  open('two');
  const button = await screen.findByRole('button', { name: 'Actions for Work' });
  await fireEvent.click(button);
  const items = screen.getAllByRole('menuitem');
  await waitFor(() => expect(document.activeElement).toBe(items[0]));
  await fireEvent.keyDown(items[0]!, { key: 'End' });
  expect(document.activeElement?.textContent).toContain('Remove…');
  await fireEvent.keyDown(document.activeElement!, { key: 'Escape' });
  expect(screen.queryByRole('menu')).toBeNull();
  expect(document.activeElement).toBe(button);
});

describe('a strategy', () => {
  test('is shown as chosen once the engine says so, not before', async () => {
    const { host } = open('two');
    const balanced = await screen.findByRole<HTMLInputElement>('radio', { name: /^Balanced/ });
    host.refuses.set('use', 'settings.toml can’t be written: make room');
    await fireEvent.click(balanced);
    expect((await screen.findByRole('alert')).textContent).toContain('settings.toml');
    expect(balanced.checked).toBe(false);
    expect(screen.getByRole<HTMLInputElement>('radio', { name: /^Sequential/ }).checked).toBe(true);
    host.refuses.clear();
    await fireEvent.click(balanced);
    await waitFor(() => expect(balanced.checked).toBe(true));
    expect(screen.queryByRole('radio', { name: 'Stay until exhausted' })).toBeNull();
  });

  test('a threshold is typed as percent left and sent as percent used', async () => {
    const { host } = open('two');
    const field = await screen.findByLabelText('Set every account aside at');
    await fireEvent.input(field, { target: { value: '120' } });
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Set' }).disabled).toBe(true);
    await fireEvent.input(field, { target: { value: '5' } });
    await fireEvent.click(screen.getByRole('button', { name: 'Set' }));
    await waitFor(() =>
      expect(asked(host)).toEqual([{ command: 'threshold', account: null, window: null, at: 95, reserve: false }]),
    );
    expect(await screen.findAllByText('Set aside at 5 % left')).toHaveLength(2);
  });
});

describe('dialogs', () => {
  test('removing asks first, and Cancel removes nothing', async () => {
    const { host } = open('two');
    await menu('Work', 'Remove…');
    const dialog = await screen.findByRole('dialog', { name: 'Remove Work?' });
    await fireEvent.click(within(dialog).getByRole('button', { name: 'Cancel' }));
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(asked(host)).toEqual([]);
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Actions for Work');
    await menu('Work', 'Remove…');
    await fireEvent.click(screen.getByRole('button', { name: 'Remove' }));
    await waitFor(() => expect(order()).toEqual(['Personal']));
  });

  test('a label that is refused stays in its dialog, with the reason', async () => {
    const { host } = open('two');
    host.refuses.set('rename', 'there is an account `Personal` already: choose another label');
    await menu('Work', 'Rename…');
    await fireEvent.input(screen.getByLabelText('Label'), { target: { value: 'Personal' } });
    await fireEvent.click(screen.getByRole('button', { name: 'Rename' }));
    expect((await screen.findByRole('alert')).textContent).toContain('choose another label');
    expect(screen.getByRole('dialog')).toBeTruthy();
  });
});

describe('signing in', () => {
  const begin = async (label: string) => {
    await fireEvent.click(await screen.findByRole('button', { name: 'Add account' }));
    await fireEvent.input(screen.getByLabelText('What to call it'), { target: { value: label } });
  };

  test('with a code shows it, and when it expires', async () => {
    const { host } = open('two');
    await begin('Side');
    await fireEvent.click(screen.getByLabelText(/With a code/));
    await fireEvent.click(screen.getByRole('button', { name: 'Get a code' }));
    expect(await screen.findByText('WDJB-MJHT')).toBeTruthy();
    expect(screen.getByText(/expires in 15 min/)).toBeTruthy();
    host.finishSignIn();
    expect(await screen.findByText('Side is added; its grant is in the keychain.')).toBeTruthy();
    await waitFor(() => expect(order()).toContain('Side'));
  });

  test('an account that is there already is said to be renewed, not added', async () => {
    const { host } = open('two');
    await begin('Personal');
    await fireEvent.click(screen.getByRole('button', { name: 'Open sign-in page' }));
    await screen.findByText('Waiting for you in the browser.');
    host.finishSignIn();
    expect(await screen.findByText('This is Personal again, renewed; nothing added.')).toBeTruthy();
    expect(screen.getByText('Renewed')).toBeTruthy();
    expect(screen.queryByText('Added')).toBeNull();
  });

  test('a pasted address that is none is refused beside its field', async () => {
    const { host } = open('two');
    await begin('Side');
    await fireEvent.click(screen.getByRole('button', { name: 'Open sign-in page' }));
    const field = await screen.findByLabelText(/Paste the address/);
    await fireEvent.input(field, { target: { value: 'nonsense' } });
    await fireEvent.click(screen.getByRole('button', { name: 'Use this address' }));
    expect((await screen.findByRole('alert')).textContent).toContain('this is no address');
    expect(host.asked.some((each) => each.command === 'sign_in_cancel')).toBe(false);
  });

  test('closing the dialog ends what is under way', async () => {
    const { host } = open('two');
    await begin('Side');
    await fireEvent.click(screen.getByRole('button', { name: 'Open sign-in page' }));
    await screen.findByText('Waiting for you in the browser.');
    await fireEvent.click(screen.getByRole('button', { name: 'Close' }));
    await waitFor(() => expect(asked(host).at(-1)).toEqual({ command: 'sign_in_cancel', id: 7 }));
  });
});

describe('when something is wrong', () => {
  test('a Baton that isn’t there can be started, and why that failed is said', async () => {
    const { host } = open('away');
    await fireEvent.click(await screen.findByRole('button', { name: 'Start Baton' }));
    expect((await screen.findByRole('alert')).textContent).toContain('the port 8642 is taken');
    expect(host.asked.every((each) => each.command === 'status')).toBe(true);
  });

  test('an engine that can’t answer says why in its own words', async () => {
    open('error');
    expect(await screen.findByText(/restart Baton after an update/)).toBeTruthy();
  });

  test('a locked keychain is said above the accounts, which stay in sight', async () => {
    open('keychain_locked');
    expect(await screen.findByText('The keychain is locked')).toBeTruthy();
    expect(order()).toHaveLength(2);
  });
});

test('the first run shows the terms, and then the steps', async () => {
  const { host } = open('first_run');
  expect(await screen.findByText('Your own accounts only')).toBeTruthy();
  expect(screen.queryByRole('navigation')).toBeNull();
  await fireEvent.click(screen.getByRole('button', { name: 'I understand: continue' }));
  expect(await screen.findByText('Three steps to begin')).toBeTruthy();
  expect(asked(host)).toEqual([{ command: 'accept_terms' }]);
});

test('a switch that happens is said, and stands in the activity', async () => {
  const { host } = open('two', 'activity');
  await screen.findByText('Switched to Personal: limit reached (Work)');
  host.happen({ event: 'switched', from: 1, to: 2, cause: 'switched_by_person' });
  expect(await screen.findAllByText('Switched to Work: switched by you (Personal)')).toHaveLength(2);
});

test('the explanation has a line on every account', async () => {
  open('three');
  const details = (await screen.findByText('Why this account?')).closest('details')!;
  details.open = true;
  await fireEvent(details, new Event('toggle'));
  expect(await screen.findByText('chosen: the active account')).toBeTruthy();
  expect(screen.getByText('Eligible; waits its turn in the order')).toBeTruthy();
});

test('activity says why a past request, and a switch, went where it went', async () => {
  const { host } = open('three', 'activity');
  for (const request of [1_000_000 - 1, 1_000_000 - 32]) {
    const [summary] = await screen.findAllByLabelText(`Why, of request ${request}`);
    const details = summary!.closest('details')!;
    details.open = true;
    await fireEvent(details, new Event('toggle'));
    expect(await within(details).findByText(/chosen: /)).toBeTruthy();
    expect(host.asked.at(-1)).toEqual({ command: 'why', request });
  }
  expect(screen.getByText(/^Blocked until .*\(4 h 0 min\): no account could serve · 1 request$/)).toBeTruthy();
});

test('a notification’s account has the focus', async () => {
  open('three', 'account/2');
  await waitFor(() => expect(document.activeElement?.id).toBe('account-2'));
});

describe('a linked account', () => {
  test('is added with the file that Codex has, from the root', async () => {
    const { host } = open('two');
    await fireEvent.click(await screen.findByRole('button', { name: 'Add account' }));
    await fireEvent.input(screen.getByLabelText('What to call it'), { target: { value: 'Laptop' } });
    await fireEvent.click(screen.getByLabelText(/Use a sign-in that Codex already has/));
    expect(screen.getByText(/Baton only reads this file/)).toBeTruthy();
    await fireEvent.click(screen.getByRole('button', { name: 'Link it' }));
    expect(await screen.findByText(/^Laptop is linked to/)).toBeTruthy();
    expect(asked(host)).toEqual([{ command: 'add_link', path: '/home/alex/.codex/auth.json', label: 'Laptop' }]);
  });

  test('that the engine refuses says why, and its path can be mended', async () => {
    const { host } = open('two');
    host.refuses.set('add_link', 'there is no /home/alex/.codex/auth.json: sign in there with `codex login`');
    await fireEvent.click(await screen.findByRole('button', { name: 'Add account' }));
    await fireEvent.input(screen.getByLabelText('What to call it'), { target: { value: 'Laptop' } });
    await fireEvent.click(screen.getByLabelText(/Use a sign-in that Codex already has/));
    await fireEvent.click(screen.getByRole('button', { name: 'Link it' }));
    expect((await screen.findByRole('alert')).textContent).toContain('sign in there with codex login');
    expect(screen.getByLabelText<HTMLInputElement>(/Codex’s auth.json/).value).toBe('~/.codex/auth.json');
  });

  test('says on its card whose file it is, and removing it leaves that alone', async () => {
    open('linked');
    expect((await card('Personal')).textContent).toContain('Linked: /home/alex/.codex/auth.json — renewed by the Codex that owns it');
    expect((await card('Side project')).textContent).not.toContain('Linked');
    // Its owner has to renew it: no button of the window does.
    expect(within(await card('Work')).queryByRole('button', { name: /Sign in again/ })).toBeNull();
    await menu('Personal', 'Remove…');
    expect(screen.getByRole('dialog').textContent).toContain('/home/alex/.codex/auth.json is left as it is');
  });
});

describe('the check-up', () => {
  const run = async () => fireEvent.click(await screen.findByRole('button', { name: 'Run the check-up' }));

  test('is busy until its answer, and goes on while another view is looked at', async () => {
    const { host } = open('sign_in_needed', 'settings');
    let answer = () => {};
    host.holds.set('doctor', new Promise<void>((done) => (answer = done)));
    await run();
    expect(await screen.findByText(/Checking…/)).toBeTruthy();
    await run();
    host.tell({ message: 'show', place: 'now' });
    await card('Work');
    answer();
    await settle();
    host.tell({ message: 'show', place: 'settings' });
    expect(await screen.findByText('1 problem, 1 worth knowing, 2 not checked, 7 fine')).toBeTruthy();
    expect(asked(host)).toEqual([{ command: 'doctor', account: null }]);
  });

  test('puts what is wrong first, with what to do and the way to the card', async () => {
    open('sign_in_needed', 'settings');
    await run();
    await screen.findByText(/1 problem, 1 worth/);
    const [first, ...others] = [...document.querySelectorAll('details')].filter((each) => /Fine /.test(each.textContent));
    expect(first?.textContent).toMatch(/^\s*Work.*Problem.*Needs you.*Sign in again/s);
    expect([first?.open, ...others.map((each) => each.open)]).toEqual([true, false, false]);
    await fireEvent.click(within(first!).getByRole('button', { name: /Show its card/ }));
    await waitFor(() => expect(document.activeElement?.id).toBe('account-2'));
  });

  test('that fails says why, and can be run again', async () => {
    const { host } = open('two', 'settings');
    host.refuses.set('doctor', 'Baton is ending');
    await run();
    expect((await screen.findByRole('alert')).textContent).toContain('Baton is ending');
    host.refuses.clear();
    await run();
    await screen.findByText(/No problems, 1 worth knowing/);
    expect(screen.queryByRole('alert')).toBeNull();
  });
});

describe('the export', () => {
  test('goes to the home folder, and a file that is there stays', async () => {
    const { host } = open('two', 'settings');
    const field = await screen.findByLabelText<HTMLInputElement>('Export the history to');
    expect(field.value).toBe('~/baton-2026-11-22.csv');
    host.refuses.set('export', '/home/alex/baton-2026-11-22.csv is there already: name a file that isn’t');
    await fireEvent.click(screen.getByRole('button', { name: 'Export' }));
    expect((await screen.findByRole('alert')).textContent).toContain('is there already: name a file that isn’t');
    expect(asked(host)).toEqual([{ command: 'export', path: '/home/alex/baton-2026-11-22.csv', format: 'csv' }]);
  });
});

describe('a place that is to be shown', () => {
  test('comes into view: a view, or an account’s card', async () => {
    const { host } = open('three');
    await card('Work');
    host.tell({ message: 'show', place: 'settings' });
    await screen.findByRole('heading', { name: 'Notifications' });
    host.tell({ message: 'show', place: 'account/2' });
    await waitFor(() => expect(document.activeElement?.id).toBe('account-2'));
  });

  test('takes nobody out of an open dialog', async () => {
    const { host } = open('two');
    await menu('Work', 'Rename…');
    host.tell({ message: 'show', place: 'activity' });
    await settle();
    expect(screen.getByRole('dialog', { name: /Rename/ })).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Now' }).getAttribute('aria-current')).toBe('page');
  });

  test('that is an account removed meanwhile is the list', async () => {
    const { host } = open('two', 'settings');
    await screen.findByRole('heading', { name: 'Notifications' });
    host.tell({ message: 'show', place: 'account/99' });
    expect(await screen.findByRole('heading', { name: 'Accounts' })).toBeTruthy();
  });
});

test('deleting the history asks first', async () => {
  const { host } = open('two', 'settings');
  await fireEvent.click(await screen.findByRole('button', { name: 'Delete history…' }));
  expect(asked(host)).toEqual([]);
  await fireEvent.click(screen.getByRole('button', { name: 'Delete' }));
  expect(await screen.findByText('The history is deleted.')).toBeTruthy();
});

test('a Codex that another program has disconnected is connected again as it was, or left so', async () => {
  const { host } = open('disconnected', 'settings');
  await fireEvent.click(await screen.findByRole('button', { name: 'Connect /home/alex/.codex again' }));
  await screen.findByRole('button', { name: 'Disconnect /home/alex/.codex' });
  expect(asked(host)).toEqual([{ command: 'connect_codex', home: '/home/alex/.codex', mode: null }]);
  expect(screen.queryByText('Disconnected by another program')).toBeNull();
});

test('a Codex that another program has disconnected may stay so', async () => {
  const { host } = open('disconnected', 'settings');
  await fireEvent.click(await screen.findByRole('button', { name: 'Leave /home/alex/.codex disconnected' }));
  await waitFor(() => expect(screen.queryByText('Disconnected by another program')).toBeNull());
  expect(asked(host)).toEqual([{ command: 'disconnect_codex', home: '/home/alex/.codex' }]);
});

test('a Baton that can’t start says why, and again when it is tried again', async () => {
  const { host } = open('cannot_start');
  await screen.findByText(/port 27460 is taken by another program/);
  host.start = () => Promise.reject({ kind: 'failed', message: 'the port is still taken' });
  await fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
  expect((await screen.findByRole('alert')).textContent).toContain('the port is still taken');
});

describe('quitting', () => {
  test('with nothing running is one click', async () => {
    const { host } = open('two', 'settings');
    await fireEvent.click(await screen.findByRole('button', { name: 'Quit Baton…' }));
    await fireEvent.click(await screen.findByRole('button', { name: 'Quit' }));
    await screen.findByText('Baton is stopping.');
    expect(asked(host)).toEqual([{ command: 'stop' }]);
  });

  test('lets what runs finish, or cuts it', async () => {
    const { host } = open('two', 'settings');
    host.change({ running_requests: 2 });
    for (const [button, command] of [
      ['Finish, then quit', 'stop'],
      ['Quit at once', 'stop_now'],
    ]) {
      await fireEvent.click(await screen.findByRole('button', { name: 'Quit Baton…' }));
      await screen.findByText('2 requests run. Quitting at once cuts them.');
      await fireEvent.click(await screen.findByRole('button', { name: button }));
      await waitFor(() => expect(asked(host).at(-1)).toEqual({ command }));
      await waitFor(() => expect(screen.queryByText('Quit Baton?')).toBeNull());
    }
  });
});
