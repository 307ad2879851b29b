import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redact } from './redact.ts';

test('secrets go, everything else stays', () => {
  const config = {
    listeners: { public: { address: ':8080', tls: { key: '/etc/key.pem', certificate: '/etc/cert.pem' } } },
    upstreams: { u: { endpoints: [{ url: 'http://user:hunter2@10.0.0.1:8000' }], apiKey: 'sk-1' } },
    routes: [
      {
        name: 'r',
        match: { headers: { 'x-api-key': 'sk-2', 'x-team': 'blue' } },
        rewrite: { requestHeaders: { set: { Authorization: 'Bearer sk-3', Cookie: 'a=b', 'x-goog-api-key': 'sk-4' } } },
        limits: [{ key: 'apiKey', tokens: '100000/min' }],
        sticky: 'key',
      },
    ],
    store: { url: 'postgres://gatehouse:hunter3@db/gatehouse?sslmode=require', password: '', maxTokens: 5 },
    keys: { adminToken: 'sk-5', clientSecret: { file: '/run/secret', value: 'sk-6', rotate: true, after: 30 } },
    credentials: ['sk-7', { id: 'sk-8' }],
    nothing: null,
  };
  const shown = redact(config);
  assert.deepEqual(shown, {
    listeners: { public: { address: ':8080', tls: { key: '/etc/key.pem', certificate: '/etc/cert.pem' } } },
    upstreams: { u: { endpoints: [{ url: 'http://user:[redacted]@10.0.0.1:8000' }], apiKey: '[redacted]' } },
    routes: [
      {
        name: 'r',
        match: { headers: { 'x-api-key': '[redacted]', 'x-team': 'blue' } },
        rewrite: {
          requestHeaders: {
            set: { Authorization: '[redacted]', Cookie: '[redacted]', 'x-goog-api-key': '[redacted]' },
          },
        },
        limits: [{ key: 'apiKey', tokens: '100000/min' }],
        sticky: 'key',
      },
    ],
    store: { url: 'postgres://gatehouse:[redacted]@db/gatehouse?sslmode=require', password: '', maxTokens: 5 },
    keys: {
      adminToken: '[redacted]',
      clientSecret: { file: '[redacted]', value: '[redacted]', rotate: true, after: 30 },
    },
    credentials: ['[redacted]', { id: '[redacted]' }],
    nothing: null,
  });
  assert.doesNotMatch(JSON.stringify(shown), /sk-|hunter/);
  assert.equal(config.upstreams.u.apiKey, 'sk-1');
});
