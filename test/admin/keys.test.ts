/** Keys by the command line and the admin API, on real processes. FAULTS row 42: a store that cannot be written. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openDatabase } from '../../src/store/sqlite/database.ts';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { answerOf, askAll, untilAll } from '../workers.ts';
import { PATIENCE, type Shown, start, TOKEN } from './gateway.fixture.ts';

/** Statuses by which so many workers answer a key, each once. */
const ask = ({ url }: Gateway, key: string, workers = 2) =>
  askAll(async () => {
    const headers = { authorization: `Bearer ${key}`, connection: 'close' };
    return answerOf(await fetch(`${url}/v1/models`, { headers }));
  }, workers);

test(
  'a key opens the door soon after it is made, and no worker takes it soon after it was revoked',
  PATIENCE,
  async (t) => {
    const { gateway, run } = await start(t);
    const made = await run('keys', 'create', '--principal', 'alice', '--tenant', 'acme', '--scope', 'inference');
    assert.deepEqual([made.code, /^gh_live_\w{39}$/.test(made.out)], [0, true], made.err);
    const key = made.out;
    await untilAll(() => ask(gateway, key), 200);
    const listed = await run('keys', 'list', '--json', '--tenant', 'acme');
    const [{ id }] = JSON.parse(listed.out) as [Shown];
    const human = await run('keys', 'list');
    assert.match(human.out, /^ID +PRINCIPAL +TENANT .*\nkey_\w+ +alice +acme +gh_live_\w+…\w+ +valid +inference$/);
    const rotated = await run('keys', 'rotate', id, '--overlap', '1h', '--json');
    const next = JSON.parse(rotated.out) as Shown;
    const authorization = `Bearer ${TOKEN}`;
    const revoked = await fetch(`${gateway.adminUrl}/api/v1/keys/${id}/revoke`, {
      method: 'POST',
      headers: { authorization },
    });
    assert.equal(revoked.status, 200);
    t.diagnostic(`revoked in every worker after ${await untilAll(() => ask(gateway, key), 401)} ms`);
    assert.deepEqual(await ask(gateway, next.key), [200]);
    const changes = await run('changes', '--json');
    assert.deepEqual(
      (JSON.parse(changes.out) as { what: string }[]).map(({ what }) => what),
      // One for each document: revoking also writes what ends the key's tokens.
      ['keys.revoke', 'keys.revoke', 'keys.rotate', 'keys.rotate', 'keys.create'],
    );
    assert.ok(![key, next.key].some((secret) => `${changes.out}${gateway.logs}`.includes(secret)));
    await gateway.waitFor(/"message":"first: keys.revoke key_/);

    // What is wrong is told, with an exit code for each kind.
    const wrong = await run('keys', 'create', '--principal', 'x', '--network', 'nonsense');
    assert.deepEqual([wrong.code, /networks\[0\]: expected an IP address/.test(wrong.err)], [1, true], wrong.err);
    assert.equal((await run('keys', 'show', 'none')).code, 1);
    assert.equal((await run('keys', 'create', '--principal', 'x', '--expires', 'soon')).code, 2);
    const nobody = await fetch(`${gateway.adminUrl}/api/status`);
    assert.equal(nobody.status, 401);
    assert.equal((await fetch(`${gateway.adminUrl}/metrics`)).status, 200);
  },
);

test('a store that is locked: writes say so, nothing is written by half, and requests go on', PATIENCE, async (t) => {
  const { gateway, path, run } = await start(t);
  const key = (await run('keys', 'create', '--principal', 'alice', '--scope', 'inference')).out;
  await untilAll(() => ask(gateway, key), 200);
  const other = await openDatabase(path);
  for (let holds = false; !holds; await setTimeout(5)) {
    try {
      other.exec('BEGIN IMMEDIATE');
      holds = true;
    } catch (error) {
      // The gateway writes just now.
      assert.match(String(error), /locked|busy/i);
    }
  }
  const refused = await run('keys', 'create', '--principal', 'bob');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /lock.*Nothing was changed; requests go on/i);
  assert.deepEqual(await ask(gateway, key), [200]);
  assert.equal((await run('keys', 'list')).code, 0, 'reading goes on');
  other.exec('ROLLBACK');
  other.close();
  assert.equal((await run('keys', 'create', '--principal', 'bob')).code, 0);
  assert.equal(JSON.parse((await run('keys', 'list', '--json')).out).length, 2);
});

test('a store that is damaged: who manages it is told so, and keys of the configuration open the door', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-admin-'));
  const path = join(folder, 'state.db');
  writeFileSync(path, Buffer.alloc(65_536, 0x5a));
  const simulator = await startSimulator();
  const key = 'a-key-of-the-configuration';
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    store: { driver: 'sqlite', path },
    access: { pepper: 'a pepper that is long enough for this test', keys: [{ name: 'alice', key }] },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    routes: [{ name: 'all', upstream: 'model', access: { anyOf: ['apiKey'] } }],
  });
  t.after(async () => {
    await gateway.stop();
    await simulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ principal: 'bob' });
  const refused = await fetch(`${gateway.adminUrl}/api/v1/keys`, { method: 'POST', headers, body });
  const told = (await refused.json()) as { code: string; detail: string };
  assert.deepEqual([refused.status, told.code], [503, 'store_corrupt'], told.detail);
  assert.match(told.detail, /Nothing was changed; requests go on/);
  assert.deepEqual(await ask(gateway, key, 1), [200]);
  // A port of this machine that is open is warned of.
  await gateway.waitFor(/asks nobody who they are/);
});
