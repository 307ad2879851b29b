import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { b64, CLAIMS, gateFor, nameOf, type Pair, pairFor, signature, tokenOf } from './token.fixture.ts';

const rs = pairFor('RS256', 'rsa-1');
const es = pairFor('ES256', 'ec-1');
const ed = pairFor('EdDSA', 'ed-1');
const ps = { ...pairFor('PS256', 'rsa-2') };
const stranger = pairFor('ES256', 'ec-1');
const all = [rs, es, ed, ps];
const alice = 'corporate:alice';

/** A token with this header, whose signature is made by `sign` over header and claims. */
function forged(header: unknown, sign: (data: string) => Buffer, claims: unknown = CLAIMS): string {
  const data = `${b64(header)}.${b64(claims)}`;
  return `${data}.${sign(data).toString('base64url')}`;
}
const nothing = () => Buffer.alloc(0);
const hmac = (key: string | Buffer) => (data: string) => createHmac('sha256', key).update(data).digest();
const pem = rs.publicKey.export({ type: 'spki', format: 'pem' }) as string;
const der = rs.publicKey.export({ type: 'spki', format: 'der' });
const by = (pair: Pair) => (data: string) => signature(pair.alg, pair.privateKey, data);
const good = tokenOf(es, CLAIMS);
const [goodHead, goodBody, goodSignature] = good.split('.') as [string, string, string];

