/** Tokens that are bound to a key, end to end: proofs that are good once, at both workers and at two gateways. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { webcrypto } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { describe, test } from 'node:test';
import { type Gateway, startGateway } from '../gateway.ts';
import { importPeer, needCommand, needs } from '../peers.ts';
import { listenTo } from '../program.ts';
import { askAll, decided, workerOf } from '../workers.ts';
import { ask, issued } from './issued.fixture.ts';

const house = issued();

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
    const token = await house.issuer.token({ cnf: { jkt: await dpop.calculateThumbprint(pair.publicKey) } });
    const gateway = await startGateway({ ...house.settings(), workers: 2 });
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
      const socket = join(house.folder, `redis-${without}.sock`);
      const server = spawn(needCommand('redis-server'), [
        '--port',
        '0',
        '--unixsocket',
        socket,
        '--save',
        '',
        '--dir',
        house.folder,
      ]);
      const ended = new Promise((done) => server.once('exit', done));
      await listenTo(server).waitFor(/ready to accept/i);
      const access = { dpop: { redis: `unix:${socket}`, withoutRedis: without, nonce: 'off' } };
      const a = await startGateway(house.settings({}, access));
      const b = await startGateway(house.settings({}, access));
      try {
        const dpop = await importPeer<Dpop>('dpop');
        const pair = await dpop.generateKeyPair('ES256');
        const token = await house.issuer.token({ cnf: { jkt: await dpop.calculateThumbprint(pair.publicKey) } });
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
        if (without === 'refuse') {
          const { one: used } = await show([a]);
          const flush = connect(socket);
          flush.end('FLUSHALL\r\n');
          await finished(flush.resume());
          assert.equal(await send(b, used), 503, 'it may have been used before the data were lost');
        }
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
