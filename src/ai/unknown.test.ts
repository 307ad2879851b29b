import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayGenerate, spokenProtocol } from './unknown.ts';

const cases: [method: string, path: string, body: boolean, may: boolean][] = [
  ['GET', '/v1/files', false, false],
  ['GET', '/v1/responses/resp_1', false, false],
  ['HEAD', '/', false, false],
  ['OPTIONS', '/api/chat', false, false],
  ['DELETE', '/v1/files/file-1', false, false],
  // A server that reads a body where it means nothing may read a prompt.
  ['GET', '/generate', true, true],
  ['DELETE', '/v1/files/file-1', true, true],
  ['POST', '/v1/files', true, false],
  ['POST', '/v1/uploads', true, false],
  ['POST', '/v1/uploads/upload_1/parts', true, false],
  ['POST', '/v1/conversations', true, false],
  ['POST', '/v1/conversations/conv_1', true, false],
  ['POST', '/v1/conversations/conv_1/items', true, false],
  ['POST', '/v1/conversations/conv_1/responses', true, true],
  ['POST', '/v1/responses/resp_1/cancel', false, false],
  ['POST', '/v1/batches/batch_1/cancel', false, false],
  ['POST', '/v1/messages/batches/msgbatch_1/cancel', false, false],
  ['POST', '/v1/fine_tuning/jobs/ftjob-1/cancel', false, false],
  ['POST', '/v1/files/', true, true],
  ['POST', '/v1/files/x', true, true],
  ['POST', '/v1/%66iles', true, true],
  ['POST', '/v1/responses/../chat/completions/cancel', true, true],
  ['POST', '/v1/batches', true, true],
  ['POST', '/v1/messages/batches', true, true],
  ['POST', '/v1/audio/transcriptions', true, true],
  ['POST', '/api/chat', true, true],
  ['POST', '/invocations', true, true],
  ['POST', '/', false, true],
  ['PUT', '/v1/files', true, true],
  ['PATCH', '/x', false, true],
  ['QUERY', '/x', false, true],
  ['get', '/v1/files', false, true],
];

for (const [method, path, body, may] of cases)
  test(`${method} ${path}${body ? ' with a body' : ''} ${may ? 'may generate' : 'generates nothing'}`, () =>
    assert.equal(mayGenerate(method, path, body), may));

test('who sends what every client of an API sends speaks it', () => {
  assert.equal(spokenProtocol(new Map(), 'openai'), 'openai');
  assert.equal(spokenProtocol(new Map([['anthropic-version', '2023-06-01']]), 'openai'), 'anthropic');
});
