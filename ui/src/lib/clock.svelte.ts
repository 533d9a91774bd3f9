import { createSubscriber } from 'svelte/reactivity';
import type { Timestamp } from './protocol';
import { untilNextMinute } from './time';

/**
 * The time as the page shows it: it moves with the clock's minutes, and only while something on screen reads it and the
 * page can be seen. Nothing else in the page has a timer.
 */
export class Clock {
  readonly #read: () => Timestamp;
  readonly #subscribe: () => void;

  constructor(read: () => Timestamp = Date.now) {
    this.#read = read;
    this.#subscribe = createSubscriber((update) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const sleep = () => {
        clearTimeout(timer);
        timer = document.hidden ? undefined : setTimeout(wake, untilNextMinute(read()));
      };
      const wake = () => {
        update();
        sleep();
      };
      document.addEventListener('visibilitychange', wake);
      sleep();
      return () => {
        clearTimeout(timer);
        document.removeEventListener('visibilitychange', wake);
      };
    });
  }

  get now(): Timestamp {
    this.#subscribe();
    return this.#read();
  }
}
