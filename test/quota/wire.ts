/** A wire to a server that can be cut, mended and made slow. */
import { connect, createServer, type Socket } from 'node:net';

/** See the file's head. */
export interface Wire {
  readonly port: number;
  /** What stands hangs, and so does what is new: nothing comes through, and nobody is told. */
  cut(): void;
  mend(): void;
  /** Each piece takes so many milliseconds longer. */
  slow(ms: number): void;
  stop(): void;
}

/** Starts one on 127.0.0.1 to this port of it. */
export async function startWire(to: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let delayMs = 0;
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (data) => {
        if (isCut) return;
        if (delayMs === 0) other.write(data);
        else setTimeout(() => !isCut && other.write(data), delayMs);
      });
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        other.destroy();
      });
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    cut: () => {
      isCut = true;
    },
    mend: () => {
      isCut = false;
      // Pieces are missing in what stood.
      drop();
    },
    slow: (ms) => {
      delayMs = ms;
    },
    stop: () => {
      drop();
      server.close();
    },
  };
}
