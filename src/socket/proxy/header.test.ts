import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HttpFault } from '../../http/fault.ts';
import { crc32c } from './crc32c.ts';
import { type ProxyHeader, proxyHeader, readProxyHeader, SIGNATURE } from './header.ts';

const read = (text: string | Buffer) => {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  return readProxyHeader(bytes, 0, bytes.length);
};
const NONE = { source: undefined, authority: '', alpn: '', tls: false };

const TEXT: [string, ProxyHeader['source'] | string | undefined, string][] = [
  ['PROXY TCP4 192.0.2.1 192.0.2.9 5000 443\r\n', { address: '192.0.2.1', port: 5000 }, 'IPv4'],
  ['PROXY TCP6 2001:db8::1 ::1 5000 443\r\n', { address: '2001:db8::1', port: 5000 }, 'IPv6'],
  ['PROXY UNKNOWN\r\n', undefined, 'unknown'],
  ['PROXY UNKNOWN anything at all 1 2 3\r\n', undefined, 'unknown, with a rest'],
  ['GET / HTTP/1.1\r\n', 'proxy_header_missing', 'no header'],
  ['proxy TCP4 192.0.2.1 192.0.2.9 5000 443\r\n', 'proxy_header_missing', 'small letters'],
  ['PROXY TCP4 192.0.2.1 192.0.2.9 5000 443\n', 'proxy_header_invalid', 'LF alone'],
  ['PROXY TCP4 192.0.2.1 192.0.2.9 5000\r\n', 'proxy_header_invalid', 'a port is missing'],
  ['PROXY TCP4 192.0.2.1 192.0.2.9 5000 443 1\r\n', 'proxy_header_invalid', 'one too many'],
  ['PROXY TCP4  192.0.2.1 192.0.2.9 5000 443\r\n', 'proxy_header_invalid', 'two spaces'],
  ['PROXY TCP4 192.0.2.1 192.0.2.9 05000 443\r\n', 'proxy_header_invalid', 'a zero in front'],
  ['PROXY TCP4 192.0.2.1 192.0.2.9 65536 443\r\n', 'proxy_header_invalid', 'a port that is none'],
  ['PROXY TCP4 192.0.2.256 192.0.2.9 5000 443\r\n', 'proxy_header_invalid', 'an address that is none'],
  ['PROXY TCP4 ::1 ::1 5000 443\r\n', 'proxy_header_invalid', 'the other family'],
  ['PROXY TCP6 fe80::1%eth0 ::1 5000 443\r\n', 'proxy_header_invalid', 'a zone'],
  ['PROXY UDP4 192.0.2.1 192.0.2.9 5000 443\r\n', 'proxy_header_invalid', 'datagrams'],
  [`PROXY TCP4 ${'1'.repeat(120)}`, 'proxy_header_invalid', 'no end'],
];

test('version 1', () => {
  for (const [line, expected, what] of TEXT) {
    const header = read(line);
    if (typeof expected === 'string') equal((header as HttpFault).kind, expected, what);
    else deepEqual(header, { ...NONE, length: line.length, source: expected }, what);
  }
});

const tlv = (type: number, value: Buffer) =>
  Buffer.concat([Buffer.from([type, value.length >> 8, value.length]), value]);
function binary(command: number, family: number, body: Buffer): Buffer {
  const head = Buffer.from([command, family, body.length >> 8, body.length & 255]);
  return Buffer.concat([SIGNATURE, head, body]);
}
const FOUR = Buffer.from([192, 0, 2, 1, 192, 0, 2, 9, 0x13, 0x88, 1, 0xbb]);
const SOURCE = { address: '192.0.2.1', port: 5000 };

function checked(right: boolean): Buffer {
  const header = binary(0x21, 0x11, Buffer.concat([FOUR, tlv(0x04, Buffer.from('pad')), tlv(0x03, Buffer.alloc(4))]));
  header.writeUInt32BE((crc32c(header) ^ (right ? 0 : 1)) >>> 0, header.length - 4);
  return header;
}

