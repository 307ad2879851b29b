/** Where clients reach the listeners. */
import type { Config } from '../config/config.ts';

/** Listener name → URL (or `unix:/path`), for addresses whose ports are resolved. */
export function listenerUrls(
  config: Config,
  addresses: readonly { listener: string; address: string }[],
): Map<string, string> {
  return new Map(addresses.map(({ listener, address }) => [listener, urlOf(config, listener, address)]));
}

function urlOf(config: Config, listener: string, address: string): string {
  if (address.startsWith('unix:')) return address;
  return `${config.listeners[listener]?.tls ? 'https' : 'http'}://${address}`;
}
