/** The connections of HTTP/2 to one server: as few as carry the requests. */
import type { ProxyAddress } from '../../socket/proxy/header.ts';
import type { Carrier } from '../carrier.ts';
import type { ConnectionHost } from '../host.ts';
import { Http2Carrier, Http2Line } from './line.ts';

/** See the file's head. */
export class Http2Pool {
  readonly #host: ConnectionHost;
  readonly #lines: Http2Line[] = [];

  constructor(host: ConnectionHost) {
    this.#host = host;
  }

  /** Open connections. */
  get connections(): number {
    return this.#lines.length;
  }

  /**
   * A place on a connection; undefined when all are full and there may be no more. `current`: the server still has an
   * address; `from`: the client that a PROXY header names.
   */
  acquire(current: (address: string) => boolean, from?: ProxyAddress): Carrier | undefined {
    const client = from?.address ?? '';
    let best: Http2Line | undefined;
    for (const line of [...this.#lines]) {
      if (line.session !== undefined && !current(line.address)) line.retire();
      else if (line.client === client && line.room && (best === undefined || line.active < best.active)) best = line;
    }
    const { pool, retries } = this.#host.config;
    if (best === undefined && this.#lines.length < pool.connections) {
      best = new Http2Line(this.#host, from, (line) => this.#closed(line));
      this.#lines.push(best);
    }
    return best === undefined ? undefined : new Http2Carrier(best, retries.replay);
  }

  #closed(line: Http2Line): void {
    const at = this.#lines.indexOf(line);
    if (at >= 0) this.#lines.splice(at, 1);
  }

  /** Takes no new requests: connections close with the last request under way. */
  close(): void {
    for (const line of [...this.#lines]) line.retire();
  }
}
