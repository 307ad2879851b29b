/** Two nodes on one PostgreSQL give out tokens as one: what one has given, rotated, ended or let in holds on the other. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import { systemClock } from '../../src/kernel/clock.ts';
import { KEY_KIND, revokeKey } from '../../src/policy/access/access.ts';
import { type KeyOrder, lookupsOf } from '../../src/policy/access/lifecycle.ts';
import { type KeyRecord, SIGNING_KEY_KIND } from '../../src/policy/token/keys.ts';
import { openStore } from '../../src/store/open.ts';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { needs } from '../peers.ts';
import { freePort } from '../port.ts';
import { startPostgres } from '../postgres.ts';
import { answerOf, askAll, untilAll } from '../workers.ts';
import { exchangeOf, FAILURES, PEPPER, putKey, type Told } from './service.ts';

const PATIENCE = { ...needs({ commands: ['pg_lsclusters'] }), timeout: 180_000 };
const DAY = 86_400_000;
const SECRET = 'a-secret-of-more-than-24-characters';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';

/** Both nodes, the store they share, and how they are asked. */
async function nodes(t: TestContext) {
  const postgres = await startPostgres();
  t.after(() => postgres.close());
  const kept = { driver: 'postgres' as const, url: postgres.url, schema: 'gatehouse', connections: 4, timeout: 30_000 };
  const store = await openStore(kept, '', { clock: systemClock });
  t.after(() => store.close());
  const simulator = await startSimulator();
  t.after(() => simulator.stop());
  const issuer = `http://127.0.0.1:${await freePort()}`;
  const settings = (address: string) => ({
    workers: 2,
    store: { driver: 'postgres', url: postgres.url, timeout: '30s' },
    access: { pepper: PEPPER, failures: FAILURES },
    tokens: {
      ...{ issuer, publishAhead: '1s', refreshGrace: '1h', deviceInterval: '1s' },
      clients: [
        { id: 'batch', secret: SECRET },
        { id: 'tool', grants: ['device', 'refresh'], scopes: ['chat'] },
      ],
    },
    upstreams: { model: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
    routes: [
      { name: 'api', match: { path: '/v1/*' }, upstream: 'model', access: { anyOf: ['jwt', 'apiKey'] } },
      { name: 'tokens', match: { path: ['/oauth/*', '/.well-known/*'] }, service: 'tokens' },
    ],
    listeners: { public: { address } },
  });
  // At once, on a store that has nothing yet: both would make the first key, and one must win.
  const [one, other] = (await Promise.all(
    [issuer.slice(7), '127.0.0.1:0'].map((address) => startGateway(settings(address))),
  )) as [Gateway, Gateway];
  for (const node of [one, other]) t.after(() => node.stop());
  const key = (order?: Partial<KeyOrder>) => putKey(store, order);
  return { one, other, store, key };
}

async function send(node: Gateway, path: string, form: Record<string, string>) {
  const answer = await fetch(node.url + path, { method: 'POST', body: new URLSearchParams(form) });
  const text = await answer.text();
  return { status: answer.status, text, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Told };
}

/** Statuses that both workers of a node give to a token. */
function ask(node: Gateway, token: string): Promise<number[]> {
  const headers = { authorization: `Bearer ${token}`, connection: 'close' };
  return askAll(async () => {
    const answer = await fetch(`${node.url}/v1/models`, { headers });
    await answer.body?.cancel();
    return answerOf(answer);
  });
}

/** Until every worker of a node answers so; the milliseconds that took. */
const until = (node: Gateway, token: string, status: number) => untilAll(() => ask(node, token), status);

test('what one node gives out, the other takes, goes on with, and ends', PATIENCE, async (t) => {
  const { one, other, store, key } = await nodes(t);
  const { documents } = await store.list(SIGNING_KEY_KIND, { limit: 10 });
  assert.equal(documents.length, 1, 'both sign with the same key');
  const made = await key({ scopes: ['chat'] });
  const login = await send(one, '/oauth/token', { ...exchangeOf(made.key), scope: 'chat offline_access' });
  assert.equal(login.status, 200, login.text);
  for (const node of [one, other]) assert.deepEqual(await ask(node, login.body.access_token), [200]);

  const client = { client_id: made.document.id, client_secret: made.key, grant_type: 'refresh_token' };
  const refresh = (node: Gateway, token: string) => send(node, '/oauth/token', { ...client, refresh_token: token });
  // One use, of which both nodes say the same.
  const parallel = await Promise.all(
    Array.from({ length: 12 }, (_, i) => refresh(i % 2 === 0 ? one : other, login.body.refresh_token)),
  );
  for (const { status, text } of parallel) assert.equal(status, 200, text);
  const successors = new Set(parallel.map(({ body }) => body.refresh_token));
  assert.equal(successors.size, 1);
  const [second = ''] = successors;
  const third = await refresh(other, second);
  assert.equal(third.status, 200, third.text);
  assert.deepEqual(await ask(one, third.body.access_token), [200]);
  // Nobody who may have it comes with a token that two others have followed: the login ends, on both nodes.
  const thief = await refresh(one, login.body.refresh_token);
  assert.deepEqual([thief.status, thief.body.error], [400, 'invalid_grant']);
  const ended = [];
  for (const node of [other, one]) ended.push(await until(node, third.body.access_token, 401));
  t.diagnostic(`the login was ended on the other node after ${ended[0]} ms`);
  for (const node of [other, one])
    assert.equal((await refresh(node, third.body.refresh_token)).body.error, 'invalid_grant');

  // A key that is revoked takes its tokens with it on every node.
  const fresh = await key({ principal: 'bob' });
  const token = (await send(other, '/oauth/token', exchangeOf(fresh.key))).body.access_token;
  for (const node of [one, other]) assert.deepEqual(await ask(node, token), [200]);
  const revoked = revokeKey(fresh.document);
  await store.write([
    { op: 'put', kind: KEY_KIND, id: fresh.document.id, value: revoked, lookups: lookupsOf(revoked) },
  ]);
  const took = await Promise.all([one, other].map((node) => until(node, token, 401)));
  t.diagnostic(`a key was revoked: its token was refused by both nodes after ${took.join(' and ')} ms`);

  // A token by itself, revoked at one node.
  const credentials = { client_id: 'batch', client_secret: SECRET };
  const own = await send(one, '/oauth/token', { ...credentials, grant_type: 'client_credentials' });
  const introspect = async (node: Gateway) =>
    (await send(node, '/oauth/introspect', { ...credentials, token: own.body.access_token })).body.active;
  assert.deepEqual([await introspect(one), await introspect(other)], [true, true]);
  assert.equal((await send(one, '/oauth/revoke', { ...credentials, token: own.body.access_token })).status, 200);
  t.diagnostic(
    `a token was revoked: refused by the other node after ${await until(other, own.body.access_token, 401)} ms`,
  );
  assert.deepEqual([await introspect(one), await introspect(other)], [false, false]);
});

test(
  'a device that began at one node is let in at the other, and fetches its tokens at either once',
  PATIENCE,
  async (t) => {
    const { one, other, key } = await nodes(t);
    const person = await key({ scopes: ['chat'] });
    const begun = await send(one, '/oauth/device_authorization', { client_id: 'tool', scope: 'chat' });
    assert.equal(begun.status, 200, begun.text);
    const { user_code, device_code } = begun.body;
    const poll = (node: Gateway) => send(node, '/oauth/token', { client_id: 'tool', grant_type: DEVICE, device_code });
    assert.equal((await poll(other)).body.error, 'authorization_pending');
    const page = await send(other, '/oauth/device', { user_code, key: person.key });
    assert.equal(page.status, 200, page.text);
    const [, ticket = ''] = /name="ticket" value="([^"]+)"/.exec(page.text) ?? [];
    // What one node has shown to the person, the other takes for an answer.
    const decided = await send(one, '/oauth/device', { ticket, decision: 'approve' });
    assert.match(decided.text, /let in/);
    const polls = await Promise.all([one, other, one, other].map(poll));
    const given = polls.filter(({ status }) => status === 200);
    assert.equal(given.length, 1, polls.map(({ text }) => text).join('\n'));
    const token = given[0]?.body.access_token ?? '';
    for (const node of [one, other]) assert.deepEqual(await ask(node, token), [200]);
  },
);

