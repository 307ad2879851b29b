import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../../kernel/clock.ts';
import { Events } from '../../../kernel/event.ts';
import { issuersConfig } from './config.ts';
import { JwksKeeper, type KeyCopies } from './jwks.ts';
import type { IssuerKeys } from './source.ts';
import { pairFor } from './token.fixture.ts';

const one = pairFor('ES256', 'one').jwk;
const two = pairFor('ES256', 'two').jwk;
const ISSUER = 'https://login.example.com/tenant';
const METADATA = `${ISSUER}/.well-known/openid-configuration`;
const JWKS = 'https://keys.example.com/jwks';

/** A keeper whose issuer answers from `documents`; an `Error` there is thrown. */
function keeper(documents: Record<string, unknown>, more: object = { jwksUrl: JWKS }, copies?: KeyCopies) {
  const clock = new ManualClock();
  const events = new Events();
  const notices: string[] = [];
  events.on('notice', ({ level, message }) => notices.push(`${level}: ${message}`));
  const fetched: string[] = [];
  const told: IssuerKeys[] = [];
  const made = new JwksKeeper({
    clock,
    events,
    changed: (keys) => told.push(keys),
    copies,
    fetch: async (url) => {
      fetched.push(url);
      const found = documents[url];
      if (found instanceof Error || found === undefined) throw found ?? new Error('status 404');
      return found;
    },
  });
  const settings = (changes: object = {}) =>
    issuersConfig.parse({ corporate: { issuer: ISSUER, audiences: ['x'], ...more, ...changes } });
  /** Lets what was fetched be read. */
  const settle = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const wait = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  return { clock, notices, fetched, told, keeper: made, settings, wait, documents };
}

const kids = (keys: IssuerKeys | undefined) => keys?.keys.map(({ kid }) => kid);

