import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { clampTokens } from './clamp.ts';
import type { Operation } from './operation.ts';
import { outputBound } from './output.ts';
import { PeekFault, peekRequest } from './peek.ts';
import { recognize } from './recognize.ts';
import { toolNames } from './tools.ts';

const names = (body: unknown) => toolNames(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));

describe('names of tools', () => {
  const cases: [string, unknown, readonly string[]][] = [
    ['none', { model: 'm' }, []],
    ['null', { tools: null }, []],
    ['empty', { tools: [] }, []],
    ['functions', { tools: [{ type: 'function', function: { name: 'a', parameters: { name: 'no' } } }] }, ['a']],
    ['legacy functions', { functions: [{ name: 'a', parameters: {} }] }, ['a']],
    ['flat functions', { tools: [{ type: 'function', name: 'a' }] }, ['a']],
    ['custom tools', { tools: [{ type: 'custom', custom: { name: 'a' } }] }, ['a']],
    ['built-in ones', { tools: [{ type: 'web_search_20250305', name: 'search' }] }, ['search', 'web_search_20250305']],
    ['by a key of their own', { web_search_options: {}, mcp_servers: [{ name: 'x' }] }, ['web_search', 'mcp']],
    ['escaped', '{"tools":[{"name":"\\u0061b"}]}', ['ab']],
  ];
  for (const [title, body, expected] of cases) test(title, () => assert.deepEqual(names(body), expected));

  const wrong: [string, unknown, RegExp][] = [
    ['twice', '{"tools":[],"tools":[]}', /given twice/],
    ['look-alikes', '{"Tools":[]}', /only in case/],
    ['names twice', '{"tools":[{"name":"a","name":"b"}]}', /given twice/],
    ['a name in disguise', '{"tools":[{"name":"a","NAME":"b"}]}', /only in case/],
    ['no list', { tools: {} }, /must be a list/],
    ['no object', { tools: ['a'] }, /must be an object/],
    ['no name', { tools: [{}] }, /neither name nor type/],
    ['a number for a name', { tools: [{ name: 1 }] }, /must be strings/],
    ['control characters', '{"tools":[{"name":"a\\u0000"}]}', /no name has/],
  ];
  for (const [title, body, said] of wrong) {
    test(`refused: ${title}`, () => {
      const found = names(body);
      assert.ok(found instanceof PeekFault);
      assert.match(found.message, said);
    });
  }

  test('any JSON object: what a parser finds, or refused', () => {
    const tool = fc.record({ type: fc.constantFrom('function', 'mcp'), name: fc.string({ minLength: 1 }) });
    fc.assert(
      fc.property(fc.array(tool), fc.dictionary(fc.string(), fc.jsonValue()), (tools, rest) => {
        const found = names({ ...rest, tools });
        if (found instanceof PeekFault) return;
        for (const { name } of tools) assert.ok(found.includes(name));
      }),
    );
  });
});

test('a body that is clamped says the same but for its bounds', () => {
  const keys = ['max_tokens', 'max_completion_tokens', 'max_output_tokens'];
  const chat = recognize('POST', '/v1/chat/completions') as Operation;
  const responses = recognize('POST', '/v1/responses');
  const embeddings = recognize('POST', '/v1/embeddings');
  const bound = fc.option(fc.integer({ min: -2, max: 500 }));
  const body = fc.record(
    {
      model: fc.string(),
      max_tokens: bound,
      x: fc.jsonValue(),
      max_completion_tokens: bound,
      max_output_tokens: bound,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      body,
      fc.constantFrom(chat, responses, embeddings),
      fc.constantFrom(0, 2),
      (value, operation, indent) => {
        const given = Buffer.from(JSON.stringify(value, null, indent));
        if (peekRequest(given) instanceof PeekFault) return;
        const clamped = clampTokens(given, 100, operation);
        assert.ok(!(clamped instanceof PeekFault));
        const [before, after] = [JSON.parse(String(given)), JSON.parse(String(clamped))];
        const bounds = keys.map((key) => after[key]).filter((one) => typeof one === 'number');
        assert.ok(bounds.every((one) => one >= 1 && one <= 100));
        assert.equal(
          bounds.length > 0,
          operation !== embeddings || keys.some((key) => typeof before[key] === 'number'),
        );
        // The bound stands where servers of this API read it.
        const read = operation === chat ? keys.slice(0, 2) : operation === responses ? keys.slice(2) : [];
        assert.equal(
          read.some((key) => typeof after[key] === 'number'),
          read.length > 0,
        );
        const peek = peekRequest(clamped);
        assert.ok(!(peek instanceof PeekFault));
        const most = Math.max(...read.map((key) => (typeof after[key] === 'number' ? after[key] : 0)));
        if (read.length > 0) assert.equal(outputBound(operation as Operation, peek), most);
        for (const key of keys) {
          if (before[key] >= 0 && before[key] <= 100 && before[key] !== null)
            assert.equal(after[key], Math.max(before[key], 1));
          delete before[key];
          delete after[key];
        }
        assert.deepEqual(after, before);
      },
    ),
  );
});
