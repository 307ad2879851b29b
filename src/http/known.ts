/** The field names that the codec acts on, each one bit, and which of them may travel. */
import { FOLDED } from './chars.ts';

/** Fields that the codec itself has an interest in. Each is one bit. */
export const KNOWN = {
  host: 1 << 0,
  'content-length': 1 << 1,
  'transfer-encoding': 1 << 2,
  connection: 1 << 3,
  'keep-alive': 1 << 4,
  'proxy-connection': 1 << 5,
  te: 1 << 6,
  trailer: 1 << 7,
  upgrade: 1 << 8,
  expect: 1 << 9,
  via: 1 << 10,
  forwarded: 1 << 11,
  'x-forwarded-for': 1 << 12,
  'x-forwarded-proto': 1 << 13,
  'x-forwarded-host': 1 << 14,
  'x-forwarded-port': 1 << 15,
  'x-real-ip': 1 << 16,
  'x-request-id': 1 << 17,
  'proxy-authenticate': 1 << 18,
  'proxy-authorization': 1 << 19,
  'max-forwards': 1 << 20,
  'http2-settings': 1 << 21,
  date: 1 << 22,
  'proxy-status': 1 << 23,
  'x-forwarded-server': 1 << 24,
  'accept-encoding': 1 << 25,
  'content-encoding': 1 << 26,
  'content-type': 1 << 27,
  // One bit for all fields that hold credentials: one look tells whether there is any, and whether there are several.
  authorization: 1 << 28,
  'x-api-key': 1 << 28,
  'api-key': 1 << 28,
  dpop: 1 << 30,
} as const;

/** Marks a field that `Connection` names. */
export const NAMED_BY_CONNECTION = 1 << 29;

/** Fields that only a trusted hop may set. */
export const FORWARDING_FIELDS =
  KNOWN.forwarded |
  KNOWN['x-forwarded-for'] |
  KNOWN['x-forwarded-proto'] |
  KNOWN['x-forwarded-host'] |
  KNOWN['x-forwarded-port'] |
  KNOWN['x-forwarded-server'] |
  KNOWN['x-real-ip'] |
  KNOWN.via;

/**
 * Fields that `Connection` cannot make vanish: what frames and addresses the message, and what trusted hops say about the
 * client. Were they named away, the next hop would take us, or the hop before us, for the client.
 */
export const NOT_NAMED =
  KNOWN.host |
  KNOWN['content-length'] |
  KNOWN['transfer-encoding'] |
  FORWARDING_FIELDS |
  KNOWN['max-forwards'] |
  KNOWN.expect;

/** Never travels past one hop (RFC 9110 §7.6.1), framing included: we write our own. */
export const HOP_BY_HOP =
  KNOWN.connection |
  KNOWN['keep-alive'] |
  KNOWN['proxy-connection'] |
  KNOWN['transfer-encoding'] |
  KNOWN['content-length'] |
  KNOWN.te |
  KNOWN.trailer |
  KNOWN.upgrade |
  KNOWN['proxy-authenticate'] |
  KNOWN['proxy-authorization'] |
  KNOWN['http2-settings'] |
  NAMED_BY_CONNECTION;

interface KnownName {
  readonly bytes: Uint8Array;
  readonly bit: number;
}

const BY_LENGTH: (KnownName[] | undefined)[] = [];
for (const [name, bit] of Object.entries(KNOWN)) {
  const list = BY_LENGTH[name.length] ?? [];
  list.push({ bytes: Buffer.from(name), bit });
  BY_LENGTH[name.length] = list;
}

/** The bit of a known name, also where `_` stands for `-`. */
export function identify(buffer: Buffer, start: number, end: number): number {
  const list = BY_LENGTH[end - start];
  if (list === undefined) return 0;
  for (let k = 0; k < list.length; k++) {
    const { bytes, bit } = list[k] as KnownName;
    let i = 0;
    while (i < bytes.length && FOLDED[buffer[start + i] as number] === bytes[i]) i++;
    if (i === bytes.length) return bit;
  }
  return 0;
}
