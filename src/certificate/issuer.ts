/**
 * Keeps certificates for a set of names: issues what is missing, renews in time, waits longer after each failure. One name
 * after the other, so that an authority is never asked for two things at once.
 */
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { AcmeClient, AcmeError, type Proof } from './acme.ts';
import { keyText, newKey } from './csr.ts';
import { type CertificateFacts, factsOf, type Pair } from './facts.ts';
import { Keep } from './keep.ts';
import { renewAt, renewalId, waitAfter } from './renewal.ts';
import type { Send } from './request.ts';

/** The authority, and how to deal with it. */
export interface IssuerSettings {
  directory: string;
  email?: string | undefined;
  externalAccount?: { keyId: string; key: string } | undefined;
  challenge: Proof['type'];
  keyType: 'ecdsa' | 'rsa';
  /** Where account and certificates are kept. */
  folder: string;
}

/** What an issuer needs. */
export interface IssuerParts {
  settings: IssuerSettings;
  clock: Clock;
  send: Send;
  /** Makes a proof visible; resolves when every worker shows it. */
  show(proof: Proof): Promise<void>;
  hide(proof: Proof): void;
  /** There is a certificate, kept or new. */
  ready(domain: string, pair: Pair, facts: CertificateFacts): void;
  notice(notice: NoticeEvent): void;
  /** Counts an attempt. */
  attempted(result: 'issued' | 'failed'): void;
}

interface Held {
  due: number;
  failures: number;
  pair: Pair | undefined;
  facts: CertificateFacts | undefined;
}

/** Looked at least this often: the wall clock may be set, and authorities change their windows. */
const LOOK_MS = 3_600_000;
/** How long a rate limit for one name makes the others wait. */
const BREATHER_MS = 600_000;
const STATE = 'attempts.json';

/** See the file's head. */
export class Issuer {
  readonly #parts: IssuerParts;
  readonly #keep: Keep;
  readonly #held = new Map<string, Held>();
  #client: AcmeClient | undefined;
  #timer: Timer | undefined;
  #busy = false;
  /** Listeners are open: an authority that looks finds somebody. */
  #live = false;
  #pausedUntil = 0;

  constructor(parts: IssuerParts) {
    this.#parts = parts;
    const { directory, folder } = parts.settings;
    const { host } = new URL(directory);
    const mark = createHash('sha256').update(directory).digest('hex').slice(0, 8);
    this.#keep = new Keep(`${folder}/${host.replace(/[^a-z0-9.-]/gi, '_')}-${mark}`);
  }

