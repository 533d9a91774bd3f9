import { render } from '@testing-library/svelte';
import App from '../src/App.svelte';
import { Clock } from '../src/lib/clock.svelte';
import { MockHost } from '../src/mock/host';
import { NOW, SCENARIOS, type ScenarioName } from '../src/mock/scenarios';

/** The whole page, playing a scenario. */
export function open(scenario: ScenarioName, place = '') {
  const host = new MockHost(SCENARIOS[scenario](), place);
  return { host, ...render(App, { host, clock: new Clock(() => NOW) }) };
}

/** Lets everything that is due happen. */
export const settle = () => new Promise((resolve) => setTimeout(resolve));

/** What was asked of the engine, but for the page's own looking. */
export const asked = (host: MockHost) =>
  host.asked.filter(({ command }) => !['status', 'log', 'why', 'data', 'forecast', 'timeline', 'replay', 'sign_in_wait'].includes(command));
