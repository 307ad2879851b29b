/** Logins of public clients: whoever has stolen a refresh token alone has nothing (RFC 9449 §5, RFC 8705 §4). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { DEVICE, EXCHANGE, house, KEY_TYPE, MINUTE } from './token.fixture.ts';

/** What a client shows beside its form. */
interface Shown {
  dpop?: string;
  thumbprint?: string;
}

const cases: [what: string, shown: Shown, others: Shown[], cnf: unknown][] = [
  ['key', { dpop: 'key:one' }, [{ dpop: 'key:two' }, { thumbprint: 'one' }, {}], { jkt: 'one' }],
  [
    'client certificate',
    { thumbprint: 'one' },
    [{ thumbprint: 'two' }, { dpop: 'key:one' }, {}],
    { 'x5t#S256': 'one' },
  ],
];
for (const [what, shown, others, cnf] of cases) {
  test(`a public client's login goes on by the ${what} that it began with, and by no other`, async (t) => {
    const { send, clock } = await house(t);
    const by = (form: Record<string, string>, { dpop, thumbprint = '' }: Shown) =>
      send('/oauth/token', { client_id: 'tool', ...form }, dpop === undefined ? {} : { dpop }, undefined, thumbprint);
    const asked = (await send('/oauth/device_authorization', { client_id: 'tool', scope: 'chat' })).told;
    const page = await send('/oauth/device', { user_code: asked.user_code as string, key: 'key-text' });
    const [, ticket = ''] = /name="ticket" value="([^"]+)"/.exec(page.body) ?? [];
    assert.equal((await send('/oauth/device', { ticket, decision: 'approve' })).status, 200);
    const exchange = { grant_type: EXCHANGE, subject_token: 'key-text', subject_token_type: KEY_TYPE };
    for (const form of [
      { grant_type: DEVICE, device_code: asked.device_code as string },
      { ...exchange, scope: 'chat offline_access' },
    ]) {
      let last = await by(form, shown);
      for (let round = 0; round < 2; round++) {
        const refresh = { grant_type: 'refresh_token', refresh_token: last.told.refresh_token as string };
        for (const other of others) {
          const { status, told } = await by(refresh, other);
          assert.deepEqual([status, told.error], [400, 'invalid_grant'], JSON.stringify(other));
        }
        last = await by(refresh, shown);
        assert.equal(last.status, 200, last.body);
        assert.deepEqual(decodeJwt(last.told.access_token as string).cnf, cnf);
        clock.advance(MINUTE);
      }
    }
  });
}

test('a login that began with nothing is bound to nothing', async (t) => {
  const { send } = await house(t);
  const exchange = { grant_type: EXCHANGE, subject_token: 'key-text', subject_token_type: KEY_TYPE, client_id: 'tool' };
  const begun = await send('/oauth/token', { ...exchange, scope: 'chat offline_access' });
  const refresh = { grant_type: 'refresh_token', client_id: 'tool', refresh_token: begun.told.refresh_token as string };
  assert.equal((await send('/oauth/token', refresh, {}, undefined, 'one')).status, 200);
});
