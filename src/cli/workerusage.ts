/** What requests use, written to this worker's journal: that they run, where they run for long, and when they end. */
import { randomBytes } from 'node:crypto';
import type { Config } from '../config/config.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Events, ForwardedEvent } from '../kernel/event.ts';
import type { Exchange } from '../kernel/exchange.ts';
import { beforeSending } from '../socket/cork.ts';
import { Journal, journalName } from '../store/journal.ts';
import { droppedLine, openLine, usageLine } from '../store/usageline.ts';
import { ledgerOn } from './ledgeron.ts';
import { bornAt } from './lives.ts';

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
  /** How long a request may run before it is written down that it does. */
  #openMs = 5;
  /** Requests under way that are still to be written down. */
  #opening: ForwardedEvent[] = [];
  #timer: Timer | undefined;

  constructor(parts: WorkerUsageParts) {
    this.#parts = parts;
    const { clock, events, folder, owner, pid } = parts;
    this.#journal = new Journal({
      folder,
      name: journalName({ owner, pid, born: bornAt(pid) }, randomBytes(6).toString('hex')),
      clock,
      before: beforeSending,
      failed: (reason) => {
        if (reason !== '') events.emit('fault', { kind: 'usage_unwritten', where: 'ledger' });
        const message =
          reason === '' ? 'usage is written down again' : `usage cannot be written to ${folder}: ${reason}`;
        events.emit('notice', { level: reason === '' ? 'info' : 'error', message });
      },
      lost: () => events.emit('fault', { kind: 'usage_lost', where: 'ledger' }),
    });
    events.on('requestForwarded', (forwarded) => this.#began(forwarded));
    events.on('requestEnded', (exchange) => this.#ended(exchange));
  }

  /** Goes over to a configuration. */
  follow(config: Config): void {
    this.#on = ledgerOn(config);
    this.#openMs = config.ledger.flush;
  }

  /** Writes down what waits: before anybody is told of it. */
  flush(): void {
    if (this.#journal.trouble === '') this.#journal.flush();
  }

  /** Why usage cannot be written; '' while it can. */
  get trouble(): string {
    return this.#journal.trouble;
  }

  /** Writes everything out; for a process that ends. */
  close(): void {
    this.#timer?.cancel();
    this.#journal.close();
  }

  #began(forwarded: ForwardedEvent): void {
    if (!this.#on) return;
    // Its answer has ended, and its tokens are being counted.
    if (this.#openMs === 0 || forwarded.exchange.outcome !== 'open') {
      this.#open(forwarded);
      return;
    }
    // Most short ones have ended by then, and cost nothing here.
    this.#opening.push(forwarded);
    this.#timer ??= this.#parts.clock.after(this.#openMs, () => {
      this.#timer = undefined;
      const opening = this.#opening;
      this.#opening = [];
      for (const one of opening) if (one.exchange.outcome === 'open') this.#open(one);
      this.#journal.flush();
    });
  }

  #open(forwarded: ForwardedEvent): void {
    const { exchange } = forwarded;
    if (exchange.entry === 0) exchange.entry = ++this.#entries;
    const usage = { exchange, reserved: forwarded.reserved() };
    this.#journal.add(openLine(usage, this.#idOf(exchange), this.#parts.clock.wall()));
  }

  #ended(exchange: Exchange): void {
    const used = exchange.usage !== undefined || exchange.cost !== 0;
    // One that was begun is ended, also where it has used nothing.
    if (exchange.entry === 0) {
      if (!used || !this.#on) return;
      exchange.entry = ++this.#entries;
    }
    const id = this.#idOf(exchange);
    this.#journal.add(used ? usageLine(exchange, id, this.#parts.clock.wall()) : droppedLine(id));
  }

  #idOf({ entry }: Exchange): string {
    return `${this.#prefix}.${entry.toString(36)}`;
  }
}
