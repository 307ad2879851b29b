/** What an issuer asks an authority for, and when: a script for an authority, and time in the test's hand. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { makeCertificate } from '../../test/certificate.ts';
import { ManualClock } from '../kernel/clock.ts';
import { Issuer } from './issuer.ts';
import type { Reply, Send } from './request.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
const LIFE = 90 * DAY;
const authorityCertificate = makeCertificate({ name: 'Authority', authority: true });

/** An authority as far as an issuer sees one: every challenge is met at once. */
class Authority {
  readonly asked: string[] = [];
  readonly orders: { names: string; at: number; replaces: string | undefined }[] = [];
  accounts = 0;
  /** Answers instead of a certificate. */
  refusal: { status: number; type: string; retryAfter?: string } | undefined;
  /** What is said about renewals; undefined: nothing. */
  window: { start: number; end: number } | undefined;
  silent = false;
  readonly #clock: ManualClock;
  #names: string[] = [];

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  readonly send: Send = async (method, url, body) => {
    const { pathname } = new URL(url);
    this.asked.push(`${method} ${pathname}`);
    if (this.silent) throw new Error('no answer');
    const payload = JSON.parse(
      Buffer.from((JSON.parse(body ?? '{}') as { payload?: string }).payload ?? '', 'base64url').toString() || '{}',
    ) as { identifiers?: { value: string }[]; replaces?: string };
    const at = 'https://authority.test';
    if (pathname === '/dir') {
      const renewalInfo = this.window && { renewalInfo: `${at}/renewal` };
      return this.#say({
        newNonce: `${at}/nonce`,
        newAccount: `${at}/account`,
        newOrder: `${at}/order`,
        ...renewalInfo,
      });
    }
    if (pathname === '/account') this.accounts++;
    if (pathname.startsWith('/renewal/')) {
      const { start, end } = this.window ?? { start: 0, end: 0 };
      const suggestedWindow = { start: new Date(start).toISOString(), end: new Date(end).toISOString() };
      return this.#say({ suggestedWindow }, { 'retry-after': '21600' });
    }
    if (pathname === '/order' && payload.identifiers !== undefined) {
      const names = payload.identifiers.map(({ value }) => value);
      this.orders.push({ names: names.join(), at: this.#clock.wall(), replaces: payload.replaces });
      if (this.refusal !== undefined) {
        const { status, type, retryAfter } = this.refusal;
        const problem = { type: `urn:ietf:params:acme:error:${type}`, detail: 'refused' };
        return this.#say(problem, retryAfter === undefined ? {} : { 'retry-after': retryAfter }, status);
      }
      this.#names = names;
    }
    if (pathname === '/certificate') {
      const [name = ''] = this.#names;
      const from = this.#clock.wall();
      const { certificate } = makeCertificate({ name, from, to: from + LIFE, issuer: authorityCertificate });
      return { status: 200, headers: { 'replay-nonce': 'n' }, body: Buffer.from(certificate) };
    }
    const certificate = `${at}/certificate`;
    return this.#say({ status: 'valid', authorizations: [], finalize: `${at}/finalize`, certificate });
  };

  #say(what: object, headers: Record<string, string> = {}, status = 200): Reply {
    const always = { 'replay-nonce': 'n', location: 'https://authority.test/order' };
    return { status, headers: { ...always, ...headers }, body: Buffer.from(JSON.stringify(what)) };
  }
}

function house(t: TestContext, names: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-issuer-'));
  t.after(() => rmSync(folder, { recursive: true }));
  // Certificates hold whole seconds.
  const clock = new ManualClock(1_750_000_000_000);
  const authority = new Authority(clock);
  const notices: string[] = [];
  const ready: string[] = [];
  const start = () => {
    const issuer = new Issuer({
      settings: { directory: 'https://authority.test/dir', challenge: 'http-01', keyType: 'ecdsa', folder },
      clock,
      send: authority.send,
      show: async () => {},
      hide: () => {},
      ready: (domain) => ready.push(domain),
      notice: ({ message }) => notices.push(message),
      attempted: () => {},
    });
    issuer.follow(names);
    issuer.begin();
    return issuer;
  };
  /** Moves time on in steps, and lets what is due run to its end. */
  const pass = async (ms: number, step = HOUR) => {
    for (let left = ms; left > 0; left -= step) {
      clock.advance(Math.min(step, left));
      for (let asked = -1; asked !== authority.asked.length; ) {
        asked = authority.asked.length;
        for (let i = 0; i < 20; i++) await Promise.resolve();
      }
    }
  };
  return { clock, authority, notices, ready, start, pass };
}

