/** The answering half of a client connection: status line, framing and connection fields, body. */
import type { Request } from '../http/request.ts';
import { type BodyLength, LENGTH_CHUNKED, LENGTH_CLOSE, LENGTH_NONE, LENGTH_TUNNEL } from '../kernel/exchange.ts';
import { MessageWriter } from '../socket/message.ts';
import type { Wire } from '../socket/wire.ts';

/** Writes one response. */
export class ResponseWriter {
  /** The connection may carry another request after this response. */
  keepAlive: boolean;
  headSent = false;
  #probed = false;
  readonly #wire: Wire;
  readonly #message: MessageWriter;
  readonly #minor: 0 | 1;
  readonly #bodyless: boolean;

  constructor(wire: Wire, request: Request, keepAlive: boolean) {
    this.#wire = wire;
    this.#message = new MessageWriter(wire);
    this.keepAlive = keepAlive;
    this.#minor = request.minor;
    this.#bodyless = request.method === 'HEAD';
  }

  /**
   * Cutting it must be done by a reset to be seen: it ends with the connection, or with the digit of a probe, which a
   * lenient client may take for the last chunk.
   */
  get cutByReset(): boolean {
    return this.#minor === 0 || this.#probed;
  }

  /** Writes something that means nothing, if that is possible now (farewell.ts). */
  probe(): boolean {
    if (this.#minor === 0 || (this.headSent && !this.#message.probe())) return false;
    if (this.headSent) this.#probed = true;
    else this.interim(100, '');
    return true;
  }

  /** Sends a 1xx response, where the client can read one. */
  interim(status: number, fields: string): void {
    if (this.#minor === 1 && !this.headSent) this.#wire.writeText(`HTTP/1.1 ${status} \r\n${fields}\r\n`);
  }

  /** Sends the head with the framing that the client's version allows (RFC 9112 §6.1). */
  head(status: number, reason: string, fields: string, length: BodyLength): void {
    this.headSent = true;
    let framing = length;
    let lines = '';
    if (length === LENGTH_CHUNKED || length === LENGTH_CLOSE) {
      if (this.#minor === 1) {
        framing = LENGTH_CHUNKED;
        lines = 'Transfer-Encoding: chunked\r\n';
      } else {
        framing = LENGTH_CLOSE;
        this.keepAlive = false;
      }
    } else if (length >= 0) lines = `Content-Length: ${length}\r\n`;
    if (length === LENGTH_TUNNEL) this.keepAlive = false;
    else if (!this.keepAlive) lines += 'Connection: close\r\n';
    else if (this.#minor === 0) lines += 'Connection: keep-alive\r\n';
    this.#message.start(
      `HTTP/1.1 ${status} ${reason}\r\n${fields}${lines}\r\n`,
      this.#bodyless ? LENGTH_NONE : framing,
    );
  }

  /** Sends body bytes. False: they wait in memory. */
  write(buffer: Buffer, start: number, end: number): boolean {
    return this.#bodyless || this.#message.write(buffer, start, end);
  }

  /** Ends the response. */
  end(trailers: string): void {
    this.#message.end(this.#minor === 1 ? trailers : '');
  }
}
