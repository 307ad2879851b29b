/** A socket handle in memory, for tests of what stands on a wire: bytes are fed in by hand, and what is written is kept. */
import type { NativeHandle } from './native.ts';

interface StreamBinding {
  streamBaseState: Int32Array;
  kLastWriteWasAsync: number;
}

/** Where a real handle tells whether its write is still under way. */
const native = (process as unknown as { binding(name: string): StreamBinding }).binding('stream_wrap');

/** Result of a read that says that the peer has sent FIN. */
export const EOF = -4095;

/** The handle. Hand it to a `Wire`, then `feed` that wire. */
export class MemoryHandle implements NativeHandle {
  onread: NativeHandle['onread'] = () => undefined;
  wire?: unknown;
  readonly writeQueueSize = 0;
  reading = false;
  closed = false;
  /** FIN has been sent. */
  ended = false;
  readonly #sent: Buffer[] = [];
  #buffer: Uint8Array = Buffer.alloc(0);

  /** Everything written so far, one character for each byte. */
  get sent(): string {
    return Buffer.concat(this.#sent).toString('latin1');
  }

  /** Lets bytes arrive through the wire's own read buffer, which is overwritten afterwards, as the next read would. */
  feed(wire: { read(result: number): Uint8Array | undefined }, bytes: Uint8Array): void {
    this.#buffer.set(bytes);
    this.#buffer = wire.read(bytes.length) ?? this.#buffer;
    this.#buffer.fill(0x2a, 0, bytes.length);
  }

  useUserBuffer(buffer: Uint8Array): void {
    this.#buffer = buffer;
  }

  readStart(): number {
    this.reading = true;
    return 0;
  }

  readStop(): number {
    this.reading = false;
    return 0;
  }

  writeBuffer(_request: unknown, buffer: Uint8Array): number {
    this.#sent.push(Buffer.from(buffer));
    native.streamBaseState[native.kLastWriteWasAsync] = 0;
    return 0;
  }

  writeLatin1String(_request: unknown, text: string): number {
    return this.writeBuffer(undefined, Buffer.from(text, 'latin1'));
  }

  shutdown(): number {
    this.ended = true;
    return 0;
  }

  close(): void {
    this.closed = true;
  }
}
