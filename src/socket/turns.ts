/** Writing to a TLS handle in turns: it takes one write at a time, and aborts the whole process on a second one. */
import { type NativeHandle, type NativeRequest, ShutdownRequest } from './native.ts';

/** Whose turn it is. */
export class Turns {
  /** A write is under way. */
  busy = false;
  /** FIN follows when all has been written. */
  ending = false;
  readonly #waiting: Uint8Array[] = [];

  /** Takes bytes that are written later; nobody may change them any more. */
  wait(view: Uint8Array): void {
    this.#waiting.push(view);
  }

  /** What is to be written now; undefined while a write is under way, or when nothing waits. */
  next(): Uint8Array | undefined {
    return this.busy ? undefined : this.#waiting.shift();
  }
}

function onShutdown(this: NativeRequest): void {}

/** Half-closes. */
export function sendFin(handle: NativeHandle): void {
  const request = new ShutdownRequest();
  request.oncomplete = onShutdown;
  handle.shutdown(request);
}
