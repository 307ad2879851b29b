/** A configuration's trial: one worker compiles it before the others are told. */
import type { Clock } from '../kernel/clock.ts';
import type { EndpointHealth, Snapshot, ToSupervisor } from './messages.ts';
import type { WorkerProcess } from './worker.ts';

/** How long a worker may take to answer a snapshot (milliseconds). */
const APPLY_MS = 30_000;

/** What a trial needs of the pool. */
export interface TrialPool {
  /** Resolves at the next change of any worker's state. */
  change(): Promise<void>;
  readonly lastDeath: string;
}

/** Workers that are trying a snapshot, and who waits for their answers. */
export class Trials {
  readonly #clock: Clock;
  readonly #answers = new Map<WorkerProcess, (message: ToSupervisor) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether this worker is trying one; its refusal then is an answer, not a failure. Passes the message on. */
  hear(worker: WorkerProcess, message: ToSupervisor): boolean {
    const answer = this.#answers.get(worker);
    answer?.(message);
    return answer !== undefined;
  }

  /** Lets one worker compile the snapshot; resolves with what was wrong, or undefined. */
  run(
    worker: WorkerProcess,
    snapshot: Snapshot,
    health: EndpointHealth[],
    pool: TrialPool,
  ): Promise<string | undefined> {
    return new Promise((resolve) => {
      const done = (problem: string | undefined) => {
        this.#answers.delete(worker);
        timer.cancel();
        resolve(problem);
      };
      const timer = this.#clock.after(APPLY_MS, () => {
        done(`worker ${worker.id} did not answer within ${APPLY_MS / 1000} s`);
        // It may still go over to it; what it would serve then nobody decided.
        worker.kill();
      });
      const ended = async () => {
        while (this.#answers.has(worker)) {
          if (worker.state === 'ended') return done(`worker ${worker.id} died of it: ${pool.lastDeath}`);
          await pool.change();
        }
      };
      this.#answers.set(worker, (message) => {
        if (message.type === 'snapshotApplied' && message.generation >= snapshot.generation) done(undefined);
        if (message.type === 'snapshotFailed' && message.generation >= snapshot.generation) done(message.reason);
      });
      worker.sendSnapshot(snapshot, health);
      void ended();
    });
  }
}
