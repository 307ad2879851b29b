/** A client that speaks HTTP/2 frame by frame, so that a test can send what no library would. */
import { HpackDecoder } from '../../src/http/http2/decoder.ts';
import { HpackEncoder } from '../../src/http/http2/encoder.ts';
import { FLAG, FRAME, frame, PREFACE, readUint32, settingsPayload } from '../../src/http/http2/frame.ts';
import { FrameReader } from '../../src/http/http2/reader.ts';
import type { InProcess } from '../inprocess.ts';
import { type RawPeer, rawClient } from '../raw.ts';

/** A frame as it came. */
export interface Got {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** Fields in order; pseudo-fields too. */
export type FieldPairs = readonly (readonly [string, string])[];

/** The fields of an ordinary request. */
export const GET: FieldPairs = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
];
/** The same for one that has a body. */
export const POST: FieldPairs = [[':method', 'POST'], ...GET.slice(1)];

const encoder = new HpackEncoder();

/** A header block. */
export function block(fields: FieldPairs): Buffer {
  encoder.begin();
  for (const [name, value] of fields) encoder.field(name, value);
  return Buffer.from(encoder.block, 'latin1');
}

/** A HEADERS frame that is a whole head. */
export function headers(id: number, fields: FieldPairs, ended = true): Buffer {
  return frame(FRAME.HEADERS, FLAG.END_HEADERS | (ended ? FLAG.END_STREAM : 0), id, block(fields));
}

/** A DATA frame. */
export function data(id: number, text: string, ended = false): Buffer {
  return frame(FRAME.DATA, ended ? FLAG.END_STREAM : 0, id, Buffer.from(text));
}

/** 32 bits as payload. */
export function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

/** The raw client. */
export class FrameClient {
  readonly peer: RawPeer;
  readonly frames: Got[] = [];
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder(4096);
  readonly #blocks = new Map<Got, Map<string, string>>();
  readonly #gateway: InProcess;
  #read = 0;
  #data = Buffer.alloc(0);

  constructor(peer: RawPeer, gateway: InProcess) {
    this.peer = peer;
    this.#gateway = gateway;
  }

  send(...pieces: readonly Buffer[]): Promise<void> {
    return this.peer.send(Buffer.concat(pieces));
  }

  /** Takes in what has come so far. */
  look(): void {
    const bytes = Buffer.from(this.peer.received, 'latin1');
    const from = this.#read;
    this.#read = bytes.length;
    this.#reader.read(bytes, from, bytes.length, {
      stopped: false,
      onFrameHead: () => true,
      onFrame: (type, flags, id, buffer, start, end) => {
        const got = { type, flags, id, payload: Buffer.from(buffer.subarray(start, end)) };
        this.frames.push(got);
        if (type !== FRAME.HEADERS) return;
        const fields = new Map<string, string>();
        this.#decoder.decode(buffer, start, end, ({ name, value }) => fields.set(name, value));
        this.#blocks.set(got, fields);
      },
      onData: (_id, buffer, start, end) => {
        this.#data = Buffer.concat([this.#data, buffer.subarray(start, end)]);
      },
      onDataEnd: (id, flags) => {
        this.frames.push({ type: FRAME.DATA, flags, id, payload: this.#data });
        this.#data = Buffer.alloc(0);
      },
      onFrameError() {},
    });
  }

  /** Waits for the first frame like this. */
  async frame(type: number, id = 0): Promise<Got> {
    let found: Got | undefined;
    await this.#gateway.until(`frame ${type} on stream ${id}`, () => {
      this.look();
      found = this.frames.find((got) => got.type === type && got.id === id);
      if (found === undefined && this.peer.ending !== undefined)
        throw new Error(`the connection ended (${this.peer.ending}): ${JSON.stringify(this.frames)}`);
      return found !== undefined;
    });
    return found as Got;
  }

  /** The head of a stream's answer. */
  async head(id: number): Promise<Map<string, string>> {
    return this.#blocks.get(await this.frame(FRAME.HEADERS, id)) as Map<string, string>;
  }

  /** Waits for a stream's end; returns its body. */
  async body(id: number): Promise<string> {
    await this.#gateway.until(`the end of stream ${id}`, () => {
      this.look();
      return this.frames.some((got) => got.id === id && (got.flags & FLAG.END_STREAM) !== 0 && got.type < 2);
    });
    return this.frames
      .filter((got) => got.type === FRAME.DATA && got.id === id)
      .map(({ payload }) => payload.toString('latin1'))
      .join('');
  }

  /** Waits for GOAWAY with an error; returns its code. */
  async goaway(): Promise<number> {
    return readUint32((await this.frame(FRAME.GOAWAY)).payload, 4);
  }

  /** Waits for RST_STREAM; returns its code. */
  async reset(id: number): Promise<number> {
    return readUint32((await this.frame(FRAME.RST_STREAM, id)).payload, 0);
  }

  close(): void {
    this.peer.close();
  }
}

/** Connects, with preface and settings. */
export async function frameClient(
  gateway: InProcess,
  settings: readonly (readonly [number, number])[] = [],
): Promise<FrameClient> {
  const client = new FrameClient(await rawClient(gateway.port), gateway);
  await client.send(PREFACE, frame(FRAME.SETTINGS, 0, 0, settingsPayload(settings)));
  return client;
}
