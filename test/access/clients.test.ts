/** Unmodified clients with a right key, a wrong one and one that may not: they raise the errors that their users know. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mintKey } from '../../src/policy/access/key.ts';
import { anthropicClient, openaiClient } from '../clients.ts';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { needs } from '../peers.ts';
import type { Program } from '../program.ts';

const KEY = mintKey('live');
const NARROW = mintKey('live');
const peers = ['openai', '@anthropic-ai/sdk'];

describe('real clients with keys', needs({ peers }), () => {
  let simulator: Program & { url: string };
  let gateway: Gateway;
  before(async () => {
    simulator = await startSimulator();
    const endpoints = [{ url: simulator.url }];
    const routes = ['chat', 'messages'].map((kind) => ({
      name: kind,
      match: { path: kind === 'chat' ? '/v1/chat/*' : '/v1/messages' },
      upstream: kind === 'chat' ? 'model' : 'claude',
      access: { anyOf: ['apiKey', 'jwt'], scopes: ['inference'] },
    }));
    gateway = await startGateway(
      {
        listeners: { public: { address: '127.0.0.1:0' } },
        access: {
          keys: [
            { name: 'alice', key: `\${ALICE_KEY}`, tenant: 'acme', scopes: ['inference'] },
            { name: 'narrow', key: `\${NARROW_KEY}`, scopes: ['embeddings'] },
          ],
        },
        upstreams: { model: { protocol: 'openai', endpoints }, claude: { protocol: 'anthropic', endpoints } },
        routes,
      },
      { env: { ALICE_KEY: KEY, NARROW_KEY: NARROW } },
    );
  });
  after(async () => {
    await gateway?.stop();
    await simulator?.stop();
  });

  const messages = [{ role: 'user', content: 'hello' }];
  const cases: [string, (apiKey: string) => Promise<unknown>][] = [
    [
      'openai',
      async (apiKey) => (await openaiClient(gateway.url, { apiKey })).chat.completions.create({ model: 'm', messages }),
    ],
    [
      'anthropic',
      async (apiKey) =>
        (await anthropicClient(gateway.url, { apiKey })).messages.create({ model: 'm', max_tokens: 9, messages }),
    ],
    [
      'anthropic with a bearer',
      async (authToken) =>
        (await anthropicClient(gateway.url, { apiKey: null, authToken })).messages.create({
          model: 'm',
          max_tokens: 9,
          messages,
        }),
    ],
  ];
  for (const [client, call] of cases) {
    test(client, async () => {
      await call(KEY);
      const failed = async (key: string) => {
        const error = (await call(key).then(
          () => assert.fail('was let in'),
          (reason) => reason,
        )) as Error & { status: number };
        return [error.constructor.name, error.status, error.message] as const;
      };
      const [typo, status, message] = await failed(`${KEY.slice(0, -2)}${KEY.endsWith('00') ? '11' : '00'}`);
      assert.deepEqual([typo, status], ['AuthenticationError', 401]);
      assert.match(message, /checksum of the API key is wrong: was it cut off, or mistyped\?/);
      assert.deepEqual((await failed(mintKey('live'))).slice(0, 2), ['AuthenticationError', 401]);
      const [lacking, forbidden, why] = await failed(NARROW);
      assert.deepEqual([lacking, forbidden], ['PermissionDeniedError', 403]);
      assert.match(why, /lacks the scope that is needed here: inference/);
    });
  }

  test('metrics, the log and the shown configuration tell who, and no secret', async () => {
    assert.ok(
      (await gateway.metricReaches('gatehouse_auth_failures_total{method="apiKey",reason="malformed"}', 3)) >= 3,
    );
    assert.ok((await gateway.metricReaches('gatehouse_auth_failures_total{method="apiKey",reason="scope"}', 3)) >= 3);
    assert.equal(
      await gateway.metricReaches('gatehouse_tenant_requests_total{tenant="acme",outcome="completed"}', 3),
      3,
    );
    await gateway.waitFor(/"principal":"alice"[^\n]*\n/);
    const line = gateway.accessLog().find(({ principal }) => principal === 'alice');
    assert.deepEqual([line?.['auth.method'], line?.credential, line?.tenant], ['apiKey', 'alice', 'acme']);
    const shown = await (await fetch(`${gateway.adminUrl}/api/config`)).text();
    assert.match(shown, /"hash": ?"\[redacted\]"/);
    for (const secret of [KEY, NARROW]) assert.ok(!`${shown}${gateway.logs}`.includes(secret.slice(8, -6)));
  });
});