test('version 2', () => {
  equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  const tlvs = Buffer.concat([
    tlv(0x01, Buffer.from('h2')),
    tlv(0x02, Buffer.from('a.test')),
    tlv(0x20, Buffer.from([1, 0, 0, 0, 0])),
    tlv(0xea, Buffer.from('vendor')),
  ]);
  const cases: [Buffer, Partial<ProxyHeader> | string, string][] = [
    [binary(0x21, 0x11, FOUR), { source: SOURCE }, 'IPv4'],
    [
      binary(0x21, 0x11, Buffer.concat([FOUR, tlvs])),
      { source: SOURCE, alpn: 'h2', authority: 'a.test', tls: true },
      'TLVs',
    ],
    [binary(0x20, 0, Buffer.alloc(0)), {}, 'LOCAL'],
    [binary(0x20, 0x11, FOUR), {}, 'LOCAL with addresses'],
    [binary(0x20, 0x99, Buffer.alloc(30)), {}, 'LOCAL with whatever'],
    [binary(0x21, 0x00, Buffer.alloc(0)), {}, 'PROXY of an unknown family'],
    [binary(0x21, 0x31, Buffer.alloc(216)), {}, 'a unix socket'],
    [checked(true), { source: SOURCE }, 'a checksum'],
    [checked(false), 'proxy_header_checksum', 'a wrong checksum'],
    [binary(0x22, 0x11, FOUR), 'proxy_header_invalid', 'another command'],
    [binary(0x31, 0x11, FOUR), 'proxy_header_invalid', 'another version'],
    [binary(0x21, 0x12, FOUR), 'proxy_header_invalid', 'datagrams'],
    [binary(0x21, 0x11, FOUR.subarray(1)), 'proxy_header_invalid', 'too few octets'],
    [binary(0x21, 0x11, Buffer.concat([FOUR, Buffer.from([4, 0])])), 'proxy_header_invalid', 'a TLV without length'],
    [binary(0x21, 0x11, Buffer.concat([FOUR, Buffer.from([4, 0, 9, 1])])), 'proxy_header_invalid', 'a TLV cut short'],
    [binary(0x21, 0x11, Buffer.alloc(5000)), 'proxy_header_invalid', 'too large'],
  ];
  for (const [bytes, expected, what] of cases) {
    const header = read(bytes);
    if (typeof expected === 'string') equal((header as HttpFault).kind, expected, what);
    else deepEqual(header, { ...NONE, length: bytes.length, ...expected }, what);
  }
});

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6().map((text) => new URL(`http://[${text}]`).hostname.slice(1, -1));
const port = fc.integer({ min: 0, max: 65_535 });

test('what is composed is read, whatever pieces it comes in; what follows is left alone', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('v1' as const, 'v2' as const),
      fc.oneof(fc.tuple(ipv4, ipv4), fc.tuple(ipv6, ipv6)),
      port,
      port,
      (version, [from, to], sourcePort, targetPort) => {
        const header = proxyHeader(version, { address: from, port: sourcePort }, { address: to, port: targetPort });
        for (let end = 0; end < header.length; end++) equal(readProxyHeader(header, 0, end), undefined, `${end}`);
        const seen = read(Buffer.concat([header, Buffer.from('GET / HTTP/1.1')])) as ProxyHeader;
        equal(seen.length, header.length);
        // An IPv4 address in IPv6 clothes is read as what it is.
        if (!/^::ffff:[0-9a-f]+:[0-9a-f]+$/.test(from)) deepEqual(seen.source, { address: from, port: sourcePort });
      },
    ),
  );
  for (const version of ['v1', 'v2'] as const) {
    const unknown = proxyHeader(version, { address: 'unix', port: 0 }, { address: '::1', port: 1 });
    deepEqual(read(unknown), { ...NONE, length: unknown.length });
    const mixed = read(proxyHeader(version, { address: '192.0.2.1', port: 7 }, { address: '::1', port: 1 }));
    ok(mixed !== undefined && !(mixed instanceof HttpFault));
    ok(mixed.source?.address.endsWith('192.0.2.1'), mixed.source?.address);
  }
});

test('any bytes: a header, a fault, or more is needed', () => {
  const start = fc.constantFrom(Buffer.alloc(0), Buffer.from('PROXY '), Buffer.from('PROXY TCP4 '), SIGNATURE);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 300 }), (begin, rest) => {
      const bytes = Buffer.concat([begin, rest]);
      const header = read(bytes);
      if (header !== undefined && !(header instanceof HttpFault)) ok(header.length <= bytes.length);
    }),
  );
});
