/** The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): who is behind the proxy that connects. Pure. */
import { isIPv4, isIPv6 } from 'node:net';
import { HttpFault } from '../../http/fault.ts';
import { crc32c } from './crc32c.ts';

/** What a header says. */
export interface ProxyHeader {
  /** Octets of the header. */
  readonly length: number;
  /** The client; undefined where the proxy speaks for itself (LOCAL) or does not know (UNKNOWN). */
  readonly source: { readonly address: string; readonly port: number } | undefined;
  /** Host name that the client asked for (TLV 0x02), or ''. */
  readonly authority: string;
  /** Protocol agreed on by ALPN (TLV 0x01), or ''. */
  readonly alpn: string;
  /** The client's connection to the proxy was secured (TLV 0x20). */
  readonly tls: boolean;
}

/** First octets of version 2. */
export const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V1 = Buffer.from('PROXY ');
const V1_MOST = 107;
const V2_HEAD = 16;
/** Addresses and TLVs of version 2: more than any proxy sends. */
const V2_MOST = 4096;
const PORT = /^(0|[1-9]\d{0,4})$/;

const bad = (kind: string, message: string) => new HttpFault(kind, 'bad_request', message);

function startsLike(buffer: Buffer, start: number, end: number, prefix: Buffer): boolean {
  const most = Math.min(end - start, prefix.length);
  for (let i = 0; i < most; i++) if (buffer[start + i] !== prefix[i]) return false;
  return true;
}

/** Reads the header at the start of `buffer[start, end)`; undefined while more is needed. */
export function readProxyHeader(buffer: Buffer, start: number, end: number): ProxyHeader | HttpFault | undefined {
  if (startsLike(buffer, start, end, V1)) return readText(buffer, start, end);
  if (startsLike(buffer, start, end, SIGNATURE)) return readBinary(buffer, start, end);
  return bad('proxy_header_missing', 'the connection does not begin with a PROXY header');
}

function readText(buffer: Buffer, start: number, end: number): ProxyHeader | HttpFault | undefined {
  const lf = buffer.subarray(start, Math.min(end, start + V1_MOST)).indexOf(10);
  if (lf < 0) return end - start >= V1_MOST ? bad('proxy_header_invalid', 'the PROXY line does not end') : undefined;
  const line = buffer.toString('latin1', start, start + lf + 1);
  const length = lf + 1;
  const none = { length, source: undefined, authority: '', alpn: '', tls: false };
  if (!line.endsWith('\r\n')) return bad('proxy_header_invalid', 'the PROXY line does not end in CRLF');
  // Whatever follows UNKNOWN is to be ignored.
  if (/^PROXY UNKNOWN( [^\r]*)?\r\n$/.test(line)) return none;
  const parts = line.slice(0, -2).split(' ');
  const [, family, source = '', destination = '', sourcePort = '', port = ''] = parts;
  const valid = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined;
  const fits =
    parts.length === 6 &&
    valid?.(source) === true &&
    valid(destination) &&
    !source.includes('%') &&
    PORT.test(sourcePort) &&
    Number(sourcePort) <= 65_535 &&
    PORT.test(port) &&
    Number(port) <= 65_535;
  if (!fits) return bad('proxy_header_invalid', 'the PROXY line is not family, two addresses and two ports');
  return { ...none, source: { address: source, port: Number(sourcePort) } };
}

function readBinary(buffer: Buffer, start: number, end: number): ProxyHeader | HttpFault | undefined {
  if (end - start < V2_HEAD) return undefined;
  const command = buffer[start + 12] as number;
  const family = buffer[start + 13] as number;
  const rest = buffer.readUInt16BE(start + 14);
  if (command !== 0x20 && command !== 0x21)
    return bad('proxy_header_invalid', 'neither LOCAL nor PROXY of version 2 of the PROXY protocol');
  if (rest > V2_MOST) return bad('proxy_header_invalid', `a PROXY header of more than ${V2_MOST} octets`);
  if (end - start < V2_HEAD + rest) return undefined;
  const length = V2_HEAD + rest;
  const body = start + V2_HEAD;
  const size = ADDRESSES.get(family);
  // Of LOCAL nothing but the length has a meaning; its TLVs may still be checked.
  const known = size !== undefined && rest >= size;
  if (command === 0x21 && !known)
    return bad('proxy_header_invalid', 'the PROXY header has no addresses of a family that it may have');
  const tlvs = known ? readTlvs(buffer, start, body + (size as number), start + length) : NO_TLVS;
  if (tlvs instanceof HttpFault) return tlvs;
  return { length, source: command === 0x21 ? sourceOf(buffer, body, family) : undefined, ...tlvs };
}

