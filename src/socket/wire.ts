/**
 * One connected socket, without a stream object around it. Every socket of a worker reads into one shared buffer; small
 * writes are composed in one scratch buffer and leave in one system call. Memory is held per socket only for bytes that
 * the kernel would not take.
 */

import { Cork, flushCorked, HIGH_WATER, holdWrites, payOwed, releaseWrites, scratchBuffer } from './cork.ts';
import { UV_EALREADY, UV_EOF, UV_EPROTO } from './errno.ts';
import { SCRATCH_BYTES } from './gather.ts';
import { type NativeHandle, type NativeRequest, readResult, WriteRequest, writesOn } from './native.ts';
import type { WireOwner } from './owner.ts';
import { reportException } from './report.ts';
import { sendFin, Turns } from './turns.ts';

/** Bytes read at once. */
export const READ_BYTES = 65_536;

const shared = Buffer.allocUnsafeSlow(READ_BYTES);
let spare: NativeRequest = new WriteRequest();
/** The reader's own buffer while its bytes pass: may be written on without a copy. */
let passing: Buffer | undefined;
/** The kernel did not take all of it, so the reader needs another one. */
let passingKept = false;

function onWritten(this: NativeRequest, status: number): void {
  (this.wire as Wire).written(status, (this.buffer as { length: number }).length);
}

function onRead(this: NativeHandle): Uint8Array | undefined {
  return (this.wire as Wire).read(readResult());
}

/** A connected socket: TCP, unix or (after its handshake) TLS. */
export class Wire extends Cork {
  owner: WireOwner;
  /** After a failed write go on reading what the peer has sent. */
  readsOut = false;
  /** A write has failed: nothing more is sent. */
  mute = false;
  readonly #handle: NativeHandle;
  /** Closes what stands around the handle, for TLS. */
  readonly #release: (() => void) | undefined;
  /** A buffer of its own while big reads pass, so that they can be written on without a copy. */
  #own: Buffer | undefined = undefined;
  #reading = false;
  /** Of a TLS handle, which takes one write at a time. */
  readonly #turns: Turns | undefined;

  constructor(handle: NativeHandle, owner: WireOwner, release?: () => void) {
    super();
    this.#handle = handle;
    this.owner = owner;
    this.#release = release;
    this.#turns = release === undefined ? undefined : new Turns();
    handle.wire = this;
    handle.useUserBuffer(shared);
    handle.onread = onRead;
  }

