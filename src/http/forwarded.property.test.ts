import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HttpFault } from './fault.ts';
import { forwardingLines, replacedForwarding } from './forwarded.ts';
import { HOP_BY_HOP, KNOWN } from './known.ts';
import { parseRequest, type Request } from './request.ts';

const limits = { head: 4096, uri: 200, fields: 30, body: 1000 };

function parse(fields: string): Request {
  const buffer = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, 'latin1');
  const head = parseRequest(buffer, 0, buffer.length, limits);
  assert.ok(!(head instanceof HttpFault), head instanceof HttpFault ? head.message : '');
  return head;
}

const hop = (trusted: boolean, address = '192.0.2.7') => ({
  peer: { address, port: 1, trusted },
  scheme: 'https',
  clientAddress: address,
});
const lines = (fields: string, trusted: boolean, address?: string) =>
  forwardingLines(parse(fields), hop(trusted, address), 'a', 'gw');

test('Connection cannot name away what tells the way', () => {
  for (const trusted of [true, false]) {
    const named = `Connection: via, x-forwarded-for, x-forwarded-host, forwarded, max-forwards, expect\r\n`;
    const way = 'Via: 1.0 x\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Host: b\r\nForwarded: for=c\r\n';
    assert.equal(lines(named + way, trusted), lines(way, trusted));
  }
});

test('what is composed for the next hop is lines, whatever Connection names (property)', () => {
  const names = Object.keys(KNOWN).filter((name) => !/^(host|content-length|transfer-encoding|expect)$/.test(name));
  const name = fc.constantFrom(...names, 'x-a', 'x-b');
  fc.assert(
    fc.property(
      fc.array(name, { maxLength: 6 }),
      fc.array(name, { maxLength: 6 }),
      fc.boolean(),
      (named, sent, trusted) => {
        const head = parse(`Connection: ${named.join(', ')}\r\n${sent.map((field) => `${field}: v\r\n`).join('')}`);
        const drop = HOP_BY_HOP | replacedForwarding(hop(trusted));
        const text = head.lines(drop) + forwardingLines(head, hop(trusted), head.authority, 'gw');
        const again = parse(text.replace('Host: a\r\n', ''));
        again.each((field, value) => assert.ok(!value.includes('\r') && !field.includes(' ')));
        assert.equal(again.count('via'), 1);
        for (const field of ['x-a', 'x-b']) if (named.includes(field)) assert.equal(again.count(field), 0);
        for (const bit of Object.values(KNOWN)) assert.equal(typeof (head.known(bit) ?? ''), 'string');
        for (const bit of Object.values(KNOWN))
          assert.ok(!head.knownList(bit).includes('\r'), 'a look-up gave the head');
      },
    ),
    { numRuns: 300 },
  );
});
