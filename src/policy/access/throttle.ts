/**
 * Slows failed logins, by address (an IPv6 network of 64 bits counts as one) and by the beginning of the key. A token bucket
 * for each (Turner 1986), in two generations of bounded maps. Only failures are counted. What cannot be guessed, a key of
 * our make or a signed token, is always looked at, so that nobody is locked out by whoever shares an address with them; it
 * is only answered 429 instead of 401 when it is wrong. A key of another make may be one that can be guessed: from an
 * address that fails too often it is not even looked up, unless it has been verified before.
 */
import { networkOf } from '../../http/network.ts';
import type { Clock } from '../../kernel/clock.ts';

/** Most buckets of a generation. */
const MOST = 20_000;
/** Characters by which keys are taken for alike: a prefix and six random ones. */
const ALIKE = 14;

/** How many failures are let pass. */
export interface ThrottleSettings {
  /** At once. */
  burst: number;
  /** Milliseconds until one more. */
  refill: number;
}

/** A bucket as one number: the time at which it will be full again. */
class Buckets {
  #fresh = new Map<string, number>();
  #stale = new Map<string, number>();

  get(key: string): number {
    return this.#fresh.get(key) ?? this.#stale.get(key) ?? 0;
  }

  set(key: string, fullAt: number): void {
    if (this.#fresh.size >= MOST && !this.#fresh.has(key)) {
      this.#stale = this.#fresh;
      this.#fresh = new Map();
    }
    this.#fresh.set(key, fullAt);
  }
}

/** Failed logins and how long others have to wait. */
export class Throttle {
  readonly #clock: Clock;
  readonly #addresses = new Buckets();
  readonly #prefixes = new Buckets();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until another failure from there, or with a key like this, would be answered as one; 0: now. */
  wait(settings: ThrottleSettings, address: string, credential: string): number {
    const now = this.#clock.now();
    const most = settings.burst * settings.refill;
    const fullAt = Math.max(
      this.#addresses.get(networkOf(address)),
      credential === '' ? 0 : this.#prefixes.get(credential.slice(0, ALIKE)),
    );
    return Math.max(0, fullAt - now + settings.refill - most);
  }

  /**
   * Milliseconds for which a credential that might be a guess is not looked at; 0: it is. Keys that begin alike are held up
   * only where the address has failed lately: their owner, at another address, goes on.
   */
  hold(settings: ThrottleSettings, address: string, credential: string): number {
    const fullAt = this.#addresses.get(networkOf(address));
    if (fullAt <= this.#clock.now()) return 0;
    return this.wait(settings, address, credential);
  }

  /** Another one has failed. */
  failed(settings: ThrottleSettings, address: string, credential: string): void {
    const now = this.#clock.now();
    const limit = now + settings.burst * settings.refill;
    const next = (fullAt: number) => Math.min(limit, Math.max(now, fullAt) + settings.refill);
    const network = networkOf(address);
    this.#addresses.set(network, next(this.#addresses.get(network)));
    if (credential === '') return;
    const prefix = Buffer.from(credential.slice(0, ALIKE), 'latin1').toString('latin1');
    this.#prefixes.set(prefix, next(this.#prefixes.get(prefix)));
  }
}
