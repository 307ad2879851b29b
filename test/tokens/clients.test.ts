/** Real clients with our tokens: `openai` by one, `dpop` as who proves possession. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CryptoKey, decodeJwt } from 'jose';
import { openaiClient } from '../clients.ts';
import { importPeer, needs } from '../peers.ts';
import { exchangeOf, startTokenHouse } from './service.ts';

interface KeyPair {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

/** The part of `dpop` that is used. */
interface Dpop {
  generateKeyPair(algorithm: string): Promise<KeyPair>;
  generateProof(pair: KeyPair, uri: string, method: string, nonce?: string, token?: string): Promise<string>;
  calculateThumbprint(key: CryptoKey): Promise<string>;
}

test('openai: a token is used as the API key would be', {
  ...needs({ peers: ['openai'] }),
  timeout: 180_000,
}, async (t) => {
  const house = await startTokenHouse(t);
  const { key } = await house.key({ principal: 'alice' });
  const { body } = await house.post('/oauth/token', exchangeOf(key));
  const client = await openaiClient(house.issuer, { apiKey: body.access_token });
  const messages = [{ role: 'user', content: 'Say something.' }];
  const answer = await client.chat.completions.create({ model: 'small', messages });
  assert.ok((answer.choices[0]?.message.content ?? '').length > 0);
  const pieces = [];
  for await (const chunk of await client.chat.completions.create({ model: 'small', messages, stream: true }))
    pieces.push(chunk.choices[0]?.delta.content ?? '');
  assert.ok(pieces.join('').length > 0);
  const forged = await openaiClient(house.issuer, { apiKey: `${body.access_token.slice(0, -8)}AAAAAAAA` });
  await assert.rejects(forged.chat.completions.create({ model: 'small', messages }), { status: 401 });
});

test('dpop: a token bound to its key, and no proof twice in any worker', {
  ...needs({ peers: ['dpop'] }),
  timeout: 180_000,
}, async (t) => {
  const { generateKeyPair, generateProof, calculateThumbprint } = await importPeer<Dpop>('dpop');
  const house = await startTokenHouse(t);
  const { key } = await house.key({ principal: 'alice' });
  const endpoint = `${house.issuer}/oauth/token`;
  const route = `${house.issuer}/v1/models`;
  for (const algorithm of ['ES256', 'Ed25519', 'RS256', 'PS256']) {
    await t.test(algorithm, async () => {
      const pair = await generateKeyPair(algorithm);
      const first = await generateProof(pair, endpoint, 'POST');
      const told = await house.post('/oauth/token', exchangeOf(key), { dpop: first });
      assert.deepEqual([told.status, told.body.error], [400, 'use_dpop_nonce']);
      const nonce = told.headers.get('dpop-nonce') as string;
      const dpop = await generateProof(pair, endpoint, 'POST', nonce);
      const { status, body } = await house.post('/oauth/token', exchangeOf(key), { dpop });
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(body.token_type, 'DPoP');
      const token = body.access_token;
      assert.deepEqual(decodeJwt(token).cnf, { jkt: await calculateThumbprint(pair.publicKey) });
      const again = await house.post('/oauth/token', exchangeOf(key), { dpop });
      assert.deepEqual([again.status, again.body.error], [400, 'invalid_dpop_proof']);
      /** Statuses by which 16 connections answer to one proof. */
      const show = async (proof: string) => {
        const headers = { authorization: `DPoP ${token}`, dpop: proof, connection: 'close' };
        const answers = await Promise.all(Array.from({ length: 16 }, () => fetch(route, { headers })));
        return answers.map((one) => one.status).sort();
      };
      const once = [200, ...Array.from({ length: 15 }, () => 401)];
      const never = Array.from({ length: 16 }, () => 401);
      // Who was not told in time whether a proof was used (503) shows another one.
      for (let told = false; !told; ) {
        const proof = await generateProof(pair, route, 'GET', nonce, token);
        const first = await show(proof);
        const again = await show(proof);
        assert.ok(![...first.slice(1), ...again].includes(200), 'it was good twice');
        told = ![...first, ...again].includes(503);
        if (told) assert.deepEqual([first, again], [once, never]);
      }
      const stranger = await generateKeyPair(algorithm);
      assert.deepEqual(await show(await generateProof(stranger, route, 'GET', nonce, token)), never);
      assert.deepEqual(await show(await generateProof(pair, route, 'POST', nonce, token)), never);
      assert.deepEqual(await show(await generateProof(pair, route, 'GET', nonce)), never);
      assert.deepEqual(await house.ask(token), [401]);
    });
  }
});
