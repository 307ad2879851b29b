/** Commands about limits and usage that are typed wrongly, or ask for what is not there: none is taken for something else. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../gateway.ts';
import { runCli } from '../program.ts';
import { call, PRICES, startServer } from '../quota/money.fixture.ts';
import { decided } from '../workers.ts';

async function setUp(t: TestContext, more: object = {}, status = 200) {
  const server = await startServer(t);
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { sim: { protocol: 'openai', endpoints: [{ url: server.url }] } },
    models: { m: { versions: [{ name: 'v', upstream: 'sim' }] } },
    routes: [{ name: 'ai', match: { path: '/v1/*' }, models: ['m'] }],
    prices: PRICES,
    limits: [{ name: 'slow', key: 'ip', requests: '100/h' }],
    log: { access: 'off' },
    ...more,
  });
  t.after(() => gateway.stop());
  const first = await decided(() => call(gateway, { tokens: 1, pace: 0 }));
  assert.equal(first.status, status);
  const run = async (...words: string[]) => {
    const { child } = runCli([...words, '--admin', gateway.adminUrl]);
    let out = '';
    let err = '';
    child.stdout?.on('data', (text) => (out += text));
    child.stderr?.on('data', (text) => (err += text));
    const [code] = await once(child, 'close');
    return { code, out, err };
  };
  return { gateway, run, first };
}

test('a number of rows that is none is refused, by each list and by the API', async (t) => {
  const { gateway, run } = await setUp(t);
  for (const words of [['limits'], ['changes'], ['keys', 'list'], ['tenants', 'list']])
    for (const count of ['-1', 'abc', '0', '1.5']) {
      const { code, err } = await run(...words, '--limit', count);
      assert.equal(code, 2, `${words} ${count}: ${err}`);
      assert.match(err, new RegExp(`--limit ${count}: expected a whole number from 1 on`));
    }
  for (const path of ['limits', 'usage/entries'])
    for (const count of ['-1', 'abc', '0', '10001']) {
      const answer = await fetch(`${gateway.adminUrl}/api/v1/${path}?limit=${count}`);
      assert.equal(answer.status, 422, `${path} ${count}`);
      assert.match(await answer.text(), /limit: expected a whole number from 1 to 10000/);
    }
  assert.equal((await run('limits', '--limit', '1')).code, 0);
});

test('arguments that are missing or unknown end with 2, as the help says', async (t) => {
  const { run } = await setUp(t);
  for (const words of [
    ['limits', 'raise'],
    ['limits', 'raise', 'slow', '127.0.0.1', '--to', '5'],
    ['limits', 'release', 'slow'],
    ['limits', '--bogus'],
    ['keys', 'nothing'],
    ['keys', 'show'],
    ['usage', '--entries', '--by', 'day'],
  ])
    assert.equal((await run(...words)).code, 2, words.join(' '));
  const help = await run('limits', 'raise', '--help');
  assert.equal(help.code, 0);
});

test('a limit of nothing is used up, and who raises one for a key that nobody knows is told so', async (t) => {
  const { run } = await setUp(t);
  const raised = await run('limits', 'raise', 'slow', '127.0.0.1', '--to', '0', '--for', '1h');
  assert.equal(raised.code, 0, raised.err);
  assert.equal(raised.err, '');
  assert.match((await run('limits')).out, /slow +127\.0\.0\.1 +\d+ +0 +100 %/);
  const unknown = await run('limits', 'raise', 'slow', '127.0.0.l', '--to', '5', '--for', '1h');
  assert.equal(unknown.code, 0, unknown.err);
  assert.match(unknown.err, /nothing has been counted for 127\.0\.0\.l so far/);
});

test('what the API does not know is refused, and what is wrong is written as it was sent', async (t) => {
  const { gateway } = await setUp(t);
  const asked = async (path: string, body?: unknown) => {
    const given = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(`${gateway.adminUrl}/api/v1/${path}`, given);
    return `${answer.status} ${((await answer.json()) as { detail?: string }).detail ?? ''}`;
  };
  const order = { rule: 'slow', key: '127.0.0.1', for: '1h' };
  for (const [path, body, expected] of [
    ['usage?since=yesterday', undefined, /^400 There is no parameter since; there are by, from, to, /],
    ['usage?limit=-1', undefined, /^400 There is no parameter limit/],
    ['usage?format=xml', undefined, /^400 format=xml: there are json and csv/],
    ['usage?from=2026-02-30', undefined, /^422 .* is no day: write it as/],
    ['usage?from=2026-11-02&to=2026-11-01', undefined, /^400 from=2026-11-02 is after to=2026-11-01/],
    ['usage/entries?since=yesterday', undefined, /^400 since=yesterday: expected milliseconds/],
    ['usage/entries?by=day', undefined, /^400 There is no parameter by/],
    ['limits?tenant=a', undefined, /^400 There is no parameter tenant; there are limit\./],
    ['limits/raise', { ...order, to: 5, bogus: 1 }, /^400 There is no field bogus; there are rule, key, to, by, for/],
    ['limits/release', { ...order, for: undefined, to: 5 }, /^400 There is no field to; there are rule, key/],
    ['limits/raise', { ...order, to: {} }, /^400 \{\} is no amount of requests, such as 500/],
    ['limits/raise', { ...order, to: 'much' }, /^400 "much" is no amount of requests/],
    ['limits/raise', [], /^400 Send a JSON object/],
    ['limits/raise', { key: 'x', for: '1h' }, /^400 name the limit \(`rule`\) as gatehouse limits shows it/],
    ['limits/raise', { ...order, rule: 'quick', to: 5 }, /^400 there is no limit "quick"; there are slow/],
  ] as const)
    assert.match(await asked(path, body), expected, `${path} ${JSON.stringify(body)}`);
});

test('who asks for less output is told to only where output has a price', async (t) => {
  const budgets = [{ name: 'all', key: 'resource', credits: '0.001/day' }];
  for (const [price, told] of [
    [{ perRequest: '1.00' }, false],
    [{ output: '1000000' }, true],
  ] as const) {
    const { first } = await setUp(t, { prices: { currency: 'EUR', models: { m: price } }, budgets }, 429);
    const text = await first.text();
    assert.match(text, /more than the whole budget all/);
    assert.equal(text.includes('max_tokens'), told, text);
  }
});
