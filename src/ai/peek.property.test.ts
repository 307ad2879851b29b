import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PeekFault, peekRequest, type RequestPeek } from './peek.ts';

function good(text: string | Buffer): RequestPeek {
  const peek = peekRequest(Buffer.from(text as string));
  if (peek instanceof PeekFault) assert.fail(peek.message);
  return peek;
}

const OURS = [
  'model',
  'stream',
  'stream_options',
  'user',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'n',
  'best_of',
];

/** A JSON string token for the text, with characters escaped at random. */
function token(text: string, escaped: readonly boolean[]): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    out += escaped[i % escaped.length]
      ? `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`
      : JSON.stringify(text[i]).slice(1, -1);
  }
  return `${out}"`;
}

/** Any JSON value with decoys of our keys in it. */
const decoy = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('"model":"x"', '\\', '"', '{"model":', ']}', 'model', '😀', 'a'.repeat(70), `${'\\'.repeat(50)}"`),
    fc.string({ unit: 'grapheme' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...OURS), fc.string()), tie('value'), { maxKeys: 4 }),
  ),
})).value;

const wellFormed = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .filter((text) => !/[\p{Cc}\p{Surrogate}]/u.test(text));

const request = fc
  .tuple(
    fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((key) => {
        const folded = key.toLowerCase().replaceAll('ſ', 's');
        return !OURS.includes(folded) && !/[\p{Cc}\p{Surrogate}]/u.test(key) && key !== '__proto__';
      }),
      decoy,
      { maxKeys: 4 },
    ),
    fc.record(
      {
        model: wellFormed,
        stream: fc.boolean(),
        stream_options: fc.oneof(fc.constant(null), fc.record({ include_usage: fc.boolean() }, { requiredKeys: [] })),
        user: wellFormed,
        max_tokens: fc.nat(),
      },
      { requiredKeys: [] },
    ),
    fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
    fc.constantFrom('', ' ', '\n\t '),
    fc.nat(),
  )
  .map(([others, ours, escaped, space, seed]) => {
    const members = Object.entries({ ...others, ...ours }).map(
      ([key, value]) =>
        `${space}${token(key, escaped)}${space}:${space}${typeof value === 'string' ? token(value, escaped) : JSON.stringify(value)}`,
    );
    if (members.length > 0) members.push(...members.splice(0, seed % members.length));
    return `${space}{${members.join(`${space},`)}${space}}${space}`;
  });

describe('peekRequest beside JSON.parse', () => {
  it('agrees on every object', () => {
    fc.assert(
      fc.property(request, (text) => {
        const parsed = JSON.parse(text);
        const peek = good(text);
        assert.equal(peek.model, parsed.model);
        assert.equal(peek.stream, parsed.stream === true);
        assert.equal(peek.includeUsage, parsed.stream_options?.include_usage === true);
        assert.equal(peek.user, parsed.user);
        assert.equal(peek.maxTokens, parsed.max_tokens);
        assert.equal(peek.empty, Object.keys(parsed).length === 0);
        const bytes = Buffer.from(text);
        if (peek.modelStart >= 0) {
          assert.equal(JSON.parse(bytes.toString('utf8', peek.modelStart, peek.modelEnd)), parsed.model);
        }
        if (peek.streamOptionsStart >= 0) {
          const options = bytes.toString('utf8', peek.streamOptionsStart, peek.streamOptionsEnd);
          assert.deepEqual(JSON.parse(options), parsed.stream_options);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('accepts nothing that JSON.parse refuses, whatever is done to the bytes', () => {
    const bytes = fc.constantFrom(...Buffer.from('{}[]",:\\/ 0mue\0\n\u00e9'));
    const change = fc.tuple(fc.nat(), fc.nat(2), bytes);
    fc.assert(
      fc.property(request, fc.array(change, { minLength: 1, maxLength: 4 }), (text, changes) => {
        const list = [...Buffer.from(text)];
        for (const [where, kind, byte] of changes) {
          const at = where % (list.length + 1);
          if (kind === 0) list.splice(at, 1);
          else list.splice(at, kind - 1, byte);
        }
        const body = Buffer.from(list);
        const peek = peekRequest(body);
        if (peek instanceof PeekFault) return;
        let parsed: Record<string, unknown>;
        try {
          // The one thing we leave to others: raw control characters inside strings.
          // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
          parsed = JSON.parse(body.toString().replace(/[\x00-\x1f]/g, ' '));
        } catch (error) {
          assert.fail(`accepted ${JSON.stringify(body.toString())}: ${error}`);
        }
        assert.equal(peek.model, parsed.model ?? undefined);
      }),
      { numRuns: 5000 },
    );
  });
});
