import { controlError, type Host } from './host';
import type { AccountId, ControlError, SignInView, SignInWay } from './protocol';

export type Step =
  | { step: 'form' }
  | { step: 'beginning' }
  | { step: 'waiting'; way: SignInWay; view: SignInView }
  | { step: 'added'; account: AccountId; message: string };

/** One sign-in from the label to the account. */
export class SignIn {
  step = $state<Step>({ step: 'form' });
  /** Of the sign-in itself; it is over with it. */
  error = $state<ControlError | null>(null);
  readonly #host: Host;
  /** Goes up when the person starts over: what an earlier attempt still says is nobody's any more. */
  #attempt = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Begins one, and follows it until it has ended. */
  async begin(label: string, way: SignInWay): Promise<void> {
    const attempt = ++this.#attempt;
    const current = () => attempt === this.#attempt;
    this.error = null;
    this.step = { step: 'beginning' };
    try {
      let reply = await this.#host.call({ command: 'sign_in', label, way });
      let opened = false;
      while (reply.reply === 'sign_in') {
        const view = reply.sign_in;
        if (!current()) {
          await this.#host.call({ command: 'sign_in_cancel', id: view.id }).catch(() => {});
          return;
        }
        this.step = { step: 'waiting', way, view };
        // No browser is no end: the link can be copied.
        if (way === 'browser' && !opened) await this.#host.openLink(view.link).catch(() => {});
        opened = true;
        reply = await this.#host.call({ command: 'sign_in_wait', id: view.id, seen: view.version });
      }
      if (reply.reply === 'added' && current()) {
        this.step = { step: 'added', account: reply.account, message: reply.message };
      }
    } catch (thrown) {
      if (!current()) return;
      this.error = controlError(thrown);
      this.step = { step: 'form' };
    }
  }

  /** Follows an auth.json that a Codex already has. No person is waited for. */
  async link(label: string, path: () => Promise<string>): Promise<void> {
    const attempt = ++this.#attempt;
    this.error = null;
    this.step = { step: 'beginning' };
    try {
      const reply = await this.#host.call({ command: 'add_link', path: await path(), label });
      if (attempt !== this.#attempt) return;
      if (reply.reply === 'added') this.step = { step: 'added', account: reply.account, message: reply.message };
    } catch (thrown) {
      if (attempt !== this.#attempt) return;
      this.error = controlError(thrown);
      this.step = { step: 'form' };
    }
  }

  /** The address at which the page ended, where it couldn't come back by itself. */
  async paste(address: string): Promise<void> {
    if (this.step.step !== 'waiting') return;
    await this.#host.call({ command: 'sign_in_paste', id: this.step.view.id, address });
  }

  /** Ends what is under way. An attempt that has ended by itself needs no end. */
  async cancel(): Promise<void> {
    const was = this.step;
    this.#attempt += 1;
    this.error = null;
    this.step = { step: 'form' };
    if (was.step === 'waiting') {
      await this.#host.call({ command: 'sign_in_cancel', id: was.view.id }).catch(() => {});
    }
  }
}
