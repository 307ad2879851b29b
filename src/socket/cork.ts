/**
 * Composing output: small writes of a wire are collected in a scratch buffer and leave in one system call, at the end of the
 * read that brought them about, or of the turn of the event loop where several exchanges share the wire.
 */
import { flushAtTurnsEnd, giveScratch, SCRATCH_BYTES, takeScratch } from './gather.ts';

/** Bytes that may wait in memory for a slow peer before `write` says false. */
export const HIGH_WATER = 16_384;

let scratch = takeScratch();
/** Whose output is in the scratch buffer, and how much of it. */
let corked: Cork | undefined;
let corkedBytes = 0;
/** Whose read is handled: output is collected and leaves in one write at its end. */
let reading: Cork | undefined;

/** To be done before anything more leaves on any wire; undefined: nothing. */
let owed: (() => void) | undefined;

/** Has something done once, before anything more leaves on any wire: what the peer may conclude from it is written down then. */
export function beforeSending(todo: () => void): void {
  owed = todo;
}

/** Does what is owed. For wires. */
export function payOwed(): void {
  const todo = owed;
  if (todo === undefined) return;
  owed = undefined;
  todo();
}

/** The buffer into which `reserve` lets write. Ask again after each `reserve`. */
export function scratchBuffer(): Buffer {
  return scratch;
}

/** Sends what was collected on any wire, at the end of work that no read started. */
export function flushCorked(): void {
  if (corked !== undefined) corked.leave();
}

/** A read begins: what is written because of it is collected. */
export function holdWrites(wire: Cork): void {
  reading = wire;
}

/** The read has been handled. */
export function releaseWrites(): void {
  if (corked !== undefined) corked.leave();
  reading = undefined;
}

/** The collecting half of a wire. */
export abstract class Cork {
  /** Bytes handed over but not yet taken by the kernel. */
  pending = 0;
  /** Nothing is sent or reported any more. */
  closed = false;
  /** Several exchanges share it: what they send waits for the end of the turn of the event loop (see gather.ts). */
  gathers = false;
  /** Output that waits so, and how much of it. */
  #gathered: Buffer | undefined = undefined;
  #gatheredBytes = 0;

  /** Sends at once. True when the bytes go on being used after this returns. */
  protected abstract send(view: Uint8Array): boolean;

  /**
   * Makes room for `bytes` (at most SCRATCH_BYTES) in the scratch buffer and returns where to write them; `commit` then
   * says where they end. No other wire may be written to in between.
   */
  reserve(bytes: number): number {
    if (corked !== this) {
      if (corked !== undefined) corked.leave();
      corked = this;
      if (this.#gathered !== undefined) this.#goOn(this.#gathered);
    }
    if (corkedBytes + bytes > SCRATCH_BYTES) {
      this.flush();
      corked = this;
    }
    return corkedBytes;
  }

  /** What was reserved has been written up to `end`. False: wait for `onDrain` before the next write. */
  commit(end: number): boolean {
    corkedBytes = end;
    if (reading === undefined) this.leave();
    return this.pending <= HIGH_WATER && !this.closed;
  }

  /**
   * Sends what was collected, now or, where several exchanges share the wire, at the end of the turn. So do those that a
   * shared wire has brought: the heads of all of them come before the first body, which is to leave with its head. And so
   * does what something has to be done before: once for all that this turn brings.
   */
  leave(): void {
    if (corked !== this || (!this.gathers && reading?.gathers !== true && owed === undefined)) {
      this.flush();
      return;
    }
    this.#gathered = scratch;
    this.#gatheredBytes = corkedBytes;
    corked = undefined;
    corkedBytes = 0;
    scratch = takeScratch();
    flushAtTurnsEnd(this);
  }

  /** More is written behind what was gathered. */
  #goOn(gathered: Buffer): void {
    giveScratch(scratch);
    scratch = gathered;
    corkedBytes = this.#gatheredBytes;
    this.#gathered = undefined;
  }

  /** Sends what was collected. */
  flush(): void {
    if (corked !== this) {
      if (this.#gathered === undefined) return;
      if (corked !== undefined) corked.leave();
      // That may have sent everything that waited.
      if (this.#gathered === undefined) return;
      this.#goOn(this.#gathered);
    }
    const length = corkedBytes;
    corked = undefined;
    corkedBytes = 0;
    if (this.closed || length === 0) return;
    const view = new Uint8Array(scratch.buffer as ArrayBuffer, 0, length);
    if (this.send(view)) scratch = takeScratch();
  }

  /** What was collected is of no use any more. */
  protected dropCollected(): void {
    if (corked === this) {
      corked = undefined;
      corkedBytes = 0;
    }
    if (this.#gathered !== undefined) giveScratch(this.#gathered);
    this.#gathered = undefined;
  }
}
