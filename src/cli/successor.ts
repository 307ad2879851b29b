/**
 * The same program, started anew with the sockets of this one: how an upgrade begins. What stands on the disk by then
 * starts, so a new version that was installed meanwhile takes over.
 */
import { spawn } from 'node:child_process';
import type { Clock } from '../kernel/clock.ts';
import type { Counted } from '../policy/quota/quota.ts';
import { HANDOVER, type HandedKey, type Inherited } from '../supervisor/supervisor.ts';
import type { Admitted } from './inforce.ts';

/** How a process has ended. */
export interface Ending {
  /** In words: `exited with code 1`. */
  readonly how: string;
  /** Because somebody told it to stop. */
  readonly told: boolean;
}

/** The process that is to take over. */
export interface Successor {
  readonly pid: number;
  /** Resolves when it serves. Never rejects: when it does not come to that, `gone` tells. */
  readonly serving: Promise<void>;
  /** Resolves when it has ended. */
  readonly gone: Promise<Ending>;
  /** What it has said against its own start. */
  readonly problems: readonly string[];
  /** Asks it to end. */
  stop(): void;
  kill(): void;
}

/** What one program hands on to the next beside its sockets. */
export interface Legacy {
  /** What limits have counted. */
  counted: readonly Counted[];
  /** Keys of session tickets. */
  tickets: readonly HandedKey[];
}

/** What it says to the process before it. Another version may say something else. */
type Word =
  | { type: 'serving' }
  | { type: 'limits' }
  | { type: 'problems'; problems: readonly string[] }
  | { type: 'admitted'; admitted: Admitted };

/** How long the process before us may take to hand on what it has (milliseconds); one of an older version never does. */
const LEGACY_MS = 2000;

/** First descriptor after standard streams and the channel. */
const FIRST_FD = 4;

/** Whether this program was started by one that it takes over from. */
const succeeds = process.env[HANDOVER] !== undefined;

/**
 * Starts it. `legacy`: what it is handed when it asks for that. `admitted` is told whom it lets in, at first before it serves. Throws as
 * `spawn` does.
 */
export function startSuccessor(
  sockets: readonly Inherited[],
  legacy: () => Legacy,
  admitted: (now: Admitted) => void,
): Successor {
  const handed = sockets.map(({ name, address }, i) => ({ name, address, fd: FIRST_FD + i }));
  const env: NodeJS.ProcessEnv = { ...process.env, [HANDOVER]: JSON.stringify(handed) };
  // They were for this process, by its number.
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES', 'WATCHDOG_PID']) delete env[name];
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...sockets.map(({ fd }) => fd)],
  });
  const problems: string[] = [];
  const serving = new Promise<void>((done) => {
    child.on('message', (message: Word) => {
      if (message.type === 'serving') done();
      else if (message.type === 'limits') child.send({ type: 'limits', ...legacy() });
      else if (message.type === 'problems') problems.push(...message.problems);
      else if (message.type === 'admitted') admitted(message.admitted);
    });
  });
  const gone = new Promise<Ending>((done) => {
    child.once('error', (error) => done({ how: `could not be started: ${error.message}`, told: false }));
    // Not `exit`: its last words come between the two.
    child.once('close', (code, signal) =>
      done({ how: signal ? `was killed by ${signal}` : `exited with code ${code}`, told: code === 0 || code === 2 }),
    );
  });
  return {
    pid: child.pid ?? 0,
    serving,
    gone,
    problems,
    stop: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Asks the process before us, if there is one, what it hands on: from then on it leaves limits to us. */
export async function askPredecessor(clock: Clock): Promise<Legacy> {
  const none: Legacy = { counted: [], tickets: [] };
  if (process.env[HANDOVER] === undefined || process.send === undefined) return none;
  process.on('error', () => {});
  return new Promise((done) => {
    const late = clock.after(LEGACY_MS, () => done(none));
    process.once('message', ({ counted, tickets }: Partial<Legacy>) => {
      late.cancel();
      // One of another version may know less.
      done({
        counted: Array.isArray(counted) ? counted : none.counted,
        tickets: Array.isArray(tickets) ? tickets : none.tickets,
      });
    });
    process.send?.({ type: 'limits' } satisfies Word);
  });
}

/** Says to the process before us, if there is one, why we do not start. */
export function tellProblems(problems: readonly string[]): void {
  process.on('error', () => {});
  process.send?.({ type: 'problems', problems } satisfies Word);
}

/** Says to the process before us, if there is one, that we serve. */
export function tellPredecessor(): void {
  delete process.env[HANDOVER];
  // It may have died meanwhile, which is no reason not to serve.
  process.on('error', () => {});
  process.send?.({ type: 'serving' }, undefined, {}, () => {
    // One that leaves is to hear whom we let in, until it has gone.
    if (!succeeds && process.connected) process.disconnect();
  });
}

/** Resolves when the process before us has gone; at once where there is none. */
export function predecessorGone(): Promise<void> {
  if (!succeeds || !process.connected) return Promise.resolve();
  return new Promise((done) => process.once('disconnect', done));
}

/** Says to the process before us, if there is one and for as long as it is there, whom we let in from now on. */
export function tellAdmitted(admitted: Admitted): void {
  if (succeeds && process.connected)
    process.send?.({ type: 'admitted', admitted } satisfies Word, undefined, {}, () => {});
}
