/** A wire that remembers what was written, for tests without sockets. */
import { scratchBuffer } from './cork.ts';
import type { Wire } from './wire.ts';

/** The wire, and all that was written on it so far, as Latin-1. */
export function recordingWire() {
  const parts: string[] = [];
  const take = (buffer: Buffer, start: number, end: number) => parts.push(buffer.toString('latin1', start, end)) > 0;
  const wire = {
    writeText: (text: string) => parts.push(text) > 0,
    write: take,
    writeOwned: (buffer: Buffer) => take(buffer, 0, buffer.length),
    reserve: () => 0,
    commit: (at: number) => take(scratchBuffer(), 0, at),
  };
  return { wire: wire as unknown as Wire, written: () => parts.join('') };
}
