/** The fields that say where a message ends and whether its connection lives on (RFC 9112 §6 and §9). */
import { HttpFault } from './fault.ts';
import { type FieldSection, listMembers, trimOws } from './fields.ts';
import { KNOWN } from './known.ts';

/** Value of Content-Length as a number, or -1: digits only, no sign, no list, at most 15 digits. */
export function parseContentLength(value: string): number {
  const digits = value.length;
  if (digits === 0 || digits > 15) return -1;
  let total = 0;
  for (let i = 0; i < digits; i++) {
    const c = value.charCodeAt(i) - 48;
    if (c < 0 || c > 9) return -1;
    total = total * 10 + c;
  }
  return total;
}

/** Accepts exactly `chunked`. What is unknown is 501, what does not end in one `chunked` is 400 (RFC 9112 §6.1, §6.3). */
export function requestCodings(value: string): HttpFault | undefined {
  if (value === 'chunked') return undefined;
  const codings = value.split(',').map((coding) => trimOws(coding).toLowerCase());
  if (codings.length === 1 && codings[0] === 'chunked') return undefined;
  if (codings.at(-1) !== 'chunked') {
    const known = codings.every((coding) =>
      /^(chunked|gzip|x-gzip|deflate|compress|x-compress|identity|)$/.test(coding),
    );
    if (!known)
      return new HttpFault('unknown_coding', 'unsupported_coding', 'the transfer coding is not known (RFC 9112 §6.1)');
    return new HttpFault('chunked_not_last', 'bad_request', 'chunked is not the last transfer coding (RFC 9112 §6.3)');
  }
  if (codings.slice(0, -1).some((coding) => coding === 'chunked' || coding === '' || coding === 'identity')) {
    return new HttpFault(
      'chunked_repeated',
      'bad_request',
      'the transfer codings repeat chunked or are malformed (RFC 9112 §6.1)',
    );
  }
  return new HttpFault(
    'unknown_coding',
    'unsupported_coding',
    'the only transfer coding served is chunked (RFC 9112 §6.1)',
  );
}

/** What a Connection field says. */
export interface ConnectionOptions {
  close: boolean;
  keepAlive: boolean;
  upgrade: boolean;
  /** Names other fields. */
  others: boolean;
}

const KEEP_ALIVE: ConnectionOptions = { close: false, keepAlive: true, upgrade: false, others: false };
const CLOSE: ConnectionOptions = { close: true, keepAlive: false, upgrade: false, others: false };

/** Reads a Connection field. */
export function connectionOptions(value: string): ConnectionOptions {
  if (value === 'keep-alive' || value === 'Keep-Alive') return KEEP_ALIVE;
  if (value === 'close') return CLOSE;
  const options = { close: false, keepAlive: false, upgrade: false, others: false };
  for (const option of listMembers(value)) {
    if (option === 'close') options.close = true;
    else if (option === 'keep-alive') options.keepAlive = true;
    else if (option === 'upgrade') options.upgrade = true;
    else options.others = true;
  }
  return options;
}

/** Protocols that lead away from what a gateway can watch: h2c smuggles whole requests past it (RFC 9113 §3.1 retired it). */
const NOT_UPGRADED = /^(h2c?|http|tls)(\/|$)/;

/** The protocols of an Upgrade field in lower case, or '' where one of them is never passed on (RFC 9110 §7.8 allows to ignore it). */
export function upgradeProtocols(value: string): string {
  const members = listMembers(value);
  return members.some((member) => NOT_UPGRADED.test(member)) ? '' : members.join(', ');
}

/**
 * Reads the Connection field of a head: sets whether its connection lives on (RFC 9112 §9.3) and marks the fields that stay
 * behind. True: it names Upgrade, and an Upgrade field is there.
 */
export function readConnection(head: FieldSection & { readonly minor: 0 | 1; keepAlive: boolean }): boolean {
  head.keepAlive = head.minor === 1;
  if ((head.seen & KNOWN.connection) === 0) return false;
  const options = head.knownList(KNOWN.connection);
  const bits = connectionOptions(options);
  if (bits.close) head.keepAlive = false;
  else if (bits.keepAlive) head.keepAlive = true;
  if (bits.others) head.markConnectionNamed(options);
  return bits.upgrade && (head.seen & KNOWN.upgrade) !== 0;
}
