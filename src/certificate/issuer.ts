/**
 * Keeps certificates for a set of names: issues what is missing, renews in time, waits longer after each failure. One name
 * after the other, so that an authority is never asked for two things at once.
 */
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { AcmeClient, AcmeError, type Proof, type RenewalWindow } from './acme.ts';
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
  /** When to ask the authority when it would have this certificate renewed. */
  askAt: number;
  failures: number;
  pair: Pair | undefined;
  facts: CertificateFacts | undefined;
  /** What the authority said last. */
  window: { start: number; end: number } | undefined;
}

/** Looked at least this often: the wall clock may be set. */
const LOOK_MS = 3_600_000;
/** The authority is asked this often when it would have a certificate renewed: it may revoke many at once (RFC 9773 §4.2). */
const ASK_MS = 6 * 3_600_000;
const ASK_LEAST_MS = 60_000;
/** A certificate is not renewed before this age, or a third of its life. */
const RENEW_LEAST_MS = 24 * 3_600_000;
const ASK_MOST_MS = 24 * 3_600_000;
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
    const held: Held = { due: 0, askAt: Infinity, failures: 0, pair: undefined, facts: undefined, window: undefined };
    this.#held.set(domain, held);
    try {
      const text = this.#keep.read(`${domain}.pem`);
      if (text !== undefined) {
        const pair = {
          certificate: text.slice(text.indexOf(CERTIFICATE)),
          key: text.slice(0, text.indexOf(CERTIFICATE)),
        };
        const facts = factsOf(pair.certificate);
        Object.assign(held, { pair, facts, ...this.#planned(facts) });
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
    for (const held of this.#held.values()) due = Math.min(due, held.due, held.askAt);
    const delay = Math.max(0, Math.max(due, this.#pausedUntil) - clock.wall());
    this.#timer = clock.after(Math.min(delay, LOOK_MS), () => void this.#turn());
  }

  async #turn(): Promise<void> {
    const now = this.#parts.clock.wall();
    let due: [string, Held] | undefined;
    let asked: Held | undefined;
    for (const one of this.#held) {
      if (one[1].due <= now && one[1].due < (due?.[1].due ?? Infinity)) due = one;
      if (one[1].askAt <= now && one[1].askAt < (asked?.askAt ?? Infinity)) asked = one[1];
    }
    if (now >= this.#pausedUntil && (due ?? asked) !== undefined) {
      this.#busy = true;
      // Who is due first: an authority that does not answer questions must not hold up what it may still issue.
      if (due !== undefined) await this.#renew(...due);
      else if (asked !== undefined) await this.#ask(asked);
      this.#busy = false;
    }
    this.#schedule();
  }

  /** By its own life; the authority is asked at once, and from time to time. */
  #planned(facts: CertificateFacts): Pick<Held, 'due' | 'askAt'> {
    return { due: renewAt(facts, undefined, this.#parts.clock.random()), askAt: this.#parts.clock.wall() };
  }

  /** What the authority would like: it may want it sooner, or be glad about later. One that says nothing changes nothing. */
  async #ask(held: Held): Promise<void> {
    const { clock } = this.#parts;
    const { pair, facts } = held;
    const now = clock.wall();
    const id = pair && renewalId(pair.certificate);
    let window: RenewalWindow | undefined;
    try {
      window = id === undefined ? undefined : await this.#clientOf().renewalWindow(id);
    } catch {
      for (const one of this.#held.values()) one.askAt = Math.max(one.askAt, now + LOOK_MS);
    }
    const again = Math.min(ASK_MOST_MS, Math.max(ASK_LEAST_MS, window?.againMs ?? ASK_MS));
    held.askAt = now + again * (0.9 + clock.random() / 5);
    if (window === undefined || facts === undefined || held.failures > 0) return;
    // The same window asked for twice keeps its moment, else it would wander.
    if (held.window?.start === window.start && held.window.end === window.end) return;
    held.window = window;
    if (window.start >= facts.notAfter) return;
    // One that says so of each new certificate, too, would have us renew without end.
    const least = facts.notBefore + Math.min(RENEW_LEAST_MS, (facts.notAfter - facts.notBefore) / 3);
    held.due = Math.max(least, renewAt(facts, window, clock.random()));
  }

  async #renew(domain: string, held: Held): Promise<void> {
    const { clock, settings, show, hide, ready, notice, attempted } = this.#parts;
    try {
      const before = held.pair && renewalId(held.pair.certificate);
      const pair = await this.#clientOf().issue([domain], settings.challenge, settings.keyType, show, hide, before);
      const facts = factsOf(pair.certificate);
      this.#keep.write(`${domain}.pem`, pair.key + pair.certificate);
      Object.assign(held, { pair, facts, window: undefined, failures: 0, ...this.#planned(facts) });
      attempted('issued');
      notice({ level: 'info', message: `a certificate for ${domain} was issued`, attributes: until(facts) });
      if (this.#held.get(domain) === held) ready(domain, pair, facts);
    } catch (error) {
      // Its directory may have moved and the account be gone: the next attempt asks for both.
      this.#client = undefined;
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
