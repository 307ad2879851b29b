/** What an endpoint's settings say about where it is and what it is called. */
import type { EndpointConfig } from './config.ts';

/** Reads an endpoint's URL: scheme, host, port, or the path of a unix socket. */
export function parseEndpointUrl(url: string): { secure: boolean; host: string; port: number; authority: string } {
  if (url.startsWith('unix:')) return { secure: false, host: url.slice(5), port: 0, authority: 'localhost' };
  const parsed = new URL(url);
  const secure = parsed.protocol === 'https:';
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  return { secure, host, port: parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port), authority: parsed.host };
}

/** Name of an endpoint in metrics, logs and messages: its own, or its URL without scheme. */
export function endpointName(endpoint: Pick<EndpointConfig, 'name' | 'url'>): string {
  if (endpoint.name !== undefined) return endpoint.name;
  const { port, host, authority } = parseEndpointUrl(endpoint.url);
  return port === 0 ? `unix:${host}` : authority;
}
