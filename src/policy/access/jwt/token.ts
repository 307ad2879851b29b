/** The compact form of a signed token (RFC 7515 §7.1), strictly read. Nothing in it is believed yet. */
import type { Claims } from './claims.ts';
import type { Fault } from './fault.ts';
import { decodeBase64url, parseJsonObject } from './strict.ts';

/** The header of a token. */
export type Header = Readonly<Record<string, unknown>>;

/** A token, taken apart. */
export interface Parsed {
  header: Header;
  claims: Claims;
  /** What the signature is of. */
  signed: Buffer;
  signature: Buffer;
}

/** Headers that were read before, by their encoded text. */
export interface KnownHeaders {
  get(text: string): Header | undefined;
}

/**
 * Takes a token apart. `most`: bytes of it; checked before anything is decoded. `jku`, `x5u`, `jwk` and `x5c` of a header are
 * not followed by anybody: keys come from the configuration alone (RFC 8725 §3.10).
 */
export function parseToken(token: string, most: number, known?: KnownHeaders): Parsed | Fault {
  if (token.length > most) return 'oversized';
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first <= 0 || second < 0) return 'malformed';
  const third = token.indexOf('.', second + 1);
  // Five parts are a JWE (RFC 7516 §7.1).
  if (third >= 0) return token.split('.').length === 5 ? 'encrypted' : 'malformed';
  const text = token.slice(0, first);
  const header = known?.get(text) ?? readHeader(text);
  if (typeof header === 'string') return header;
  const body = decodeBase64url(token.slice(first + 1, second));
  const claims = body && parseJsonObject(body);
  const signature = decodeBase64url(token.slice(second + 1));
  if (claims === undefined || signature === undefined) return 'malformed';
  return { header, claims, signed: Buffer.from(token.slice(0, second), 'latin1'), signature };
}

function readHeader(text: string): Header | Fault {
  const head = decodeBase64url(text);
  const header = head && parseJsonObject(head);
  if (header === undefined) return 'malformed';
  // Nothing that would have to be understood is (RFC 7515 §4.1.11), detached or unencoded payloads (RFC 7797) included.
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) return 'critical';
  if (Object.hasOwn(header, 'enc') || Object.hasOwn(header, 'zip')) return 'encrypted';
  if (header.kid !== undefined && typeof header.kid !== 'string') return 'malformed';
  // A token inside the token (RFC 7519 §5.2) would be one that nobody has checked.
  if (header.cty !== undefined) return 'type';
  return header;
}

/** The media type of a header's `typ` in short (RFC 7515 §4.1.9); '' without one, undefined for what is no text. */
export function typeOf(header: Readonly<Record<string, unknown>>): string | undefined {
  const { typ } = header;
  if (typ === undefined) return '';
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : undefined;
}
