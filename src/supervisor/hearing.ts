/** What the workers say, each thing to those whom it concerns. */
import type { Endpoints } from './endpoints.ts';
import type { ToSupervisor } from './messages.ts';
import type { SupervisedConfig, SupervisorOptions } from './options.ts';
import type { Trials } from './trial.ts';
import type { WorkerProcess } from './worker.ts';

/** Whom it is told to. */
type Audience = Pick<SupervisorOptions<SupervisedConfig>, 'events' | 'metrics' | 'observed' | 'told'>;

/** See the file's head. */
export class Hearing {
  readonly #audience: Audience;
  readonly #endpoints: Endpoints;
  readonly #trials: Trials;
  /** Why a worker could not become what it was to be, the last time that happened; '' when it never did. */
  failed = '';

  constructor(audience: Audience, endpoints: Endpoints, trials: Trials) {
    this.#audience = audience;
    this.#endpoints = endpoints;
    this.#trials = trials;
  }

  /** Passes on what a worker says. */
  message(worker: WorkerProcess, message: ToSupervisor): void {
    const { events, metrics, observed, told } = this.#audience;
    const trial = this.#trials.hear(worker, message);
    this.#endpoints.message(worker, message);
    switch (message.type) {
      case 'metrics':
        metrics(worker.id, message.snapshot);
        return;
      case 'notice': {
        const attributes = { ...message.attributes, worker: worker.id } as Record<string, string | number | boolean>;
        events.emit('notice', { level: message.level, message: message.message, attributes });
        return;
      }
      case 'endpointObserved':
        observed?.(worker.id, message);
        return;
      case 'snapshotFailed':
      case 'listenFailed': {
        if (trial || worker.state === 'draining') return;
        const what =
          message.type === 'listenFailed' ? `listener ${message.listener} (${message.address})` : 'configuration';
        this.failed = `worker ${worker.id} refused the ${what}: ${message.reason}`;
        // It cannot become what it is to be; the next one may, and the back-off bounds the trying.
        events.emit('notice', { level: 'error', message: this.failed });
        worker.kill();
        return;
      }
      default:
        told?.(worker.id, message);
    }
  }
}
