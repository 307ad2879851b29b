import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeUpstream } from './upstream.fixture.ts';

describe('slow start', () => {
  test('the weight grows from a sixteenth to all of it, and then nothing ticks', () => {
    const { clock, upstream, first } = makeUpstream(2, { slowStart: '10s', balance: 'roundRobin' });
    clock.advance(1000);
    assert.equal(first.weight, 1, 'one that was never away has full weight');
    first.setHealthy(false, 'down');
    clock.advance(5000);
    first.setHealthy(true, 'up');
    assert.equal(first.weight, 1 / 16);
    let before = first.weight;
    for (let ms = 500; ms < 10_000; ms += 500) {
      clock.advance(500);
      assert.ok(first.weight >= before && first.weight < 1, `${ms} ms: ${first.weight}`);
      before = first.weight;
    }
    clock.advance(500);
    assert.equal(first.weight, 1);
    assert.equal(upstream.endpoints[1]?.weight, 1);
  });

  test('the share of picks follows', () => {
    const { clock, upstream, first } = makeUpstream(2, { slowStart: '10s', balance: 'roundRobin' });
    first.setHealthy(false, 'down');
    first.setHealthy(true, 'up');
    const share = () => {
      let own = 0;
      for (let i = 0; i < 1700; i++) if (upstream.pick(undefined, undefined) === first) own++;
      return own / 1700;
    };
    assert.ok(Math.abs(share() - 1 / 17) < 0.01);
    clock.advance(10_000);
    assert.equal(share(), 0.5);
  });

  test('without it one that comes back has its full weight at once', () => {
    const { first } = makeUpstream(2);
    first.setHealthy(false, 'down');
    first.setHealthy(true, 'up');
    assert.equal(first.weight, 1);
  });
});

test('health is set by id; unknown ids are ignored; with none left nothing is picked', () => {
  const { upstream, first } = makeUpstream(2);
  upstream.setHealth('nobody', false, 'down');
  upstream.setHealth('e1', false, 'down');
  for (let i = 0; i < 20; i++) assert.equal(upstream.pick(undefined, undefined), first);
  upstream.setHealth('e0', false, 'down');
  assert.equal(upstream.pick(undefined, undefined), undefined);
});

test('TLS settings travel to every connection', () => {
  const { upstream } = makeUpstream(0, {
    endpoints: [{ url: 'https://10.0.0.1' }],
    tls: { ca: 'ca.pem', serverName: 'inner', certificate: 'c.pem', key: 'k.pem', verify: false },
  });
  assert.deepEqual(upstream.endpoints[0]?.target()?.tls, {
    servername: 'inner',
    ca: 'text of ca.pem',
    cert: 'text of c.pem',
    key: 'text of k.pem',
    rejectUnauthorized: false,
  });
});
