/** The beginning of a connection from a load balancer: reads its PROXY header, then hands the connection on. */
import { HttpFault } from '../../http/fault.ts';
import type { Timed } from '../../socket/deadlines.ts';
import type { NativeHandle } from '../../socket/native.ts';
import type { WireOwner } from '../../socket/owner.ts';
import { type ProxyHeader, readProxyHeader } from '../../socket/proxy/header.ts';
import { Wire } from '../../socket/wire.ts';
import type { ListenerRuntime } from '../runtime.ts';

/** Takes over behind the header: the wire has been paused, and `rest` is what has come already. Without: it came to nothing. */
export type BehindHeader = (wire: Wire | undefined, header: ProxyHeader | undefined, rest: Buffer) => void;

const NOTHING = Buffer.alloc(0);

/** See the file's head. */
export class ProxyReader implements WireOwner, Timed {
  deadline: number;
  slot = -1;
  readonly #wire: Wire;
  readonly #runtime: ListenerRuntime;
  readonly #behind: BehindHeader;
  #held = Buffer.alloc(0);
  #over = false;

  constructor(handle: NativeHandle, runtime: ListenerRuntime, behind: BehindHeader) {
    this.#runtime = runtime;
    this.#behind = behind;
    this.deadline = runtime.clock.now() + runtime.timeouts.head;
    this.#wire = new Wire(handle, this);
    runtime.deadlines.add(this);
    this.#wire.resume();
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#over) return;
    this.#held = Buffer.concat([this.#held, buffer.subarray(start, end)]);
    const header = readProxyHeader(this.#held, 0, this.#held.length);
    if (header === undefined) return;
    if (header instanceof HttpFault) {
      this.#refuse(header.kind);
      return;
    }
    this.#leave();
    this.#wire.pause();
    this.#behind(this.#wire, header, this.#held.subarray(header.length));
  }

  onEof(): void {
    this.#close();
  }

  onDrain(): void {}

  onBroken(): void {
    this.#close();
  }

  onDeadline(): void {
    this.#refuse('slow_proxy_header');
  }

  destroy(): void {
    this.#close();
  }

  /** Nothing is answered: who sent this does not expect HTTP yet. */
  #refuse(kind: string): void {
    if (this.#over) return;
    this.#runtime.fault(kind);
    this.#close();
  }

  #leave(): void {
    this.#over = true;
    this.#runtime.deadlines.remove(this);
  }

  #close(): void {
    if (this.#over) return;
    this.#leave();
    this.#wire.destroy();
    this.#behind(undefined, undefined, NOTHING);
  }
}
