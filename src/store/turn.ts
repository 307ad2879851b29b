/** Giving way to other work while a call is under way. Unlike a timer of the clock, both keep the process alive. */
import { MessageChannel } from 'node:worker_threads';
import type { Clock } from '../kernel/clock.ts';

/** Resolves in the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.once('message', () => {
      port1.close();
      resolve();
    });
    port2.postMessage(0);
  });
}

/** Resolves after `delayMs`. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const { port1 } = new MessageChannel();
    port1.on('message', () => undefined);
    clock.after(delayMs, () => {
      port1.close();
      resolve();
    });
  });
}