describe('the keys of an issuer', () => {
  test('are fetched at once, and again before they are needed', async () => {
    const { keeper: k, settings, fetched, told, wait, documents } = keeper({ [JWKS]: { keys: [one] } });
    await k.configure(settings());
    assert.deepEqual(told.map(kids), [['one']]);
    await wait(600_000);
    assert.equal(fetched.length, 2);
    assert.equal(told.length, 1);
    documents[JWKS] = { keys: [one, two] };
    await wait(600_000);
    assert.deepEqual(told.map(kids), [['one'], ['one', 'two']]);
    assert.deepEqual(k.all().map(kids), [['one', 'two']]);
    k.close();
    await wait(3_600_000);
    assert.equal(fetched.length, 3);
  });

  test('are found by metadata, of that issuer only', async () => {
    const found = keeper({ [METADATA]: { issuer: ISSUER, jwks_uri: JWKS }, [JWKS]: { keys: [one] } }, {});
    await found.keeper.configure(found.settings());
    assert.deepEqual(found.fetched, [METADATA, JWKS]);
    for (const [metadata, why] of [
      [{ issuer: 'https://evil.example', jwks_uri: JWKS }, /metadata of another issuer/],
      [{ issuer: ISSUER }, /names no jwks_uri/],
      [null, /metadata of another issuer/],
    ] as const) {
      const other = keeper({ [METADATA]: metadata, [JWKS]: { keys: [one] } }, {});
      await other.keeper.configure(other.settings());
      assert.deepEqual(other.keeper.all(), []);
      assert.match(other.notices[0] ?? '', why);
    }
  });

  for (const [what, document, why] of [
    ['that cannot be had', new Error('gone'), /gone/],
    ['that are no set', [], /no JWK Set/],
    ['of which there are none', { keys: [] }, /no key .* is of use/],
    ['of which there are too many', { keys: Array.from({ length: 129 }, () => one) }, /at most 128/],
    ['that are symmetric', { keys: [{ kty: 'oct', k: 'AAAA' }] }, /no public key/],
    ['that are private', { keys: [{ ...one, d: 'AAAA' }] }, /private or secret key/],
    ['that encrypt', { keys: [{ ...one, use: 'enc' }] }, /not for signatures/],
    [
      'that are weak',
      { keys: [{ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(128, 0xff).toString('base64url') }] },
      /1024 bits/,
    ],
  ] as const) {
    test(`${what} leave the last good ones in use`, async () => {
      const { keeper: k, settings, wait, documents, notices, told } = keeper({ [JWKS]: { keys: [one] } });
      await k.configure(settings());
      documents[JWKS] = document;
      await wait(600_000);
      assert.match(
        notices[0] ?? '',
        /^warn: the keys of issuer corporate cannot be fetched, the last good ones stay in use/,
      );
      assert.match(notices[0] ?? '', why);
      assert.deepEqual(k.all().map(kids), [['one']]);
      // It tries again soon, and says so once.
      for (let i = 0; i < 5; i++) await wait(4000);
      assert.equal(notices.length, 1);
      assert.ok((k.status()[0]?.failures ?? 0) >= 3);
      documents[JWKS] = { keys: [two] };
      await wait(60_000);
      assert.deepEqual(told.map(kids), [['one'], ['two']]);
      assert.match(notices[1] ?? '', /^info: .*can be fetched again/);
    });
  }

  test('of another sort are left out, the rest is taken', async () => {
    const { keeper: k, settings } = keeper({
      [JWKS]: { keys: [{ kty: 'oct', k: 'AA' }, one, 7, { ...two, use: 'enc' }] },
    });
    await k.configure(settings());
    assert.deepEqual(k.all().map(kids), [['one']]);
  });

  test('are fetched for an unknown one, but not more often than the cooldown', async () => {
    const { keeper: k, settings, wait, fetched, documents } = keeper({ [JWKS]: { keys: [one] } });
    await k.configure(settings());
    await k.want('corporate', false);
    assert.equal(fetched.length, 1);
    await wait(30_000);
    documents[JWKS] = { keys: [two] };
    const both = await Promise.all([k.want('corporate', false), k.want('corporate', false)]);
    assert.deepEqual(both.map(kids), [['two'], ['two']]);
    assert.equal(fetched.length, 2);
    await k.want('corporate', false);
    assert.equal(fetched.length, 2);
    assert.equal(await k.want('stranger', true), undefined);
  });

  test('are asked for more often while there are none', async () => {
    const { keeper: k, settings, clock, fetched } = keeper({});
    await k.configure(settings());
    assert.equal(await k.want('corporate', true), undefined);
    assert.equal(fetched.length, 1);
    clock.jumpWall(0);
    clock.advance(1900);
    await k.want('corporate', true);
    const before = fetched.length;
    clock.advance(2000);
    await k.want('corporate', true);
    assert.ok(fetched.length > before);
  });

  test('stay through a change of settings, unless they come from elsewhere', async () => {
    const { keeper: k, settings, documents, fetched } = keeper({ [JWKS]: { keys: [one] } });
    await k.configure(settings());
    await k.configure(settings());
    assert.equal(fetched.length, 1);
    documents[JWKS] = new Error('gone');
    await k.configure(settings({ audiences: ['y'] }));
    assert.deepEqual(k.all().map(kids), [['one']]);
    await k.configure(settings({ jwksUrl: 'https://elsewhere.example.com/jwks' }));
    assert.deepEqual(k.all(), []);
    await k.configure({});
    assert.deepEqual(k.status(), []);
    k.close();
  });

  test('are kept for a restart while the issuer is gone, from that place only', async () => {
    const kept = new Map<string, unknown>();
    const copies: KeyCopies = {
      read: async (source) => kept.get(source),
      write: async (source, keys) => void kept.set(source, keys),
    };
    const before = keeper({ [JWKS]: { keys: [one] } }, { jwksUrl: JWKS }, copies);
    await before.keeper.configure(before.settings());
    assert.equal(kept.size, 1);
    const after = keeper({}, { jwksUrl: JWKS }, copies);
    await after.keeper.configure(after.settings());
    assert.deepEqual(after.keeper.all().map(kids), [['one']]);
    assert.match(after.notices[0] ?? '', /the last good ones stay in use/);
    const elsewhere = keeper({}, { jwksUrl: `${JWKS}2` }, copies);
    await elsewhere.keeper.configure(elsewhere.settings());
    assert.deepEqual(elsewhere.keeper.all(), []);
    for (const wrong of ['text', [{ ...one, d: 'x' }], undefined]) {
      const odd = keeper({}, { jwksUrl: JWKS }, { ...copies, read: async () => wrong });
      await odd.keeper.configure(odd.settings());
      assert.deepEqual(odd.keeper.all(), []);
    }
    const failing = { read: () => Promise.reject(new Error('x')), write: () => Promise.reject(new Error('full')) };
    const full = keeper({ [JWKS]: { keys: [one] } }, { jwksUrl: JWKS }, failing);
    await full.keeper.configure(full.settings());
    await full.wait(0);
    assert.match(full.notices[0] ?? '', /no copy .* is kept for a restart: full/);
  });
});
