import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { parseEndpointUrl } from './address.ts';
import type { ClientConnection } from './connection.ts';
import { fakeConnection, makeUpstream } from './upstream.fixture.ts';

test('urls', () => {
  const cases: [string, ReturnType<typeof parseEndpointUrl>][] = [
    ['http://a.test', { secure: false, host: 'a.test', port: 80, authority: 'a.test' }],
    ['https://a.test/', { secure: true, host: 'a.test', port: 443, authority: 'a.test' }],
    ['http://A.test:8000', { secure: false, host: 'a.test', port: 8000, authority: 'a.test:8000' }],
    ['https://[::1]:8443', { secure: true, host: '::1', port: 8443, authority: '[::1]:8443' }],
    ['unix:/run/a.sock', { secure: false, host: '/run/a.sock', port: 0, authority: 'localhost' }],
  ];
  for (const [url, expected] of cases) assert.deepEqual(parseEndpointUrl(url), expected, url);
});

test('ids: the name, else the URL without its scheme', () => {
  const endpoints = [{ url: 'http://a:80', name: 'n' }, { url: 'https://b:8443' }, { url: 'unix:/run/a.sock' }];
  const { upstream } = makeUpstream(0, { endpoints });
  assert.deepEqual(
    upstream.endpoints.map(({ id }) => id),
    ['n', 'b:8443', 'unix:/run/a.sock'],
  );
  assert.deepEqual(upstream.endpoints[2]?.target(), { address: '/run/a.sock', port: 0, tls: undefined });
  assert.equal(upstream.endpoints[1]?.target(), undefined, 'a name that was never resolved');
});

describe('the pool', () => {
  test('the connection that was used last is used first, and none that has expired', () => {
    const { clock, first } = makeUpstream(1, { pool: { idleTimeout: '4s' } });
    const [old, young] = [fakeConnection(first), fakeConnection(first)];
    first.release(old);
    clock.advance(3000);
    first.release(young);
    assert.equal(first.idle, 2);
    assert.equal(first.acquire(), young);
    first.release(young);
    clock.advance(3999);
    assert.equal(first.acquire(), young);
    assert.equal(first.idle, 1);
    const fresh = first.acquire() as ClientConnection | undefined;
    assert.ok(fresh !== old && fresh !== young);
    assert.equal(old.closed, 1, 'the expired one was closed on the way');
    fresh?.close();
  });

  test('no more connections than allowed', () => {
    const { first } = makeUpstream(1, { pool: { connections: 2 } });
    const take = () => first.acquire() as ClientConnection | undefined;
    const [a, b] = [take(), take()];
    assert.equal(first.connections, 2);
    assert.equal(first.acquire(), undefined);
    a?.close();
    assert.equal(first.connections, 1);
    const c = take();
    assert.ok(c);
    for (const one of [b, c]) one?.close();
    assert.equal(first.connections, 0);
  });

  test('no more idle ones than allowed, none after close', () => {
    const { first } = makeUpstream(1, { pool: { idle: 1 } });
    const [a, b, c] = [fakeConnection(first), fakeConnection(first), fakeConnection(first)];
    first.release(a);
    first.release(b);
    assert.deepEqual([a.closed, b.closed, first.idle], [0, 1, 1]);
    first.close();
    assert.deepEqual([a.closed, first.idle], [1, 0]);
    first.release(c);
    assert.equal(c.closed, 1);
  });

  test('a connection to an address that the name has lost is not used again', async () => {
    const answers = [['10.0.0.1', '10.0.0.2'], ['10.0.0.2']];
    const settings = { endpoints: [{ url: 'http://a.test' }], dns: { refresh: '1s' }, pool: { idleTimeout: '60s' } };
    const { clock, upstream } = makeUpstream(0, settings, async () => answers.shift() ?? []);
    const [endpoint] = upstream.endpoints;
    assert.ok(endpoint);
    await upstream.start();
    const [stays, lost, late] = ['10.0.0.2', '10.0.0.1', '10.0.0.1'].map((at) => fakeConnection(endpoint, at));
    assert.ok(stays && lost && late);
    endpoint.release(stays);
    endpoint.release(lost);
    clock.advance(1000);
    await setImmediate();
    assert.equal(endpoint.acquire(), stays);
    assert.equal(lost.closed, 1);
    endpoint.release(late);
    assert.equal(late.closed, 1);
    upstream.close();
  });

  test("the server's hint shortens idling, and never lengthens it", () => {
    const cases: [number, number][] = [
      [5000, 4000],
      [3000, 2000], // a second below, so that it does not close while we send
      [1500, 750],
      [60_000, 4000],
      [0, 0],
    ];
    for (const [hint, expected] of cases) {
      const { first } = makeUpstream(1, { pool: { idleTimeout: '4s' } });
      first.hint(hint);
      const connection = fakeConnection(first);
      first.release(connection);
      assert.equal(connection.idleUntil, expected, `hint ${hint}`);
    }
  });
});

