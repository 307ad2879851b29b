/**
 * Raw sockets for tests that make faults happen: a client that sends any bytes it likes, and a server that answers with
 * any bytes it likes. Both ends of a connection are the same `RawPeer`.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type Message, type ReadOptions, takeMessage } from './message.ts';

/** How long a read waits before it fails with what has come so far. */
const PATIENCE_MS = 60_000;

/** How a connection ended, as its peer sees it. */
export type Ending = 'end' | 'reset';

/** One end of a connection. Everything is latin1 text, so that every byte is one character. */
export class RawPeer {
  readonly socket: Socket;
  /** Bytes received and not yet taken by a read. */
  received = '';
  /** How the other side ended; undefined while it is open. */
  ending: Ending | undefined;
  #wake: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (part: Buffer) => {
      this.received += part.toString('latin1');
      this.#notify();
    });
    socket.on('end', () => this.#end('end'));
    socket.on('error', () => this.#end('reset'));
    socket.on('close', () => this.#end('end'));
  }

  /** Sends bytes; resolves when they have been handed to the kernel. Writing to a connection that has gone is no error. */
  async send(bytes: string | Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      if (typeof bytes === 'string') this.socket.write(bytes, 'latin1', () => resolve());
      else this.socket.write(bytes, () => resolve());
    });
  }

  /** Sends the pieces one by one, letting the event loop turn between them so that they leave as separate segments. */
  async sendInPieces(pieces: Iterable<string>): Promise<void> {
    for (const piece of pieces) {
      await this.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Takes the next message. Fails when the connection ends or time runs out before it is whole. */
  async read(options: ReadOptions = {}): Promise<Message> {
    let message: Message | undefined;
    await this.#until('a whole message', () => {
      message = takeMessage(this.received, { ...options, ended: this.ending === 'end' });
      return message !== undefined;
    });
    const whole = message as unknown as Message;
    this.received = this.received.slice(whole.raw.length);
    return whole;
  }

  /** Takes the next `count` messages. */
  async readMany(count: number, options: ReadOptions = {}): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) messages.push(await this.read(options));
    return messages;
  }

  /** Waits until what has come matches; takes nothing. Resolves with everything received and not taken. */
  async readUntil(pattern: RegExp | string): Promise<string> {
    await this.#until(`${pattern}`, () =>
      typeof pattern === 'string' ? this.received.includes(pattern) : pattern.test(this.received),
    );
    return this.received;
  }

  /** Waits until the other side ends, and says how. What came stays in `received`. */
  async readToEnd(): Promise<Ending> {
    await this.#until('the end of the connection', () => this.ending !== undefined);
    return this.ending as unknown as Ending;
  }

  /** Ends our direction only (FIN): the other side may still answer. */
  end(): void {
    this.socket.end();
  }

  /** Goes away at once with RST, as a killed process or a broken network would. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Goes away. */
  close(): void {
    this.socket.destroy();
  }

  async #until(what: string, done: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!done()) {
      const left = deadline - performance.now();
      const why = this.ending ? `the connection ended (${this.ending})` : left <= 0 ? `${PATIENCE_MS} ms passed` : '';
      if (why) throw new Error(`waited for ${what}, but ${why}; received: ${JSON.stringify(this.received)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #end(ending: Ending): void {
    this.ending ??= ending;
    this.#notify();
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Connects to a port of this machine, with TLS when options for it are given. */
export async function rawClient(port: number, tls?: ConnectionOptions): Promise<RawPeer> {
  const socket = tls
    ? connectTls({ host: '127.0.0.1', port, allowHalfOpen: true, ...tls } as ConnectionOptions)
    : connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  await once(socket, tls ? 'secureConnect' : 'connect');
  return new RawPeer(socket);
}

/** Sends bytes on a connection of its own, takes one message and goes. */
export async function exchange(port: number, bytes: string, options: ReadOptions = {}): Promise<Message> {
  const client = await rawClient(port);
  try {
    await client.send(bytes);
    return await client.read(options);
  } finally {
    client.close();
  }
}

/** A server whose every connection is played by a test. */
export interface RawServer {
  port: number;
  /** Such as `http://127.0.0.1:41234`. */
  url: string;
  /** Connections so far, in order. */
  connections: RawPeer[];
  /** Resolves with the connection of this number (from 0) once it has been accepted. */
  connection(number: number): Promise<RawPeer>;
  /** Closes everything. */
  close(): Promise<void>;
}

/**
 * Listens on a free port and calls `play` for each connection. What `play` throws after its connection has ended is
 * ignored; before, the connection is reset, so that a mistake in a test shows.
 */
export async function rawServer(play: (peer: RawPeer, number: number) => Promise<void> | void): Promise<RawServer> {
  const connections: RawPeer[] = [];
  const waiting = new Map<number, ((peer: RawPeer) => void)[]>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const peer = new RawPeer(socket);
    const number = connections.push(peer) - 1;
    for (const resolve of waiting.get(number) ?? []) resolve(peer);
    (async () => play(peer, number))().catch(() => peer.reset());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    connections,
    connection(number) {
      const peer = connections[number];
      if (peer) return Promise.resolve(peer);
      return new Promise((resolve) => waiting.set(number, [...(waiting.get(number) ?? []), resolve]));
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const peer of connections) peer.close();
      await closed;
    },
  };
}

/** A plain response with a body of known length. */
export const plainResponse = (body = 'ok', fields = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${fields}\r\n${body}`;

/** A URL at which nobody listens, ever: the port is one of those that only the system itself may take. */
export const CLOSED_URL = 'http://127.0.0.1:1';
