/** Reads server name and protocols out of a TLS ClientHello (RFC 8446 §4.1.2), before anybody answers it. */
import type { Socket } from 'node:net';

/** What a ClientHello asks for. */
export interface Hello {
  /** In lower case; '' when it names none. */
  readonly serverName: string;
  /** ALPN protocols in the client's order. */
  readonly protocols: readonly string[];
}

/** A ClientHello beyond this is nobody's: the largest real ones, with keys against quantum computers, have 2 KiB. */
export const HELLO_MAX = 16_384;

/**
 * Reads the ClientHello from a socket and puts it back for whoever shakes hands then. Gives undefined when it is none; never
 * calls when the client goes before. Nobody else may read the socket meanwhile.
 */
export function peekHello(socket: Socket, done: (hello: Hello | undefined) => void): void {
  let seen: Buffer | undefined;
  const look = () => {
    for (let part = socket.read() as Buffer | null; part !== null; part = socket.read() as Buffer | null) {
      seen = seen === undefined ? part : Buffer.concat([seen, part]);
    }
    if (seen === undefined) return;
    const hello = readHello(seen);
    if (hello === 'more' && seen.length <= HELLO_MAX) return;
    socket.removeListener('readable', look);
    socket.unshift(seen);
    done(typeof hello === 'string' ? undefined : hello);
  };
  socket.on('readable', look);
  // Whoever leaves in the middle has said all; without a reader the socket would stay half open.
  socket.once('end', () => socket.destroy());
}

/** `more`: it is not complete yet; `other`: this is no ClientHello. */
export function readHello(bytes: Uint8Array): Hello | 'more' | 'other' {
  const message = joinRecords(bytes);
  if (typeof message === 'string') return message;
  const at = new Reader(message, 4);
  at.skip(2 + 32); // version, random
  at.skip(at.u8()); // session id
  at.skip(at.u16()); // cipher suites
  at.skip(at.u8()); // compression methods
  let serverName = '';
  let protocols: string[] = [];
  if (at.left > 0) {
    const extensions = at.part(at.u16());
    while (extensions.left > 0 && !extensions.broken) {
      const type = extensions.u16();
      const body = extensions.part(extensions.u16());
      if (type === 0) serverName = nameIn(body) ?? serverName;
      else if (type === 16) protocols = protocolsIn(body);
      if (body.broken) return 'other';
    }
    if (extensions.broken) return 'other';
  }
  return at.broken ? 'other' : { serverName: serverName.toLowerCase(), protocols };
}

function nameIn(body: Reader): string | undefined {
  const list = body.part(body.u16());
  while (list.left > 0 && !list.broken) {
    const type = list.u8();
    const name = list.part(list.u16());
    if (type === 0) return name.text();
  }
  return undefined;
}

function protocolsIn(body: Reader): string[] {
  const list = body.part(body.u16());
  const found: string[] = [];
  while (list.left > 0 && !list.broken) found.push(list.part(list.u8()).text());
  return found;
}

/** The handshake message in its records, which may cut it anywhere. */
function joinRecords(bytes: Uint8Array): Uint8Array | 'more' | 'other' {
  const parts: Uint8Array[] = [];
  let have = 0;
  let want = 4;
  for (let at = 0; have < want; ) {
    if (bytes.length > at && bytes[at] !== 22) return 'other';
    if (bytes.length < at + 5) return bytes.length > HELLO_MAX ? 'other' : 'more';
    const length = (bytes[at + 3] as number) * 256 + (bytes[at + 4] as number);
    if (bytes[at + 1] !== 3 || length === 0 || length > 16_384) return 'other';
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    have += part.length;
    if (have >= 4 && want === 4) {
      const head = Buffer.concat(parts);
      if (head[0] !== 1) return 'other';
      want = 4 + head.readUIntBE(1, 3);
      if (want > HELLO_MAX) return 'other';
    }
    at += 5 + length;
    if (part.length < length && have < want) return 'more';
  }
  return Buffer.concat(parts).subarray(0, want);
}

/** Walks over bytes; beyond the end everything is 0 and `broken`. */
class Reader {
  broken = false;
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(count: number): void {
    if (count > this.left) this.broken = true;
    this.#at = Math.min(this.#bytes.length, this.#at + count);
  }

  u8(): number {
    const value = this.#bytes[this.#at] ?? 0;
    this.skip(1);
    return value;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  part(length: number): Reader {
    const part = new Reader(this.#bytes.subarray(this.#at, this.#at + length), 0);
    this.skip(length);
    if (this.broken) part.broken = true;
    return part;
  }

  text(): string {
    return Buffer.from(this.#bytes.subarray(this.#at)).toString('latin1');
  }
}
