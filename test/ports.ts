/** Ports for programs that have to be told theirs. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below these the kernel gives none to whoever asks for any, or connects: nobody takes one meanwhile by chance. */
const FIRST = 10_000;
const LAST = 29_999;
/** Where the next search begins: processes of tests that run side by side begin at places far apart. */
let next = FIRST + ((process.pid * 37) % (LAST - FIRST));

/**
 * A port of 127.0.0.1 at which nobody listens, for a program that is started next, or so that something is found closed. It
 * lies outside the range from which the kernel chooses, so it is still free when the program has come up, and when it comes again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = next++;
    if (next > LAST) next = FIRST;
    const server = createServer();
    server.listen(port, '127.0.0.1');
    const free = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(
        () => false,
        () => false,
      ),
    ]);
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** A URL at which nobody listens, ever: the port is one of those that only the system itself may take. */
export const CLOSED_URL = 'http://127.0.0.1:1';
