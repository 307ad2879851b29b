/** Whether an address is in a network, as conditions ask it. */
import { BlockList, isIP } from 'node:net';

/** Networks that are remembered; most expressions name theirs as they are, and these are few. */
const REMEMBERED = 256;
const known = new Map<string, BlockList>();

/** Throws an `Error` for what is no network. */
export function inNetwork(address: string, network: string): boolean {
  let list = known.get(network);
  if (list === undefined) {
    list = compile(network);
    if (known.size >= REMEMBERED) known.clear();
    known.set(network, list);
  }
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

function compile(network: string): BlockList {
  const [address = '', bits] = network.split('/');
  const family = isIP(address);
  const most = family === 6 ? 128 : 32;
  if (family === 0 || !/^\d{1,3}$/.test(bits ?? '0') || Number(bits ?? most) > most)
    throw new Error(`${network} is no network, such as 10.0.0.0/8`);
  const list = new BlockList();
  list.addSubnet(address, Number(bits ?? most), family === 6 ? 'ipv6' : 'ipv4');
  return list;
}
