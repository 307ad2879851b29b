/** The requests of one target, made once and sent in turns. */
import { requestBody } from './body.ts';
import type { Target } from './channel.ts';
import { proofField } from './proof.ts';

/** See the file's head. */
export class Requests {
  readonly #requests: readonly Buffer[];
  readonly #proof: Target['proof'];
  #turn = 0;

  /** `stream`: they ask for one. */
  constructor({ heads, bodyBytes, proof }: Target, stream: boolean, keepAlive = true) {
    const body = requestBody(bodyBytes, stream);
    const connection = keepAlive ? '' : 'Connection: close\r\n';
    this.#requests = heads.map((head) =>
      Buffer.from(`${head}${connection}Content-Length: ${body.length}\r\n\r\n${body}`),
    );
    this.#proof = proof;
  }

  /** The next one, whole; with a proof of its own where the target wants one. */
  next(): Buffer {
    if (this.#turn >= this.#requests.length) this.#turn = 0;
    const request = this.#requests[this.#turn++]!;
    if (!this.#proof) return request;
    const line = request.indexOf('\r\n') + 2;
    return Buffer.concat([request.subarray(0, line), Buffer.from(proofField(this.#proof)), request.subarray(line)]);
  }
}
