/** Used proofs in a Redis or Valkey that several gateways share: `SET … NX PX` for each, all of a batch in one go. */
import type { Clock } from '../../../kernel/clock.ts';
import type { Events } from '../../../kernel/event.ts';
import type { Claimed, ProofClaim } from './replay.ts';

/** An answer that takes longer is none, in milliseconds. */
const TIMEOUT_MS = 1000;
/** Between two tries to reach it, in milliseconds. */
const RECONNECT_MS = 500;
const PREFIX = 'gatehouse:dpop:';
/** Kept longer than needed by so much: the clocks of two gateways differ, in milliseconds. */
const CLOCKS_MS = 30_000;

/** The part of the client that is used. */
interface Client {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  set(
    key: string,
    value: string,
    options: { condition: 'NX'; expiration: { type: 'PX'; value: number } },
  ): Promise<unknown>;
  on(event: 'error' | 'ready', listener: (error: Error) => void): unknown;
  destroy(): void;
}

/** See the file's head. */
export class RedisProofs {
  readonly #clock: Clock;
  readonly #events: Events;
  #client: Client | undefined = undefined;
  #closed = false;
  /** It was said that it cannot be reached. */
  #told = false;
  /** Batches that nobody answered. */
  failures = 0;

  /** `url`: `redis://`, `rediss://` or `unix:/path`. Connects at once, and again when the connection is lost. */
  constructor(url: string, clock: Clock, events: Events) {
    this.#clock = clock;
    this.#events = events;
    void this.#open(url);
  }

  get ready(): boolean {
    return this.#client?.isReady === true;
  }

  /** Claims proofs; `unavailable` for those of which nobody knows. Never rejects. */
  async claim(claims: readonly ProofClaim[]): Promise<Claimed[]> {
    const client = this.#client;
    if (client === undefined || !client.isReady) {
      this.failures++;
      return claims.map(() => 'unavailable');
    }
    const now = this.#clock.wall();
    const asked = claims.map(async ({ id, expiresAt }): Promise<Claimed> => {
      const value = Math.max(0, Math.ceil(expiresAt - now)) + CLOCKS_MS;
      const word = await client.set(PREFIX + id, '1', { condition: 'NX', expiration: { type: 'PX', value } });
      return word === null ? 'replayed' : 'fresh';
    });
    let timer: ReturnType<Clock['after']> | undefined;
    const late = new Promise<undefined>((done) => {
      timer = this.#clock.after(TIMEOUT_MS, () => done(undefined));
    });
    const answers = await Promise.race([Promise.allSettled(asked), late]);
    timer?.cancel();
    if (answers === undefined || answers.some(({ status }) => status === 'rejected')) this.failures++;
    return claims.map((_, i) => {
      const answer = answers?.[i];
      return answer?.status === 'fulfilled' ? answer.value : 'unavailable';
    });
  }

  close(): void {
    this.#closed = true;
    this.#client?.destroy();
  }

  async #open(url: string): Promise<void> {
    let createClient: (options: object) => unknown;
    try {
      ({ createClient } = await import('@redis/client'));
    } catch {
      this.#say('error', 'access.dpop.redis needs the package @redis/client: npm install @redis/client');
      return;
    }
    if (this.#closed) return;
    const reconnect = { connectTimeout: TIMEOUT_MS, reconnectStrategy: () => RECONNECT_MS };
    const client = createClient({
      ...(url.startsWith('unix:') ? {} : { url }),
      // What cannot be sent now is refused now.
      disableOfflineQueue: true,
      socket: url.startsWith('unix:') ? { path: url.slice('unix:'.length), ...reconnect } : reconnect,
    }) as Client;
    client.on('error', (error) => this.#lost(error));
    client.on('ready', () => {
      if (this.#told) this.#say('info', 'Redis for DPoP proofs is reached again');
      this.#told = false;
    });
    this.#client = client;
    await client.connect().catch((error: Error) => this.#lost(error));
  }

  #lost({ message }: Error): void {
    if (this.#told || this.#closed) return;
    this.#told = true;
    this.#say(
      'warn',
      `Redis for DPoP proofs cannot be reached (access.dpop.withoutRedis says what happens): ${message}`,
    );
  }

  #say(level: 'info' | 'warn' | 'error', message: string): void {
    this.#events.emit('notice', { level, message });
  }
}
