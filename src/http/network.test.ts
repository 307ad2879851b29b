import assert from 'node:assert/strict';
import { BlockList, isIP, SocketAddress } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileNetworks, inNetwork, isNetwork, networkOf, plainAddress } from './network.ts';

/** IPv6 in any spelling: full, shortened, upper case, with an IPv4 address at its end. */
const six = fc.oneof(
  fc.ipV6(),
  fc
    .tuple(fc.array(fc.constantFrom('0', '1', 'ffff', 'Ab0', '00c'), { minLength: 0, maxLength: 9 }), fc.nat(9))
    .map(([words, at]) => `${words.slice(0, at).join(':')}::${words.slice(at).join(':')}`),
);
const junk = fc.string({ unit: fc.constantFrom('0', '1', '9', 'f', 'G', ':', '.', '%', '/'), maxLength: 20 });

test('what the system takes for an address is one, and nothing else', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), six, junk, fc.string()), (text) => {
      // What has a length is a network, of which the system has no word.
      if (text.includes('/')) return;
      // Zones are names of interfaces, which networks do not have.
      assert.equal(isNetwork(text), isIP(text) !== 0 && !text.includes('%'), text);
    }),
    { numRuns: 3000 },
  );
  for (const wrong of [
    '',
    '10.0.0.0/33',
    '10.0.0.0/x',
    'a',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '::/129',
    '::/8/8',
    '1.2.3.04/8',
  ])
    assert.equal(isNetwork(wrong), false, wrong);
  assert.throws(() => compileNetworks(['10.0.0.0/33']), /10.0.0.0\/33 is no network/);
});

test('a network holds what the system says that it holds', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 1, max: 32 }), (address, base, bits) => {
      const list = new BlockList();
      list.addSubnet(base, bits, 'ipv4');
      const network = `${base}/${bits}`;
      const held = list.check(address, 'ipv4');
      assert.equal(inNetwork(address, network), held);
      assert.equal(compileNetworks(['192.0.2.1', network])?.(address), held || address === '192.0.2.1');
      assert.equal(inNetwork(`::ffff:${address}`, network), held);
      assert.equal(inNetwork(address, `::ffff:${base}/${bits + 96}`), held);
      assert.equal(inNetwork(base, base), true);
      assert.equal(inNetwork(address, '0.0.0.0/0'), true);
    }),
  );
  const words = fc.array(fc.constantFrom('0', '1', '8001', 'ffff'), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(words, words, fc.integer({ min: 1, max: 128 }), (one, other, bits) => {
      const [address, base] = [one.join(':'), other.join(':')];
      const list = new BlockList();
      list.addSubnet(base, bits, 'ipv6');
      assert.equal(inNetwork(address, `${base}/${bits}`), list.check(address, 'ipv6'));
    }),
  );
  for (const [address, network] of [
    ['fd00::1', '0.0.0.0/0'],
    ['10.0.0.1', '::/0'],
    ['fe00::1', 'fd00::/8'],
    ['', '0.0.0.0/0'],
    ['unix', '0.0.0.0/0'],
    ['1.2.3', '0.0.0.0/0'],
    ['1.2.3.4.5', '0.0.0.0/0'],
    ['1.2.3.256', '0.0.0.0/0'],
    ['1..2.3', '0.0.0.0/0'],
  ] as const) {
    assert.equal(inNetwork(address, network), false, address);
  }
  assert.equal(inNetwork('fe80::1%eth0', 'fe80::/10'), true);
  assert.equal(compileNetworks([]), undefined);
  assert.throws(() => inNetwork('10.0.0.1', 'nonsense'), /is no network/);
});

test('an IPv4 address in the clothes of IPv6 is that address', () => {
  for (const text of ['::ffff:10.0.0.1', '::FFFF:a00:1', '0:0:0:0:0:ffff:0a00:0001', '0:0::ffff:10.0.0.1'])
    assert.equal(plainAddress(text), '10.0.0.1', text);
  for (const text of ['10.0.0.1', '::1', 'unix', '::ffff:0:10.0.0.1', '2001:db8::ffff:1', 'fe80::1%eth0', ':::'])
    assert.equal(plainAddress(text), text);
});

test('one caller: an IPv4 address, an IPv6 network of 64 bits', () => {
  const cases: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['unix', 'unix'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8::/64'],
    ['::1', '::/64'],
    ['1:2::5:6:7:8', '1:2::/64'],
    ['1::4:5:6:7:8', '1:0:0:4::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    // All of IPv4 would be one caller otherwise.
    ['::ffff:192.0.2.33', '192.0.2.33'],
    ['::ffff:c000:221', '192.0.2.33'],
    ['64:ff9b::192.0.2.33', '192.0.2.33'],
    ['64:ff9b::c000:221', '192.0.2.33'],
    ['64:ff9b:1::c000:221', '64:ff9b:1::/64'],
  ];
  for (const [address, network] of cases) assert.equal(networkOf(address), network, address);
  assert.equal(networkOf('203.0.113.129', 24, 64), '203.0.113.0/24');
  assert.equal(networkOf('::ffff:203.0.113.129', 25, 64), '203.0.113.128/25');
  assert.equal(networkOf('203.0.113.129', 0, 64), '0.0.0.0/0');
  assert.equal(networkOf('2001:db8:1:2:3:4:5:6', 32, 128), '2001:db8:1:2:3:4:5:6/128');
  assert.equal(networkOf('2001:db8:1:2ff:3:4:5:6', 32, 56), '2001:db8:1:200::/56');
  assert.equal(networkOf('nonsense:', 24, 64), 'nonsense:');
});

test('a network contains its addresses, and is written as the system writes it', () => {
  const words = fc.array(fc.constantFrom('0', '1', '8001', 'ffff'), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(words, fc.integer({ min: 0, max: 128 }), (all, bits) => {
      const address = all.join(':');
      const network = networkOf(address, 32, bits);
      const [base = '', length] = network.split('/');
      if (length === undefined) return;
      assert.ok(inNetwork(address, network) || (bits < 96 && plainAddress(address) !== address));
      const { address: written } = new SocketAddress({ address: base, family: 'ipv6' });
      assert.equal(base, written.includes('.') ? base : written);
    }),
  );
});