  /** Starts or goes on reading. */
  resume(): void {
    if (this.#reading || this.closed) return;
    this.#reading = true;
    const code = this.#handle.readStart();
    // After a TLS handshake the handle is reading already.
    if (code < 0 && code !== UV_EALREADY) this.#break(code);
  }

  /** Reads no more: what the peer sends stays in the kernel, and at last with the peer. */
  pause(): void {
    if (!this.#reading || this.closed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  /** Bytes that still wait in memory; falls while the peer takes some. */
  get queued(): number {
    return this.closed ? 0 : this.#handle.writeQueueSize;
  }

  /** Sends a text, one byte per character. False as in `commit`. */
  writeText(text: string): boolean {
    if (text.length > SCRATCH_BYTES) return this.writeOwned(Buffer.from(text, 'latin1'));
    const at = this.reserve(text.length);
    return this.commit(at + scratchBuffer().write(text, at, 'latin1'));
  }

  /** Sends bytes; the slice may be reused when this returns. False as in `commit`. */
  write(buffer: Buffer, start: number, end: number): boolean {
    if (end - start <= SCRATCH_BYTES) {
      const at = this.reserve(end - start);
      buffer.copy(scratchBuffer(), at, start, end);
      return this.commit(at + end - start);
    }
    if (buffer === passing) {
      this.flush();
      if (!this.closed && this.send(buffer.subarray(start, end))) passingKept = true;
      return this.pending <= HIGH_WATER && !this.closed;
    }
    const copy = Buffer.allocUnsafeSlow(end - start);
    buffer.copy(copy, 0, start, end);
    return this.writeOwned(copy);
  }

  /** Sends a buffer that nobody changes afterwards. False as in `commit`. */
  writeOwned(buffer: Uint8Array): boolean {
    this.flush();
    if (!this.closed) this.send(buffer);
    return this.pending <= HIGH_WATER && !this.closed;
  }

  /** Sends FIN after what is pending. */
  end(): void {
    this.flush();
    if (this.closed) return;
    // That it ends may be all that the peer waits for.
    payOwed();
    if (this.#turns?.busy) this.#turns.ending = true;
    else sendFin(this.#handle);
  }

  /** Closes; what the kernel has not taken is lost. Nothing is reported any more. */
  destroy(): void {
    this.flush();
    this.#close();
  }

  /** Closes with RST, so that the peer sees that something was cut. */
  reset(): void {
    this.flush();
    if (this.closed) return;
    if (this.#release || !this.#handle.reset || this.#handle.reset() < 0) this.#close();
    else this.closed = true;
  }

  /** Called by the native side. Not for anyone else. Returns the buffer for the next read when it changes. */
  read(result: number): Uint8Array | undefined {
    if (this.closed) return undefined;
    if (result <= 0) {
      if (result === UV_EOF) {
        this.#reading = false;
        this.owner.onEof();
        flushCorked();
      } else if (result < 0) this.#break(result);
      return undefined;
    }
    const own = this.#own;
    passing = own;
    passingKept = false;
    holdWrites(this);
    try {
      this.owner.onBytes(own ?? shared, 0, result);
    } catch (error) {
      // A mistake of ours costs this connection, not the worker.
      this.#break(UV_EPROTO);
      reportException(error);
    }
    passing = undefined;
    releaseWrites();
    if (this.closed) return undefined;
    if (own === undefined ? result === READ_BYTES : passingKept) {
      this.#own = Buffer.allocUnsafeSlow(READ_BYTES);
      return this.#own;
    }
    if (own !== undefined && result < READ_BYTES >> 2) {
      this.#own = undefined;
      return shared;
    }
    return undefined;
  }

  /** Called by the native side when an asynchronous write is done. */
  written(status: number, length: number): void {
    this.pending -= length;
    if (this.closed) return;
    if (status < 0) this.#breakSoon(status);
    else {
      if (this.#turns !== undefined) this.#nextTurn(this.#turns);
      if (this.pending === 0) this.owner.onDrain();
    }
  }

  #nextTurn(turns: Turns): void {
    turns.busy = false;
    for (let next = turns.next(); next !== undefined; next = turns.next()) {
      this.pending -= next.length;
      this.send(next);
    }
    if (turns.ending && !turns.busy && !this.closed) sendFin(this.#handle);
  }

  /** True when the native side goes on using `view` after this returns. */
  protected send(view: Uint8Array): boolean {
    if (this.mute) return false;
    payOwed();
    if (this.#turns?.busy) {
      this.#turns.wait(view);
      this.pending += view.length;
      return true;
    }
    if (this.#turns !== undefined) return this.#sendInTurn(view, this.#turns);
    const request = spare;
    const code = this.#handle.writeBuffer(request, view);
    if (code !== 0) {
      this.#breakSoon(code);
      return false;
    }
    if (!writesOn()) return false;
    this.#follow(request, view);
    return true;
  }

  /** TLS: a write that fails at once is told of before `writeBuffer` returns, and no write is ever done by then. */
  #sendInTurn(view: Uint8Array, turns: Turns): boolean {
    const request = spare;
    turns.busy = true;
    this.#follow(request, view);
    const code = this.#handle.writeBuffer(request, view);
    if (code === 0) return true;
    this.pending -= view.length;
    turns.busy = false;
    this.#breakSoon(code);
    return false;
  }

  /** Hears when the write is done. */
  #follow(request: NativeRequest, view: Uint8Array): void {
    request.oncomplete = onWritten;
    request.wire = this;
    request.buffer = view;
    spare = new WriteRequest();
    this.pending += view.length;
  }

  #close(): void {
    if (this.closed) return;
    this.closed = true;
    this.dropCollected();
    if (this.#release) this.#release();
    else this.#handle.close();
  }

  #break(code: number): void {
    if (this.closed) return;
    this.#close();
    this.owner.onBroken(code);
  }

  /**
   * A failed write. Where the peer's last words matter (a server that answered early and closed), reading goes on until
   * it ends by itself; else it is reported after the writer's own stack has ended, which is in the middle of something.
   */
  #breakSoon(code: number): void {
    if (this.closed) return;
    if (this.readsOut && this.#reading) {
      this.mute = true;
      return;
    }
    this.#close();
    queueMicrotask(() => this.owner.onBroken(code));
  }
}
