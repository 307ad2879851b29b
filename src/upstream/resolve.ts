/** Names to addresses, looked up again while we run: DNS answers change, and a failing resolver must not take a server out. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock, Timer } from '../kernel/clock.ts';

/** Looks up every address of a name. */
export type Lookup = (host: string) => Promise<string[]>;

/** The system's resolver: all addresses, in its order. */
export const systemLookup: Lookup = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map((entry) => entry.address);

/** The addresses of one host name, refreshed; the last good ones stay when a look-up fails. */
export class Resolver {
  readonly #host: string;
  readonly #lookup: Lookup;
  readonly #onFailure: (message: string) => void;
  #addresses: readonly string[] = [];
  #next = 0;
  #timer: Timer | undefined = undefined;

  /** `onFailure` is told each time a look-up fails. */
  constructor(host: string, lookupHost: Lookup, onFailure: (message: string) => void) {
    this.#host = host;
    this.#lookup = lookupHost;
    this.#onFailure = onFailure;
    if (isIP(host) !== 0) this.#addresses = [host];
  }

  /** Looks up now and then every `refreshMs`. Resolves when the first look-up is done, whatever its outcome. */
  async start(clock: Clock, refreshMs: number): Promise<void> {
    if (isIP(this.#host) !== 0) return;
    this.every(clock, refreshMs);
    await this.refresh();
  }

  /** Looks up every `refreshMs` from now on; the addresses stay. */
  every(clock: Clock, refreshMs: number): void {
    if (isIP(this.#host) !== 0) return;
    this.#timer?.cancel();
    this.#timer = clock.every(refreshMs, () => void this.refresh());
  }

  /** Looks up once. */
  async refresh(): Promise<void> {
    try {
      const addresses = await this.#lookup(this.#host);
      if (addresses.length > 0) this.#addresses = addresses;
    } catch (error) {
      this.#onFailure(`${this.#host}: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** The next address in turn; undefined when the name has never been resolved. */
  next(): string | undefined {
    const { length } = this.#addresses;
    if (length === 0) return undefined;
    this.#next = (this.#next + 1) % length;
    return this.#addresses[this.#next];
  }

  /** Whether this is one of the addresses, where any are known: connections to others drain. */
  has(address: string): boolean {
    return this.#addresses.length === 0 || this.#addresses.includes(address);
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
