/** Tokens end to end: real workers, keys fetched over HTTP, rotation, an outage, and proofs that are good once. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Gateway, startGateway, startSimulator } from '../gateway.ts';
import { importPeer, needCommand, needs } from '../peers.ts';
import type { Program } from '../program.ts';
import { AUDIENCE, type Issuer, makeKey, startIssuer } from './issuer.ts';

let simulator: Program & { url: string };
let issuer: Issuer;
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-jwt-'));
before(async () => {
  simulator = await startSimulator();
  issuer = await startIssuer();
});
after(async () => {
  await simulator.stop();
  await issuer.close();
  rmSync(folder, { recursive: true, force: true });
});

let stores = 0;
const settings = (more: object = {}, access: object = {}) => ({
  store: { driver: 'sqlite', path: join(folder, `${++stores}.db`) },
  listeners: { public: { address: '127.0.0.1:0' } },
  upstreams: { sim: { protocol: 'openai', endpoints: [{ url: simulator.url }] } },
  access: {
    issuers: { corporate: { issuer: issuer.url, audiences: [AUDIENCE], cooldown: '1s', ...more } },
    ...access,
  },
  routes: [{ name: 'api', match: { path: '/v1/*' }, access: { anyOf: ['jwt'] }, upstream: 'sim' }],
});

const ask = (gateway: Gateway, token: string, fields: Record<string, string> = {}) =>
  fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${token}`, ...fields } });

describe('keys of an issuer', () => {
  test('are found by its metadata, rotate, and stay in use through an outage', async () => {
    const gateway = await startGateway(settings({ refresh: '10s' }));
    try {
      const old = await issuer.token();
      assert.equal((await ask(gateway, old)).status, 200);
      // A new key: the first token of it makes us look.
      const fresh = await makeKey('EdDSA');
      issuer.keys.push(fresh);
      await setTimeout(1100);
      assert.equal((await ask(gateway, await issuer.token({}, fresh))).status, 200);
      const { asked } = issuer;
      // Strangers do not make us ask again and again.
      const stranger = await makeKey();
      for (let i = 0; i < 5; i++) {
        const answer = await ask(gateway, await issuer.token({}, stranger));
        assert.equal(answer.status, 401);
        assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/);
      }
      assert.ok(issuer.asked - asked <= 1);
      await issuer.close();
      assert.equal((await ask(gateway, old)).status, 200);
      assert.equal((await ask(gateway, await issuer.token())).status, 200);
      await issuer.listen();
      // The key is taken back: what it has signed goes with it.
      issuer.keys.shift();
      await setTimeout(1100);
      await ask(gateway, await issuer.token({}, stranger));
      assert.equal((await ask(gateway, old)).status, 401);
      assert.equal(await gateway.metric('gatehouse_jwks_keys{issuer="corporate"}'), 1);
    } finally {
      await gateway.stop();
    }
  });

  test('of the last run serve a restart while the issuer is gone', async () => {
    const same = settings();
    const token = await issuer.token();
    const first = await startGateway(same);
    assert.equal((await ask(first, token)).status, 200);
    await first.stop();
    await issuer.close();
    const second = await startGateway(same);
    try {
      assert.equal((await ask(second, token)).status, 200);
      await second.waitFor(/keys of issuer corporate cannot be fetched, the last good ones stay in use/);
    } finally {
      await second.stop();
      await issuer.listen();
    }
  });

  test('that were never there: 503, and it says why; then they come', async () => {
    issuer.answer = (response) => response.writeHead(500).end();
    const gateway = await startGateway(settings());
    try {
      const token = await issuer.token();
      const answer = await ask(gateway, token);
      assert.equal(answer.status, 503);
      assert.match(await answer.text(), /keys of the token issuer could not be fetched/);
      assert.ok(answer.headers.get('retry-after'));
      await gateway.waitFor(/keys of issuer corporate cannot be fetched.*status 500/);
      assert.ok((await gateway.metric('gatehouse_jwks_fetches_total{issuer="corporate",result="failed"}')) >= 1);
      issuer.answer = undefined;
      await gateway.waitFor(/keys of issuer corporate can be fetched again/);
      assert.equal((await ask(gateway, token)).status, 200);
    } finally {
      issuer.answer = undefined;
      await gateway.stop();
    }
  });
});

interface Dpop {
  generateKeyPair(alg: string): Promise<webcrypto.CryptoKeyPair>;
  calculateThumbprint(key: webcrypto.CryptoKey): Promise<string>;
  generateProof(
    pair: webcrypto.CryptoKeyPair,
    htu: string,
    htm: string,
    nonce: string | undefined,
    token: string,
  ): Promise<string>;
}

/** A request on a connection of its own, so that any worker may get it. */
function alone(
  gateway: Gateway,
  token: string,
  proof: string,
): Promise<{ status: number; nonce: string | undefined; challenge: string }> {
  return new Promise((done, fail) => {
    const headers = { authorization: `DPoP ${token}`, dpop: proof, host: new URL(gateway.url).host };
    const sent = request(`${gateway.url}/v1/models`, { headers, agent: false }, (response) => {
      response.resume();
      const nonce = response.headers['dpop-nonce'] as string | undefined;
      done({ status: response.statusCode ?? 0, nonce, challenge: response.headers['www-authenticate'] ?? '' });
    });
    sent.on('error', fail);
    sent.end();
  });
}

