/**
 * The same program, started anew with the sockets of this one: how an upgrade begins. What stands on the disk by then
 * starts, so a new version that was installed meanwhile takes over.
 */
import { spawn } from 'node:child_process';
import type { Clock } from '../kernel/clock.ts';
import type { Counted, RelayWord } from '../policy/quota/quota.ts';
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
export interface Heritage {
  /** Keys of session tickets. */
  tickets(): readonly HandedKey[];
  /** What limits have counted; from then on the next program decides, which `send` reaches. */
  counted(send: (word: RelayWord) => void): readonly Counted[];
  /** It has said something about limits. */
  hear(word: RelayWord): void;
}

/** The process before this one, whose sockets we have. */
export interface Predecessor {
  tickets(): Promise<readonly HandedKey[]>;
  counted(): Promise<readonly Counted[]>;
  send(word: RelayWord): void;
  /** What it says about limits from `counted` on; to be called right after that. */
  hear(hearer: (word: RelayWord) => void): void;
  /** Called when it has ended. */
  gone(then: () => void): void;
}

/** What it says to the process before it. Another version may say something else. */
type Word =
  | { type: 'serving' }
  | { type: 'tickets' }
  | { type: 'counted' }
  | { type: 'limits'; word: RelayWord }
  | { type: 'problems'; problems: readonly string[] }
  | { type: 'admitted'; admitted: Admitted };

/** What it is told. */
type Reply =
  | { type: 'tickets'; tickets: readonly HandedKey[] }
  | { type: 'counted'; counted: readonly Counted[] }
  | { type: 'limits'; word: RelayWord };

/** How long the process before us may take to hand on what it has (milliseconds); one of an older version never does. */
const LEGACY_MS = 2000;

/** First descriptor after standard streams and the channel. */
const FIRST_FD = 4;

/** Whether this program was started by one that it takes over from. */
const succeeds = process.env[HANDOVER] !== undefined;

/**
 * Starts it. `heritage`: what it is handed when it asks for that. `admitted` is told whom it lets in, at first before it serves. Throws as
 * `spawn` does.
 */
export function startSuccessor(
  sockets: readonly Inherited[],
  heritage: Heritage,
  admitted: (now: Admitted) => void,
): Successor {
  const handed = sockets.map(({ name, address }, i) => ({ name, address, fd: FIRST_FD + i }));
  const env: NodeJS.ProcessEnv = { ...process.env, [HANDOVER]: JSON.stringify(handed) };
  // They were for this process, by its number.
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES', 'WATCHDOG_PID']) delete env[name];
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...sockets.map(({ fd }) => fd)],
    // Of times some are infinite.
    serialization: 'advanced',
  });
  // It may have died: then `gone` tells.
  const reply = (message: Reply) => void (child.connected && child.send(message, () => {}));
  const problems: string[] = [];
  const serving = new Promise<void>((done) => {
    child.on('message', (message: Word) => {
      if (message.type === 'serving') done();
      else if (message.type === 'tickets') reply({ type: 'tickets', tickets: heritage.tickets() });
      else if (message.type === 'counted')
        reply({ type: 'counted', counted: heritage.counted((word) => reply({ type: 'limits', word })) });
      else if (message.type === 'limits') heritage.hear(message.word);
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

/** The process before us; undefined where there is none. */
export function predecessor(clock: Clock): Predecessor | undefined {
  if (process.env[HANDOVER] === undefined || process.send === undefined) return undefined;
  process.on('error', () => {});
  const say = (word: Word) => void (process.connected && process.send?.(word, undefined, {}, () => {}));
  let hearer: ((word: RelayWord) => void) | undefined;
  let early: RelayWord[] = [];
  let told: ((reply: Reply) => void) | undefined;
  process.on('message', (reply: Reply) => {
    if (reply.type !== 'limits') told?.(reply);
    else if (hearer === undefined) early.push(reply.word);
    else hearer(reply.word);
  });
  const ask = <T>(type: 'tickets' | 'counted', of: (reply: Reply) => T | undefined, none: T) =>
    new Promise<T>((done) => {
      const late = clock.after(LEGACY_MS, () => done(none));
      told = (reply) => {
        if (reply.type !== type) return;
        late.cancel();
        done(of(reply) ?? none);
      };
      say({ type });
    });
  return {
    tickets: () =>
      ask<readonly HandedKey[]>('tickets', (reply) => (reply.type === 'tickets' ? reply.tickets : undefined), []),
    counted: () =>
      ask<readonly Counted[]>('counted', (reply) => (reply.type === 'counted' ? reply.counted : undefined), []),
    send: (word) => say({ type: 'limits', word }),
    hear: (one) => {
      hearer = one;
      for (const word of early) one(word);
      early = [];
    },
    gone: (then) => {
      if (process.connected) process.once('disconnect', then);
      else then();
    },
  };
}

/** Says to the process before us, if there is one, why we do not start. */
export function tellProblems(problems: readonly string[]): void {
  process.on('error', () => {});
  process.send?.({ type: 'problems', problems } satisfies Word);
}

/** Says to the process before us, if there is one, that we serve. */
export function tellPredecessor(): void {
  delete process.env[HANDOVER];
  // It may have died meanwhile, which is no reason not to serve. Until it goes we are asked about limits.
  process.on('error', () => {});
  if (process.connected) process.send?.({ type: 'serving' } satisfies Word, undefined, {}, () => {});
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