const TCP4 = 0x11;
const TCP6 = 0x21;
/** Family and transport → octets of addresses. Datagrams make no sense on a stream. */
const ADDRESSES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [TCP4, 12],
  [TCP6, 36],
  [0x31, 216],
]);

function sourceOf(buffer: Buffer, at: number, family: number): ProxyHeader['source'] {
  if (family === TCP4) {
    return { address: buffer.subarray(at, at + 4).join('.'), port: buffer.readUInt16BE(at + 8) };
  }
  if (family === TCP6) {
    const groups: string[] = [];
    for (let i = 0; i < 16; i += 2) groups.push(buffer.readUInt16BE(at + i).toString(16));
    // One spelling, as sockets give it.
    const address = new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
    const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.test(address);
    return {
      address: mapped ? buffer.subarray(at + 12, at + 16).join('.') : address,
      port: buffer.readUInt16BE(at + 32),
    };
  }
  return undefined;
}

type Tlvs = Pick<ProxyHeader, 'authority' | 'alpn' | 'tls'>;
const NO_TLVS: Tlvs = { authority: '', alpn: '', tls: false };

function readTlvs(buffer: Buffer, start: number, from: number, end: number): Tlvs | HttpFault {
  let { authority, alpn, tls } = NO_TLVS;
  let at = from;
  while (at < end) {
    const size = at + 3 <= end ? buffer.readUInt16BE(at + 1) : -1;
    const value = at + 3;
    if (size < 0 || value + size > end) return bad('proxy_header_invalid', 'a TLV is longer than its PROXY header');
    const type = buffer[at];
    if (type === 0x01) alpn = buffer.toString('latin1', value, value + size);
    else if (type === 0x02) authority = buffer.toString('utf8', value, value + size);
    else if (type === 0x20) tls = size >= 5 && ((buffer[value] as number) & 1) === 1;
    else if (type === 0x03) {
      const whole = Buffer.from(buffer.subarray(start, end));
      whole.fill(0, value - start, value - start + size);
      if (size !== 4 || crc32c(whole) !== buffer.readUInt32BE(value))
        return bad('proxy_header_checksum', 'the checksum of the PROXY header is wrong');
    }
    at = value + size;
  }
  return { authority, alpn, tls };
}

/** Address and port of one end. */
export interface ProxyAddress {
  readonly address: string;
  readonly port: number;
}

/** Composes a header; UNKNOWN or LOCAL where the addresses are not both of one family of IP. */
export function proxyHeader(version: 'v1' | 'v2', source: ProxyAddress, destination: ProxyAddress): Buffer {
  const [from, to] = oneFamily(source.address, destination.address);
  const family = isIPv4(from) && isIPv4(to) ? 4 : isIPv6(from) && isIPv6(to) ? 6 : 0;
  if (version === 'v1') {
    if (family === 0) return Buffer.from('PROXY UNKNOWN\r\n');
    const ends = `${from} ${to} ${source.port} ${destination.port}`;
    return Buffer.from(`PROXY TCP${family} ${ends}\r\n`);
  }
  const addresses = family === 0 ? Buffer.alloc(0) : Buffer.concat([octets(from), octets(to)]);
  const out = Buffer.alloc(V2_HEAD + addresses.length + (family === 0 ? 0 : 4));
  SIGNATURE.copy(out);
  out[12] = family === 0 ? 0x20 : 0x21;
  out[13] = family === 4 ? TCP4 : family === 6 ? TCP6 : 0;
  out.writeUInt16BE(out.length - V2_HEAD, 14);
  addresses.copy(out, V2_HEAD);
  if (family !== 0) {
    out.writeUInt16BE(source.port, out.length - 4);
    out.writeUInt16BE(destination.port, out.length - 2);
  }
  return out;
}

/** Both as IPv6 where one of them is. */
function oneFamily(a: string, b: string): [string, string] {
  if (isIPv4(a) && isIPv6(b)) return [`::ffff:${a}`, b];
  return isIPv6(a) && isIPv4(b) ? [a, `::ffff:${b}`] : [a, b];
}

function octets(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  // The URL parser spells an address in one way: no IPv4 at its end.
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = '', right] = plain.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const before = groups(left);
  const behind = right === undefined ? [] : groups(right);
  const zeros = new Array<string>(8 - before.length - behind.length).fill('0');
  const out = Buffer.alloc(16);
  [...before, ...zeros, ...behind].forEach((group, i) => {
    out.writeUInt16BE(Number.parseInt(group, 16), 2 * i);
  });
  return out;
}
