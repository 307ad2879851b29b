import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HttpFault } from './fault.ts';
import { forwardingLines, replacedForwarding } from './forwarded.ts';
import { findHeadEnd } from './head.ts';
import { FORWARDING_FIELDS, KNOWN } from './known.ts';
import { parseRequest } from './request.ts';

function request(lines: string[]) {
  const buffer = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  const limits = { head: 4096, uri: 200, fields: 20, body: 0 };
  const head = parseRequest(buffer, 0, findHeadEnd(buffer, 0, buffer.length), limits);
  if (head instanceof HttpFault) throw new Error(head.message);
  return head;
}

interface Case {
  name: string;
  fields?: string[];
  peer?: string;
  client?: string;
  trusted?: boolean;
  lines: string[];
}

const OWN = ['X-Forwarded-Proto: https', 'X-Forwarded-Host: a', 'Via: 1.1 me'];

describe('what the next hop is told', () => {
  const cases: Case[] = [
    { name: 'nothing was said', lines: ['X-Forwarded-For: 1.2.3.4', ...OWN] },
    {
      name: 'what strangers say is replaced; Via stays, for loops are seen by it',
      fields: ['X-Forwarded-For: 6.6.6.6', 'Forwarded: for=6.6.6.6', 'X-Forwarded-Host: evil', 'Via: 1.0 x'],
      lines: ['X-Forwarded-For: 1.2.3.4', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: a', 'Via: 1.0 x, 1.1 me'],
    },
    {
      name: 'what a trusted hop says is extended',
      fields: ['X-Forwarded-For: 9.9.9.9', 'X-Forwarded-For: 8.8.8.8', 'X-Forwarded-Host: front'],
      trusted: true,
      client: '8.8.8.8',
      lines: [
        'X-Forwarded-For: 9.9.9.9, 8.8.8.8, 1.2.3.4',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: front',
        'Via: 1.1 me',
      ],
    },
    {
      name: 'Forwarded alone: both fields name the client',
      fields: ['Forwarded: for=9.9.9.9'],
      trusted: true,
      client: '9.9.9.9',
      lines: ['X-Forwarded-For: 9.9.9.9, 1.2.3.4', ...OWN, 'Forwarded: for=9.9.9.9, for=1.2.3.4;proto=https'],
    },
    {
      name: 'IPv6 is quoted in Forwarded',
      fields: ['Forwarded: for=unknown'],
      trusted: true,
      peer: '2001:db8::1',
      lines: ['X-Forwarded-For: 2001:db8::1', ...OWN, 'Forwarded: for=unknown, for="[2001:db8::1]";proto=https'],
    },
    { name: 'a unix socket has no address', peer: 'unix', lines: ['X-Forwarded-For: unknown', ...OWN] },
  ];
  for (const { name, fields = [], peer = '1.2.3.4', client = peer, trusted = false, lines } of cases) {
    test(name, () => {
      const hop = { peer: { address: peer, port: 1, trusted }, scheme: 'https', clientAddress: client };
      assert.equal(forwardingLines(request(fields), hop, 'a', 'me'), lines.map((line) => `${line}\r\n`).join(''));
    });
  }
});

test('what is written anew is not copied; of a trusted hop only that', () => {
  const hop = (trusted: boolean) => ({ peer: { address: '', port: 0, trusted }, scheme: 'http', clientAddress: '' });
  assert.equal(replacedForwarding(hop(false)), FORWARDING_FIELDS);
  const kept = FORWARDING_FIELDS & ~replacedForwarding(hop(true));
  assert.equal(kept, KNOWN['x-forwarded-port'] | KNOWN['x-forwarded-server'] | KNOWN['x-real-ip']);
});