const cases: readonly [what: string, token: string, answer: string, settings?: Record<string, unknown>][] = [
  ['RS256', tokenOf(rs, CLAIMS), alice],
  ['PS256', tokenOf(ps, CLAIMS), alice],
  ['ES256', good, alice],
  ['EdDSA', tokenOf(ed, CLAIMS), alice],
  ['one of several audiences', tokenOf(es, { ...CLAIMS, aud: ['x', CLAIMS.aud] }), alice],
  ['no typ', tokenOf(es, CLAIMS, { typ: undefined }), alice],
  ['an access token by its type', tokenOf(es, CLAIMS, { typ: 'application/at+JWT' }), alice],

  // alg: none (RFC 8725 §2.1)
  ['alg none', forged({ alg: 'none' }, nothing), 'algorithm'],
  ['alg None', forged({ alg: 'None', kid: 'ec-1' }, nothing), 'algorithm'],
  ['alg NONE', forged({ alg: 'NONE' }, nothing), 'algorithm'],
  ['alg nOnE', forged({ alg: 'nOnE' }, nothing), 'algorithm'],
  ['alg none with a space', forged({ alg: 'none ' }, nothing), 'algorithm'],
  ['alg none, signature kept', forged({ alg: 'none', kid: 'ec-1' }, by(es)), 'algorithm'],
  ['no alg', forged({ kid: 'ec-1' }, by(es)), 'algorithm'],
  ['alg empty', forged({ alg: '' }, nothing), 'algorithm'],
  ['alg a list', forged({ alg: ['ES256'], kid: 'ec-1' }, by(es)), 'algorithm'],
  ['alg an object', forged({ alg: { toString: 'ES256' } }, by(es)), 'algorithm'],
  ['alg of Object.prototype', forged({ alg: 'constructor' }, nothing), 'algorithm'],
  ['alg in lower case', forged({ alg: 'es256', kid: 'ec-1' }, by(es)), 'algorithm'],
  ['the signature left out', `${goodHead}.${goodBody}.`, 'signature'],
  ['the third part left out', `${goodHead}.${goodBody}`, 'malformed'],

  // the public key as a shared secret (RFC 8725 §2.1)
  ['HS256 with the PEM as secret', forged({ alg: 'HS256', kid: 'rsa-1' }, hmac(pem)), 'algorithm'],
  ['HS256 with the trimmed PEM', forged({ alg: 'HS256', kid: 'rsa-1' }, hmac(pem.trim())), 'algorithm'],
  ['HS256 with the DER', forged({ alg: 'HS256', kid: 'rsa-1' }, hmac(der)), 'algorithm'],
  ['HS256 with the JWK', forged({ alg: 'HS256', kid: 'rsa-1' }, hmac(JSON.stringify(rs.jwk))), 'algorithm'],
  ['HS256 with an empty secret', forged({ alg: 'HS256' }, hmac('')), 'algorithm'],
  ['RS256 said, HMAC made', forged({ alg: 'RS256', kid: 'rsa-1' }, hmac(pem)), 'signature'],

  // one algorithm with the key of another
  ['ES256 with an RSA key', forged({ alg: 'ES256', kid: 'rsa-1' }, by(rs)), 'unknownKey'],
  ['RS256 with an EC key', forged({ alg: 'RS256', kid: 'ec-1' }, by(es)), 'unknownKey'],
  ['ES384 with a P-256 key', forged({ alg: 'ES384', kid: 'ec-1' }, by(es)), 'unknownKey', { algorithms: ['ES384'] }],
  ['PS256 with a signature of RS256', forged({ alg: 'PS256', kid: 'rsa-1' }, by(rs)), 'signature'],
  ['RS256 not among the allowed', tokenOf(rs, CLAIMS), 'algorithm', { algorithms: ['ES256'] }],
  [
    'another hash than the signature',
    forged({ alg: 'RS512', kid: 'rsa-1' }, by(rs)),
    'signature',
    { algorithms: ['RS512'] },
  ],

  // psychic signatures (CVE-2022-21449), and other strange ones
  ['r = 0, s = 0', `${goodHead}.${goodBody}.${Buffer.alloc(64).toString('base64url')}`, 'signature'],
  [
    'r = 0',
    `${goodHead}.${goodBody}.${Buffer.concat([Buffer.alloc(32), Buffer.alloc(32, 1)]).toString('base64url')}`,
    'signature',
  ],
  [
    's = 0',
    `${goodHead}.${goodBody}.${Buffer.concat([Buffer.alloc(32, 1), Buffer.alloc(32)]).toString('base64url')}`,
    'signature',
  ],
  [
    'r and s the order of the curve',
    `${goodHead}.${goodBody}.${Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'.repeat(2), 'hex').toString('base64url')}`,
    'signature',
  ],
  ['a DER signature', forged({ alg: 'ES256', kid: 'ec-1' }, (data) => derSign(es, data)), 'signature'],
  ['a signature too long', `${good}AA`, 'signature'],
  ['a signature too short', `${goodHead}.${goodBody}.${Buffer.alloc(63, 1).toString('base64url')}`, 'signature'],
  ['all zero EdDSA', forged({ alg: 'EdDSA', kid: 'ed-1' }, () => Buffer.alloc(64)), 'signature'],
  ['another claim, signature kept', `${goodHead}.${b64({ ...CLAIMS, sub: 'root' })}.${goodSignature}`, 'signature'],
  ['another header, signature kept', `${b64({ alg: 'ES256', kid: 'ec-1' })}.${goodBody}.${goodSignature}`, 'signature'],
  ['signed by a stranger', tokenOf(stranger, CLAIMS), 'signature'],

  // keys that the token brings itself, or leads to (RFC 8725 §3.10)
  ['an embedded jwk', tokenOf(stranger, CLAIMS, { jwk: stranger.jwk }), 'signature'],
  ['an embedded jwk without kid', tokenOf(stranger, CLAIMS, { jwk: stranger.jwk, kid: undefined }), 'signature'],
  ['jku', tokenOf(stranger, CLAIMS, { jku: 'https://evil.example/jwks' }), 'signature'],
  [
    'jku of the issuer with a trick',
    tokenOf(stranger, CLAIMS, { jku: 'https://login.example.com@evil.example/' }),
    'signature',
  ],
  ['x5u', tokenOf(stranger, CLAIMS, { x5u: 'https://evil.example/chain.pem' }), 'signature'],
  ['x5c', tokenOf(stranger, CLAIMS, { x5c: ['MIIB'] }), 'signature'],
  ['kid as a path', tokenOf(es, CLAIMS, { kid: '../../../../dev/null' }), 'unknownKey'],
  ['kid as SQL', tokenOf(es, CLAIMS, { kid: "x' UNION SELECT 'AA'-- " }), 'unknownKey'],
  ['kid as a command', tokenOf(es, CLAIMS, { kid: 'ec-1|sleep 10' }), 'unknownKey'],
  ['kid of Object.prototype', tokenOf(es, CLAIMS, { kid: '__proto__' }), 'unknownKey'],
  ['kid in other case', tokenOf(es, CLAIMS, { kid: 'EC-1' }), 'unknownKey'],
  ['kid with NUL', tokenOf(es, CLAIMS, { kid: 'ec-1\0' }), 'unknownKey'],
  ['kid a number', tokenOf(es, CLAIMS, { kid: 1 }), 'malformed'],
  ['kid a list', tokenOf(es, CLAIMS, { kid: ['ec-1'] }), 'malformed'],
  ['no kid, one key fits', tokenOf(es, CLAIMS, { kid: undefined }), alice],
  ['no kid, two keys fit', tokenOf(rs, CLAIMS, { kid: undefined }), 'unknownKey'],

  // headers that change what is meant
  ['crit', tokenOf(es, CLAIMS, { crit: ['exp'] }), 'critical'],
  [
    'crit of an extension',
    tokenOf(es, CLAIMS, { crit: ['http://evil.example/x'], 'http://evil.example/x': 1 }),
    'critical',
  ],
  ['crit empty', tokenOf(es, CLAIMS, { crit: [] }), 'critical'],
  ['b64 false', tokenOf(es, CLAIMS, { b64: false, crit: ['b64'] }), 'critical'],
  ['cty JWT', tokenOf(es, CLAIMS, { cty: 'JWT' }), 'type'],
  ['a compressed one', tokenOf(es, CLAIMS, { zip: 'DEF' }), 'encrypted'],
  ['a JWE', `${b64({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.AA.AA.AA.AA`, 'encrypted'],
  ['enc in three parts', tokenOf(es, CLAIMS, { enc: 'A256GCM' }), 'encrypted'],

  // members that stand twice, and texts that two readers would read in two ways
  ['a claim twice', tokenOf(es, JSON.stringify(CLAIMS).replace('}', ',"sub":"root"}')), 'malformed'],
  [
    'a claim twice, once escaped',
    tokenOf(es, JSON.stringify(CLAIMS).replace('}', ',"s\\u0075b":"root"}')),
    'malformed',
  ],
  [
    'a member twice inside',
    tokenOf(es, JSON.stringify({ ...CLAIMS, a: 'X' }).replace('"X"', '{"b":1,"b":2}')),
    'malformed',
  ],
  ['alg twice', tokenOf(es, CLAIMS, '{"alg":"ES256","kid":"ec-1","alg":"none"}'), 'malformed'],
  ['claims that are a list', tokenOf(es, [CLAIMS]), 'malformed'],
  ['claims that are null', tokenOf(es, 'null'), 'malformed'],
  ['claims that are no JSON', tokenOf(es, '{'), 'malformed'],
  ['text behind the JSON', tokenOf(es, `${JSON.stringify(CLAIMS)}x`), 'malformed'],
  ['a byte order mark', tokenOf(es, `\ufeff${JSON.stringify(CLAIMS)}`), 'malformed'],
  ['deep nesting', tokenOf(es, { ...CLAIMS, deep: JSON.parse('['.repeat(500) + ']'.repeat(500)) }), 'malformed'],
  ['padding', `${goodHead}.${goodBody}.${goodSignature}==`, 'malformed'],
  ['plain base64', `${goodHead}.${goodBody}+.${goodSignature}`, 'malformed'],
  ['a line break inside', `${goodHead}.${goodBody}\n.${goodSignature}`, 'malformed'],
  ['stray bits in the signature', `${goodHead}.${goodBody}.${stray(goodSignature)}`, 'malformed'],
  ['no header', `.${goodBody}.${goodSignature}`, 'malformed'],
  ['four parts', `${good}.AA`, 'malformed'],
  ['a JSON serialization', JSON.stringify({ payload: goodBody }), 'malformed'],
  ['too large', tokenOf(es, { ...CLAIMS, fill: 'x'.repeat(9000) }), 'oversized'],
  ['far too large', 'e'.repeat(100_000), 'oversized'],
  ['larger where that is allowed', tokenOf(es, { ...CLAIMS, fill: 'x'.repeat(9000) }), alice, { maxSize: '32KiB' }],
];