test('keys that sign rotate under load on two nodes, and no token is refused', PATIENCE, async (t) => {
  const { one, other, store, key } = await nodes(t);
  const { documents: before } = await store.list<KeyRecord>(SIGNING_KEY_KIND, { limit: 10 });
  const first = before[0]?.value as KeyRecord;
  const made = await key();
  const kids = [new Set<string>(), new Set<string>()];
  /** A token that this node has signed just now. */
  const tokenOf = async (i: number) => {
    const { status, body, text } = await send(i === 0 ? one : other, '/oauth/token', exchangeOf(made.key));
    if (status !== 200) return { problem: `token: ${status} ${text}`, token: '' };
    kids[i]?.add(decodeProtectedHeader(body.access_token).kid as string);
    return { problem: '', token: body.access_token };
  };
  // Both with the first key, before there is another.
  for (const i of [0, 1]) assert.equal((await tokenOf(i)).problem, '');
  // As if it had been made nearly thirty days ago: the next one is due in three seconds.
  const old = { ...first, signsFrom: Date.now() - 30 * DAY + 3000 };
  await store.write([{ op: 'put', kind: SIGNING_KEY_KIND, id: 'key-000001', value: old }]);
  let asked = 0;
  const problems: string[] = [];
  /** Fetches tokens at one node, and shows each at once to both. Ends a while after the next key has begun to sign. */
  const load = async (i: number) => {
    for (let end = Number.POSITIVE_INFINITY; performance.now() < end; ) {
      const { problem, token } = await tokenOf(i % 2);
      if (problem !== '') problems.push(problem);
      else {
        for (const node of [one, other]) {
          const answer = await fetch(`${node.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } });
          await answer.body?.cancel();
          asked++;
          if (answer.status !== 200) problems.push(`use: ${answer.status}`);
        }
      }
      if (end === Number.POSITIVE_INFINITY && kids.every(({ size }) => size > 1)) end = performance.now() + 1500;
      await setTimeout(5);
    }
  };
  await Promise.all([0, 1, 2, 3].map(load));
  t.diagnostic(`${asked} uses of tokens while the key changed`);
  assert.deepEqual(problems, []);
  assert.deepEqual(kids[0], kids[1], 'both have signed with the same two');
  const { documents } = await store.list(SIGNING_KEY_KIND, { limit: 10 });
  assert.equal(documents.length, 2, 'the next one was made once');
});
