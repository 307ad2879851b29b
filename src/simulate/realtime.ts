/** `/v1/realtime`: a WebSocket (RFC 6455) that says `session.created` and then echoes, as a target for tunnels. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Largest frame: 16 MiB. */
const MOST_FRAME_BYTES = 16 << 20;

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** One frame from server to client: not masked. */
export function frame(opcode: number, payload: Buffer, fin = true): Buffer {
  const first = (fin ? 0x80 : 0) | opcode;
  const size = payload.length;
  let head: Buffer;
  if (size < 126) {
    head = Buffer.from([first, size]);
  } else if (size < 65_536) {
    head = Buffer.from([first, 126, size >> 8, size & 255]);
  } else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(size), 2);
  }
  return Buffer.concat([head, payload]);
}

/** A frame as it was read. */
export interface Frame {
  opcode: number;
  fin: boolean;
  payload: Buffer;
  /** Bytes it took. */
  size: number;
}

/** The first frame in `bytes`; undefined while it is incomplete; a close code when it breaks the protocol. */
export function readFrame(bytes: Buffer): Frame | number | undefined {
  if (bytes.length < 2) return undefined;
  const first = bytes[0] as number;
  const second = bytes[1] as number;
  const opcode = first & 15;
  const short = second & 127;
  // Reserved bits, unmasked clients, and control frames that are long or in pieces (RFC 6455 §5.1, §5.2, §5.5).
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) return 1002;
  if (opcode >= 8 && (short > 125 || (first & 0x80) === 0)) return 1002;
  let at = 2;
  let size = short;
  if (short === 126) {
    if (bytes.length < 4) return undefined;
    size = bytes.readUInt16BE(2);
    at = 4;
  } else if (short === 127) {
    if (bytes.length < 10) return undefined;
    const long = bytes.readBigUInt64BE(2);
    if (long > BigInt(MOST_FRAME_BYTES)) return 1009;
    size = Number(long);
    at = 10;
  }
  if (bytes.length < at + 4 + size) return undefined;
  const mask = bytes.subarray(at, at + 4);
  const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + size));
  for (let i = 0; i < size; i++) payload[i] = (payload[i] as number) ^ (mask[i & 3] as number);
  return { opcode, fin: (first & 0x80) !== 0, payload, size: at + 4 + size };
}

/** Accepts the handshake and echoes until either side closes; refuses what is no WebSocket handshake. */
export function realtime(request: IncomingMessage, socket: Duplex, early: Buffer): void {
  socket.on('error', () => {});
  const key = request.headers['sec-websocket-key'];
  const path = (request.url ?? '').split('?')[0];
  if (path !== '/v1/realtime' || request.headers.upgrade?.toLowerCase() !== 'websocket' || typeof key !== 'string') {
    const status = path === '/v1/realtime' ? '400 Bad Request' : '404 Not Found';
    socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    return;
  }
  const accept = createHash('sha1')
    .update(key + MAGIC)
    .digest('base64');
  const protocol = request.headers['sec-websocket-protocol']?.split(',')[0]?.trim();
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n${protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : ''}\r\n`,
  );
  const session = { id: 'sess_simulate', object: 'realtime.session', type: 'realtime', model: 'simulate' };
  const created = { type: 'session.created', event_id: 'event_simulate', session };
  socket.write(frame(TEXT, Buffer.from(JSON.stringify(created))));
  let held = early;
  const read = (part: Buffer): void => {
    held = held.length === 0 ? part : Buffer.concat([held, part]);
    for (;;) {
      const next = readFrame(held);
      if (next === undefined) return;
      if (typeof next === 'number') {
        socket.end(frame(CLOSE, Buffer.from([next >> 8, next & 255])));
        return;
      }
      held = held.subarray(next.size);
      if (next.opcode === CLOSE) {
        socket.end(frame(CLOSE, next.payload));
        return;
      }
      if (next.opcode === PING) socket.write(frame(PONG, next.payload));
      else if (next.opcode !== PONG) socket.write(frame(next.opcode, next.payload, next.fin));
    }
  };
  socket.on('data', read);
  socket.on('end', () => socket.end());
  read(Buffer.alloc(0));
}