  /** The names it looks after from now on. Tells `ready` of certificates that are kept already. */
  follow(names: Iterable<string>): void {
    const wanted = new Set([...names].map((name) => name.toLowerCase()));
    for (const domain of this.#held.keys()) if (!wanted.has(domain)) this.#held.delete(domain);
    for (const domain of wanted) if (!this.#held.has(domain)) this.#take(domain);
    this.#schedule();
  }

  /** Proofs can be seen from outside: begins to issue. */
  begin(): void {
    this.#live = true;
    this.#schedule();
  }

  /** Begins nothing new. */
  stop(): void {
    this.#live = false;
    this.#timer?.cancel();
  }

  /** Reads what is kept. */
  #take(domain: string): void {
    const { clock, ready, notice } = this.#parts;
    const held: Held = { due: 0, failures: 0, pair: undefined, facts: undefined };
    this.#held.set(domain, held);
    try {
      const text = this.#keep.read(`${domain}.pem`);
      if (text !== undefined) {
        const pair = {
          certificate: text.slice(text.indexOf(CERTIFICATE)),
          key: text.slice(0, text.indexOf(CERTIFICATE)),
        };
        const facts = factsOf(pair.certificate);
        Object.assign(held, { pair, facts, due: renewAt(facts, undefined, clock.random()) });
        if (facts.notAfter > clock.wall()) ready(domain, pair, facts);
      }
      const attempts = JSON.parse(this.#keep.read(STATE) ?? '{}') as Record<string, { failures: number; due: number }>;
      const before = attempts[domain];
      if (before !== undefined) {
        held.failures = before.failures;
        held.due = Math.max(held.due, Math.min(before.due, clock.wall() + 86_400_000));
      }
    } catch (error) {
      notice({ level: 'warn', message: `the kept certificate for ${domain} cannot be used: ${reasonOf(error)}` });
    }
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (!this.#live || this.#busy || this.#held.size === 0) return;
    const { clock } = this.#parts;
    let due = Number.POSITIVE_INFINITY;
    for (const held of this.#held.values()) due = Math.min(due, held.due);
    const delay = Math.max(0, Math.max(due, this.#pausedUntil) - clock.wall());
    this.#timer = clock.after(Math.min(delay, LOOK_MS), () => void this.#turn());
  }

  async #turn(): Promise<void> {
    const now = this.#parts.clock.wall();
    let next: [string, Held] | undefined;
    for (const one of this.#held) if (one[1].due <= now && one[1].due < (next?.[1].due ?? Infinity)) next = one;
    if (next !== undefined && now >= this.#pausedUntil) {
      this.#busy = true;
      await this.#renew(...next);
      this.#busy = false;
    }
    this.#schedule();
  }

  async #renew(domain: string, held: Held): Promise<void> {
    const { clock, settings, show, hide, ready, notice, attempted } = this.#parts;
    try {
      const client = this.#clientOf();
      if (held.pair !== undefined && held.facts !== undefined && held.failures === 0) {
        // A last look at what the authority would like: it may want it sooner, or be glad about later.
        const id = renewalId(held.pair.certificate);
        const window = id === undefined ? undefined : await client.renewalWindow(id).catch(() => undefined);
        if (window !== undefined && window.start > clock.wall() && window.start < held.facts.notAfter) {
          held.due = renewAt(held.facts, window, clock.random());
          return;
        }
      }
      const pair = await client.issue([domain], settings.challenge, settings.keyType, show, hide);
      const facts = factsOf(pair.certificate);
      this.#keep.write(`${domain}.pem`, pair.key + pair.certificate);
      Object.assign(held, { pair, facts, failures: 0, due: renewAt(facts, undefined, clock.random()) });
      attempted('issued');
      notice({ level: 'info', message: `a certificate for ${domain} was issued`, attributes: until(facts) });
      if (this.#held.get(domain) === held) ready(domain, pair, facts);
    } catch (error) {
      held.failures++;
      const limited =
        error instanceof AcmeError ? (error.retryAfterMs ?? (error.type === 'rateLimited' ? LOOK_MS : 0)) : 0;
      if (limited > 0) this.#pausedUntil = clock.wall() + Math.min(limited, BREATHER_MS);
      const wait = Math.max(limited, waitAfter(held.failures, clock.random()));
      held.due = clock.wall() + wait;
      attempted('failed');
      const again = `next attempt in ${Math.ceil(wait / 60_000)} min`;
      notice({ level: 'error', message: `no certificate for ${domain}: ${reasonOf(error)}; ${again}` });
    }
    this.#remember();
  }

  /** Failures outlive a restart: a program that keeps dying must not use up the limits of the authority. */
  #remember(): void {
    const attempts: Record<string, { failures: number; due: number }> = {};
    for (const [domain, { failures, due }] of this.#held) if (failures > 0) attempts[domain] = { failures, due };
    try {
      this.#keep.write(STATE, JSON.stringify(attempts));
    } catch (error) {
      this.#parts.notice({ level: 'error', message: `${this.#keep.folder} cannot be written: ${reasonOf(error)}` });
    }
  }

  #clientOf(): AcmeClient {
    if (this.#client !== undefined) return this.#client;
    const { settings, send, clock } = this.#parts;
    const { directory, email, externalAccount } = settings;
    this.#client = new AcmeClient({ directory, email, externalAccount, accountKey: this.#accountKey() }, send, clock);
    return this.#client;
  }

  #accountKey(): KeyObject {
    const kept = this.#keep.read('account.key');
    if (kept !== undefined) return createPrivateKey(kept);
    const key = newKey('ecdsa');
    this.#keep.write('account.key', keyText(key));
    return key;
  }
}

const CERTIFICATE = '-----BEGIN CERTIFICATE-----';

const until = (facts: CertificateFacts) => ({ notAfter: new Date(facts.notAfter).toISOString() });

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
