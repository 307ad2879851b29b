/**
 * What outlives configurations: the keys that were fetched for issuers, what has been revoked, the secret of nonces, and
 * the way to ask the supervisor.
 */
import type { Clock } from '../../../kernel/clock.ts';
import { KeyRing } from './key.ts';
import { type Ask, ProofAsker } from './proofasker.ts';
import { Revocations } from './revocation.ts';
import type { IssuerKeys } from './source.ts';

/** Name of the topic of keys, and of the service that fetches them anew. */
export const ISSUER_KEYS = 'issuerKeys';
/** How long a request waits for keys that are fetched because of it, in milliseconds. */
const KEYS_TIMEOUT_MS = 6000;
/** Between two questions for keys of one issuer, in milliseconds. */
const ASK_AGAIN_MS = 1000;

/** What the topic says: all of it to a new worker, and then what changes. */
export interface TokenNews {
  /** Of the nonces of DPoP, in base64url. */
  nonceSecret?: string;
  keys?: readonly IssuerKeys[];
}

/** See the file's head. */
export class Tokens {
  readonly clock: Clock;
  readonly revocations: Revocations;
  /** Undefined where there is no supervisor to ask: then no proof is accepted. */
  readonly proofs: ProofAsker | undefined;
  /** Grows when keys change. */
  epoch = 0;
  secret: Buffer | undefined = undefined;
  readonly #ask: Ask | undefined;
  readonly #rings = new Map<string, KeyRing>();
  readonly #askedAt = new Map<string, number>();
  /** Questions for keys that are under way, by issuer. */
  readonly #asking = new Map<string, Promise<void>>();

  constructor(clock: Clock, ask: Ask | undefined) {
    this.clock = clock;
    this.revocations = new Revocations(clock);
    this.#ask = ask;
    this.proofs = ask && new ProofAsker(ask);
  }

  /** The keys of an issuer, as far as they have been fetched. */
  ring(name: string, source: string): KeyRing {
    const key = `${name}\n${source}`;
    const found = this.#rings.get(key) ?? new KeyRing();
    this.#rings.set(key, found);
    return found;
  }

  /** All that there is to know, as `Link.follow` has it. */
  load(page: unknown): void {
    if (page !== undefined) this.change(page);
  }

  /** The supervisor tells of a change. */
  change(news: unknown): void {
    const { nonceSecret, keys } = news as TokenNews;
    if (nonceSecret !== undefined) this.secret = Buffer.from(nonceSecret, 'base64url');
    for (const { name, source, keys: all } of keys ?? []) this.ring(name, source).replace(all);
    if (keys !== undefined) this.epoch++;
  }

  /** Asks for the keys of an issuer, unless that was done just now. Who comes while that is under way waits for it too. */
  fetchKeys(name: string, missing: boolean): Promise<void> | undefined {
    if (this.#ask === undefined) return undefined;
    const running = this.#asking.get(name);
    if (running !== undefined) return running;
    const now = this.clock.now();
    if (now - (this.#askedAt.get(name) ?? Number.NEGATIVE_INFINITY) < ASK_AGAIN_MS) return undefined;
    this.#askedAt.set(name, now);
    const asked = this.#ask(ISSUER_KEYS, { name, missing }, KEYS_TIMEOUT_MS)
      .then(
        (keys) => {
          if (keys !== undefined) this.change({ keys: [keys as IssuerKeys] });
        },
        () => undefined,
      )
      .finally(() => this.#asking.delete(name));
    this.#asking.set(name, asked);
    return asked;
  }
}
