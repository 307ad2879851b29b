/** Pools by class on real processes: who serves whom, who goes over to another pool and when, and how important a caller is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, gatewayOver, linesOf, startPool, until } from './pools.ts';

test('each class is served by its versions, and log and metrics say so', async (t) => {
  const { pool: own } = await startPool(t, 'own');
  const { pool: spot } = await startPool(t, 'spot');
  const gateway = await gatewayOver(t, own, spot);
  for (const [priority, by] of [
    [undefined, 'own'],
    ['batch', 'spot'],
    ['test', 'spot'],
    ['60', 'own'],
    ['30', 'spot'],
    ['0', 'spot'],
    ['100', 'own'],
    ['nonsense', 'own'],
  ] as const)
    assert.deepEqual(await ask(gateway, priority), { status: 200, by }, priority);
  assert.equal(await gateway.metricReaches('gatehouse_class_requests_total{class="batch",upstream="spot"}', 2), 2);
  assert.equal(await gateway.metricReaches('gatehouse_class_requests_total{class="test",upstream="spot"}', 2), 2);
  assert.equal(await gateway.metricReaches('gatehouse_class_requests_total{class="realtime",upstream="own"}', 4), 4);
  await until(() => linesOf(gateway).length >= 8, 'all lines');
  const lines = linesOf(gateway).map(({ class: name, upstream, version }) => [name, upstream, version].join(' '));
  assert.deepEqual(
    new Set(lines),
    new Set(['realtime own own', 'batch spot spot', 'test spot spot']),
    JSON.stringify(lines),
  );
});

test('a class that no version serves is refused, and not told to come back', async (t) => {
  const { pool: own } = await startPool(t, 'own');
  const { pool: spot } = await startPool(t, 'spot');
  const gateway = await gatewayOver(t, own, spot, { spot: { classes: ['test'] } });
  const headers = { 'content-type': 'application/json', 'x-priority': 'batch' };
  const body = '{"model":"chat","messages":[]}';
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body });
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get('x-should-retry'), 'false');
  assert.match(await answer.text(), /not served to requests of class batch/);
  assert.equal(spot.bodies.length + own.bodies.length, 0);
});

test('plan, tenant and key say how important a caller is; its field may only take from that', async (t) => {
  const { pool: own } = await startPool(t, 'own');
  const { pool: spot } = await startPool(t, 'spot');
  const key = (who: string) => `a-key-of-${who}-that-is-long-enough`;
  const route = {
    match: { path: '/v1/*' },
    models: ['chat'],
    access: { anyOf: ['apiKey'] },
    priorityHeader: 'x-priority',
  };
  const gateway = await gatewayOver(t, own, spot, {
    top: {
      plans: { trial: { priority: 'test' }, enterprise: { priority: 'realtime' }, plain: {} },
      tenants: { small: { plan: 'enterprise', priority: 40 } },
      access: {
        keys: [
          { name: 'trial', key: key('trial'), plan: 'trial' },
          { name: 'gold', key: key('gold'), plan: 'enterprise' },
          { name: 'plain', key: key('plain'), plan: 'plain' },
          { name: 'nightly', key: key('nightly'), plan: 'enterprise', priority: 'batch' },
          { name: 'small', key: key('small'), tenant: 'small' },
        ],
      },
      routes: [
        { name: 'live', ...route, match: { path: '/v1/*', headers: { 'x-live': 'yes' } }, priority: 'realtime' },
        { name: 'low', ...route, match: { path: '/v1/*', headers: { 'x-low': 'yes' } }, priority: 'batch' },
        { name: 'open', ...route },
      ],
    },
  });
  const asked: string[] = [];
  for (const [who, field, priority, expected] of [
    // The plan alone; where nobody says anything: batch.
    ['trial', '', '', 'test spot'],
    ['gold', '', '', 'realtime own'],
    ['plain', '', '', 'batch spot'],
    ['nightly', '', '', 'batch spot'],
    ['small', '', '', 'batch spot'],
    // Route and plan: the lesser of both.
    ['gold', 'x-low', '', 'batch spot'],
    ['trial', 'x-live', '', 'test spot'],
    ['plain', 'x-live', '', 'realtime own'],
    // The field takes, and never gives.
    ['gold', '', 'batch', 'batch spot'],
    ['trial', '', 'realtime', 'test spot'],
    ['nightly', '', '90', 'batch spot'],
    ['small', '', '5', 'test spot'],
  ] as const) {
    const more = { authorization: `Bearer ${key(who)}`, ...(field && { [field]: 'yes' }) };
    assert.equal((await ask(gateway, priority || undefined, more)).by, expected.split(' ')[1], `${who} ${field}`);
    asked.push(expected);
  }
  await until(() => linesOf(gateway).length >= asked.length, 'all lines');
  assert.deepEqual(
    linesOf(gateway).map(({ class: name, upstream }) => `${name} ${upstream}`),
    asked,
  );
});

test('a pool that is full spills over, under the model name of the other; nothing spills while there is room', async (t) => {
  const { pool: own } = await startPool(t, 'own');
  const { pool: spot, release } = await startPool(t, 'spot');
  const gateway = await gatewayOver(t, own, spot, { spot: { spillover: { to: 'own' } } });
  for (let i = 0; i < 5; i++) assert.equal((await ask(gateway, 'batch')).by, 'spot');
  spot.holds = true;
  const first = ask(gateway, 'batch');
  await until(() => spot.held.length === 1, 'the pool is full');
  for (let i = 0; i < 5; i++) assert.equal((await ask(gateway, 'batch')).by, 'own');
  release();
  assert.equal((await first).by, 'spot');
  const series = 'gatehouse_spillover_total{model="chat",from="spot",to="own",reason="full"}';
  assert.equal(await gateway.metricReaches(series, 5), 5);
  for (const body of own.bodies) assert.equal((JSON.parse(body) as { model: string }).model, 'chat');
  for (const body of spot.bodies) assert.equal((JSON.parse(body) as { model: string }).model, 'chat-int8');
});

test('with both pools full the first place is taken, and who leaves leaves both queues', async (t) => {
  const { pool: own, release } = await startPool(t, 'own');
  const { pool: spot, release: releaseSpot } = await startPool(t, 'spot');
  const gateway = await gatewayOver(t, own, spot, { spot: { spillover: { to: 'own' } } });
  own.holds = true;
  spot.holds = true;
  const early = [ask(gateway), ask(gateway), ask(gateway, 'batch')];
  await until(() => own.held.length === 2 && spot.held.length === 1, 'both are full');
  const waiting = async () => {
    const { queues } = (await (await fetch(`${gateway.adminUrl}/api/queue`)).json()) as {
      queues: { upstream: string; waiting: number }[];
    };
    return queues
      .map(({ upstream, waiting: count }) => `${upstream} ${count}`)
      .sort()
      .join(', ');
  };
  const first = ask(gateway, 'batch');
  await until(async () => (await waiting()) === 'own 1, spot 1', 'it waits in both');
  release();
  await until(() => own.held.length === 2, 'it has got the place that was free first');
  await until(async () => (await waiting()) === 'own 0, spot 0', 'it waits in none');
  const second = ask(gateway, 'batch');
  await until(async () => (await waiting()) === 'own 1, spot 1', 'the next one waits in both');
  releaseSpot();
  await until(() => spot.held.length === 1, 'it has got the other place');
  const leaving = new AbortController();
  const gone = fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    signal: leaving.signal,
    headers: { 'x-priority': 'batch' },
    body: '{"model":"chat","messages":[]}',
  }).catch(() => 'gone');
  await until(async () => (await waiting()) === 'own 1, spot 1', 'the last one waits in both');
  leaving.abort();
  assert.equal(await gone, 'gone');
  await until(async () => (await waiting()) === 'own 0, spot 0', 'nobody waits');
  own.holds = false;
  spot.holds = false;
  for (let i = 0; i < 3; i++) release();
  releaseSpot();
  await Promise.all(early);
  assert.deepEqual([(await first).by, (await second).by], ['own', 'spot']);
});

test('a pool that is taken away gives back what waits, and what comes goes elsewhere until it is there again', async (t) => {
  const { pool: own } = await startPool(t, 'own');
  const { pool: spot, release } = await startPool(t, 'spot');
  const gateway = await gatewayOver(t, own, spot, { spot: { spillover: { to: 'own', after: '10min' } } });
  spot.holds = true;
  const held = ask(gateway, 'batch');
  await until(() => spot.held.length === 1, 'the pool is full');
  const queued = [ask(gateway, 'batch'), ask(gateway, 'test')];
  await gateway.metricReaches('gatehouse_queue_entered_total{upstream="spot"}', 2);
  spot.healthy = false;
  assert.deepEqual(
    (await Promise.all(queued)).map(({ by }) => by),
    ['own', 'own'],
  );
  assert.equal((await ask(gateway, 'batch')).by, 'own');
  await gateway.metricReaches('gatehouse_queue_left_total{upstream="spot",end="stranded"}', 2);
  await gateway.metricReaches('gatehouse_spillover_total{reason="unavailable"}', 3);
  // What runs there may end there.
  release();
  assert.equal((await held).by, 'spot');
  spot.holds = false;
  spot.healthy = true;
  await until(async () => (await ask(gateway, 'batch')).by === 'spot', 'it is used again');
});

test('a server that is gone costs nothing but the way; one that breaks off does where repeating is not allowed', async (t) => {
  const { pool: own } = await startPool(t, 'own');
  const { pool: spot, close } = await startPool(t, 'spot');
  const upstreams = (nonIdempotent: boolean) => ({
    own: { protocol: 'openai', endpoints: [{ url: own.url }] },
    spot: { protocol: 'openai', endpoints: [{ url: spot.url }], retries: { attempts: 1, nonIdempotent } },
  });
  const settings = { spot: { spillover: { to: 'own' } } };
  const strict = await gatewayOver(t, own, spot, { ...settings, top: { upstreams: upstreams(false) } });
  const free = await gatewayOver(t, own, spot, { ...settings, top: { upstreams: upstreams(true) } });
  spot.holds = true;
  const asked = [ask(strict, 'batch'), ask(free, 'batch')];
  await until(() => spot.held.length === 2, 'both are under way');
  close();
  const [strictly, freely] = await Promise.all(asked);
  assert.equal(strictly?.status, 502);
  assert.equal(freely?.by, 'own');
  await free.metricReaches('gatehouse_spillover_total{reason="failed"}', 1);
  // Nobody listens there any more: that nothing was sent is known, so it harms nobody.
  assert.equal((await ask(strict, 'batch')).by, 'own');
});

test('who goes over pays the price of the version that has answered', async (t) => {
  const { pool: own } = await startPool(t, 'own');
  const { pool: spot, release } = await startPool(t, 'spot');
  const prices = { models: { chat: { perRequest: '3', when: [{ version: 'spot', perRequest: '1' }] } } };
  const gateway = await gatewayOver(t, own, spot, { spot: { spillover: { to: 'own' } }, top: { prices } });
  assert.equal((await ask(gateway, 'batch')).by, 'spot');
  spot.holds = true;
  const first = ask(gateway, 'batch');
  await until(() => spot.held.length === 1, 'the pool is full');
  assert.equal((await ask(gateway, 'batch')).by, 'own');
  release();
  await first;
  const sums = async () => {
    const { sums: all } = (await (await fetch(`${gateway.adminUrl}/api/v1/usage?by=version`)).json()) as {
      sums: { version: string; requests: number; cost: string }[];
    };
    return all
      ?.map(({ version, requests, cost }) => `${version} ${requests} ${Number(cost)}`)
      .sort()
      .join(', ');
  };
  await until(async () => (await sums()) === 'own 1 3, spot 2 2', `the ledger has all of it: ${await sums()}`);
});
