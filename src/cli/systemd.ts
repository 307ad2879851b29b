/**
 * What systemd is told, by sd_notify(3): ready, reloading, stopping, and that we live. Node cannot open the datagram
 * socket that this takes, so `systemd-notify`, which comes with systemd, sends it.
 */
import { execFile } from 'node:child_process';

/** How long one word may take (milliseconds). */
const WORD_MS = 5000;

/** Speaks to systemd; says nothing where nobody listens. */
export class Systemd {
  readonly #on: boolean;
  readonly #trouble: (message: string) => void;
  #turn: Promise<void> = Promise.resolve();
  #broken = false;
  /** It asks for signs of life no more. */
  #stopping = false;

  /** `env`: NOTIFY_SOCKET in it switches this on. `trouble` is told, once, why systemd cannot be told. */
  constructor(env: Readonly<Record<string, string | undefined>>, trouble: (message: string) => void) {
    this.#on = Boolean(env.NOTIFY_SOCKET);
    this.#trouble = trouble;
  }

  /** We serve. Also after a reload and an upgrade; the process that says it becomes the service's main process. */
  ready(status: string): Promise<void> {
    return this.#say('READY=1', `MAINPID=${process.pid}`, `STATUS=${status}`);
  }

  /** A reload begins; `ready` ends it. */
  reloading(): Promise<void> {
    // systemd wants CLOCK_MONOTONIC, which is what hrtime is on Linux.
    return this.#say('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  /** The end begins. */
  stopping(): Promise<void> {
    this.#stopping = true;
    return this.#say('STOPPING=1', 'STATUS=draining');
  }

  /** Resolves when all that there was to say has been said. */
  get told(): Promise<void> {
    return this.#turn;
  }

  /** While `alive`, says so twice in the time that systemd allows (WATCHDOG_USEC). */
  watchdog(env: Readonly<Record<string, string | undefined>>, alive: () => boolean): void {
    const micros = Number(env.WATCHDOG_USEC);
    const meant = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === process.pid;
    if (!this.#on || !(micros > 0) || !meant) return;
    // Where a word takes longer than that, on a machine that is busy, one waits and not ever more: others come behind them.
    let waiting = false;
    const timer = setInterval(async () => {
      if (waiting || this.#stopping || !alive()) return;
      waiting = true;
      await this.#say('WATCHDOG=1');
      waiting = false;
    }, micros / 2000);
    timer.unref();
  }

  /** One after the other, for their order counts. */
  #say(...words: string[]): Promise<void> {
    if (!this.#on) return this.#turn;
    this.#turn = this.#turn.then(
      () =>
        new Promise((done) => {
          execFile('systemd-notify', words, { timeout: WORD_MS }, (error) => {
            if (error && !this.#broken) {
              this.#broken = true;
              this.#trouble(`systemd cannot be told (${words[0]}): systemd-notify failed: ${error.message.trim()}`);
            }
            done();
          });
        }),
    );
    return this.#turn;
  }
}
