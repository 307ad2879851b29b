/** Node's own parser (llhttp, strict), driven through node:http on a stream in memory. */
import { type ClientRequest, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import type { End, FieldList, Outcome, SeenRequest, SeenResponse } from './outcome.ts';

const MAX_HEADER_BYTES = 1024 * 1024;

/** A stream whose input is pushed in and whose output is kept. */
class Line extends Duplex {
  output = '';
  /** Requests in the order of their heads, whole or not. */
  readonly begun: { incoming: IncomingMessage; message: SeenRequest }[] = [];
  tunnel = false;
  verdict: End = 'clean';
  why = '';
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.output += chunk.toString('latin1');
    done();
  }
}

/** Lets streams hand on what they hold. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((done) => setImmediate(done));
}

function pairs(raw: readonly string[]): FieldList {
  const fields: FieldList = [];
  for (let i = 0; i + 1 < raw.length; i += 2) fields.push([raw[i] as string, raw[i + 1] as string]);
  return fields;
}

function refuse(line: Line, code: string): void {
  if (line.verdict !== 'clean') return;
  line.verdict = code === 'HPE_INVALID_EOF_STATE' ? 'incomplete' : 'refused';
  line.why = code;
}

function seen(incoming: IncomingMessage, keepAlive: boolean): SeenRequest {
  return {
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    minor: incoming.httpVersionMinor,
    fields: pairs(incoming.rawHeaders),
    body: '',
    trailers: [],
    keepAlive,
  };
}

function onRequest(incoming: IncomingMessage, response: ServerResponse): void {
  const message = seen(incoming, response.shouldKeepAlive);
  (incoming.socket as unknown as Line).begun.push({ incoming, message });
  incoming.on('data', (chunk: Buffer) => {
    message.body += chunk.toString('latin1');
  });
  incoming.on('error', () => {});
  incoming.on('end', () => {
    if (!incoming.complete) return;
    response.writeHead(204);
    response.end();
  });
}

const server = createServer({ insecureHTTPParser: false, maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: 0 });
server.on('request', onRequest);
server.on('checkContinue', onRequest);
server.on('checkExpectation', onRequest);
server.on('upgrade', (incoming: IncomingMessage) => {
  const line = incoming.socket as unknown as Line;
  line.tunnel = true;
  line.begun.push({ incoming, message: seen(incoming, true) });
});
server.on('clientError', (error: Error & { code?: string }, socket) => {
  // Not closed here: what was read before is still being delivered.
  refuse(socket as unknown as Line, error.code ?? error.message);
});
// A client that half-closes still gets its answers, as with us.
(server as unknown as { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;

/** Reads requests off a connection; each is answered at once. */
export async function readRequests(text: string): Promise<Outcome<SeenRequest>> {
  const line = new Line();
  line.on('error', () => {});
  server.emit('connection', line);
  line.push(Buffer.from(text, 'latin1'));
  await settle();
  const whole = line.begun.filter(
    ({ incoming }, i) => incoming.complete || (line.tunnel && i === line.begun.length - 1),
  );
  const messages = whole.map(({ incoming, message }) => ({ ...message, trailers: pairs(incoming.rawTrailers) }));
  const closed = messages.at(-1)?.keepAlive === false;
  if (line.output.includes('HTTP/1.1 400')) refuse(line, 'host_missing');
  else if (line.destroyed && !closed) refuse(line, 'closed');
  else if (!line.destroyed) {
    line.push(null);
    await settle();
  }
  line.destroy();
  return { messages, end: line.tunnel ? 'tunnel' : closed ? 'closed' : line.verdict, why: line.why };
}

/** Reads the answer to a request of this method. */
export async function readResponse(text: string, method: string): Promise<Outcome<SeenResponse>> {
  const line = new Line();
  line.on('error', () => {});
  const outcome: Outcome<SeenResponse> = { messages: [], end: 'clean', why: '' };
  const message: SeenResponse = { interim: [], status: 0, reason: '', minor: 0, fields: [], body: '', trailers: [] };
  let final: IncomingMessage | undefined;
  let upgraded = false;
  const onFinal = (incoming: IncomingMessage) => {
    final = incoming;
    incoming.on('data', (chunk: Buffer) => {
      message.body += chunk.toString('latin1');
    });
    incoming.on('error', () => {});
  };
  const sent: ClientRequest = request({
    method,
    insecureHTTPParser: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    createConnection: () => line,
  });
  sent.on('information', (head) => message.interim.push(head.statusCode));
  sent.on('response', onFinal);
  sent.on('upgrade', (incoming: IncomingMessage, _socket: unknown, rest: Buffer) => {
    final = incoming;
    upgraded = true;
    message.body = rest.toString('latin1');
  });
  sent.on('error', (error: Error & { code?: string }) => {
    const code = error.code ?? error.message;
    outcome.end = code === 'ECONNRESET' || code === 'HPE_INVALID_EOF_STATE' ? 'incomplete' : 'refused';
    outcome.why = code;
  });
  sent.end();
  await settle();
  line.push(Buffer.from(text, 'latin1'));
  await settle();
  if (!line.destroyed) {
    line.push(null);
    await settle();
  }
  if (final !== undefined && (final.complete || upgraded)) {
    Object.assign(message, {
      status: final.statusCode,
      reason: final.statusMessage,
      minor: final.httpVersionMinor,
      fields: pairs(final.rawHeaders),
      trailers: pairs(final.rawTrailers),
    });
    outcome.messages.push(message);
    outcome.end = 'clean';
  } else if (outcome.end === 'clean' && text !== '') outcome.end = 'incomplete';
  line.destroy();
  return outcome;
}