test('one account for all names; renewed after two thirds of their life, each naming what it replaces', async (t) => {
  const { authority, ready, start, pass } = house(t, ['a.example', 'b.example']);
  const issuer = start();
  await pass(2000, 1000);
  assert.deepEqual(ready, ['a.example', 'b.example']);
  assert.equal(authority.accounts, 1);
  await pass(59 * DAY);
  assert.equal(authority.orders.length, 2, 'not before two thirds');
  await pass(5 * DAY);
  assert.deepEqual(authority.orders.map(({ names }) => names).sort(), [
    'a.example',
    'a.example',
    'b.example',
    'b.example',
  ]);
  assert.equal(
    authority.orders.every(({ replaces }) => replaces === undefined),
    true,
    'this authority would not know',
  );
  assert.equal(authority.accounts, 1);
  issuer.stop();
  const again = start();
  await pass(2 * HOUR);
  assert.equal(authority.orders.length, 4, 'what is kept is taken from the disk');
  again.stop();
});

test('an authority that wants a certificate renewed at once is heard within a day (RFC 9773)', async (t) => {
  const { authority, clock, start, pass } = house(t, ['a.example']);
  authority.window = { start: clock.wall() + 58 * DAY, end: clock.wall() + 60 * DAY };
  const issuer = start();
  await pass(10 * DAY);
  assert.equal(authority.orders.length, 1);
  const asked = authority.asked.filter((one) => one.includes('/renewal/')).length;
  assert.ok(asked >= 30 && asked <= 50, `asked ${asked} times in ten days, every six hours or so`);
  // A mass revocation: the window is over already.
  authority.window = { start: clock.wall() - 2 * DAY, end: clock.wall() - DAY };
  await pass(8 * HOUR);
  assert.equal(authority.orders.length, 2);
  assert.match(authority.orders[1]?.replaces ?? '', /^[\w-]+\.[\w-]+$/);
  // It says the same of the new one: that is no reason to ask for one after the other.
  await pass(5 * DAY);
  assert.ok(authority.orders.length <= 8, `${authority.orders.length} orders`);
  issuer.stop();
});

test('failures wait longer each time, and as long as the authority asks; a new program goes on waiting', async (t) => {
  const { authority, clock, notices, start, pass } = house(t, ['a.example']);
  authority.refusal = { status: 403, type: 'unauthorized' };
  const begun = clock.wall();
  let issuer = start();
  await pass(20 * HOUR, 15_000);
  const waits = authority.orders.map(({ at }, i) => (at - (authority.orders[i - 1]?.at ?? begun)) / 60_000);
  waits.slice(1, 8).forEach((wait, i) => {
    assert.ok(wait >= 0.75 * 2 ** i && wait <= 1.25 * 2 ** i + 0.5, `wait ${i}: ${wait} min`);
  });
  assert.match(
    notices.at(-1) ?? '',
    /no certificate for a\.example: refused \(unauthorized\); next attempt in \d+ min/,
  );
  issuer.stop();
  const before = authority.orders.length;
  issuer = start();
  await pass(60_000, 1000);
  assert.equal(authority.orders.length, before);
  issuer.stop();
});

test('a rate limit holds as long as the authority says, for all names', async (t) => {
  const { authority, start, pass } = house(t, ['a.example', 'b.example']);
  authority.refusal = { status: 429, type: 'rateLimited', retryAfter: '7200' };
  const issuer = start();
  await pass(9 * 60_000, 1000);
  assert.deepEqual(
    authority.orders.map(({ names }) => names),
    ['a.example'],
  );
  await pass(20 * 60_000, 15_000);
  assert.deepEqual(
    authority.orders.map(({ names }) => names),
    ['a.example', 'b.example'],
    'after ten minutes',
  );
  authority.refusal = undefined;
  await pass(80 * 60_000, 15_000);
  assert.equal(authority.orders.length, 2);
  await pass(30 * 60_000, 15_000);
  assert.deepEqual(
    authority.orders
      .map(({ names }) => names)
      .slice(2)
      .sort(),
    ['a.example', 'b.example'],
  );
  issuer.stop();
});

test('an authority that does not answer holds nothing up, and is found again', async (t) => {
  const { authority, notices, ready, start, pass } = house(t, ['a.example']);
  authority.silent = true;
  const issuer = start();
  await pass(5 * 60_000, 1000);
  assert.match(notices[0] ?? '', /no certificate for a\.example: no answer/);
  authority.silent = false;
  await pass(30 * 60_000, 1000);
  assert.deepEqual(ready, ['a.example']);
  issuer.stop();
});
