/**
 * Output of a connection that carries several exchanges at once. Their answers come from servers in reads of their own, most
 * of them within one turn of the event loop; what they bring is gathered and leaves in one system call at its end.
 */
import { atTurnsEnd } from '../kernel/clock.ts';

/** What fits a scratch buffer: a head or framing with a piece of body. */
export const SCRATCH_BYTES = 20_480;
/** Scratch buffers that are kept ready. */
const SPARES = 32;

/** What waits for the end of the turn. */
interface Gathering {
  flush(): void;
}

const spares: Buffer[] = [];
let waiting: Gathering[] = [];
let flushed: Gathering[] = [];

/** A scratch buffer. */
export function takeScratch(): Buffer {
  return spares.pop() ?? Buffer.allocUnsafeSlow(SCRATCH_BYTES);
}

/** A scratch buffer that nobody uses any more. */
export function giveScratch(buffer: Buffer): void {
  if (spares.length < SPARES) spares.push(buffer);
}

/** Is flushed when all has been read that there is to read now. */
export function flushAtTurnsEnd(wire: Gathering): void {
  if (waiting.push(wire) === 1) atTurnsEnd(flushAll);
}

function flushAll(): void {
  const now = waiting;
  waiting = flushed;
  for (let i = 0; i < now.length; i++) (now[i] as Gathering).flush();
  now.length = 0;
  flushed = now;
}
