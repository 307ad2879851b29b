import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../../kernel/clock.ts';
import { Events } from '../../../kernel/event.ts';
import { TokenAuthority } from './authority.ts';
import { dpopConfig, issuersConfig } from './config.ts';
import { JwtAuthenticator } from './jwt.ts';
import { boundTo, CLAIMS, exchangeWith, NOW, nameOf, pairFor, proofOf, tokenOf } from './token.fixture.ts';
import { ISSUER_KEYS, type TokenNews, Tokens } from './tokens.ts';

const key = pairFor('ES256', 'ec-1');
const device = pairFor('ES256');
const bound = tokenOf(key, { ...CLAIMS, ...boundTo(device) });

/** A supervisor's authority, and workers that hear and ask it, over messages that are copied as those of a channel. */
function house(dpop: object = {}) {
  const clock = new ManualClock(NOW * 1000);
  const workers: Tokens[] = [];
  const services = new Map<string, (payload: unknown) => unknown>();
  let pages: () => Iterable<TokenNews> = () => [];
  const authority = new TokenAuthority(clock, new Events(), {
    provide: (name, service) => services.set(name, service),
    publish: (name, all) => {
      assert.equal(name, ISSUER_KEYS);
      pages = all;
    },
    push: (_topic, news) => {
      for (const worker of workers) worker.change(structuredClone(news));
    },
  });
  const settings = {
    issuers: issuersConfig.parse({
      corporate: { issuer: CLAIMS.iss, audiences: [CLAIMS.aud], keys: [JSON.stringify(key.jwk)] },
    }),
    dpop: dpopConfig.parse(dpop),
    pepper: ['a-pepper-of-the-tests'],
  };
  const hire = () => {
    const tokens = new Tokens(clock, async (name, payload) => services.get(name)?.(structuredClone(payload)));
    for (const page of pages()) tokens.load(structuredClone(page));
    workers.push(tokens);
    const jwt = new JwtAuthenticator({ ...settings, rememberedTokens: 10 }, tokens);
    return {
      prove: async (proof: string) => jwt.authenticate('dpop', bound, exchangeWith({ fields: [['dpop', proof]] })),
    };
  };
  return { clock, authority, settings, hire };
}

describe('the authority of tokens', () => {
  test('lets a proof through once, whichever worker asks; all workers give out the same nonce', async () => {
    const { authority, settings, hire } = house();
    await authority.configure(settings);
    const [a, b] = [hire(), hire()];
    const asked = await a.prove(proofOf(device, bound));
    assert.ok('failed' in asked);
    const nonce = asked.fields?.[0]?.[1];
    const proof = proofOf(device, bound, { nonce });
    assert.equal(nameOf(await b.prove(proof)), 'corporate:alice');
    assert.equal(nameOf(await a.prove(proof)), 'proofReplayed');
    assert.equal(authority.status().proofs, 1);
    authority.close();
  });

  test('of another gateway with the same pepper gives out the same nonce', async () => {
    const answers: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const { authority, settings, hire } = house();
      await authority.configure(settings);
      const asked = await hire().prove(proofOf(device, bound));
      answers.push('failed' in asked && asked.fields);
      authority.close();
    }
    assert.deepEqual(answers[0], answers[1]);
  });

  test('refuses proofs when it remembers as many as it may', async () => {
    const { authority, settings, hire } = house({ nonce: 'off', proofs: 1000 });
    await authority.configure(settings);
    const { prove } = hire();
    for (let i = 0; i < 1000; i++) assert.equal(nameOf(await prove(proofOf(device, bound))), 'corporate:alice');
    assert.equal(nameOf(await prove(proofOf(device, bound))), 'replayUnavailable');
    authority.close();
  });
});
