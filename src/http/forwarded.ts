/** What a request says about the way it came: X-Forwarded-*, Forwarded (RFC 7239) and Via (RFC 9110 §7.6.3). */
import type { Peer } from '../kernel/exchange.ts';
import type { FieldSection } from './fields.ts';
import { FORWARDING_FIELDS, KNOWN } from './known.ts';

/** The hop before us. */
export interface PreviousHop {
  /** `trusted`: its own forwarding fields are believed and extended; from others they are replaced. */
  readonly peer: Peer;
  readonly scheme: string;
  /** The client, when trusted hops name one; the peer otherwise. */
  readonly clientAddress: string;
  /** Version of HTTP that it spoke; 1.1 when not said. */
  readonly httpVersion?: string | undefined;
}

/** Of FORWARDING_FIELDS, what is left as a trusted hop wrote it. */
const KEPT_FROM_TRUSTED = KNOWN['x-forwarded-port'] | KNOWN['x-forwarded-server'] | KNOWN['x-real-ip'];

/** The forwarding fields that are written anew for this hop, and so must not be copied. */
export function replacedForwarding(hop: PreviousHop): number {
  return hop.peer.trusted ? FORWARDING_FIELDS & ~KEPT_FROM_TRUSTED : FORWARDING_FIELDS;
}

/** Field lines with CRLF for the next hop. `pseudonym`: our name in Via. */
export function forwardingLines(fields: FieldSection, hop: PreviousHop, authority: string, pseudonym: string): string {
  const { seen } = fields;
  const via = (seen & KNOWN.via) === 0 ? '' : `${fields.knownList(KNOWN.via)}, `;
  const own = `Via: ${via}${hop.httpVersion ?? '1.1'} ${pseudonym}\r\n`;
  const node = nodeOf(hop.peer.address);
  if (!hop.peer.trusted || (seen & FORWARDING_FIELDS) === 0) {
    return `X-Forwarded-For: ${node}\r\nX-Forwarded-Proto: ${hop.scheme}\r\n${hostLine(authority)}${own}`;
  }
  let before = '';
  if ((seen & KNOWN['x-forwarded-for']) !== 0) before = `${fields.knownList(KNOWN['x-forwarded-for'])}, `;
  // Named by Forwarded alone: a server that reads the other field must not take the hop for the client.
  else if (hop.clientAddress !== hop.peer.address) before = `${hop.clientAddress}, `;
  const host = fields.known(KNOWN['x-forwarded-host']) ?? authority;
  let lines = `X-Forwarded-For: ${before}${node}\r\nX-Forwarded-Proto: ${hop.scheme}\r\n${hostLine(host)}${own}`;
  if ((seen & KNOWN.forwarded) !== 0) {
    const quoted = node.includes(':') ? `"[${node}]"` : node;
    lines += `Forwarded: ${fields.knownList(KNOWN.forwarded)}, for=${quoted};proto=${hop.scheme}\r\n`;
  }
  return lines;
}

/** A client of HTTP/1.0 may name no host, and an empty one would be believed. */
function hostLine(host: string): string {
  return host === '' ? '' : `X-Forwarded-Host: ${host}\r\n`;
}

/** A peer on a unix socket has no address; `unknown` is the word for that (RFC 7239 §6.2). */
function nodeOf(address: string): string {
  return address === 'unix' ? 'unknown' : address;
}
