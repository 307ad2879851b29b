/** A client of ACME (RFC 8555): an account, an order, its challenges, a certificate; and when to renew it (RFC 9773). */
import type { KeyObject } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import { certificateRequest, keyText, newKey } from './csr.ts';
import type { Pair } from './facts.ts';
import { externalBinding, signedRequest, thumbprint } from './jws.ts';
import type { Reply, Send } from './request.ts';

/** What an authority answered instead of what was asked for. */
export class AcmeError extends Error {
  /** Last part of the problem's type, such as `rateLimited`. */
  readonly type: string;
  /** The authority asks to wait so long, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(type: string, message: string, retryAfterMs?: number) {
    super(message);
    this.type = type;
    this.retryAfterMs = retryAfterMs;
  }
}

/** With whom, and as whom. */
export interface AcmeSettings {
  /** URL of the directory. */
  directory: string;
  email?: string | undefined;
  externalAccount?: { keyId: string; key: string } | undefined;
  /** P-256 key of the account. */
  accountKey: KeyObject;
}

/** What is to be shown to prove control of a domain. */
export interface Proof {
  type: 'http-01' | 'tls-alpn-01';
  domain: string;
  token: string;
  keyAuthorization: string;
}

/** What an authority says about the renewal of a certificate. */
export interface RenewalWindow {
  start: number;
  end: number;
  /** When to ask again, in milliseconds. */
  againMs: number | undefined;
}

/** An order that says what it replaces is refused with one of these (RFC 9773 §5). */
const UNREPLACEABLE = new Set(['alreadyReplaced', 'malformed', 'unauthorized']);

interface Directory {
  newNonce: string;
  newAccount: string;
  newOrder: string;
  renewalInfo?: string;
}

interface Order {
  status: string;
  authorizations: string[];
  finalize: string;
  certificate?: string;
  error?: { detail?: string; type?: string };
}

interface Authorization {
  status: string;
  identifier: { value: string };
  challenges: { type: string; url: string; token: string; error?: { detail?: string; type?: string } }[];
}

const POLL_MS = 1000;
/** An authority that has not decided in so many looks is asked again another time. */
const POLLS = 90;
/** Nonces kept for later: each answer brings one. */
const NONCES = 8;

/** One authority and one account. */
export class AcmeClient {
  readonly #settings: AcmeSettings;
  readonly #send: Send;
  readonly #clock: Clock;
  #directory: Directory | undefined;
  #account: string | undefined;
  readonly #nonces: string[] = [];

  constructor(settings: AcmeSettings, send: Send, clock: Clock) {
    this.#settings = settings;
    this.#send = send;
    this.#clock = clock;
  }

  /**
   * Gets a certificate for these names. `replaces`: what the one before is called (`renewalId`), so that an authority that knows
   * it counts this one as its renewal (RFC 9773 §5). `show` makes the proof visible to the authority, and resolves when every worker
   * shows it; `hide` takes it back. Throws an `AcmeError` or an `Error`.
   */
  async issue(
    names: readonly string[],
    challenge: Proof['type'],
    keyType: 'ecdsa' | 'rsa',
    show: (proof: Proof) => Promise<void>,
    hide: (proof: Proof) => void,
    replaces?: string,
  ): Promise<Pair> {
    const asked = await this.#order(names, replaces);
    const order = json<Order>(asked);
    const orderUrl = location(asked);
    for (const url of order.authorizations) await this.#authorize(url, challenge, show, hide);
    const key = newKey(keyType);
    const csr = certificateRequest(key, names).toString('base64url');
    await this.#poll<Order>(orderUrl, (one) => one.status !== 'pending');
    await this.#post(order.finalize, { csr });
    const done = await this.#poll<Order>(orderUrl, ({ status }) => status === 'valid' || status === 'invalid');
    if (done.certificate === undefined) throw problem(done.error, 'the order failed');
    const certificate = (await this.#post(done.certificate, undefined)).body.toString();
    return { certificate, key: keyText(key) };
  }

  async #order(names: readonly string[], replaces: string | undefined): Promise<Reply> {
    const { newOrder, renewalInfo } = await this.#directoryOf();
    const identifiers = names.map((value) => ({ type: 'dns', value }));
    if (replaces === undefined || renewalInfo === undefined) return this.#post(newOrder, { identifiers });
    try {
      return await this.#post(newOrder, { identifiers, replaces });
    } catch (error) {
      // It may have been replaced already, or be one that this authority does not know any more.
      if (!(error instanceof AcmeError) || !UNREPLACEABLE.has(error.type)) throw error;
      return this.#post(newOrder, { identifiers });
    }
  }

