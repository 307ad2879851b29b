/** Who is at the other end: the socket's peer, or the client that trusted proxies in front name. */
import { isIP } from 'node:net';
import type { FieldSection } from '../http/fields.ts';
import { KNOWN } from '../http/known.ts';
import { compileNetworks, plainAddress } from '../http/network.ts';
import type { Peer } from '../kernel/exchange.ts';
import type { NativeHandle } from '../socket/native.ts';

/** Answers whether an address is one of the trusted hops. */
export type Trust = (address: string) => boolean;

/** Compiles `trustedHops`: addresses, CIDRs, or `unix` for peers on unix sockets. Throws on what is neither. */
export function compileTrust(hops: readonly string[]): Trust {
  if (hops.length === 0) return () => false;
  const trusts = compileNetworks(hops.filter((hop) => hop !== 'unix'));
  const unix = hops.includes('unix');
  return (address) => (address === 'unix' ? unix : trusts?.(address) === true);
}

/** Who connects from this address. */
export function peerOf(trusts: Trust, seen: { address: string; port: number }): Peer {
  const address = plainAddress(seen.address);
  return { address, port: seen.port, trusted: trusts(address), shown: undefined };
}

/** A hop as a proxy in front described it. */
interface Hop {
  /** Address, perhaps with port; or a name that is none, such as `unknown` or `_hidden` (RFC 7239 §6). */
  readonly node: string;
  /** `http` or `https`; '' when it was not said. */
  readonly proto: string;
}

/**
 * The client as trusted hops describe it: the rightmost address that is not itself a trusted hop (RFC 7239 §8.1), and the
 * scheme that it used. X-Forwarded-For is preferred to Forwarded where there are both. What stands left of the first hop
 * that is not trusted was written by strangers and is not read.
 */
export function trustedClient(
  fields: FieldSection,
  peer: Peer,
  runtime: { readonly trusts: Trust; readonly scheme: string },
): { address: string; scheme: string } {
  let address = peer.address;
  let { scheme } = runtime;
  const hops = forwardedFor(fields);
  // Without a list of hops the scheme may still be told.
  if (hops.length === 0) scheme = schemeOf(last(fields.knownList(KNOWN['x-forwarded-proto']))) ?? scheme;
  for (let i = hops.length - 1; i >= 0; i--) {
    const { node, proto } = hops[i] as Hop;
    scheme = schemeOf(proto) ?? scheme;
    const hop = stripPort(node);
    if (isIP(hop) === 0) break;
    address = plainAddress(hop);
    if (!runtime.trusts(address)) break;
  }
  return { address, scheme };
}

function forwardedFor(fields: FieldSection): Hop[] {
  const list = fields.knownList(KNOWN['x-forwarded-for']);
  if (list === '') return parseForwarded(fields.knownList(KNOWN.forwarded));
  const nodes = list.split(',');
  const protos = fields.knownList(KNOWN['x-forwarded-proto']).split(',');
  // One value is the client's, set by the first trusted hop; a list as long as the other goes along with it.
  return nodes.map((node, i) => ({
    node: node.trim(),
    proto: protos.length === nodes.length ? (protos[i] as string) : (protos[protos.length - 1] as string),
  }));
}

const PAIR = /[ \t]*([!#$%&'*+.^_`|~\w-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]*)[ \t]*([;,]|$)/y;

/** Elements of Forwarded (RFC 7239 §4), leniently without quotes around IPv6; none when it is malformed anywhere. */
function parseForwarded(text: string): Hop[] {
  const hops: Hop[] = [];
  let node = '';
  let proto = '';
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length) {
    const match = PAIR.exec(text);
    if (match === null) return [];
    const [, name = '', raw = '', end] = match;
    const value = raw.startsWith('"') ? raw.slice(1, -1).replace(/\\(.)/g, '$1') : raw;
    if (name.toLowerCase() === 'for') node = value;
    else if (name.toLowerCase() === 'proto') proto = value;
    if (end === ';') continue;
    hops.push({ node, proto });
    node = proto = '';
  }
  return hops;
}

const last = (list: string): string => list.slice(list.lastIndexOf(',') + 1);

function schemeOf(text: string): string | undefined {
  const proto = text.trim().toLowerCase();
  return proto === 'https' || proto === 'http' ? proto : undefined;
}

/** `1.2.3.4:80` → `1.2.3.4`, `[::1]:80` → `::1`; an IPv6 address without brackets has no port. */
function stripPort(hop: string): string {
  if (hop.startsWith('[')) return hop.slice(1, hop.indexOf(']'));
  return /^[\d.]+:[\w.-]+$/.test(hop) ? hop.slice(0, hop.indexOf(':')) : hop;
}

/** Who is at the other end of a connection that was just accepted. */
export function peerAt(trusts: Trust, handle: NativeHandle): Peer {
  const found: { address?: string; port?: number } = {};
  handle.getpeername?.(found);
  return peerOf(trusts, { address: found.address ?? 'unix', port: found.port ?? 0 });
}
