/** Tokens end to end: keys fetched over HTTP, rotation, an outage. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startGateway } from '../gateway.ts';
import { decided } from '../workers.ts';
import { ask, issued } from './issued.fixture.ts';
import { makeKey } from './issuer.ts';

const house = issued();

/** Beyond the shortest time between two fetches. */
const COOLDOWN_MS = 1100;

describe('keys of an issuer', () => {
  test('are found by its metadata, rotate, and stay in use through an outage', async () => {
    // Nothing but what tokens ask for is fetched in the time of a test.
    const gateway = await startGateway(house.settings({ refresh: '1h' }));
    try {
      const old = await house.issuer.token();
      assert.equal((await ask(gateway, old)).status, 200);
      // A new key: the first token of it makes us look.
      const fresh = await makeKey('EdDSA');
      house.issuer.keys.push(fresh);
      await setTimeout(COOLDOWN_MS);
      assert.equal((await ask(gateway, await house.issuer.token({}, fresh))).status, 200);
      await house.issuer.close();
      assert.equal((await ask(gateway, old)).status, 200);
      assert.equal((await ask(gateway, await house.issuer.token())).status, 200);
      await house.issuer.listen();
      // The key is taken back: what it has signed goes with it.
      house.issuer.keys.shift();
      await setTimeout(COOLDOWN_MS);
      await ask(gateway, await house.issuer.token({}, await makeKey()));
      assert.equal((await ask(gateway, old)).status, 401);
      assert.equal(await gateway.metric('gatehouse_jwks_keys{issuer="corporate"}'), 1);
    } finally {
      await gateway.stop();
    }
  });

  test('are not fetched again and again because of strangers', async () => {
    const gateway = await startGateway(house.settings({ refresh: '1h', cooldown: '1h' }));
    try {
      assert.equal((await ask(gateway, await house.issuer.token())).status, 200);
      const { asked } = house.issuer;
      const stranger = await makeKey();
      for (let i = 0; i < 5; i++) {
        const answer = await ask(gateway, await house.issuer.token({}, stranger));
        assert.equal(answer.status, 401);
        assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/);
        // Longer than a worker waits between two questions to the supervisor.
        await setTimeout(COOLDOWN_MS / 3);
      }
      assert.equal(house.issuer.asked, asked);
    } finally {
      await gateway.stop();
    }
  });

  test('of the last run serve a restart while the issuer is gone', async () => {
    const same = house.settings();
    const token = await house.issuer.token();
    const first = await startGateway(same);
    assert.equal((await ask(first, token)).status, 200);
    await first.stop();
    await house.issuer.close();
    const second = await startGateway(same);
    try {
      assert.equal((await ask(second, token)).status, 200);
      await second.waitFor(/keys of issuer corporate cannot be fetched, the last good ones stay in use/);
    } finally {
      await second.stop();
      await house.issuer.listen();
    }
  });

  test('that were never there: 503, and it says why; then they come', async () => {
    house.issuer.answer = (response) => response.writeHead(500).end();
    const gateway = await startGateway(house.settings());
    try {
      const token = await house.issuer.token();
      const answer = await ask(gateway, token);
      assert.equal(answer.status, 503);
      assert.match(await answer.text(), /keys of the token issuer could not be fetched/);
      assert.ok(answer.headers.get('retry-after'));
      await gateway.waitFor(/keys of issuer corporate cannot be fetched.*status 500/);
      assert.ok((await gateway.metric('gatehouse_jwks_fetches_total{issuer="corporate",result="failed"}')) >= 1);
      house.issuer.answer = undefined;
      await gateway.waitFor(/keys of issuer corporate can be fetched again/);
      assert.equal((await decided(() => ask(gateway, token))).status, 200, 'as soon as its worker has heard of it');
    } finally {
      house.issuer.answer = undefined;
      await gateway.stop();
    }
  });
});