describe('passive marking', () => {
  const passive = { passive: { consecutiveErrors: 3, ejectFor: '10s' } };

  test('errors in a row eject, an answer between them does not; it comes back by itself', () => {
    const { clock, changes, first } = makeUpstream(2, passive);
    first.failed();
    first.failed();
    first.succeeded();
    first.failed();
    first.failed();
    assert.equal(first.available, true);
    first.failed();
    assert.equal(first.available, false);
    first.failed(); // those under way count no further
    clock.advance(9999);
    assert.equal(first.available, false);
    clock.advance(1);
    assert.equal(first.available, true);
    assert.equal(first.recoveredAt, 10_000);
    assert.deepEqual(
      changes.map(({ endpoint, healthy, reason }) => [endpoint, healthy, reason]),
      [
        ['e0', false, '3 errors in a row'],
        ['e0', true, 'ejection over'],
      ],
    );
  });

  test('each ejection is longer by the base time, up to a bound', () => {
    const passive = { consecutiveErrors: 1, ejectFor: '10s', maxEjectFor: '60s' };
    const { clock, first } = makeUpstream(2, { passive });
    for (let n = 1; n < 10; n++) {
      const outMs = Math.min(10_000 * n, 60_000);
      first.failed();
      clock.advance(outMs - 1);
      assert.equal(first.available, false, `ejection ${n}`);
      clock.advance(1);
      assert.equal(first.available, true, `ejection ${n}`);
    }
  });

  test('never more than the allowed share at once', () => {
    const { upstream } = makeUpstream(4, { passive: { consecutiveErrors: 1, maxEjected: '50%' } });
    for (const endpoint of upstream.endpoints) endpoint.failed();
    assert.deepEqual(
      upstream.endpoints.map(({ available }) => available),
      [false, false, true, true],
    );
    const alone = makeUpstream(1, { passive: { consecutiveErrors: 1, maxEjected: '50%' } });
    alone.first.failed();
    assert.equal(alone.first.available, true, 'the only one stays');
  });

  test('what the prober and the requests say is joined: both must be content', () => {
    const { clock, changes, first } = makeUpstream(2, passive);
    for (let i = 0; i < 3; i++) first.failed();
    first.setHealthy(true, 'HTTP 200');
    assert.equal(first.available, false, 'still ejected');
    clock.advance(9_000);
    first.setHealthy(false, 'HTTP 500');
    first.setHealthy(false, 'HTTP 500');
    clock.advance(1_000);
    assert.equal(first.available, false, 'still unhealthy');
    first.setHealthy(true, 'HTTP 200');
    assert.equal(first.available, true);
    assert.deepEqual(
      changes.map(({ healthy, reason }) => `${healthy} ${reason}`),
      ['false 3 errors in a row', 'true HTTP 200'],
    );
  });

  test('its idle connections are closed when it goes out', () => {
    const { first } = makeUpstream(2);
    const connection = fakeConnection(first);
    first.release(connection);
    first.setHealthy(false, 'refused');
    assert.equal(connection.closed, 1);
  });

  test('one that is out when it is given up is told as no longer out, and says nothing after', () => {
    const { clock, changes, first } = makeUpstream(2, passive);
    for (let i = 0; i < 3; i++) first.failed();
    first.close();
    first.close();
    for (let i = 0; i < 3; i++) first.failed();
    clock.advance(100_000);
    assert.deepEqual(
      changes.map(({ healthy }) => healthy),
      [false, true],
    );
  });
});

test('a name that does not resolve is told', async () => {
  const { faults, notices, upstream } = makeUpstream(0, { endpoints: [{ url: 'http://a.test' }] });
  await upstream.start();
  assert.deepEqual(faults, ['up dns_failed']);
  assert.deepEqual(notices, ['upstream up: cannot resolve a.test: there is no DNS here']);
  upstream.close();
});
