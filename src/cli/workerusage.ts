/** What requests used, written to this worker's journal when they end. */
import { randomBytes } from 'node:crypto';
import type { Config } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Events } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import { Journal } from '../store/journal.ts';
import { usageLine } from '../store/usageline.ts';
import { ledgerOn } from './ledgeron.ts';

/** What it is made of. */
export interface WorkerUsageParts {
  clock: Clock;
  events: Events;
  /** Data directory. */
  folder: string;
  /** Name of the supervisor's start, by which it knows its own. */
  owner: string;
  pid: number;
}

/** See the file's head. */
export class WorkerUsage {
  readonly #parts: WorkerUsageParts;
  readonly #journal: Journal;
  /** Start of the ids of entries: unique for each worker and start. */
  readonly #prefix = randomBytes(9).toString('base64url');
  #entries = 0;
  #on = false;

  constructor(parts: WorkerUsageParts) {
    this.#parts = parts;
    const { clock, events, folder, owner, pid } = parts;
    this.#journal = new Journal({
      folder,
      name: `${owner}-${pid}-${randomBytes(6).toString('hex')}`,
      clock,
      failed: (reason) => {
        if (reason !== '') events.emit('fault', { kind: 'usage_unwritten', where: 'ledger' });
        const message =
          reason === '' ? 'usage is written down again' : `usage cannot be written to ${folder}: ${reason}`;
        events.emit('notice', { level: reason === '' ? 'info' : 'error', message });
      },
      lost: () => events.emit('fault', { kind: 'usage_lost', where: 'ledger' }),
    });
    events.on('requestEnded', (exchange) => this.#ended(exchange));
  }

  /** Goes over to a configuration. */
  follow(config: Config): void {
    this.#on = ledgerOn(config);
    this.#journal.flushMs = config.ledger.flush;
  }

  /** Why usage cannot be written; '' while it can. */
  get trouble(): string {
    return this.#journal.trouble;
  }

  /** Writes everything out; for a process that ends. */
  close(): void {
    this.#journal.close();
  }

  #ended(exchange: Exchange): void {
    if (!this.#on || (exchange.usage === undefined && exchange.cost === 0)) return;
    const id = `${this.#prefix}.${(++this.#entries).toString(36)}`;
    this.#journal.add(usageLine(exchange, id, this.#parts.clock.wall()));
  }
}
