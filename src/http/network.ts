/**
 * Addresses and networks of IP as text: read, compared, and cut down to what counts as one caller. An IPv4 address in the
 * clothes of IPv6 (RFC 4291 §2.5.5.2, in either spelling) is that IPv4 address throughout. Pure, and without an object made
 * for an address.
 */

/** An address as eight words of 16 bits; an IPv4 address as `::ffff:a.b.c.d`. */
type Words = Uint16Array;

const MAPPED = 0xffff;
/** Bits before the IPv4 address in one that is mapped. */
const MAPPED_BITS = 96;

/** Digits of IPv4 at `from` up to `to` as a number; -1 for what is no address. No leading zeros: some read them as octal. */
function readFour(text: string, from: number, to: number): number {
  let number = 0;
  let dots = 0;
  let part = -1;
  for (let i = from; i <= to; i++) {
    const code = i === to ? DOT : text.charCodeAt(i);
    if (code === DOT) {
      if (part < 0) return -1;
      number = number * 256 + part;
      part = -1;
      dots++;
    } else {
      const digit = code - 48;
      if (digit < 0 || digit > 9 || part === 0) return -1;
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return -1;
    }
  }
  return dots === 4 ? number : -1;
}

const DOT = 46;
const COLON = 58;

function hexOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** Reads an address into `into`: 4 or 6, or 0 for what is none. What stands behind `%` (a zone, RFC 4007 §11) is not looked at. */
function readAddress(text: string, into: Words): 0 | 4 | 6 {
  if (!text.includes(':')) {
    const four = readFour(text, 0, text.length);
    if (four < 0) return 0;
    into.fill(0, 0, 5);
    into[5] = MAPPED;
    into[6] = four >>> 16;
    into[7] = four & 0xffff;
    return 4;
  }
  return readSix(text, into);
}

function readSix(text: string, into: Words): 0 | 4 | 6 {
  const zone = text.indexOf('%');
  if (zone === text.length - 1) return 0;
  const end = zone < 0 ? text.length : zone;
  let count = 0;
  // Where `::` stands, in words.
  let gap = -1;
  let i = 0;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return 0;
    gap = 0;
    i = 2;
  }
  while (i < end) {
    const start = i;
    let word = 0;
    for (; i < end; i++) {
      const digit = hexOf(text.charCodeAt(i));
      if (digit < 0) break;
      word = word * 16 + digit;
    }
    if (i === start || i - start > 4 || count === 8) return 0;
    if (i < end && text.charCodeAt(i) === DOT) {
      const four = readFour(text, start, end);
      if (four < 0 || count > 6) return 0;
      into[count++] = four >>> 16;
      into[count++] = four & 0xffff;
      break;
    }
    into[count++] = word;
    if (i === end) break;
    if (text.charCodeAt(i++) !== COLON || i === end) return 0;
    if (text.charCodeAt(i) !== COLON) continue;
    if (gap >= 0) return 0;
    gap = count;
    i++;
  }
  if (gap < 0 ? count !== 8 : count === 8) return 0;
  if (gap >= 0) {
    into.copyWithin(8 - (count - gap), gap, count);
    into.fill(0, gap, 8 - (count - gap));
  }
  for (let word = 0; word < 5; word++) if (into[word] !== 0) return 6;
  return into[5] === MAPPED ? 4 : 6;
}

/** A network, or a single address. */
interface Network {
  readonly family: 4 | 6;
  readonly words: Words;
  /** How many of the 128 bits count. */
  readonly bits: number;
}

function readNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  if (address.includes('%')) return undefined;
  const words = new Uint16Array(8);
  const family = readAddress(address, words);
  if (family === 0) return undefined;
  const before = address.includes(':') ? 0 : MAPPED_BITS;
  if (slash >= 0 && !/^\d{1,3}$/.test(text.slice(slash + 1))) return undefined;
  const bits = slash < 0 ? 128 : before + Number(text.slice(slash + 1));
  if (bits > 128) return undefined;
  return { family: bits < MAPPED_BITS ? 6 : family, words, bits };
}

