import { controlError } from './host';
import type { ControlError } from './protocol';

/** Something that follows the engine: asked for again when it changed, once at a time, the last wish last. */
export class Look {
  error = $state<ControlError | null>(null);
  #running = false;
  #next: (() => Promise<unknown>) | null = null;

  async run(work: () => Promise<unknown>): Promise<void> {
    this.#next = work;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#next) {
        const wanted: () => Promise<unknown> = this.#next;
        this.#next = null;
        try {
          await wanted();
          this.error = null;
        } catch (thrown) {
          this.error = controlError(thrown);
        }
      }
    } finally {
      this.#running = false;
    }
  }
}
