import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../config/config.ts';
import { findCaller } from './caller.ts';

const TEXT = `listeners: { p: { address: "127.0.0.1:0" } }
upstreams: { u: { protocol: openai, endpoints: [{ url: "http://127.0.0.1:1" }] } }
access: { pepper: a-pepper-of-more-than-thirty-two-characters }
tokens: { issuer: "https://api.example.com" }
routes:
  - { name: chat, match: { path: "/v1/*" }, upstream: u, access: { anyOf: [jwt] } }
  - { name: tokens, match: { path: "/oauth/*" }, service: tokens }
`;

test('a token of the gateway itself is one of a trusted issuer', async () => {
  const result = loadConfig('g.yaml', { cwd: '/x', env: {}, readFile: () => Buffer.from(TEXT) });
  assert.ok(result.ok);
  const now = Date.UTC(2026, 10, 22);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const times = { iat: now / 1000, exp: now / 1000 + 60 };
  const claims = {
    iss: 'https://api.example.com',
    aud: 'https://api.example.com',
    sub: 'alice',
    sid: 'key_1',
    ...times,
  };
  const token = `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })}.${part(claims)}.${'A'.repeat(86)}`;
  const { identity, refused } = await findCaller(token, result.config, undefined, now);
  assert.equal(refused, undefined);
  assert.deepEqual([identity?.principal, identity?.account], ['alice', 'key_1']);
});
