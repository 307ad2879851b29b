/** Fields of an answer that refuses or has failed: why, and when to come again. */
import type { GatehouseError } from '../kernel/error.ts';

/** Methods that pass, as far as this gateway is concerned. */
export const ALLOW = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';

/** Lines with CRLF: `Proxy-Status` (RFC 9209), `Retry-After` in whole seconds, and what the error brings along. */
export function refusalLines({ proxyError, code, retryAfterMs, fields = [] }: GatehouseError): string {
  let lines = `Proxy-Status: gatehouse; error=${proxyError}; details="${code}"\r\n`;
  if (retryAfterMs !== undefined) lines += `Retry-After: ${Math.max(1, Math.ceil(retryAfterMs / 1000))}\r\n`;
  if (code === 'method_not_allowed') lines += ALLOW;
  for (const [name, value] of fields) lines += `${name}: ${value}\r\n`;
  return lines;
}
