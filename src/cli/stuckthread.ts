/** The thread of stuck.ts. */
import { writeSync } from 'node:fs';
import { type Debugger, Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { workerData } from 'node:worker_threads';
import type { StuckOrder } from './stuck.ts';

const { beat, afterMs, fd } = workerData as StuckOrder;
/** Frames of a stack that are told. */
const MAX_FRAMES = 12;

let last = Atomics.load(beat, 0);
let silentMs = 0;
let told = false;
const stepMs = afterMs / 5;

setInterval(() => {
  const now = Atomics.load(beat, 0);
  if (now !== last) {
    last = now;
    silentMs = 0;
    told = false;
    return;
  }
  silentMs += stepMs;
  if (silentMs < afterMs || told) return;
  told = true;
  report();
}, stepMs);

function report(): void {
  const session = new Session();
  session.connectToMainThread();
  const sources = new Map<string, string>();
  session.on('Debugger.scriptParsed', ({ params }) => sources.set(params.scriptId, params.url));
  session.on('Debugger.paused', ({ params }) => {
    const frames = params.callFrames.slice(0, MAX_FRAMES).map((frame) => describe(frame, sources));
    session.post('Debugger.resume');
    session.disconnect();
    tell(`the event loop has been stuck for ${Math.round(silentMs / 1000)} s, at ${frames.join(' < ')}`);
  });
  session.post('Debugger.enable');
  session.post('Debugger.pause');
}

function describe(frame: Debugger.CallFrame, sources: ReadonlyMap<string, string>): string {
  const { scriptId, lineNumber } = frame.location;
  const url = frame.url || sources.get(scriptId) || '';
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  return `${frame.functionName || 'anonymous'} (${path}:${lineNumber + 1})`;
}

function tell(text: string): void {
  try {
    writeSync(fd, `${text}\n`);
  } catch {
    // The supervisor has gone; nobody is left to tell.
  }
}
