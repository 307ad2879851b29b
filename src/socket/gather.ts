/**
 * Output of a connection that carries several exchanges at once. Their answers come from servers in reads of their own, most
 * of them within one turn of the event loop; what they bring is gathered and leaves in one system call at its end. So is
 * what goes to the servers: the heads of several requests come before their bodies.
 */
import { atTurnsEnd } from '../kernel/clock.ts';

/** What fits a scratch buffer: a head or framing with a piece of body. */
export const SCRATCH_BYTES = 20_480;
/** Scratch buffers that are kept ready. */
const SPARES = 64;
/** Outputs that may wait at once, each in a scratch buffer of its own; when there are more, all are sent. */
const MOST = 256;

/** What waits for the end of the turn. */
interface Gathering {
  flush(): void;
}

const spares: Buffer[] = [];
let waiting: Gathering[] = [];
let flushed: Gathering[] = [];
let flushing = false;

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
  const count = waiting.push(wire);
  if (count === 1) atTurnsEnd(flushAll);
  else if (count >= MOST && !flushing) flushAll();
}

function flushAll(): void {
  const now = waiting;
  waiting = flushed;
  flushing = true;
  for (let i = 0; i < now.length; i++) (now[i] as Gathering).flush();
  flushing = false;
  now.length = 0;
  flushed = now;
}