const both = needs({ peers: ['dpop'] });

describe('a DPoP proof', both, () => {
  test('is good once, whichever worker it reaches; a nonce is asked for first', async () => {
    const dpop = await importPeer<Dpop>('dpop');
    const pair = await dpop.generateKeyPair('ES256');
    const token = await issuer.token({ cnf: { jkt: await dpop.calculateThumbprint(pair.publicKey) } });
    const gateway = await startGateway({ ...settings(), workers: 2 });
    try {
      const url = `${gateway.url}/v1/models?page=1`;
      const asked = await alone(gateway, token, await dpop.generateProof(pair, url, 'GET', undefined, token));
      assert.equal(asked.status, 401);
      assert.match(asked.challenge, /^DPoP .*error="use_dpop_nonce"/);
      const proof = () => dpop.generateProof(pair, url, 'GET', asked.nonce, token);
      for (let i = 0; i < 10; i++) assert.equal((await alone(gateway, token, await proof())).status, 200);
      const one = await proof();
      const answers = await Promise.all(Array.from({ length: 12 }, () => alone(gateway, token, one)));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array.from({ length: 11 }, () => 401)]);
      assert.equal((await ask(gateway, token)).status, 401);
      const series = 'gatehouse_auth_failures_total{reason="replayed"}';
      assert.equal(await gateway.metricReaches(series, 11), 11);
      // Two workers have answered: neither alone could have known.
      const busy = (await gateway.metrics()).match(/process_cpu_seconds_total\{worker="\d+"/g);
      assert.ok(new Set(busy).size >= 2);
    } finally {
      await gateway.stop();
    }
  });
});

describe('a Redis that gateways share', needs({ commands: ['redis-server'], peers: ['dpop'] }), () => {
  for (const without of ['refuse', 'local'] as const) {
    test(`a proof is good once on two gateways; without Redis: ${without}`, async () => {
      const socket = join(folder, `redis-${without}.sock`);
      const server = spawn(needCommand('redis-server'), [
        '--port',
        '0',
        '--unixsocket',
        socket,
        '--save',
        '',
        '--dir',
        folder,
      ]);
      const ended = new Promise((done) => server.once('exit', done));
      await new Promise<void>((done) => {
        server.stdout.on('data', (text: Buffer) => {
          if (text.includes('ready to accept')) done();
        });
      });
      const access = { dpop: { redis: `unix:${socket}`, withoutRedis: without, nonce: 'off' } };
      const a = await startGateway(settings({}, access));
      const b = await startGateway(settings({}, access));
      try {
        const dpop = await importPeer<Dpop>('dpop');
        const pair = await dpop.generateKeyPair('ES256');
        const token = await issuer.token({ cnf: { jkt: await dpop.calculateThumbprint(pair.publicKey) } });
        // Behind one name, as clients see it.
        const proof = () => dpop.generateProof(pair, 'http://api.example.com/v1/models', 'GET', undefined, token);
        const send = async (gateway: Gateway, text: string) => {
          const answer = await new Promise<number>((done, fail) => {
            const headers = { authorization: `DPoP ${token}`, dpop: text, host: 'api.example.com' };
            const sent = request(`${gateway.url}/v1/models`, { headers, agent: false }, (response) => {
              response.resume();
              done(response.statusCode ?? 0);
            });
            sent.on('error', fail);
            sent.end();
          });
          return answer;
        };
        const one = await proof();
        assert.deepEqual([await send(a, one), await send(b, one), await send(a, one)], [200, 401, 401]);
        server.kill();
        await ended;
        await a.waitFor(/Redis .*cannot be reached/);
        const two = await proof();
        assert.deepEqual([await send(a, two), await send(b, two)], without === 'local' ? [200, 200] : [503, 503]);
        assert.equal(await send(a, two), 401);
      } finally {
        server.kill();
        await Promise.all([a.stop(), b.stop()]);
      }
    });
  }
});
