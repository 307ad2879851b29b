/** The pepper changes, as the manual says: what was looked for under the old one is found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SignupConfig, signupConfig, tokensConfig } from './config.ts';
import { Signup } from './signup.ts';
import { DEVICE, house, PEPPER, SETTINGS } from './token.fixture.ts';
import type { ServiceAnswer, ServiceRequest } from './wire.ts';

const NEW = 'a newer pepper of more than thirty-two characters';
const REQUEST: ServiceRequest = {
  ...{ method: 'POST', path: '/signup', query: '', uri: '', address: '192.0.2.1', thumbprint: '' },
  ...{ fields: { 'content-type': 'application/json' }, body: '' },
};
const codeOf = ({ status, body }: ServiceAnswer) => `${status} ${JSON.parse(body).error?.code ?? ''}`.trim();

test('an address has one trial, and a network as many as it may, whatever the pepper is by then', async (t) => {
  const { store, clock } = await house(t);
  const begin = async () => ({ tenant: 't', key: 'k', endsAt: clock.wall(), writes: [] });
  const config = signupConfig.parse({ plan: 'trial', perDay: 100, perNetwork: 3 }) as SignupConfig;
  const signup = new Signup({ clock, store, begin, answered: () => {} }, config, [PEPPER]);
  const ask = async (name: string, by = signup) =>
    codeOf(await by.answer({ ...REQUEST, body: JSON.stringify({ email: `${name}@example.com` }) }));
  assert.equal(await ask('ada'), '201');
  signup.configure(config, [NEW, PEPPER]);
  assert.equal(await ask('ada'), '409 signed_up');
  assert.equal(await ask('bob'), '201');
  // A node that has not heard of the order yet, and one that does not keep the old one any more.
  const slow = new Signup({ clock, store, begin, answered: () => {} }, config, [PEPPER]);
  assert.equal(await ask('bob', slow), '409 signed_up');
  assert.equal(await ask('carol', slow), '201');
  assert.equal(await ask('dave'), '429 too_many_trials');
  signup.configure(config, [NEW]);
  assert.equal(await ask('bob'), '409 signed_up');
});

test('a device that waits is let in after the pepper has changed', async (t) => {
  const { service, send } = await house(t);
  const { told } = await send('/oauth/device_authorization', { client_id: 'tool' });
  const look = { user_code: told.user_code as string, key: 'key-text' };
  const early = (await send('/oauth/device', look)).body;
  await service.configure(tokensConfig.parse(SETTINGS) as never, [NEW, PEPPER]);
  const late = (await send('/oauth/device', look)).body;
  for (const [page, decision] of [
    [early, 'neither'],
    [late, 'approve'],
  ] as const) {
    const ticket = /name="ticket" value="([^"]+)"/.exec(page)?.[1];
    assert.ok(ticket, page);
    const { body } = await send('/oauth/device', { ticket, decision });
    assert.match(body, decision === 'approve' ? /is let in/ : /Nothing was decided/);
  }
  const poll = { grant_type: DEVICE, device_code: told.device_code as string, client_id: 'tool' };
  assert.equal((await send('/oauth/token', poll)).status, 200);
});
