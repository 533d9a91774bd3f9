import { Ask } from './asks.svelte';
import type { Host } from './host';
import type { Check, Timestamp } from './protocol';

/** The check-up takes its time: it goes on, and its findings stay, while another view is looked at. */
export class CheckUp {
  readonly ask = new Ask();
  found = $state.raw<{ at: Timestamp; checks: Check[] } | null>(null);
  readonly #host: Host;
  /** Goes up when what is known is forgotten: an answer that is still under way is then nobody's. */
  #round = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  async run(now: () => Timestamp): Promise<void> {
    const round = this.#round;
    await this.ask.run(async () => {
      const reply = await this.#host.call({ command: 'doctor', account: null });
      if (reply.reply === 'checks' && round === this.#round) this.found = { at: now(), checks: reply.checks };
    });
  }

  forget() {
    this.#round += 1;
    this.found = null;
    this.ask.error = null;
  }
}
