export interface Toast {
  id: number;
  text: string;
}

/** How many are shown at once. */
const KEPT = 3;

/** Passing messages: read out by screen readers, shown until they have left, are closed, or newer ones push them out. */
export class Toasts {
  shown = $state<Toast[]>([]);
  #last = 0;

  say(text: string) {
    this.shown = [...this.shown.filter((toast) => toast.text !== text), { id: ++this.#last, text }].slice(-KEPT);
  }

  close(id: number) {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  clear() {
    this.shown = [];
  }
}
