/** A gateway that issues tokens, two workers, a store in a file, and keys in it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '../../src/kernel/clock.ts';
import { KEY_KIND } from '../../src/policy/access/access.ts';
import { createKey, type KeyOrder, lookupsOf, type Minted } from '../../src/policy/access/lifecycle.ts';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/store.ts';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { freePort } from '../port.ts';
import { answerOf, askAll } from '../workers.ts';

/** The pepper of the tests. */
export const PEPPER = 'a pepper for tests, long enough for the schema';
/** Whoever waits until all workers refuse is refused as often as it takes. */
export const FAILURES = { burst: 100_000, refill: '10ms' };

/** What a test has. */
export interface TokenHouse {
  gateway: Gateway;
  issuer: string;
  store: Store;
  /** Puts a key into the store. */
  key(order: Partial<KeyOrder>): Promise<Minted>;
  /** Sends a form and gives status, fields and JSON. */
  post(path: string, form: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  /** Statuses that both workers give to a token, each once. */
  ask(token: string): Promise<number[]>;
  /** `tokens`: other settings of the service. */
  restart(tokens?: Record<string, unknown>): Promise<void>;
}

/** What the service says in JSON, as far as tests read it. */
export interface Told {
  access_token: string;
  refresh_token: string;
  token_type: string;
  issued_token_type: string;
  scope: string;
  error: string;
  device_code: string;
  user_code: string;
  active: boolean;
  interval: number;
}

/** An answer of the service. */
export interface Answer {
  status: number;
  headers: Headers;
  /** Of JSON; empty for anything else. */
  body: Told;
  text: string;
}

/** Makes a key of alice's, or as ordered, and puts it into the store. */
export async function putKey(store: Store, order: Partial<KeyOrder> = {}): Promise<Minted> {
  const made = createKey({ principal: 'alice', ...order }, [], { pepper: PEPPER, now: Date.now() });
  if ('refused' in made) throw new Error(made.refused);
  const { document } = made;
  await store.write([
    { op: 'put', kind: KEY_KIND, id: document.id, value: document, expect: 0, lookups: lookupsOf(document) },
  ]);
  return made;
}

/** Starts it; it ends with the test. */
export async function startTokenHouse(
  t: TestContext,
  tokens: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): Promise<TokenHouse> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-oauth-'));
  const path = join(folder, 'state.db');
  const store = await openStore({ driver: 'sqlite', path, lockTimeout: 60_000 }, folder, { clock: systemClock });
  const simulator = await startSimulator();
  const issuer = `http://127.0.0.1:${await freePort()}`;
  const settings = {
    workers: 2,
    store: { driver: 'sqlite', path },
    access: { pepper: PEPPER, failures: FAILURES },
    tokens: { issuer, ...tokens },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    routes: [
      { name: 'api', match: { path: '/v1/*' }, upstream: 'model', access: { anyOf: ['jwt', 'apiKey'] } },
      { name: 'tokens', match: { path: ['/oauth/*', '/.well-known/*'] }, service: 'tokens' },
      ...(more.signup === undefined ? [] : [{ name: 'signup', match: { path: '/signup' }, service: 'signup' }]),
    ],
    ...more,
    listeners: { public: { address: issuer.slice(7) }, ...(more.listeners as object | undefined) },
  };
  let gateway: Gateway | undefined;
  // Also where it does not start.
  t.after(async () => {
    await gateway?.stop();
    await simulator.stop();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  gateway = await startGateway(settings);
  return {
    get gateway() {
      return gateway as Gateway;
    },
    issuer,
    store,
    key: (order) => putKey(store, order),
    async post(at, form, headers = {}) {
      const answer = await fetch(issuer + at, { method: 'POST', body: new URLSearchParams(form), headers });
      const text = await answer.text();
      const isJson = answer.headers.get('content-type') === 'application/json';
      const body = (isJson ? JSON.parse(text) : {}) as Told;
      return { status: answer.status, headers: answer.headers, body, text };
    },
    ask(token) {
      const headers = { authorization: `Bearer ${token}`, connection: 'close' };
      return askAll(async () => {
        const answer = await fetch(`${issuer}/v1/models`, { headers });
        await answer.body?.cancel();
        return answerOf(answer);
      });
    },
    async restart(others = tokens) {
      await gateway?.stop();
      gateway = await startGateway({ ...settings, tokens: { issuer, ...others } });
    },
  };
}

/** Type of an API key as subject token. */
export const API_KEY_TYPE = 'urn:gatehouse:params:oauth:token-type:api-key';

/** The parameters that exchange a key. */
export const exchangeOf = (key: string): Record<string, string> => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token: key,
  subject_token_type: API_KEY_TYPE,
});
