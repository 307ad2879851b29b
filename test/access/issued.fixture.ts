/** What tests of tokens that others issue share: an issuer, a model server, and settings of a gateway between them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { type Gateway, startSimulator } from '../gateway.ts';
import type { Program } from '../program.ts';
import { AUDIENCE, type Issuer, startIssuer } from './issuer.ts';

/** What there is; `issuer` from the first test on. All of it ends after the last one. */
export interface Issued {
  readonly folder: string;
  readonly issuer: Issuer;
  /** Settings of a gateway with a store of its own; `more`: of the issuer, `access`: beside it. */
  settings(more?: object, access?: object): Record<string, unknown>;
}

/** Sets it up; call it once in a file, outside of tests. */
export function issued(): Issued {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-jwt-'));
  let simulator: Program & { url: string };
  let issuer: Issuer;
  let stores = 0;
  before(async () => {
    simulator = await startSimulator();
    issuer = await startIssuer();
  });
  after(async () => {
    await simulator.stop();
    await issuer.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    get issuer() {
      return issuer;
    },
    settings: (more = {}, access = {}) => ({
      store: { driver: 'sqlite', path: join(folder, `${++stores}.db`) },
      listeners: { public: { address: '127.0.0.1:0' } },
      upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
      access: {
        issuers: { corporate: { issuer: issuer.url, audiences: [AUDIENCE], cooldown: '1s', ...more } },
        ...access,
      },
      routes: [{ name: 'api', match: { path: '/v1/*' }, access: { anyOf: ['jwt'] }, upstream: 'sim' }],
    }),
  };
}

/** Shows a token. */
export const ask = (gateway: Gateway, token: string) =>
  fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } });
