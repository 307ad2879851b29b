/** Whether an address is in a network, as conditions ask it. */
import { BlockList, isIP } from 'node:net';

interface Network {
  /** First address and mask, of IPv4. */
  readonly base: number;
  readonly mask: number;
  /** The network, of IPv6. */
  readonly six: BlockList | undefined;
}

/** Networks that are remembered; most expressions name theirs as they are, and these are few. */
const REMEMBERED = 256;
const known = new Map<string, Network>();

/** Throws an `Error` for what is no network. */
export function inNetwork(address: string, text: string): boolean {
  let network = known.get(text);
  if (network === undefined) {
    network = compile(text);
    if (known.size >= REMEMBERED) known.clear();
    known.set(text, network);
  }
  if (network.six !== undefined)
    return address.includes(':') && isIP(address) === 6 && network.six.check(address, 'ipv6');
  const number = addressOf(address);
  return number >= 0 && (number & network.mask) >>> 0 === network.base;
}

/** An address of IPv4 (also one in the clothes of IPv6) as a number; -1 for any other text. */
function addressOf(text: string): number {
  let number = 0;
  let part = -1;
  let dots = 0;
  for (let i = text.startsWith('::ffff:') ? 7 : 0; i <= text.length; i++) {
    const digit = i === text.length ? -2 : text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) {
      part = (part < 0 ? 0 : part * 10) + digit;
      if (part > 255) return -1;
    } else {
      // -2: the point, and the end.
      if (digit !== -2 || part < 0) return -1;
      number = number * 256 + part;
      part = -1;
      dots++;
    }
  }
  return dots === 4 ? number : -1;
}

function compile(text: string): Network {
  const [address = '', bits] = text.split('/');
  const family = isIP(address);
  const most = family === 6 ? 128 : 32;
  const length = Number(bits ?? most);
  if (family === 0 || !/^\d{1,3}$/.test(bits ?? '0') || length > most)
    throw new Error(`${text} is no network, such as 10.0.0.0/8`);
  if (family === 6) {
    const six = new BlockList();
    six.addSubnet(address, length, 'ipv6');
    return { base: 0, mask: 0, six };
  }
  const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
  return { base: (addressOf(address) & mask) >>> 0, mask, six: undefined };
}
