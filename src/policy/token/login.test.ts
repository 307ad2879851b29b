/** Logins whose key has become another one meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Subject } from './parts.ts';
import { basic, DEVICE, EXCHANGE, house, KEY_TYPE, SECRET, SETTINGS } from './token.fixture.ts';

const changes: [what: string, change: Partial<Subject>][] = [
  ['bound to networks', { bound: true }],
  ['somebody else, under the same id', { principal: 'mallory' }],
  ['of another tenant', { tenant: 'evil' }],
];

for (const [what, change] of changes) {
  test(`a login does not go on when its key is ${what}`, async (t) => {
    const clients = [...SETTINGS.clients, { id: 'look', secret: SECRET, introspects: true }];
    const { send, keys } = await house(t, { clients });
    const exchange = { grant_type: EXCHANGE, subject_token: 'key-text', subject_token_type: KEY_TYPE };
    const asked = { ...exchange, client_id: 'tool', scope: 'chat offline_access' };
    const { refresh_token: token = '' } = (await send('/oauth/token', asked)).told;
    const refresh = { grant_type: 'refresh_token', refresh_token: token, client_id: 'tool' };
    const active = async () =>
      (await send('/oauth/introspect', { token }, basic('look', SECRET))).told.active as unknown as boolean;
    const before = keys.get('key-text') as Subject;
    assert.equal(await active(), true);
    keys.set('key-text', { ...before, ...change });
    assert.equal(await active(), false);
    const { status, told } = await send('/oauth/token', refresh);
    assert.deepEqual([status, told.error], [400, 'invalid_grant']);
    keys.set('key-text', before);
    assert.equal((await send('/oauth/token', refresh)).status, 200, 'nothing was used up');
  });
}

test('a device that was let in by a key that is bound to networks since then gets no tokens', async (t) => {
  const { send, keys, clock } = await house(t);
  const { told: asked } = await send('/oauth/device_authorization', { client_id: 'tool', scope: 'chat' });
  const { body } = await send('/oauth/device', { user_code: asked.user_code as string, key: 'key-text' });
  const ticket = /name="ticket" value="([^"]+)"/.exec(body)?.[1] ?? '';
  assert.equal((await send('/oauth/device', { ticket, decision: 'approve' })).status, 200);
  keys.set('key-text', { ...(keys.get('key-text') as Subject), bound: true });
  clock.advance(6000);
  const poll = { grant_type: DEVICE, device_code: asked.device_code as string, client_id: 'tool' };
  const { status, told } = await send('/oauth/token', poll);
  assert.deepEqual([status, told.error], [400, 'access_denied']);
});

test('a key whose tokens were ended over and over gets none that its own gateway would refuse, and loses no login', async (t) => {
  const { send, clock, end } = await house(t);
  const exchange = { grant_type: EXCHANGE, subject_token: 'key-text', subject_token_type: KEY_TYPE };
  const asked = { ...exchange, client_id: 'tool', scope: 'chat offline_access' };
  const refresh = {
    ...{ grant_type: 'refresh_token', client_id: 'tool' },
    refresh_token: (await send('/oauth/token', asked)).told.refresh_token as string,
  };
  end(clock.wall() + 30_000);
  for (const form of [asked, refresh]) {
    const { status, told, fields } = await send('/oauth/token', form);
    assert.deepEqual([status, told.error], [503, 'temporarily_unavailable']);
    assert.equal(fields.get('Retry-After'), '6');
  }
  // Beyond the grace in which a refresh token could be used twice.
  clock.advance(20_000);
  for (const form of [asked, refresh]) assert.equal((await send('/oauth/token', form)).status, 200);
});
