/** Plays a fault of the table on the socket itself, past everything that would keep it well-formed. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Fault, RawBody } from './fault.ts';
import type { Wheel } from './wheel.ts';
import { Due } from './wheel.ts';

/** Between the last byte and a RST, so that the bytes are seen. */
const RESET_AFTER_MS = 10;
/** Where an endless head ends after all: 64 MiB. */
const ENDLESS_BYTES = 64 << 20;

/** Sends RST; where there is no TCP underneath (TLS, unix sockets) it closes without a farewell. */
export function reset(socket: Socket): void {
  if (socket instanceof TLSSocket || socket.remotePort === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

class Reset extends Due {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
  }

  override fire(): void {
    reset(this.#socket);
  }
}

class Drip extends Due {
  readonly #socket: Socket;
  readonly #bytes: Buffer;
  readonly #wheel: Wheel;
  readonly #done: () => void;
  #at = 0;

  constructor(socket: Socket, bytes: Buffer, wheel: Wheel, done: () => void) {
    super();
    this.#socket = socket;
    this.#bytes = bytes;
    this.#wheel = wheel;
    this.#done = done;
  }

  override fire(nowMs: number): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(this.#bytes.subarray(this.#at, ++this.#at));
    if (this.#at < this.#bytes.length) this.#wheel.add(this, nowMs + 1);
    else this.#done();
  }
}

/** Writes the bytes of `fault` made of `body`, then leaves the connection as the fault says. */
export function playRaw(socket: Socket, fault: Fault, body: RawBody, wheel: Wheel): void {
  // The other side may well reset; that is its right answer, not ours to report.
  socket.on('error', () => {});
  const bytes = Buffer.from(fault.raw?.(body) ?? '', 'latin1');
  const after = (): void => {
    if (fault.after === 'fin') socket.end();
    else if (fault.after === 'rst') wheel.add(new Reset(socket), performance.now() + RESET_AFTER_MS);
  };
  if (fault.pace === 'drip') {
    new Drip(socket, bytes, wheel, after).fire(performance.now());
  } else if (fault.pace === 'endless') {
    const line = Buffer.from(`X-Endless: ${'y'.repeat(1000)}\r\n`.repeat(16));
    let written = 0;
    const more = (): void => {
      while (!socket.destroyed && written < ENDLESS_BYTES) {
        written += line.length;
        if (!socket.write(line)) return;
      }
      socket.off('drain', more);
    };
    socket.on('drain', more);
    socket.write(bytes);
    more();
  } else if (bytes.length === 0) {
    after();
  } else {
    socket.write(bytes, after);
  }
}
