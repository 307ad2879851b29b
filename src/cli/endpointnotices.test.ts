import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndpointNotices } from './endpointnotices.ts';

test('a server is said to be out once, and back when nobody holds it out any more', () => {
  const said: string[] = [];
  const notices = new EndpointNotices(({ level, message }) => said.push(`${level}: ${message}`));
  const tell = (who: string, healthy: boolean, reason: string) =>
    notices.changed(who, { upstream: 'gpu', endpoint: 'a', healthy, reason });
  const news = () => said.splice(0);

  tell('prober', true, 'status 200');
  assert.deepEqual(news(), [], 'the first good verdict is no news');
  tell('prober', false, 'status 503');
  tell('1', false, 'status 503');
  tell('2', false, '5 errors in a row');
  assert.deepEqual(news(), ['warn: upstream gpu: a is taken out: status 503']);
  tell('prober', true, 'status 200');
  tell('1', true, 'status 200');
  assert.deepEqual(news(), []);
  tell('2', true, 'ejection over');
  assert.deepEqual(news(), ['info: upstream gpu: a is back: ejection over']);

  tell('1', false, '5 errors in a row');
  notices.gone('2');
  assert.deepEqual(news().length, 1);
  notices.gone('1');
  assert.deepEqual(news(), ['info: upstream gpu: a is back: its worker has ended']);
});
