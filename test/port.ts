/** Ports that are known before somebody listens on them, or that somebody listens on again. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';

/** Below it ports may belong to services of the machine. */
const LEAST = 10_240;
const TRIES = 100;
const RANGE = '/proc/sys/net/ipv4/ip_local_port_range';

/** The first port that the kernel gives to whoever asks for any. */
function firstOfKernel(): number {
  try {
    return Number(readFileSync(RANGE, 'utf8').trim().split(/\s+/)[0]);
  } catch {
    return 0;
  }
}

/**
 * A port on 127.0.0.1 that nobody listens on. Not one of those that the kernel gives away by itself, to listeners on port 0 and
 * to connections that go out: until somebody listens on it, and while it is left for a moment, nobody takes it by chance.
 */
export async function freePort(): Promise<number> {
  const end = firstOfKernel();
  for (let i = 0; i < TRIES; i++) {
    const server = createServer();
    const listens = await new Promise<boolean>((done) => {
      server.once('listening', () => done(true)).once('error', () => done(false));
      server.listen(end > LEAST + 1000 ? randomInt(LEAST, end) : 0, '127.0.0.1');
    });
    if (!listens) continue;
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`no port of ${LEAST} to ${end} is free`);
}
