import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostFits, isLoopback, parseAddress } from './address.ts';

test('addresses', () => {
  const cases: [string, object, boolean][] = [
    ['127.0.0.1:9901', { host: '127.0.0.1', port: 9901 }, true],
    ['127.9.9.9:0', { host: '127.9.9.9', port: 0 }, true],
    ['localhost:9901', { host: 'localhost', port: 9901 }, true],
    ['[::1]:9901', { host: '::1', port: 9901 }, true],
    ['unix:/run/gatehouse.sock', { path: '/run/gatehouse.sock' }, true],
    ['0.0.0.0:9901', { host: '0.0.0.0', port: 9901 }, false],
    ['[::]:9901', { host: '::', port: 9901 }, false],
    [':9901', { port: 9901 }, false],
    ['*:9901', { port: 9901 }, false],
    ['10.0.0.1:9901', { host: '10.0.0.1', port: 9901 }, false],
    ['admin.example.com:9901', { host: 'admin.example.com', port: 9901 }, false],
  ];
  for (const [address, target, local] of cases) {
    assert.deepEqual(parseAddress(address), target, address);
    assert.equal(isLoopback(parseAddress(address)), local, address);
  }
  for (const bad of ['9901', '127.0.0.1', '127.0.0.1:99999', '::1:9901', 'unix:relative', 'http://x:1', '']) {
    assert.throws(() => parseAddress(bad), /expected HOST:PORT/, bad);
  }
});

test('Host fields', () => {
  const fits = [
    'localhost',
    'LOCALHOST:9901',
    'localhost.',
    'a.localhost:1',
    '127.0.0.1',
    '127.0.0.1:80',
    '[::1]:80',
    '[::1]',
  ];
  const not = [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    '127.0.0.1@evil.example',
    '128.0.0.1',
    '0.0.0.0',
    '[::2]',
    '::1',
    'localhost:80:80',
    'localhost evil',
    '',
  ];
  for (const host of fits) assert.equal(hostFits(host), true, host);
  for (const host of not) assert.equal(hostFits(host), false, host);
  assert.equal(hostFits(undefined), true);
});
