import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { inNetwork } from './network.ts';

test('a network holds what the system says that it holds', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, base, bits) => {
      const list = new BlockList();
      list.addSubnet(base, bits, 'ipv4');
      assert.equal(inNetwork(address, `${base}/${bits}`), list.check(address, 'ipv4'));
      assert.equal(inNetwork(`::ffff:${address}`, `${base}/${bits}`), list.check(address, 'ipv4'));
      assert.equal(inNetwork(base, base), true);
    }),
  );
  assert.equal(inNetwork('fd00::1', 'fd00::/8'), true);
  assert.equal(inNetwork('fe00::1', 'fd00::/8'), false);
  for (const [address, network] of [
    ['fd00::1', '0.0.0.0/0'],
    ['10.0.0.1', '::/0'],
    ['', '0.0.0.0/0'],
    ['unix', '0.0.0.0/0'],
    ['1.2.3', '0.0.0.0/0'],
    ['1.2.3.4.5', '0.0.0.0/0'],
    ['1.2.3.256', '0.0.0.0/0'],
    ['1..2.3', '0.0.0.0/0'],
  ] as const) {
    assert.equal(inNetwork(address, network), false, address);
  }
  for (const wrong of ['', '10.0.0.0/33', '10.0.0.0/x', 'a', '10.0.0.0/-1'])
    assert.throws(() => inNetwork('10.0.0.1', wrong), /is no network/);
});