function holds({ family, words, bits }: Network, of: number, address: Words): boolean {
  if (family !== of) return false;
  const whole = bits >> 4;
  for (let i = 0; i < whole; i++) if (words[i] !== address[i]) return false;
  const rest = bits & 15;
  return rest === 0 || ((words[whole] as number) ^ (address[whole] as number)) >> (16 - rest) === 0;
}

/** The address that was read last; nothing is kept of it from one call to the next. */
const read: Words = new Uint16Array(8);

/** Whether a text is an address or a network in CIDR form (RFC 4632, RFC 4291 §2.3). */
export function isNetwork(text: string): boolean {
  return readNetwork(text) !== undefined;
}

/**
 * Compiles networks into a test of addresses; undefined for none. Networks of IPv6 hold no address of IPv4, and the other way
 * round. Throws on what is no network.
 */
export function compileNetworks(networks: readonly string[]): ((address: string) => boolean) | undefined {
  if (networks.length === 0) return undefined;
  const all = networks.map(wanted);
  return (address) => {
    const family = readAddress(address, read);
    if (family === 0) return false;
    for (let i = 0; i < all.length; i++) if (holds(all[i] as Network, family, read)) return true;
    return false;
  };
}

function wanted(text: string): Network {
  const network = readNetwork(text);
  if (network === undefined) throw new Error(`${text} is no network, such as 10.0.0.0/8`);
  return network;
}

/** Networks that are remembered; most expressions name theirs as they are, and these are few. */
const REMEMBERED = 256;
const known = new Map<string, Network>();

/** Whether an address is in a network. Throws an `Error` for what is no network. */
export function inNetwork(address: string, text: string): boolean {
  let network = known.get(text);
  if (network === undefined) {
    network = wanted(text);
    if (known.size >= REMEMBERED) known.clear();
    known.set(text, network);
  }
  const family = readAddress(address, read);
  return family !== 0 && holds(network, family, read);
}

/** `::ffff:10.0.0.1`, `::ffff:a00:1` → `10.0.0.1`: one spelling for addresses in lists, logs and limits. Others as they are. */
export function plainAddress(address: string): string {
  return address.includes(':') && readSix(address, read) === 4 ? fourOf(read) : address;
}

const fourOf = (words: Words): string => {
  const [high, low] = [words[6] as number, words[7] as number];
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
};

/**
 * What counts as one caller: `four` bits of an IPv4 address, `six` of an IPv6 address, where one customer has a whole /64 to
 * choose from. Addresses that stand for IPv4 ones (mapped, or translated: RFC 6052 §2.1) count as those, or all of IPv4 would be
 * one caller. What is no address, such as `unix`, stays as it is.
 */
export function networkOf(address: string, four = 32, six = 64): string {
  const is4 = !address.includes(':');
  if (is4 && four >= 32) return address;
  const family = readAddress(address, read);
  if (family === 0) return address;
  if (family === 4 || isTranslated(read)) {
    if (four >= 32) return fourOf(read);
    clear(MAPPED_BITS + four);
    return `${fourOf(read)}/${four}`;
  }
  clear(six);
  return `${sixOf(read)}/${six}`;
}

/** `64:ff9b::/96`. */
function isTranslated(words: Words): boolean {
  if (words[0] !== 0x64 || words[1] !== 0xff9b) return false;
  return words[2] === 0 && words[3] === 0 && words[4] === 0 && words[5] === 0;
}

/** Clears what stands behind so many bits. */
function clear(bits: number): void {
  const whole = bits >> 4;
  if (whole >= 8) return;
  read[whole] = (read[whole] as number) & ~(0xffff >> (bits & 15));
  read.fill(0, whole + 1);
}

/** As RFC 5952 §4 has it: the longest run of two or more zeros is left out. */
function sixOf(words: Words): string {
  let [from, most] = [0, 1];
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && words[i + length] === 0) length++;
    if (length > most) [from, most] = [i, length];
    i += length;
  }
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (most > 1 && i === from) {
      text += '::';
      i += most - 1;
    } else {
      text += (text === '' || text.endsWith(':') ? '' : ':') + (words[i] as number).toString(16);
    }
  }
  return text;
}
