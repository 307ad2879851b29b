/** Streams of a key or token that is taken back end at once, with an event that says why; those of others go on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/kernel/clock.ts';
import { mintKey } from '../../src/policy/access/key.ts';
import { digestKey } from '../../src/policy/access/pepper.ts';
import { revocationPut } from '../../src/policy/access/revocations.ts';
import { openStore } from '../../src/store/open.ts';
import { startGateway, startSimulator } from '../gateway.ts';
import { AUDIENCE, startIssuer } from './issuer.ts';

const PEPPER = 'a pepper that is long enough for this test';

test('what runs by a revoked key or token is cut off by an error event', { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-cutoff-'));
  const path = join(folder, 'state.db');
  const store = await openStore({ driver: 'sqlite', path, lockTimeout: 5000 }, folder, { clock: systemClock });
  const document = (id: string, key: string) => ({
    ...{ op: 'put' as const, kind: 'key', id },
    value: { id, hash: digestKey(PEPPER, key).toString('base64url'), principal: id },
  });
  const [lost, kept] = [mintKey('live'), mintKey('live')];
  await store.write([document('key_lost', lost), document('key_kept', kept)]);
  const issuer = await startIssuer();
  const simulator = await startSimulator('--tokens', '100000', '--rate', '50');
  const gateway = await startGateway({
    listeners: { public: { address: '127.0.0.1:0' } },
    workers: 2,
    store: { driver: 'sqlite', path },
    access: { pepper: PEPPER, issuers: { corporate: { issuer: issuer.url, audiences: [AUDIENCE] } } },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    routes: [{ name: 'all', upstream: 'model', access: { anyOf: ['apiKey', 'jwt'] } }],
  });
  t.after(async () => {
    await gateway.stop();
    await simulator.stop();
    await issuer.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  /** A stream that has begun; `text` grows, `ended` says how it came to its end. */
  const open = async (credential: string) => {
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] }),
    });
    assert.equal(answer.status, 200);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const stream = { text: '', over: false, ended: Promise.resolve(''), leave: () => reader.cancel() };
    const read = async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        stream.text += Buffer.from(value).toString();
      }
    };
    stream.ended = read().then(
      () => 'whole',
      () => 'cut',
    );
    stream.ended.then(() => {
      stream.over = true;
    });
    return stream;
  };
  const gone = await open(lost);
  const stays = await open(kept);
  const token = await open(await issuer.token({ sid: 'login-1' }));
  const { value } = document('key_lost', lost);
  await store.write([{ op: 'put', kind: 'key', id: 'key_lost', value: { ...value, disabled: true } }]);
  assert.equal(await gone.ended, 'cut');
  assert.match(
    gone.text,
    /data: \{"error":\{"message":"The credential of this request has been revoked\."[^\n]*\}\n\n$/,
  );
  assert.equal(token.over, false);
  await store.write([revocationPut({ kind: 'session', value: 'login-1', forgetAt: Date.now() + 600_000 })]);
  assert.equal(await token.ended, 'cut');
  assert.match(token.text, /has been revoked/);
  assert.equal(stays.over, false);
  await stays.leave();
});
