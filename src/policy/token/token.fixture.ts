/** The token service as tests see it: keys by name, proofs by word, and a clock in the hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ManualClock, systemClock } from '../../kernel/clock.ts';
import { openStore } from '../../store/open.ts';
import { tokensConfig } from './config.ts';
import type { Subject, TokenParts } from './parts.ts';
import { TokenService } from './token.ts';
import type { ServiceRequest } from './wire.ts';

/** The pepper of the tests. */
export const PEPPER = 'a pepper of more than thirty-two characters';
/** The issuer. */
export const ISSUER = 'https://api.example.com';
/** The secret of all its clients. */
export const SECRET = 'a-secret-of-more-than-24-characters';
/** The grant that exchanges a key. */
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** The grant of devices. */
export const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
/** Type of an API key as subject token. */
export const KEY_TYPE = 'urn:gatehouse:params:oauth:token-type:api-key';
/** In milliseconds. */
export const MINUTE = 60_000;
/** In milliseconds. */
export const DAY = 86_400_000;

const subject = (id: string, more: Partial<Subject> = {}): Subject => ({
  ...{ by: 'key', id, principal: `${id}-owner`, tenant: '', plan: '', scopes: ['chat', 'embed'], roles: [] },
  ...{ models: undefined, labels: {}, trial: false, expiresAt: undefined, bound: false, ...more },
});

/** Settings of the service. */
export const SETTINGS = {
  issuer: ISSUER,
  clients: [
    { id: 'batch', secret: SECRET, scopes: ['chat'], grants: ['clientCredentials', 'refresh'] },
    { id: 'tool', grants: ['device', 'refresh', 'tokenExchange'], scopes: ['chat'] },
    { id: 'proving', secret: SECRET, dpop: 'required' },
    { id: 'off', secret: SECRET, disabled: true },
  ],
};

/** A service over a store in a file; its clock stands still until it is told to move. */
export async function house(t: TestContext, more: Record<string, unknown> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-token-'));
  const clock = new ManualClock();
  const path = join(folder, 'state.db');
  const store = await openStore({ driver: 'sqlite', path, lockTimeout: 5000 }, folder, {
    // Its own timers run on: to move a month would run each of them a million times.
    clock: { ...systemClock, wall: () => clock.wall() },
  });
  const keys = new Map([
    ['key-text', subject('k1')],
    ['bound-text', subject('k2', { bound: true })],
    ['short-text', subject('k3', { expiresAt: clock.wall() + 5 * MINUTE })],
  ]);
  const published: unknown[][] = [];
  const ended: string[] = [];
  const guesses: string[] = [];
  /** Tenants that are switched off, and what is said of them. */
  const refused = new Map<string, string>();
  let waits = 0;
  let endedUpTo = 0;
  const parts: TokenParts = {
    clock,
    store,
    keyOf: async (key) => keys.get(key),
    keyById: async (id) => [...keys.values()].find((one) => one.id === id),
    tenantRefusal: async (tenant) => refused.get(tenant),
    keyChange: () => undefined,
    prove: async (proof) =>
      proof.startsWith('key:')
        ? { jkt: proof.slice(4) }
        : proof === 'old'
          ? { nonce: 'n1' }
          : { failed: 'It is wrong.' },
    revocation: ({ kind, value }) => {
      ended.push(`${kind} ${value}`);
      return { op: 'put', kind: 'revocation', id: `${kind} ${value}`, value: {} };
    },
    isRevoked: async ({ id, family }) => ended.includes(`id ${id}`) || ended.includes(`family ${family}`),
    endedUpTo: async () => endedUpTo,
    hold: () => waits,
    failed: (_, name) => void guesses.push(name),
    publish: (now) => void published.push([...now]),
    answered: () => {},
    notice: () => {},
  };
  const make = async (peppers: readonly string[] = [PEPPER]) => {
    const service = new TokenService(parts, tokensConfig.parse({ ...SETTINGS, ...more }) as never, peppers);
    await service.start();
    t.after(() => service.close());
    return service;
  };
  const service = await make();
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const send = async (
    path: string,
    form: Record<string, string> | undefined,
    fields: Record<string, string> = {},
    by = service,
  ) => {
    const request: ServiceRequest = {
      ...{ method: form === undefined ? 'GET' : 'POST', path, query: '', uri: ISSUER + path, address: '192.0.2.1' },
      ...{ thumbprint: '', body: new URLSearchParams(form).toString() },
      fields: { ...(form && { 'content-type': 'application/x-www-form-urlencoded' }), ...fields },
    };
    const { status, body, fields: told } = await by.answer(request);
    const isJson = told.some(([name, value]) => name === 'Content-Type' && value === 'application/json');
    return { status, fields: new Map(told), told: (isJson ? JSON.parse(body) : {}) as Record<string, string>, body };
  };
  const hold = (ms: number) => {
    waits = ms;
  };
  /** Tokens that were given out up to then have ended. */
  const end = (upTo: number) => {
    endedUpTo = upTo;
  };
  return { clock, store, keys, send, make, service, published, ended, guesses, refused, hold, end };
}

/** Basic authorization. */
export const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
});
/** Authorization of the client `batch`. */
export const BATCH = basic('batch', SECRET);
/** What asks for tokens for a client itself. */
export const CREDENTIALS = { grant_type: 'client_credentials' };
