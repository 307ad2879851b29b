import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Loaded, loadConfig, type NotLoaded } from './config.ts';
import { keysAt } from './expect.ts';
import { editDistance, nearest } from './nearest.ts';
import { rawSchema } from './schema.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
const MODELS = readFileSync(join(EXAMPLES, 'models.yaml'), 'utf8');
const HTTP = readFileSync(join(EXAMPLES, 'http.yaml'), 'utf8');

function load(text: string | Uint8Array): Loaded | NotLoaded {
  return loadConfig('g.yaml', {
    cwd: '/x',
    env: { A: 'b' },
    readFile: (path) => {
      if (path === '/x/g.yaml') return Buffer.from(text as string);
      throw Object.assign(new Error('none'), { code: 'ENOENT' });
    },
  });
}

/** Whatever comes: a configuration, or problems with places inside the text. */
function holds(text: string): void {
  const result = load(text);
  const rows = text.split('\n');
  const list = result.ok ? result.warnings : result.problems;
  if (!result.ok) assert.ok(list.length > 0);
  for (const problem of list) {
    assert.doesNotMatch(problem.message, /cannot be checked|undefined|\[object|\n/, text);
    assert.ok(problem.line >= 1 && problem.line <= rows.length, `line ${problem.line} of ${rows.length}`);
    assert.ok(
      problem.column >= 1 && problem.column <= (rows[problem.line - 1]?.length ?? 0) + 1,
      `column ${problem.column}`,
    );
  }
}

test('any text gives a configuration or problems, never an exception', () => {
  const bits = fc.constantFrom(
    'listeners',
    'upstreams',
    ': ',
    '\n',
    '  ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    ',',
    '"',
    "'",
    '&a ',
    '*a',
    '<<',
    '${',
    '}',
    '$${',
    'file:',
    '|\n',
    '>\n',
    '# ',
    '---',
    '...',
    '!!binary ',
    '%YAML 1.1',
    '\t',
    '? ',
    '__proto__',
    'null',
    '1e999',
    '.nan',
    '0x',
    '\u2028',
    '\ufeff',
    '💥',
    '\0',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(bits).map((b) => b.join('')),
      ),
      holds,
    ),
    { numRuns: 1000 },
  );
});

test('any bytes do', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const result = load(bytes);
      assert.ok(result.ok || result.problems.length > 0);
    }),
    { numRuns: 500 },
  );
});

test('any JSON under our keys does', () => {
  const keys = [
    ...keysAt(rawSchema(), []),
    ...['a', 'b'],
    ...keysAt(rawSchema(), ['upstreams', 'a']),
    ...keysAt(rawSchema(), ['routes', 0]),
    'toString',
    'constructor',
    '__proto__',
  ];
  const value = fc.jsonValue({ depthSize: 'small' });
  const node = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      value,
      fc.dictionary(fc.constantFrom(...keys), tie('tree'), { maxKeys: 5 }),
      fc.array(tie('tree'), { maxLength: 3 }),
    ),
  })).tree;
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), node, { maxKeys: 7 }), (tree) =>
      holds(JSON.stringify(tree, null, 1)),
    ),
    { numRuns: 1000 },
  );
});

test('a right file with one part cut out or replaced does', () => {
  const texts = fc.constantFrom(MODELS, HTTP);
  fc.assert(
    fc.property(texts, fc.nat(), fc.nat({ max: 12 }), fc.string({ maxLength: 6 }), (text, at, length, instead) => {
      const start = at % text.length;
      holds(text.slice(0, start) + instead + text.slice(start + length));
    }),
    { numRuns: 300 },
  );
});

/** The keys of the files that the schema names, each with its offset. */
function schemaKeys(text: string): { key: string; offset: number }[] {
  const known = new Set<string>();
  const collect = (schema: ReturnType<typeof rawSchema>): void => {
    for (const [key, child] of Object.entries(schema.properties ?? {})) {
      known.add(key);
      collect(child);
    }
    if (typeof schema.additionalProperties === 'object') collect(schema.additionalProperties);
    if (schema.items) collect(schema.items);
    schema.anyOf?.forEach(collect);
  };
  collect(rawSchema());
  const comments = text.replace(/#.*/g, (comment) => ' '.repeat(comment.length));
  return [...comments.matchAll(/(?<=^|[ {])([a-zA-Z]+)(?=:( |\n))/gm)].flatMap((match) =>
    known.has(match[1] ?? '') ? [{ key: match[1] ?? '', offset: match.index }] : [],
  );
}

test('a slip in any key is told at that key, with the key that was meant', () => {
  const slips = [MODELS, HTTP].flatMap((text) => schemaKeys(text).map((place) => ({ text, ...place })));
  assert.ok(slips.length > 80, `${slips.length} keys`);
  const slip = fc.record({
    where: fc.constantFrom(...slips),
    at: fc.nat(),
    kind: fc.constantFrom('drop', 'double', 'swap', 'replace'),
    letter: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'),
  });
  fc.assert(
    fc.property(slip, ({ where: { text, key, offset }, at, kind, letter }) => {
      const i = at % key.length;
      const c = key.charAt(i);
      const instead = { drop: '', double: c + letter, swap: key.charAt(i + 1) + c, replace: letter }[kind] ?? '';
      const wrong = key.slice(0, i) + instead + key.slice(i + (kind === 'swap' && i + 1 < key.length ? 2 : 1));
      fc.pre(wrong !== key && wrong !== '' && !schemaKeys(text).some((other) => other.key === wrong));
      const before = text.slice(0, offset).split('\n');
      const result = load(text.slice(0, offset) + wrong + text.slice(offset + key.length));
      assert.ok(!result.ok, `${key} → ${wrong}`);
      const told = result.problems.find(
        (p) => p.line === before.length && p.message.startsWith(`unknown key "${wrong}"; `),
      );
      assert.ok(told, `${key} → ${wrong}: ${JSON.stringify(result.problems)}`);
      assert.equal(told.column, (before.at(-1)?.length ?? 0) + 1);
      // A key of one or two letters may be too far from itself after a slip to be guessed.
      if (key.length > 2 && wrong.length > 1) assert.ok(told.message.includes(`"${key}"`), `${key} → ${told.message}`);
    }),
    { numRuns: 300 },
  );
});

test('edit distance is a metric on slips: zero for equal words, symmetric, one for one slip', () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      assert.equal(editDistance(a, a), 0);
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
      assert.equal(editDistance(a, `${a}x`), 1);
    }),
  );
  assert.equal(editDistance('endpionts', 'endpoints'), 1);
  assert.deepEqual(nearest('first_byte', ['firstByte', 'first']), ['firstByte']);
  assert.deepEqual(nearest('x', ['upstreams']), []);
});
