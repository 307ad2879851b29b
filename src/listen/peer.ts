/** Who is at the other end: the socket's peer, or the client that trusted proxies in front name. */
import { BlockList, isIP } from 'node:net';
import { type FieldSection, KNOWN } from '../http/fields.ts';
import type { Peer } from '../kernel/exchange.ts';

/** Answers whether an address is one of the trusted hops. */
export type Trust = (address: string) => boolean;

/** Compiles `trustedHops`: addresses, CIDRs, or `unix` for peers on unix sockets. Throws on what is neither. */
export function compileTrust(hops: readonly string[]): Trust {
  if (hops.length === 0) return () => false;
  const list = new BlockList();
  let unix = false;
  for (const hop of hops) {
    if (hop === 'unix') {
      unix = true;
      continue;
    }
    const [address, bits] = hop.split('/');
    const family = isIP(address as string) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address as string, family);
    else list.addSubnet(address as string, Number(bits), family);
  }
  return (address) => {
    if (address === 'unix') return unix;
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}

/** `::ffff:10.0.0.1` → `10.0.0.1`: one spelling for addresses in lists, logs and limits. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** The client as trusted hops describe it: the rightmost address that is not itself a trusted hop (RFC 7239 §8.1). */
export function trustedClient(
  fields: FieldSection,
  peer: Peer,
  runtime: { readonly trusts: Trust; readonly scheme: string },
): { address: string; scheme: string } {
  let address = peer.address;
  let { scheme } = runtime;
  const list = fields.knownList(KNOWN['x-forwarded-for']);
  const hops = list !== '' ? list.split(',') : forwardedFor(fields.knownList(KNOWN.forwarded));
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = stripPort((hops[i] as string).trim());
    if (isIP(hop) === 0) break;
    address = plainAddress(hop);
    if (!runtime.trusts(address)) break;
  }
  const proto = (
    fields.known(KNOWN['x-forwarded-proto']) ??
    /(?:^|[;,\s])proto="?(\w+)/i.exec(fields.knownList(KNOWN.forwarded))?.[1] ??
    ''
  )
    .trim()
    .toLowerCase();
  if (proto === 'https' || proto === 'http') scheme = proto;
  return { address, scheme };
}

function forwardedFor(forwarded: string): string[] {
  const out: string[] = [];
  for (const match of forwarded.matchAll(/for=("[^"]*"|[^;,\s]*)/gi))
    out.push((match[1] as string).replaceAll('"', ''));
  return out;
}

function stripPort(hop: string): string {
  if (hop.startsWith('[')) return hop.slice(1, hop.indexOf(']'));
  return hop.includes('.') && hop.includes(':') ? hop.slice(0, hop.indexOf(':')) : hop;
}
