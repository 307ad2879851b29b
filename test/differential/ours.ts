/** Our own codec, driven through the connection classes that serve real sockets, on a socket in memory. */

import { HttpFault } from '../../src/http/fault.ts';
import type { Request } from '../../src/http/request.ts';
import type { Response } from '../../src/http/response.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { type Exchange, LENGTH_NONE } from '../../src/kernel/exchange.ts';
import { ServerConnection } from '../../src/listen/connection.ts';
import { http2Config } from '../../src/listen/http2/config.ts';
import type { ListenerRuntime } from '../../src/listen/runtime.ts';
import { Deadlines } from '../../src/socket/deadlines.ts';
import { EOF, MemoryHandle } from '../../src/socket/handle.fixture.ts';
import { Wire } from '../../src/socket/wire.ts';
import { AnswerReader, COMPLETE, SURPLUS } from '../../src/upstream/answer.ts';
import type { FieldList, Outcome, SeenRequest, SeenResponse } from './outcome.ts';

const MIB = 1024 * 1024;
const limits = {
  connections: 1,
  head: MIB,
  uri: 65_536,
  fields: 1000,
  body: 2 ** 46,
  chunkExtensions: 16_384,
  held: 1 << 20,
  pipelined: 65_536,
  trailers: 65_536,
  requestsPerConnection: 1000,
};
const timeouts = { handshake: 1, head: 1, body: 1, keepAlive: 1, write: 1, halfClose: 1000, linger: 1, drain: 1 };
const http2 = http2Config.parse({});

/** `text` cut at these positions. */
export function pieces(text: string, cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const out: Buffer[] = [];
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    if (end > from) out.push(bytes.subarray(from, end));
    from = end;
  }
  return out;
}

function lines(trailers: string): FieldList {
  const split = trailers.split('\r\n').slice(0, -1);
  return split.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
}

function fieldsOf(head: Request | Response): FieldList {
  const fields: FieldList = [];
  head.each((name, value) => fields.push([name, value]));
  return fields;
}

/** Reads requests off a connection; each is answered at once. */
export function readRequests(text: string, cuts: readonly number[] = []): Outcome<SeenRequest> {
  const outcome: Outcome<SeenRequest> = { messages: [], end: 'clean', why: '' };
  const clock = new ManualClock();
  const runtime: ListenerRuntime = {
    name: 'test',
    scheme: 'http',
    limits,
    timeouts,
    http2,
    clock,
    deadlines: new Deadlines(clock),
    trusts: () => false,
    draining: false,
    fault(kind) {
      outcome.end = kind === 'head_cut_short' || kind === 'body_cut_short' ? 'incomplete' : 'refused';
      outcome.why = kind;
    },
    onRequest: (exchange) => answer(exchange, outcome),
    onRefused: ({ inbound }) => {
      inbound.head(400, 'Bad Request', '', 0);
      inbound.end('');
    },
    onAborted() {},
    onClosed() {},
    http2Connections() {},
  };
  const handle = new MemoryHandle();
  const wire = new Wire(handle, { onBytes() {}, onEof() {}, onDrain() {}, onBroken() {} });
  new ServerConnection(wire, { address: '192.0.2.1', port: 1, trusted: false }, runtime);
  for (const piece of pieces(text, cuts)) if (!wire.closed) handle.feed(wire, piece);
  if (!wire.closed) wire.read(EOF);
  if (outcome.messages.at(-1)?.keepAlive === false) outcome.end = 'closed';
  return outcome;
}

function answer(exchange: Exchange, outcome: Outcome<SeenRequest>): void {
  const { inbound } = exchange;
  const head = exchange.head as Request;
  const message: SeenRequest = {
    method: head.method,
    target: head.target,
    minor: head.minor,
    fields: fieldsOf(head),
    body: '',
    trailers: [],
    keepAlive: head.keepAlive,
  };
  inbound.start({
    onRequestData(buffer, start, end) {
      message.body += buffer.toString('latin1', start, end);
    },
    onRequestEnd(trailers) {
      message.trailers = lines(trailers);
      outcome.messages.push(message);
      inbound.head(204, 'No Content', '', LENGTH_NONE);
      inbound.end('');
    },
    onInboundDrain() {},
    onInboundAbort() {
      inbound.abort();
    },
  });
}

/** Reads the answer to a request of this method. */
export function readResponse(text: string, method: string, cuts: readonly number[] = []): Outcome<SeenResponse> {
  const outcome: Outcome<SeenResponse> = { messages: [], end: 'clean', why: '' };
  const reader = new AnswerReader({ head: MIB, fields: 1000, interim: 16 }, limits);
  const message: SeenResponse = { interim: [], status: 0, reason: '', minor: 0, fields: [], body: '', trailers: [] };
  const sink = {
    onInterimHead: (head: Response) => void message.interim.push(head.status),
    onFinalHead(head: Response) {
      Object.assign(message, { status: head.status, reason: head.reason, minor: head.minor, fields: fieldsOf(head) });
    },
    onPayload(buffer: Buffer, start: number, end: number) {
      message.body += buffer.toString('latin1', start, end);
    },
  };
  reader.begin(method);
  for (const piece of pieces(text, cuts)) {
    const copy = Buffer.from(piece);
    const result = reader.read(copy, 0, copy.length, sink);
    if (result instanceof HttpFault) return { messages: [], end: 'refused', why: result.kind };
    copy.fill(0x2a);
    if (result === COMPLETE || result === SURPLUS) {
      message.trailers = lines(reader.trailers);
      outcome.messages.push(message);
      return outcome;
    }
  }
  if (reader.closeDelimited) outcome.messages.push(message);
  else outcome.end = text === '' ? 'clean' : 'incomplete';
  return outcome;
}
