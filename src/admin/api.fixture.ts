/** An admin API over a store, for tests: as it is for callers with tokens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ManualClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import type { Store } from '../store/store.ts';
import { type Admin, startAdmin } from './admin.ts';
import { adminConfig } from './config.ts';
import type { AdminHandle } from './handle.ts';
import { shownInHistory } from './resources/secrets.ts';

/** Tokens of the callers there are, by name. */
export const TOKENS = {
  viewer: 'the-token-of-the-viewer',
  operator: 'the-token-of-the-operator',
  admin: 'the-token-of-the-admin',
  acme: 'the-token-of-the-tenant-acme',
} as const;

/** Who asks; `nobody` shows no token. */
export type Who = keyof typeof TOKENS | 'nobody';

/** A document, as far as tests look into it; which of these it has depends on what was asked. */
interface Body {
  [name: string]: unknown;
  id: string;
  key: string;
  token: string;
  code: string;
  detail: string;
  errors: [{ path: string; message: string }];
  items: Body[];
  next: string | undefined;
}

/** An answer. */
export interface Reply {
  status: number;
  etag: string;
  fields: Headers;
  body: Body;
}

/** A running API. */
export interface Api {
  admin: Admin;
  store: Store;
  clock: ManualClock;
  notices: NoticeEvent[];
  /** `METHOD /path`. */
  ask(who: Who | { token: string }, what: string, document?: unknown, fields?: Record<string, string>): Promise<Reply>;
}

/** Starts one. `wrap` may spoil the store that the API sees. */
export async function startApi(t: TestContext, wrap: (store: Store) => Store = (store) => store): Promise<Api> {
  const clock = new ManualClock();
  const notices: NoticeEvent[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-admin-'));
  const store = await openSqlite(
    { driver: 'sqlite', path: join(folder, 'state.db'), lockTimeout: 100 },
    { clock, shown: shownInHistory },
  );
  const settings = adminConfig.parse({
    access: {
      tokens: [
        { name: 'vera', token: TOKENS.viewer, role: 'viewer' },
        { name: 'otto', token: TOKENS.operator, role: 'operator' },
        { name: 'anna', token: TOKENS.admin, role: 'admin' },
        { name: 'portal', token: TOKENS.acme, role: 'operator', tenant: 'acme', scopes: ['inference'] },
      ],
    },
  });
  const handle: AdminHandle = {
    metrics: () => '',
    status: () =>
      ({
        version: '1',
        node: '',
        pid: 1,
        uptimeMs: 0,
        generation: 1,
        workers: [],
        listeners: [],
        upstreams: [],
      }) as const as never,
    config: () => ({}),
    health: () => ({ live: true, ready: true, reasons: [] }),
    preview: async () => ({ ok: true, generation: 1, changes: [] }),
    reload: async () => ({ ok: true, generation: 2 }),
    upgrade: async () => ({ ok: true, generation: 2 }),
    upgrading: () => false,
    settings: () => settings,
    documents: {
      store: async () => wrap(store),
      pepper: () => 'a pepper that is long enough for the tests',
      names: () => ({
        plans: ['enterprise', 'gold'],
        keys: ['declared'],
        clients: ['declared'],
        listeners: ['plain', 'public'],
        serving: ['public'],
      }),
    },
    ledger: () => store.ledger,
  };
  const admin = await startAdmin({ address: '127.0.0.1:0', handle, clock, notice: (one) => notices.push(one) });
  t.after(async () => {
    await admin.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const ask: Api['ask'] = async (who, what, document, fields = {}) => {
    const [method = 'GET', path = '/'] = what.split(' ');
    const token = typeof who === 'object' ? who.token : who === 'nobody' ? undefined : TOKENS[who];
    const response = await fetch(admin.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(document === undefined ? {} : { 'content-type': 'application/json' }),
        ...fields,
      },
      ...(document === undefined ? {} : { body: typeof document === 'string' ? document : JSON.stringify(document) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      etag: response.headers.get('etag') ?? '',
      fields: response.headers,
      body: isJson ? JSON.parse(text) : {},
    };
  };
  return { admin, store, clock, notices, ask };
}
