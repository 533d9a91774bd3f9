/**
 * The page with a scenario instead of a host: `mock.html?scenario=two&place=settings`, under `npm run dev` and in
 * `scripts/ui-pictures`. `theme` overrides the appearance, `do` plays a step (see below), and what `hold` names gets no answer.
 */
import { mount, tick } from 'svelte';
import App from '../App.svelte';
import { Clock } from '../lib/clock.svelte';
import type { Appearance, Command } from '../lib/protocol';
import '../styles/base.css';
import { MockHost } from './host';
import { NOW, SCENARIOS, type ScenarioName } from './scenarios';

const query = new URLSearchParams(location.search);
const scenario = SCENARIOS[(query.get('scenario') ?? 'two') as ScenarioName]();
const theme = query.get('theme') as Appearance | null;
if (theme && scenario.snapshot) scenario.snapshot.preferences.appearance = theme;
if (theme) document.documentElement.dataset['appearance'] = theme;

const host = new MockHost(scenario, query.get('place') ?? '');
const held = query.get('hold') as Command['command'] | null;
if (held) host.holds.set(held, new Promise(() => {}));
// For a person in the dev server's console, and for pictures.
Object.assign(window, { host });
mount(App, { target: document.getElementById('app') ?? document.body, props: { host, clock: new Clock(() => NOW) } });

/** Clicks what has this name, one after the other: `do=Add account|Continue`. */
for (const name of query.get('do')?.split('|') ?? []) {
  await new Promise((resolve) => setTimeout(resolve, 60));
  const named = [...document.querySelectorAll<HTMLElement>('button, summary, [role=menuitem], label')].find(
    (each) => (each.getAttribute('aria-label') ?? each.textContent ?? '').trim().startsWith(name),
  );
  named?.click();
  await tick();
  const field = document.querySelector<HTMLInputElement>('dialog[open] input[type=text]');
  if (field && !field.value) {
    field.value = 'Work';
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }
}
// `scripts/ui-pictures` waits for that.
requestAnimationFrame(() => (document.title = 'Ready'));
