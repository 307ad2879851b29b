/** The static table of HPACK (RFC 7541 appendix A), and entries as a table holds them. */

/** A field. */
export interface HpackField {
  readonly name: string;
  readonly value: string;
  /** Name and value may stand in a message: what is wrong otherwise (see `fieldFault`). */
  readonly fault: string;
}

const STATIC: readonly (readonly [string, string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** Entries 1 to 61; the first place is empty. */
export const STATIC_TABLE: readonly HpackField[] = [
  { name: '', value: '', fault: '' },
  ...STATIC.map(([name, value]) => ({ name, value, fault: '' })),
];

/** Name → index of the first entry that has it. */
export const STATIC_NAMES: ReadonlyMap<string, number> = new Map(
  STATIC.map(([name], i) => [name, i + 1] as const).reverse(),
);

const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Why a field may not stand in a message (RFC 9113 §8.2.1), as the kind of the fault; '' where it may. A name in capitals or
 * a line end in a value would become something else on the way to HTTP/1.1.
 */
export function fieldFault(name: string, value: string): string {
  if (!NAME.test(name)) return 'h2_field_name';
  if (!VALUE.test(value)) return 'h2_field_value';
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(value.length - 1);
  return first === 32 || first === 9 || last === 32 || last === 9 ? 'h2_field_value' : '';
}
