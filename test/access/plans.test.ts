/** Plans and tenants of the store on real processes: what changes while they run holds in every worker soon after. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as ask } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PlanDocument, TenantDocument } from '../../src/config/config.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { mintKey } from '../../src/policy/access/key.ts';
import { digestKey } from '../../src/policy/access/pepper.ts';
import { beginTrial, upgradeTenant } from '../../src/policy/authorize/authorize.ts';
import { openStore } from '../../src/store/open.ts';
import { startGateway, startSimulator } from '../gateway.ts';
import { askAll, decided, untilAll } from '../workers.ts';

const PEPPER = 'a pepper that is long enough for this test';

test('a trial begins, is bound by its plan, and is upgraded while all runs', { timeout: 240_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-plans-'));
  const path = join(folder, 'state.db');
  const store = await openStore({ driver: 'sqlite', path, lockTimeout: 60_000 }, folder, { clock: systemClock });
  const put = async (kind: string, value: { id: string }) => {
    const result = await store.write([{ op: 'put', kind, id: value.id, value }]);
    assert.ok(result.ok);
  };
  const trial: PlanDocument = {
    id: 'trial',
    trialPeriod: '14d',
    permissions: { models: ['small'], maxTokens: 20 },
    limits: [{ name: 'few', key: 'tenant', requests: '3/h' }],
  };
  const team: PlanDocument = { id: 'team', limits: [{ name: 'many', key: 'tenant', requests: '100000000/h' }] };
  await put('plan', trial);
  await put('plan', team);
  const begun = beginTrial({
    tenant: 'newcomer',
    plan: 'trial',
    trialPeriodMs: 14 * 86_400_000,
    principal: 'carol',
    now: Date.now(),
  });
  const tenant: TenantDocument = begun.tenant;
  await put('tenant', { ...begun.tenant });
  const key = mintKey('live');
  const hash = digestKey(PEPPER, key).toString('base64url');
  await put('key', { id: 'key_trial', hash, ...begun.key } as { id: string });

  const simulator = await startSimulator();
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 2,
    store: { driver: 'sqlite', path },
    access: { pepper: PEPPER },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    models: {
      small: { versions: [{ name: 'v', upstream: 'model' }] },
      large: { versions: [{ name: 'v', upstream: 'model' }] },
    },
    routes: [{ name: 'chat', match: { path: '/v1/*' }, models: ['*'], access: { anyOf: ['apiKey'] } }],
  });
  t.after(async () => {
    await gateway.stop();
    await simulator.stop();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const post = (model: string) =>
    new Promise<{ status: number; id: string; body: string }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const sent = ask(`${gateway.url}/v1/chat/completions`, { method: 'POST', agent: false, headers }, (answer) => {
        let body = '';
        answer.on('data', (piece) => {
          body += piece;
        });
        const id = String(answer.headers['x-request-id'] ?? '');
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, id, body }));
      });
      sent.on('error', reject);
      sent.end(JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }] }));
    });
  const holds = async (what: string, change: () => Promise<void>, model: string, status: number) => {
    await change();
    const took = await untilAll(() => askAll(() => post(model)), status);
    t.diagnostic(`${what}: in every worker after ${took} ms`);
  };

  const refused = await decided(() => post('large'));
  assert.equal(refused.status, 404);
  assert.match(refused.body, /plan:trial\/models/);
  // Three an hour, over both workers together; the one that was refused for its model was one of them.
  const small = await Promise.all(Array.from({ length: 8 }, () => decided(() => post('small'))));
  assert.deepEqual(small.map(({ status }) => status).sort(), [200, 200, 429, 429, 429, 429, 429, 429]);
  await holds('an upgrade', () => put('tenant', { ...upgradeTenant(tenant, 'team') }), 'large', 200);
  const narrower: PlanDocument = { ...team, permissions: { models: ['small'] } };
  await holds('a change of the plan', () => put('plan', narrower), 'large', 404);
  await holds(
    'a plan that was deleted',
    async () => void (await store.write([{ op: 'delete', kind: 'plan', id: 'team' }])),
    'small',
    403,
  );
  await holds('a plan that is there again', () => put('plan', team), 'large', 200);
  const over = { ...tenant, trialEndsAt: Date.now() - 1000 };
  await holds('the end of a trial', () => put('tenant', over), 'small', 403);
  await holds('an upgrade after that', () => put('tenant', { ...upgradeTenant(over, 'team') }), 'small', 200);
  const off: TenantDocument = { ...tenant, disabled: true };
  await holds('a tenant that is switched off', () => put('tenant', off), 'small', 403);
  assert.ok((await gateway.metricReaches('gatehouse_denied_total{rule="tenant/trial"}', 8)) >= 8);
  await gateway.waitFor(/"tenant":"newcomer"[^\n]*\n/);
  assert.equal(gateway.accessLog().find((line) => line.tenant === 'newcomer')?.principal, 'carol');
});
