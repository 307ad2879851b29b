import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as anthropic from './anthropic/request.ts';
import * as openai from './openai/request.ts';
import { modelIdOf, recognize, recognizeSpelled } from './recognize.ts';

const CHAT = '/v1/chat/completions';
const PATHS = [...openai.posts, ...anthropic.posts];

describe('other spellings of an operation', () => {
  const spellings: [string, string][] = [
    ['/v1/chat/completion%73', CHAT],
    ['/v1/%63hat/completions', CHAT],
    ['/v1/%2563hat/completions', CHAT],
    ['/v1/%25252563hat/completions', CHAT],
    ['/v1//chat/completions', CHAT],
    ['//v1/chat/completions', CHAT],
    ['/v1/chat/completions/', CHAT],
    ['/v1/chat/completions//', CHAT],
    ['/v1/chat/completions;x', CHAT],
    ['/v1;a=b/chat;c/completions;jsessionid=1', CHAT],
    ['/v1/chat/completions%3Bx', CHAT],
    ['/v1/chat/completions;/x', CHAT],
    ['/v1/chat/completions%3Fx', CHAT],
    ['/v1/chat/completions%23/x', CHAT],
    ['/v1%2Fchat%2fcompletions', CHAT],
    ['/v1\\chat%5Ccompletions', CHAT],
    ['/v1/./chat/completions', CHAT],
    ['/v1/x/../chat/completions', CHAT],
    ['/v1/x/%2e%2E/chat/completions/.', CHAT],
    ['/x/..;/v1/chat/completions', CHAT],
    ['/../v1/chat/completions', CHAT],
    ['/V1/Chat/COMPLETIONS', CHAT],
    ['/v1/chat/completions%20', CHAT],
    ['/v1/chat/completions%00', CHAT],
    ['/v1/chat/completions%0d%0a', CHAT],
    ['/v1/chat/completions.', CHAT],
    ['/v1/chat/completion%EF%BD%93', CHAT],
    ['/v1/messages;/count_tokens', '/v1/messages'],
    ['/v1/messages%3b/count_tokens', '/v1/messages'],
    ['/v1/messages/', '/v1/messages'],
    ['/v1/message%73/count_tokens', '/v1/messages/count_tokens'],
    ['/RERANK', '/rerank'],
  ];
  for (const [spelled, plain] of spellings) {
    it(spelled, () => {
      assert.equal(recognize('POST', spelled), undefined);
      assert.equal(recognizeSpelled('POST', spelled), recognize('POST', plain));
    });
  }

  it('of something else are nothing', () => {
    for (const path of ['/', '/v1', '/v1/', '*', '', '/v1/files', '/v1/Chat', '/v1/chat/completions/x', '/%', '/%zz'])
      assert.equal(recognizeSpelled('POST', path), undefined, path);
    assert.equal(recognizeSpelled('PUT', '/v1//chat/completions'), undefined);
  });

  for (const [path, plain] of [
    ['/chat/completions', CHAT],
    ['/openai/v1/chat/completions', CHAT],
    ['/api/v3/chat/completions', CHAT],
    ['/openai/deployments/large/chat/completions', CHAT],
    ['/API/v3//Chat/Completions/', CHAT],
    ['/completions', '/v1/completions'],
    ['/embeddings', '/v1/embeddings'],
  ] as const) {
    it(`below another prefix: ${path}`, () => {
      assert.equal(recognizeSpelled('POST', path), recognize('POST', plain));
      assert.equal(recognizeSpelled('GET', path), undefined);
    });
  }

  it('are found whatever is done to them', () => {
    const hex = (text: string) => [...text].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('');
    const change = fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => text.toUpperCase(),
      hex,
      (text) => hex(hex(text)),
      (text) => `${text};${hex('x=1')}`,
      (text) => `./${text}`,
      (text) => `a/../${text}`,
      (text) => `/${text}%2f`,
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...PATHS),
        fc.array(change, { minLength: 8, maxLength: 8 }),
        ([path, known], changes) => {
          const spelled = path
            .split('/')
            .map((segment, i) => (segment === '' ? '' : (changes[i] as typeof hex)(segment)));
          const text = spelled.join('/');
          const found = recognize('POST', text) ?? recognizeSpelled('POST', text);
          // Behind a `;` may stand what a server drops.
          assert.ok(found === known || (text.includes(';') && found !== undefined), `${text}: ${found?.name}`);
        },
      ),
    );
  });

  it('never fail, and take time by their length only', () => {
    fc.assert(fc.property(fc.string(), (path) => void recognizeSpelled('POST', `/${path}`)));
    recognizeSpelled('POST', `/${'%25'.repeat(20_000)};${'/ .'.repeat(20_000)}`);
  });

  it('tell the plain ones alike', () => {
    for (const [path, known] of PATHS) assert.equal(recognize('POST', path), known);
  });
});

describe('models', () => {
  const cases: [string, string | undefined, string | undefined][] = [
    ['/v1/models', 'models', undefined],
    ['/v1/model%73', 'models', undefined],
    ['/v1//models/', 'models', undefined],
    ['/v1/models/', 'models', undefined],
    ['/v1/models/org%2Fname', 'model', 'org/name'],
    ['/V1//Models/Qwen', 'model', 'Qwen'],
    ['/v1/%6dodels/org%2FName', 'model', 'org/Name'],
    ['/v1/models/%zz', 'model', undefined],
    ['/v1/x/y', undefined, undefined],
  ];
  for (const [path, name, id] of cases) {
    it(path, () => {
      assert.equal((recognize('GET', path) ?? recognizeSpelled('GET', path))?.name, name);
      assert.equal(modelIdOf(path), id);
    });
  }
});
