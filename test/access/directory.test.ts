/** Keys of the store on real processes: there before the first request, and gone from every worker soon after they end. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../../src/kernel/clock.ts';
import { mintKey } from '../../src/policy/access/key.ts';
import { digestKey } from '../../src/policy/access/pepper.ts';
import { openStore } from '../../src/store/open.ts';
import { startGateway, startSimulator } from '../gateway.ts';
import { askAll, untilAll } from '../workers.ts';

const PEPPER = 'a pepper that is long enough for this test';

test('a key of the store opens the door, and is refused by every worker soon after it was revoked', {
  timeout: 240_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-keys-'));
  const path = join(folder, 'state.db');
  const store = await openStore({ driver: 'sqlite', path, lockTimeout: 60_000 }, folder, { clock: systemClock });
  const key = mintKey('live');
  const hash = digestKey(PEPPER, key).toString('base64url');
  const value = { id: 'key_1', hash, principal: 'alice', tenant: 'acme', scopes: ['inference'] };
  const stays = mintKey('live');
  const other = {
    id: 'key_2',
    hash: digestKey(PEPPER, stays).toString('base64url'),
    principal: 'bob',
    scopes: ['inference'],
  };
  await store.write([
    { op: 'put', kind: 'key', id: 'key_1', value },
    { op: 'put', kind: 'key', id: 'key_2', value: other },
  ]);
  const simulator = await startSimulator();
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 2,
    store: { driver: 'sqlite', path },
    access: { pepper: PEPPER, failures: { burst: 100_000, refill: '10ms' } },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    routes: [{ name: 'all', upstream: 'model', access: { anyOf: ['apiKey'], scopes: ['inference'] } }],
  });
  t.after(async () => {
    await gateway.stop();
    await simulator.stop();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const begun = Date.now();
  const headersOf = (shown: string) => ({ authorization: `Bearer ${shown}` });
  /** Statuses that both workers give. */
  const ask = (shown = key) =>
    askAll(
      () =>
        new Promise((resolve, reject) => {
          const options = { agent: false as const, headers: headersOf(shown) };
          const request = get(`${gateway.url}/v1/models`, options, (answer) => {
            answer.resume();
            const id = String(answer.headers['x-request-id'] ?? '');
            answer.on('end', () => resolve({ status: answer.statusCode ?? 0, id }));
          });
          request.on('error', reject);
        }),
    );
  assert.deepEqual(await ask(), [200]);
  await store.write([{ op: 'put', kind: 'key', id: 'key_1', value: { ...value, disabled: true } }]);
  t.diagnostic(`revoked in every worker after ${await untilAll(ask, 401)} ms`);
  const { workers } = (await (await fetch(`${gateway.adminUrl}/api/status`)).json()) as { workers: { pid: number }[] };
  const pids = workers.map(({ pid }) => pid);
  process.kill(pids[0] as number, 'SIGKILL');
  await gateway.waitFor(/it is replaced at once/);
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(await ask(stays), [200], 'a worker that takes the place of another has every key');
    assert.deepEqual(await ask(), [401], 'and no revoked one');
    await setTimeout(20);
  }
  // Each line has come, once its worker has gone; those of the killed one may have gone with it, but both let alice in.
  await gateway.stop();
  const lines = gateway.accessLog();
  assert.equal(lines.find((line) => line.principal === 'alice')?.tenant, 'acme');
  const used = await store.get<{ lastUsedAt: number }>('keyUse', 'key_2');
  assert.ok((used?.value.lastUsedAt ?? 0) >= begun, 'the last use was noted');
});
