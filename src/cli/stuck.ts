/**
 * Tells where a stuck event loop is stuck. A thread beside the loop hears it beat; when the beat stays away, the thread
 * stops the loop for a moment through the inspector (no port is opened), takes the stack and lets it go on. What becomes of
 * the worker is the supervisor's decision, which hears its silence as well.
 */
import { Worker } from 'node:worker_threads';

/** What the thread is started with. */
export interface StuckOrder {
  /** One number that grows while the loop turns. */
  beat: Int32Array;
  /** Silence that counts as stuck, in milliseconds. */
  afterMs: number;
  /** Where the report is written, as one line. */
  fd: number;
}

/** Memory of the thread: it does next to nothing. */
const LIMITS = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, codeRangeSizeMb: 4 };

/** Watches this thread's event loop. `failed` is told when that cannot be done. */
export function watchLoop(fd: number, afterMs: number, failed: (reason: string) => void): void {
  const beat = new Int32Array(new SharedArrayBuffer(4));
  const timer = setInterval(() => Atomics.add(beat, 0, 1), afterMs / 5);
  timer.unref();
  const order: StuckOrder = { beat, afterMs, fd };
  const thread = new Worker(new URL('./stuckthread.js', import.meta.url), {
    workerData: order,
    resourceLimits: LIMITS,
    execArgv: [],
  });
  thread.on('error', (error) => failed(error.message));
  thread.unref();
}
