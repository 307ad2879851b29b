/** The admin address: how it is written, whether only this machine can reach it, and which Host fields fit it. Pure. */
import { compileNetworks } from '../http/network.ts';

/** What `net.Server.listen` takes. */
export type ListenTarget = { readonly host?: string; readonly port: number } | { readonly path: string };

/** `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `unix:/path` → where to listen. Throws a TypeError that says what is wrong. */
export function parseAddress(address: string): ListenTarget {
  if (address.startsWith('unix:/')) return { path: address.slice('unix:'.length) };
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new TypeError(`admin address ${address}: expected HOST:PORT, [IPV6]:PORT or unix:/path`);
  }
  const host = match[1] ?? match[2] ?? '';
  // Without a host Node takes every address of the machine, over IPv6 where there is IPv6.
  return host === '' || host === '*' ? { port } : { host, port };
}

const loopback = compileNetworks(['127.0.0.0/8', '::1']);

/** Whether only this machine reaches the target. A name counts only if it is `localhost`. */
export function isLoopback(target: ListenTarget): boolean {
  return 'path' in target || (target.host !== undefined && isLoopbackHost(target.host));
}

/**
 * Whether a Host field names this machine. A web page elsewhere can make its own name resolve to 127.0.0.1 (DNS
 * rebinding) and then read our answers with a visitor's browser; the name in Host gives it away.
 */
export function hostFits(hostField: string | undefined): boolean {
  // Only HTTP/1.0 may leave it out, and browsers do not speak that.
  if (hostField === undefined) return true;
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::\d{1,5})?$/.exec(hostField);
  return match !== null && isLoopbackHost(match[1] ?? match[2] ?? '');
}

function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  // RFC 6761 section 6.3: localhost and the names under it are always this machine.
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return loopback?.(name) === true;
}
