/** Servers and requests that the tests of this folder have in common. */
import { plainResponse, type RawPeer } from '../raw.ts';

/** A request that may be sent twice. */
export const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
/** One that may not, with a body. */
export const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody';

/** The head of an answer without a body. */
export const status = (code: number, fields = ''): string =>
  `HTTP/1.1 ${code} Said so\r\nContent-Length: 0\r\n${fields}\r\n`;

/** Answers every request with what `say` gives for it; what is '' is never answered. */
export const answering =
  (say: (body: string) => string) =>
  async (peer: RawPeer): Promise<void> => {
    for (;;) {
      const request = await peer.read();
      const text = say(request.body);
      if (text !== '') await peer.send(text);
    }
  };

/** Answers everything well, with the body of the request. */
export const serve = answering((body) => plainResponse(`good ${body}`));

/** A chunk of a chunked body. */
export const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

/** The head of an event stream. */
export const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