function derSign(pair: Pair, data: string): Buffer {
  const raw = signature(pair.alg, pair.privateKey, data);
  const number = (bytes: Buffer) => Buffer.concat([Buffer.from([2, 33, 0]), bytes]);
  const body = Buffer.concat([number(raw.subarray(0, 32)), number(raw.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

/** The same bytes with a bit set that no byte has. */
function stray(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.slice(-1)) | 1];
}

describe('an attack by a token', () => {
  for (const [what, token, answer, settings] of cases) {
    test(`${what}: ${answer}`, () => {
      const { see } = gateFor(all, settings);
      assert.equal(nameOf(see(token)), answer);
      // And the second time, from memory.
      assert.equal(nameOf(see(token)), answer);
    });
  }

  test('what a forger can try out has one answer, whatever is wrong', () => {
    const { see } = gateFor(all, { claims: { tenant: 'org' }, tenants: ['acme'], required: { app: 'x' } });
    const right = { ...CLAIMS, org: 'acme', app: 'x' };
    const answers = new Map<string, object>();
    const rows: readonly [what: string, claims: object, header?: object][] = [
      ['signature', right],
      ['unknownKey', right, { kid: 'nobody' }],
      ['audience', { ...right, aud: 'x' }],
      ['claim', { ...right, org: 'other' }],
      ['claim', { ...right, app: 'y' }],
      ['claim', { ...right, sub: '' }],
      ['binding', { ...right, cnf: { jwk: {} } }],
    ];
    for (const [what, claims, header] of rows) {
      const verdict = see(tokenOf(stranger, claims, header));
      assert.equal(nameOf(verdict), what);
      assert.ok(!(verdict instanceof Promise) && 'failed' in verdict);
      const { failed, ...answer } = verdict;
      assert.ok(failed.length > 0);
      answers.set(JSON.stringify(answer), claims);
    }
    assert.equal(answers.size, 1, [...answers.keys()].join());
    // Times are told, and tell nothing of the rest.
    for (const claims of [right, { ...right, aud: 'x' }, { ...right, org: 'other' }])
      assert.equal(nameOf(see(tokenOf(stranger, { ...claims, exp: 1 }))), 'expired');
    const bound = gateFor(all, { dpop: 'required' });
    assert.equal(nameOf(bound.see(tokenOf(stranger, CLAIMS))), 'unbound');
    const said = bound.see(tokenOf(stranger, CLAIMS)) as { message: string };
    assert.ok([...answers.keys()].join().includes(said.message));
  });

  test('no answer repeats what was sent', () => {
    const { see } = gateFor(all);
    const verdict = see(tokenOf(es, { ...CLAIMS, aud: 'canary-audience', sub: 'canary' }));
    assert.ok(!JSON.stringify(verdict).includes('canary'));
  });
});
