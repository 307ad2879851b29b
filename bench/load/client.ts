/** One connection of the load generator: sends a request, reads its answer, checks it, and says so. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Target } from './channel.ts';
import { MessageReader } from './reader.ts';

// One read buffer for all plain connections: what is read is looked at before the next read.
const shared = Buffer.allocUnsafeSlow(256 * 1024);

/** What a run does with what its connections meet. */
export interface Watcher {
  /** A whole answer has arrived and was as expected. */
  answered(connection: Connection): void;
  /** A whole answer of another status than 200 has arrived; without this it is a failure. */
  declined?(connection: Connection): void;
  /** Events have arrived, `count` of them in the body so far grew by this many. */
  progressed(connection: Connection, count: number): void;
  /** The answer was wrong or the connection broke; the connection is gone. */
  failed(connection: Connection, what: string): void;
}

/** A client connection with at most one request under way. */
export class Connection {
  /** When the request in hand was due, in ms of `performance.now()`. */
  dueAt = 0;
  /** Whether the first event of the answer in hand has been seen. */
  sawFirst = false;
  readonly reader = new MessageReader('response');
  readonly #socket: Socket;
  readonly #target: Target;
  readonly #watcher: Watcher;
  #waiting = false;
  #closed = false;

  /** Connects. `countEvents` switches the counting of SSE events on. */
  constructor(target: Target, watcher: Watcher, countEvents: boolean, onReady: (connection: Connection) => void) {
    this.#target = target;
    this.#watcher = watcher;
    this.reader.countEvents = countEvents;
    const ready = () => onReady(this);
    if (target.ca) {
      const socket = connectTls(
        { host: target.host, port: target.port, ca: target.ca, servername: 'localhost' },
        ready,
      );
      socket.on('data', (bytes: Buffer) => this.#read(bytes, bytes.length));
      this.#socket = socket;
    } else {
      this.#socket = connect(
        {
          host: target.host,
          port: target.port,
          noDelay: true,
          onread: {
            buffer: shared,
            callback: (length) => {
              this.#read(shared, length);
              return true;
            },
          },
        },
        ready,
      );
    }
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(error.code ?? error.message));
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => this.#ended());
  }

  /** Whether the server has said that it closes after the answer in hand. */
  get lastAnswer(): boolean {
    return /\r\nconnection: *close/i.test(this.reader.head);
  }

  /** Sends a whole request. */
  send(request: Buffer): void {
    this.reader.reset();
    this.sawFirst = false;
    this.#waiting = true;
    this.#socket.write(request);
  }

  /** Ends the connection without a word to the watcher. */
  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #read(bytes: Buffer, length: number): void {
    if (this.#closed) return;
    const reader = this.reader;
    const before = reader.events;
    let taken = 0;
    try {
      if (this.#waiting) taken = reader.feed(bytes, length);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
      return;
    }
    if (reader.events > before) this.#watcher.progressed(this, reader.events - before);
    if (taken < length) this.#fail('bytes after the answer');
    else if (reader.done) this.#complete();
  }

  #complete(): void {
    const { status, bodyBytes } = this.reader;
    this.#waiting = false;
    const expected = this.#target.expectBytes;
    if (status !== 200 && this.#watcher.declined) this.#watcher.declined(this);
    else if (status !== 200) this.#fail(`status ${status}`);
    else if (expected > 0 && bodyBytes !== expected) this.#fail(`body of ${bodyBytes} bytes instead of ${expected}`);
    else this.#watcher.answered(this);
  }

  #ended(): void {
    if (this.#closed) return;
    if (this.#waiting && this.reader.end()) this.#complete();
    else this.#fail(this.#waiting ? 'connection closed before the answer ended' : 'closed while idle');
  }

  #fail(what: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#watcher.failed(this, what);
  }
}
