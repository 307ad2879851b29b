/** A connection to Redis or Valkey, opened when it is first wanted; what cannot be answered in time is refused. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { RedisConfig } from './redisconfig.ts';

/** Between two tries to reach it, in milliseconds. */
const RECONNECT_MS = 500;

/** The part of the client that is used. */
interface Client {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(words: readonly string[]): Promise<unknown>;
  on(event: 'error' | 'ready', listener: (error: Error) => void): unknown;
  destroy(): void;
}

/** See the file's head. */
export class Redis {
  readonly #config: RedisConfig;
  readonly #clock: Clock;
  readonly #notice: (notice: NoticeEvent) => void;
  /** Setting that is to be named where something is wrong. */
  readonly #setting: string;
  /** Resolves when it was reached for the first time, or was not. */
  readonly opened: Promise<void>;
  #opened: () => void = () => {};
  #client: Client | undefined = undefined;
  #closed = false;
  /** It was said that it cannot be reached. */
  #told = false;
  /** Digests of scripts that it may know. */
  readonly #digests = new Map<string, string>();

  /** Connects at once, and again when the connection is lost. */
  constructor(config: RedisConfig, clock: Clock, notice: (notice: NoticeEvent) => void, setting = 'redis') {
    this.#config = config;
    this.#clock = clock;
    this.#notice = notice;
    this.#setting = setting;
    this.opened = new Promise((done) => {
      this.#opened = done;
    });
    void this.#open();
  }

  get prefix(): string {
    return this.#config.prefix;
  }

  get ready(): boolean {
    return this.#client?.isReady === true;
  }

  /** Sends one command. Rejects with an `Error` when there is no connection, no answer in time, or an error. */
  async send(words: readonly string[]): Promise<unknown> {
    const client = this.#client;
    if (client === undefined || !client.isReady) throw new Error('there is no connection');
    let timer: Timer | undefined;
    const late = new Promise<never>((_, failed) => {
      const { timeout } = this.#config;
      timer = this.#clock.after(timeout, () => failed(new Error(`no answer within ${timeout} ms`)));
    });
    const answer = client.sendCommand(words);
    // It may fail when nobody waits any more.
    answer.catch(() => {});
    try {
      return await Promise.race([answer, late]);
    } finally {
      timer?.cancel();
    }
  }

  /** Runs a script by its digest, and sends the whole of it where that is not known. */
  async script(text: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    const digest = this.#digests.get(text);
    if (digest !== undefined) {
      try {
        return await this.send(['EVALSHA', digest, ...rest]);
      } catch (error) {
        if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
      }
    }
    this.#digests.set(text, String(await this.send(['SCRIPT', 'LOAD', text])));
    return this.send(['EVALSHA', this.#digests.get(text) as string, ...rest]);
  }

  close(): void {
    this.#closed = true;
    this.#client?.destroy();
  }

  async #open(): Promise<void> {
    const { url, tls, connectTimeout } = this.#config;
    let createClient: (options: object) => unknown;
    try {
      ({ createClient } = await import('@redis/client'));
    } catch {
      const message = `${this.#setting} needs the package @redis/client: npm install @redis/client`;
      this.#notice({ level: 'error', message });
      this.#opened();
      return;
    }
    if (this.#closed) return;
    const socket = {
      connectTimeout,
      reconnectStrategy: () => RECONNECT_MS * (0.75 + this.#clock.random() / 2),
      ...(url.startsWith('unix:') ? { path: url.slice('unix:'.length) } : {}),
      ...(url.startsWith('rediss:') ? { tls: true, ca: tls?.ca, servername: tls?.serverName } : {}),
    };
    const client = createClient({
      ...(url.startsWith('unix:') ? {} : { url }),
      // What cannot be sent now is refused now.
      disableOfflineQueue: true,
      socket,
    }) as Client;
    client.on('error', (error) => this.#lost(error));
    client.on('ready', () => {
      if (this.#told) this.#notice({ level: 'info', message: `Redis (${this.#setting}) is reached again` });
      this.#told = false;
      this.#opened();
    });
    this.#client = client;
    await client.connect().catch((error: Error) => this.#lost(error));
  }

  #lost({ message }: Error): void {
    this.#opened();
    if (this.#told || this.#closed) return;
    this.#told = true;
    this.#notice({ level: 'warn', message: `Redis (${this.#setting}) cannot be reached: ${message}` });
  }
}