  /**
   * When the authority would have this certificate renewed, in milliseconds since 1970, and how long to wait before asking
   * again; undefined when it does not say. `id`: see `renewalId`.
   */
  async renewalWindow(id: string): Promise<RenewalWindow | undefined> {
    const { renewalInfo } = await this.#directoryOf();
    if (renewalInfo === undefined) return undefined;
    const reply = check(await this.#send('GET', `${renewalInfo.replace(/\/$/, '')}/${id}`));
    const { suggestedWindow } = json<{ suggestedWindow?: { start: string; end: string } }>(reply);
    const [start, end] = [Date.parse(suggestedWindow?.start ?? ''), Date.parse(suggestedWindow?.end ?? '')];
    return start <= end ? { start, end, againMs: retryAfter(reply, this.#clock) } : undefined;
  }

  async #authorize(
    url: string,
    type: Proof['type'],
    show: (proof: Proof) => Promise<void>,
    hide: (proof: Proof) => void,
  ): Promise<void> {
    const authorization = json<Authorization>(await this.#post(url, undefined));
    if (authorization.status === 'valid') return;
    const domain = authorization.identifier.value;
    const challenge = authorization.challenges.find((one) => one.type === type);
    if (challenge === undefined) {
      const offered = authorization.challenges.map((one) => one.type).join(', ');
      throw new AcmeError('unsupported', `${domain}: the authority does not offer ${type} (it offers ${offered})`);
    }
    // It goes into a header of ours and into paths: RFC 8555 §8.1 allows base64url alone.
    if (!/^[A-Za-z0-9_-]{1,256}$/.test(challenge.token)) throw new AcmeError('malformed', 'the token is not base64url');
    const { token } = challenge;
    const proof = { type, domain, token, keyAuthorization: `${token}.${thumbprint(this.#settings.accountKey)}` };
    await show(proof);
    try {
      await this.#post(challenge.url, {});
      const end = await this.#poll<Authorization>(url, ({ status }) => status !== 'pending');
      if (end.status === 'valid') return;
      throw problem(end.challenges.find((one) => one.error)?.error, `${domain}: ${end.status}`, `${domain}: `);
    } finally {
      hide(proof);
    }
  }

  async #poll<T>(url: string, done: (state: T) => boolean): Promise<T> {
    for (let i = 0; i < POLLS; i++) {
      const reply = await this.#post(url, undefined);
      const state = json<T>(reply);
      if (done(state)) return state;
      await this.#wait(Math.min(retryAfter(reply, this.#clock) ?? POLL_MS, 10_000));
    }
    throw new AcmeError('timeout', 'the authority has not decided in time');
  }

  #wait(ms: number): Promise<void> {
    return new Promise((done) => this.#clock.after(ms, done));
  }

  async #directoryOf(): Promise<Directory> {
    this.#directory ??= json<Directory>(check(await this.#send('GET', this.#settings.directory)));
    return this.#directory;
  }

  async #accountOf(): Promise<string> {
    if (this.#account !== undefined) return this.#account;
    const { newAccount } = await this.#directoryOf();
    const { email, externalAccount, accountKey } = this.#settings;
    const reply = await this.#signed(newAccount, undefined, {
      termsOfServiceAgreed: true,
      ...(email !== undefined && { contact: [`mailto:${email}`] }),
      ...(externalAccount && {
        externalAccountBinding: externalBinding(accountKey, externalAccount.keyId, externalAccount.key, newAccount),
      }),
    });
    this.#account = location(reply);
    return this.#account;
  }

  async #post(url: string, payload: unknown): Promise<Reply> {
    return this.#signed(url, await this.#accountOf(), payload);
  }

  async #signed(url: string, kid: string | undefined, payload: unknown): Promise<Reply> {
    for (let tries = 0; ; tries++) {
      const body = signedRequest(this.#settings.accountKey, kid, await this.#nonce(), url, payload);
      const reply = await this.#send('POST', url, body);
      const nonce = reply.headers['replay-nonce'];
      if (nonce !== undefined && this.#nonces.length < NONCES) this.#nonces.push(nonce);
      try {
        return check(reply, this.#clock);
      } catch (error) {
        // A nonce may have been forgotten; the answer brought another one (RFC 8555 §6.5).
        if (tries < 5 && error instanceof AcmeError && error.type === 'badNonce') continue;
        throw error;
      }
    }
  }

  async #nonce(): Promise<string> {
    const kept = this.#nonces.pop();
    if (kept !== undefined) return kept;
    const nonce = (await this.#send('HEAD', (await this.#directoryOf()).newNonce)).headers['replay-nonce'];
    if (nonce === undefined) throw new AcmeError('malformed', 'the authority gives no nonce');
    return nonce;
  }
}

function json<T>(reply: Reply): T {
  try {
    return JSON.parse(reply.body.toString()) as T;
  } catch {
    throw new AcmeError('malformed', 'the answer of the authority is no JSON');
  }
}

function location(reply: Reply): string {
  const { location: url } = reply.headers;
  if (url === undefined) throw new AcmeError('malformed', 'the authority does not say where it put it');
  return url;
}

function check(reply: Reply, clock?: Clock): Reply {
  if (reply.status >= 200 && reply.status < 300) return reply;
  let told: { type?: string; detail?: string; subproblems?: { detail?: string }[] } = {};
  try {
    told = JSON.parse(reply.body.toString()) as typeof told;
  } catch {
    // Not every failure comes from the authority itself.
  }
  throw problem(told, `status ${reply.status}`, '', clock && retryAfter(reply, clock));
}

function problem(told: { type?: string; detail?: string } | undefined, otherwise: string, before = '', wait?: number) {
  const type = told?.type?.split(':').at(-1) ?? 'unknown';
  return new AcmeError(type, told?.detail ? `${before}${told.detail} (${type})` : otherwise, wait);
}

/** Milliseconds to wait, by seconds or by a date (RFC 9110 §10.2.3). */
function retryAfter(reply: Reply, clock: Clock): number | undefined {
  const text = reply.headers['retry-after'];
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - clock.wall();
  return ms >= 0 ? ms : undefined;
}
