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
import { listenTo, type Program } from '../program.ts';
import { askAll, decided, workerOf } from '../workers.ts';
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

/** Beyond the shortest time between two fetches. */
const COOLDOWN_MS = 1100;

describe('keys of an issuer', () => {
  test('are found by its metadata, rotate, and stay in use through an outage', async () => {
    // Nothing but what tokens ask for is fetched in the time of a test.
    const gateway = await startGateway(settings({ refresh: '1h' }));
    try {
      const old = await issuer.token();
      assert.equal((await ask(gateway, old)).status, 200);
      // A new key: the first token of it makes us look.
      const fresh = await makeKey('EdDSA');
      issuer.keys.push(fresh);
      await setTimeout(COOLDOWN_MS);
      assert.equal((await ask(gateway, await issuer.token({}, fresh))).status, 200);
      await issuer.close();
      assert.equal((await ask(gateway, old)).status, 200);
      assert.equal((await ask(gateway, await issuer.token())).status, 200);
      await issuer.listen();
      // The key is taken back: what it has signed goes with it.
      issuer.keys.shift();
      await setTimeout(COOLDOWN_MS);
      await ask(gateway, await issuer.token({}, await makeKey()));
      assert.equal((await ask(gateway, old)).status, 401);
      assert.equal(await gateway.metric('gatehouse_jwks_keys{issuer="corporate"}'), 1);
    } finally {
      await gateway.stop();
    }
  });

  test('are not fetched again and again because of strangers', async () => {
    const gateway = await startGateway(settings({ refresh: '1h', cooldown: '1h' }));
    try {
      assert.equal((await ask(gateway, await issuer.token())).status, 200);
      const { asked } = issuer;
      const stranger = await makeKey();
      for (let i = 0; i < 5; i++) {
        const answer = await ask(gateway, await issuer.token({}, stranger));
        assert.equal(answer.status, 401);
        assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/);
        // Longer than a worker waits between two questions to the supervisor.
        await setTimeout(COOLDOWN_MS / 3);
      }
      assert.equal(issuer.asked, asked);
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
      assert.equal((await decided(() => ask(gateway, token))).status, 200, 'as soon as its worker has heard of it');
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

interface Told {
  status: number;
  id: string;
  nonce: string | undefined;
  challenge: string;
}

/** A request on a connection of its own, so that any worker may get it. */
function alone(gateway: Gateway, token: string, proof: string): Promise<Told> {
  return new Promise((done, fail) => {
    const headers = { authorization: `DPoP ${token}`, dpop: proof, host: new URL(gateway.url).host };
    const sent = request(`${gateway.url}/v1/models`, { headers, agent: false }, (response) => {
      response.resume();
      const nonce = response.headers['dpop-nonce'] as string | undefined;
      const id = String(response.headers['x-request-id'] ?? '');
      done({ status: response.statusCode ?? 0, id, nonce, challenge: response.headers['www-authenticate'] ?? '' });
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
      const other = async () => alone(gateway, token, await proof());
      assert.deepEqual(await askAll(() => decided(other)), [200]);
      let refused = 0;
      // Neither worker alone could know: both have to be asked, and the supervisor to answer them in time.
      for (let met = 0, told = false; met < 2 || !told; ) {
        const one = await proof();
        const answers = await Promise.all(Array.from({ length: 12 }, () => alone(gateway, token, one)));
        const statuses = answers.map(({ status }) => status).sort();
        assert.ok(!statuses.slice(1).includes(200), `${statuses}`);
        refused += statuses.filter((status) => status === 401).length;
        met = new Set(answers.map(({ id }) => workerOf(id))).size;
        told = !statuses.includes(503);
        if (told) assert.deepEqual(statuses, [200, ...Array.from({ length: 11 }, () => 401)]);
      }
      assert.equal((await ask(gateway, token)).status, 401);
      const series = 'gatehouse_auth_failures_total{reason="replayed"}';
      assert.equal(await gateway.metricReaches(series, refused), refused);
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
      await listenTo(server).waitFor(/ready to accept/i);
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
        /** What both say to one proof; to another one where the supervisor had no time to answer. */
        const show = async (gateways: readonly Gateway[], mayFail = false) => {
          for (;;) {
            const one = await proof();
            const statuses = [];
            for (const gateway of gateways) statuses.push(await send(gateway, one));
            if (mayFail || !statuses.includes(503)) return { one, statuses };
          }
        };
        assert.deepEqual((await show([a, b, a])).statuses, [200, 401, 401]);
        server.kill();
        await ended;
        for (const gateway of [a, b]) await gateway.waitFor(/Redis .*cannot be reached/);
        const { one, statuses } = await show([a, b], without === 'refuse');
        assert.deepEqual(statuses, without === 'local' ? [200, 200] : [503, 503]);
        assert.equal((await decided(async () => ({ status: await send(a, one) }))).status, 401);
      } finally {
        server.kill();
        await Promise.all([a.stop(), b.stop()]);
      }
    });
  }
});
