/**
 * The keys that sign. They stand in the store, their private part sealed under the pepper, so that all nodes sign with the
 * same and a restart changes nothing. The next one is made and published before it signs; the last one stays published
 * until nothing that it has signed holds any more.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CLOCK_SKEW_MS, type TokensConfig } from './config.ts';
import type { PublicKey, TokenParts } from './parts.ts';
import { chance, derive, seal, unseal } from './secret.ts';

/** Kind of the documents in the store. */
export const SIGNING_KEY_KIND = 'signingKey';

/** A key as it stands in the store. Times are milliseconds since 1970. */
export interface KeyRecord {
  /** Place in the row of keys: two nodes that make the next one at once make the same document. */
  readonly sequence: number;
  readonly kid: string;
  readonly alg: TokensConfig['algorithm'];
  readonly jwk: PublicKey;
  readonly sealed: string;
  readonly signsFrom: number;
}

/** What is to be done at a time. */
export interface KeyPlan {
  /** Signs now. */
  readonly current: KeyRecord | undefined;
  /** When the next one is to sign, if it has to be made now. */
  readonly nextFrom: number | undefined;
  /** Of no use to anybody any more. */
  readonly spent: readonly KeyRecord[];
}

type Schedule = Pick<TokensConfig, 'algorithm' | 'rotateKeys' | 'publishAhead' | 'lifetime'>;

/** Decides; `keys` in any order. */
export function planKeys(keys: readonly KeyRecord[], now: number, schedule: Schedule): KeyPlan {
  const { rotateKeys, publishAhead, lifetime, algorithm } = schedule;
  const row = [...keys].sort((a, b) => a.sequence - b.sequence);
  const newest = row.at(-1);
  if (newest === undefined) return { current: undefined, nextFrom: now, spent: [] };
  const current = row.findLast(({ signsFrom }) => signsFrom <= now) ?? row[0];
  const due = newest.signsFrom + rotateKeys;
  const waits = newest.signsFrom > now;
  const another = newest.alg !== algorithm;
  const nextFrom =
    !waits && (another || now >= due - publishAhead) ? Math.max(another ? 0 : due, now + publishAhead) : undefined;
  const spent = row.filter((_, i) => {
    const after = row[i + 1];
    return after !== undefined && after.signsFrom + lifetime + CLOCK_SKEW_MS < now;
  });
  return { current, nextFrom, spent };
}

const idOf = (sequence: number): string => `key-${String(sequence).padStart(6, '0')}`;

/** Makes a key. */
export function makeKey(sequence: number, alg: KeyRecord['alg'], signsFrom: number, pepper: string): KeyRecord {
  const pair = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  const kid = chance(12);
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } as unknown as PublicKey;
  const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { sequence, kid, alg, jwk, sealed: seal(derive(pepper, 'signing keys'), pem, kid), signsFrom };
}

/** A key that can be signed with. */
export interface Signer {
  readonly kid: string;
  readonly alg: KeyRecord['alg'];
  readonly key: KeyObject;
}

type KeyParts = Pick<TokenParts, 'clock' | 'store' | 'publish' | 'notice'>;

/** The keys as they are known to this node. */
export class SigningKeys {
  readonly #parts: KeyParts;
  #schedule: Schedule;
  #peppers: readonly string[];
  #records: readonly KeyRecord[] = [];
  #signers = new Map<string, Signer>();
  #told = '[]';
  #running: Promise<void> | undefined = undefined;
  #next: Promise<void> | undefined = undefined;

  constructor(parts: KeyParts, schedule: Schedule, peppers: readonly string[]) {
    this.#parts = parts;
    this.#schedule = schedule;
    this.#peppers = peppers;
  }

  /** Other settings are in force. */
  configure(schedule: Schedule, peppers: readonly string[]): void {
    this.#schedule = schedule;
    this.#peppers = peppers;
    this.#signers.clear();
  }

  /** Public keys, oldest first. */
  get published(): readonly PublicKey[] {
    return this.#records.map(({ jwk }) => jwk);
  }

  /** The key with a `kid`, as node:crypto has it. */
  find(kid: string): { key: KeyObject; alg: string } | undefined {
    const record = this.#records.find((one) => one.kid === kid);
    return record && { key: createPublicKey({ key: { ...record.jwk }, format: 'jwk' }), alg: record.alg };
  }

  /** The key that signs now; undefined before the first `refresh`, or where the pepper is another one. */
  signer(): Signer | undefined {
    const { current } = planKeys(this.#records, this.#parts.clock.wall(), this.#schedule);
    // A key that was sealed under a pepper that is gone signs nothing; the one before it may.
    return current && this.#open(current);
  }

  /**
   * Reads the keys, and makes or forgets what is due. Who calls during a run waits for the one after it, which all who do so
   * share: the one under way may have looked at the time, the settings or the store before.
   */
  refresh(): Promise<void> {
    if (this.#running === undefined) return this.#run();
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#run();
      });
    return this.#next;
  }

  #run(): Promise<void> {
    const running = this.#refresh().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #refresh(): Promise<void> {
    const { store, clock } = this.#parts;
    await this.#read();
    const plan = planKeys(this.#records, clock.wall(), this.#schedule);
    const lost = plan.current !== undefined && this.#open(plan.current) === undefined;
    const last = this.#records.at(-1);
    const nextFrom = lost && last === plan.current ? clock.wall() : plan.nextFrom;
    if (lost && nextFrom !== undefined) {
      const what = 'the key that signs tokens was sealed under a pepper that is no longer in access.pepper';
      this.#parts.notice('warn', `${what}; a new one takes its place`);
    }
    if (nextFrom === undefined && plan.spent.length === 0) return;
    if (nextFrom !== undefined) {
      const made = makeKey((last?.sequence ?? 0) + 1, this.#schedule.algorithm, nextFrom, this.#peppers[0] as string);
      // Whoever is slower finds it made by another node.
      const id = idOf(made.sequence);
      await store.write([{ op: 'put', kind: SIGNING_KEY_KIND, id, value: made, expect: 0 }], {
        who: 'gatehouse',
        what: 'tokens.rotateKeys',
      });
    }
    const spent = plan.spent.map(({ sequence }) => ({
      op: 'delete' as const,
      kind: SIGNING_KEY_KIND,
      id: idOf(sequence),
    }));
    if (spent.length > 0) await store.write(spent, { who: 'gatehouse', what: 'tokens.forgetKeys' });
    await this.#read();
  }

  async #read(): Promise<void> {
    const { documents } = await this.#parts.store.list<KeyRecord>(SIGNING_KEY_KIND, { limit: 1000 });
    this.#records = documents.map(({ value }) => value);
    const kids = new Set(this.#records.map(({ kid }) => kid));
    for (const kid of this.#signers.keys()) if (!kids.has(kid)) this.#signers.delete(kid);
    const told = JSON.stringify(this.published);
    if (told === this.#told) return;
    this.#told = told;
    this.#parts.publish(this.published);
  }

  #open({ kid, alg, sealed }: KeyRecord): Signer | undefined {
    const known = this.#signers.get(kid);
    if (known !== undefined) return known;
    for (const pepper of this.#peppers) {
      const pem = unseal(derive(pepper, 'signing keys'), sealed, kid);
      if (pem === undefined) continue;
      const signer = { kid, alg, key: createPrivateKey(pem) };
      this.#signers.set(kid, signer);
      return signer;
    }
    return undefined;
  }
}
