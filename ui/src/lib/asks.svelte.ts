import { controlError } from './host';
import type { ControlError } from './protocol';

/** One thing asked of the engine: busy until its answer, and the error stays beside what was asked. */
export class Ask {
  busy = $state(false);
  error = $state<ControlError | null>(null);

  /** Whether it was done. A second click while the first is under way does nothing. */
  async run(work: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.error = null;
    try {
      await work();
      return true;
    } catch (thrown) {
      this.error = controlError(thrown);
      return false;
    } finally {
      this.busy = false;
    }
  }
}
