/** A network and servers in memory, under a clock that stands still: what they do is drawn from a seed. */
import type { ManualClock } from '../kernel/clock.ts';
import type { Dial } from '../socket/dial.ts';
import { EOF, MemoryHandle } from '../socket/handle.fixture.ts';
import { Wire } from '../socket/wire.ts';

const RESET = -104;

/** Draws from a seed: xorshift32. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 2654435761) >>> 0 || 1;
  }

  /** A whole number below `most`. */
  below(most: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return Math.floor((this.#state / 0x1_0000_0000) * most);
  }

  /** True about once in `of`. */
  once(of: number): boolean {
    return this.below(of) === 0;
  }
}

/** One request as a server has received it. */
export interface Received {
  address: string;
  /** The request's path, by which the simulation knows it. */
  path: string;
  /** What the server says; 0: nothing. */
  status: number;
  /** The body it sends, as far as it gets. */
  body: string;
}

/** How servers behave; each share is one in so many, 0 for never. */
export interface Weather {
  refused: number;
  silentDial: number;
  silent: number;
  error: number;
  busy: number;
  cut: number;
  closes: number;
}

/** The network. */
export class Network {
  readonly received: Received[] = [];
  /** Sockets that stand. */
  open = 0;
  readonly #clock: ManualClock;
  readonly #dice: Dice;
  readonly #weather: Weather;
  #answers = 0;

  constructor(clock: ManualClock, dice: Dice, weather: Weather) {
    this.#clock = clock;
    this.#dice = dice;
    this.#weather = weather;
  }

  #happens(share: number): boolean {
    return share > 0 && this.#dice.once(share);
  }

  readonly dial: Dial = (target, dialer) => {
    const { silentDial, refused } = this.#weather;
    if (this.#happens(silentDial)) return { cancel() {} };
    const fails = this.#happens(refused);
    const timer = this.#clock.after(this.#dice.below(20), () => {
      if (fails) dialer.onDialFailed('ECONNREFUSED', 'connect ECONNREFUSED', false);
      else {
        const handle = new ServerHandle(target.address, this);
        const wire = new Wire(handle, dialer);
        handle.peer = wire;
        this.open++;
        dialer.onConnected(wire);
      }
    });
    return { cancel: () => timer.cancel() };
  };

  /** A whole request has come: what the server does about it. */
  serve(handle: ServerHandle, path: string): void {
    const { silent, error, busy, cut, closes } = this.#weather;
    const received: Received = { address: handle.address, path, status: 0, body: '' };
    this.received.push(received);
    if (this.#happens(silent)) return;
    received.status = this.#happens(error) ? 500 + this.#dice.below(5) : this.#happens(busy) ? 503 : 200;
    received.body = `${path} answer ${++this.#answers} ${'.'.repeat(this.#dice.below(50))}`;
    const close = this.#happens(closes);
    const fields = `${received.status === 503 && this.#dice.once(2) ? 'Retry-After: 1\r\n' : ''}${close ? 'Connection: close\r\n' : ''}`;
    const head = `HTTP/1.1 ${received.status} X\r\nContent-Length: ${received.body.length}\r\n${fields}\r\n`;
    let text = head + received.body;
    const cutShort = this.#happens(cut);
    if (cutShort) text = text.slice(0, this.#dice.below(text.length));
    this.#deliver(handle, text, this.#dice.below(5) === 0 ? this.#dice.below(3000) : this.#dice.below(50), () => {
      if (cutShort || close) handle.leave(this.#dice.once(2) && !close);
    });
  }

  /** Sends a text in pieces, each a while after the one before. */
  #deliver(handle: ServerHandle, text: string, delay: number, done: () => void): void {
    this.#clock.after(delay, () => {
      if (handle.closed) return;
      if (!handle.reading) return this.#deliver(handle, text, 5, done);
      if (text === '') return done();
      const size = 1 + this.#dice.below(text.length);
      handle.feed(handle.peer as Wire, Buffer.from(text.slice(0, size), 'latin1'));
      this.#deliver(handle, text.slice(size), this.#dice.below(30), done);
    });
  }
}

/** A server's end of a connection. */
class ServerHandle extends MemoryHandle {
  readonly address: string;
  peer: Wire | undefined = undefined;
  readonly #network: Network;
  #text = '';

  constructor(address: string, network: Network) {
    super();
    this.address = address;
    this.#network = network;
  }

  override writeBuffer(request: unknown, buffer: Uint8Array): number {
    const code = super.writeBuffer(request, buffer);
    this.#text += Buffer.from(buffer).toString('latin1');
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n');
      if (end < 0) break;
      const head = this.#text.slice(0, end);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (this.#text.length < end + 4 + length) break;
      this.#text = this.#text.slice(end + 4 + length);
      this.#network.serve(this, head.split(' ', 2)[1] ?? '');
    }
    return code;
  }

  /** Ends the connection: by FIN, or by RST. */
  leave(reset: boolean): void {
    if (!this.closed) this.peer?.read(reset ? RESET : EOF);
  }

  override close(): void {
    if (!this.closed) this.#network.open--;
    super.close();
  }
}
