/** A revocation that is written to the store ends a token in every worker, remembered or not. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/kernel/clock.ts';
import { revocationPut } from '../../src/policy/access/revocations.ts';
import { openStore } from '../../src/store/open.ts';
import { startGateway, startSimulator } from '../gateway.ts';
import { answerOf, askAll, untilAll } from '../workers.ts';
import { AUDIENCE, startIssuer } from './issuer.ts';

test('a token is refused by every worker soon after it was revoked, and others are not', {
  timeout: 180_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tokens-'));
  const path = join(folder, 'state.db');
  const store = await openStore({ driver: 'sqlite', path, lockTimeout: 60_000 }, folder, { clock: systemClock });
  const issuer = await startIssuer();
  const simulator = await startSimulator();
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 2,
    store: { driver: 'sqlite', path },
    access: {
      issuers: { corporate: { issuer: issuer.url, audiences: [AUDIENCE] } },
      failures: { burst: 100_000, refill: '10ms' },
    },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    routes: [{ name: 'all', upstream: 'model', access: { anyOf: ['jwt'] } }],
  });
  t.after(async () => {
    await gateway.stop();
    await simulator.stop();
    await issuer.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const token = await issuer.token({ sid: 'login-1' });
  const other = await issuer.token({ sid: 'login-2' });
  /** Statuses that both workers give. */
  const ask = (bearer: string) => {
    const headers = { authorization: `Bearer ${bearer}`, connection: 'close' };
    return askAll(async () => answerOf(await fetch(`${gateway.url}/v1/models`, { headers })));
  };
  assert.deepEqual([...new Set([...(await ask(token)), ...(await ask(other))])], [200]);
  await store.write([revocationPut({ kind: 'session', value: 'login-1', forgetAt: Date.now() + 600_000 })]);
  t.diagnostic(`revoked in every worker after ${await untilAll(() => ask(token), 401)} ms`);
  assert.deepEqual(await ask(other), [200]);
});
