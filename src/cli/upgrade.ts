/**
 * An upgrade, seen from the program that is to go: a successor is started with our sockets; when it serves, we stop
 * accepting, let requests end, and go. While both run both may accept, so nobody is refused. Whoever of the two dies, the
 * other serves: a successor that dies early changes nothing, one that dies while we leave makes us come back.
 */
import type { Outcome } from '../admin/admin.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import type { Inherited } from '../supervisor/supervisor.ts';
import type { Admitted } from './inforce.ts';
import { type Ending, type Heritage, predecessorGone, type Successor, startSuccessor } from './successor.ts';

/** What an upgrade does with the gateway that is to go. */
export interface Leaver {
  clock: Clock;
  notice(notice: NoticeEvent): void;
  /** The sockets to hand down. */
  sockets(): Inherited[];
  generation(): number;
  /** What is handed on beside the sockets. */
  heritage: Heritage;
  /** It has gone: limits are ours again. */
  takeBack(): void;
  /** Whom the successor lets in, while our requests end: at first, and whenever that has changed. */
  judgeBy(admitted: Admitted): void;
  /** Stops accepting and lets requests end; resolves when all have. The sockets stay open. */
  leave(): Promise<void>;
  /** Nobody is to serve any more: closes the sockets as well; resolves when all requests have ended. */
  stop(): Promise<unknown>;
  /** Serves again, after `leave` has been called. */
  comeBack(): Promise<void>;
  /** The successor serves and we have nothing more to do. */
  left(): void;
}

/** How long a successor may take to serve (milliseconds). */
const PATIENCE_MS = 60_000;

/** Upgrades of one gateway. */
export class Upgrade {
  readonly #leaver: Leaver;
  #state: 'no' | 'starting' | 'leaving' = 'no';
  #successor: Successor | undefined;
  /** Whom it lets in. */
  #admitted: Admitted | undefined;

  constructor(leaver: Leaver) {
    this.#leaver = leaver;
  }

  /** From the start of a successor until this program has gone, or stays. */
  get underWay(): boolean {
    return this.#state !== 'no';
  }

  /** Resolves when the successor serves, or with why it does not; then everything is as before. */
  async run(): Promise<Outcome> {
    const { clock, notice } = this.#leaver;
    if (this.#state !== 'no') return { ok: false, problems: ['an upgrade is under way already'] };
    this.#state = 'starting';
    const refuse = (why: string, problems: readonly string[] = []): Outcome => {
      this.#state = 'no';
      const all = [why, ...problems];
      notice({ level: 'error', message: `upgrade refused, process ${process.pid} goes on: ${all.join('; ')}` });
      return { ok: false, problems: all };
    };
    try {
      this.#admitted = undefined;
      const { heritage } = this.#leaver;
      const successor = startSuccessor(this.#leaver.sockets(), heritage, (admitted) => this.#heard(admitted));
      this.#successor = successor;
      const how = await new Promise<string>((done) => {
        const late = clock.after(PATIENCE_MS, () => {
          successor.kill();
          done(`did not serve within ${PATIENCE_MS / 1000} s and was killed`);
        });
        void successor.serving.then(() => done('serving')).then(() => late.cancel());
        void successor.gone.then(({ how }) => done(how)).then(() => late.cancel());
      });
      if (how !== 'serving') {
        this.#leaver.takeBack();
        const { problems } = successor;
        const where = problems.length === 0 ? '; what it printed says why' : '';
        return refuse(`the new process ${how} before it served${where}`, problems);
      }
      notice({ level: 'info', message: `process ${successor.pid} has taken over; process ${process.pid} leaves` });
      void this.#depart(successor.gone);
      return { ok: true, generation: this.#leaver.generation() };
    } catch (error) {
      return refuse(error instanceof Error ? error.message : String(error));
    }
  }

  /** This program is told to stop: whoever does not serve in its place yet is not to come up after it. */
  stop(): void {
    if (this.#state === 'starting') this.#successor?.stop();
  }

  /** Until it serves we decide ourselves who may go on. */
  #heard(admitted: Admitted): void {
    this.#admitted = admitted;
    if (this.#state === 'leaving') this.#leaver.judgeBy(admitted);
  }

  async #depart(gone: Promise<Ending>): Promise<void> {
    this.#state = 'leaving';
    const { notice } = this.#leaver;
    // Who came before us hears through us whom the successor lets in, and comes back if we go before it.
    const left = this.#leaver.leave().then(predecessorGone);
    if (this.#admitted !== undefined) this.#leaver.judgeBy(this.#admitted);
    const ended = await Promise.race([left, gone]);
    if (ended === undefined) {
      this.#leaver.left();
      return;
    }
    if (ended.told) {
      const message = `the process that took over was told to stop; process ${process.pid} lets its requests end and goes`;
      notice({ level: 'info', message });
      await Promise.all([left, this.#leaver.stop()]);
      this.#leaver.left();
      return;
    }
    notice({ level: 'error', message: `the process that took over ${ended.how}; process ${process.pid} serves again` });
    this.#leaver.takeBack();
    try {
      await this.#leaver.comeBack();
    } catch (error) {
      notice({ level: 'error', message: `serving again failed: ${error instanceof Error ? error.message : error}` });
    }
    this.#state = 'no';
  }
}
