/**
 * The faults that were switched on at run time. Each has an end from the start, at most an hour away; it ends by itself in the
 * supervisor, which keeps this board, and in every worker, each by its own clock, so that no lost message prolongs it.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Events, NoticeEvent } from '../../kernel/event.ts';
import { formatDuration } from '../../kernel/limit.ts';
import { Chaos } from './chaos.ts';
import { type ChaosConfig, chaosOrder, type FaultRule } from './config.ts';

/** A fault with what is left of its time. */
export interface RunningFault {
  readonly rule: FaultRule;
  readonly endsInMs: number;
}

/** How an order was taken. */
export type Ordered = { ok: true; started: RunningFault } | { ok: false; problems: readonly string[] };

/** Most faults at a time. */
const MAX_RUNNING = 100;

/** The supervisor's board. */
export class ChaosBoard {
  readonly #clock: Clock;
  readonly #notice: (notice: NoticeEvent) => void;
  readonly #changed: () => void;
  readonly #running = new Map<string, { rule: FaultRule; endsAt: number; timer: Timer }>();

  /** `changed` is called when workers must be told. */
  constructor(clock: Clock, notice: (notice: NoticeEvent) => void, changed: () => void) {
    this.#clock = clock;
    this.#notice = notice;
    this.#changed = changed;
  }

  /** Switches a fault on, or replaces the one of the same name. `routes`: names that there are. */
  start(order: unknown, routes: readonly string[]): Ordered {
    const parsed = chaosOrder.safeParse(order);
    if (!parsed.success) {
      return { ok: false, problems: parsed.error.issues.map(({ path, message }) => [...path, message].join(': ')) };
    }
    const { for: forMs, ...rule } = parsed.data;
    const unknown = [rule.route ?? []].flat().filter((route) => !routes.includes(route));
    if (unknown.length > 0) {
      return {
        ok: false,
        problems: [`route: there is no route ${unknown.join(', ')}; there are ${routes.join(', ')}`],
      };
    }
    const before = this.#running.get(rule.name);
    if (before === undefined && this.#running.size >= MAX_RUNNING) {
      return { ok: false, problems: [`${MAX_RUNNING} faults are running already; stop one first`] };
    }
    before?.timer.cancel();
    const timer = this.#clock.after(forMs, () => this.#end(rule.name, 'its time is over'));
    this.#running.set(rule.name, { rule, endsAt: this.#clock.now() + forMs, timer });
    this.#say('warn', `chaos: fault ${rule.name} is on for ${formatDuration(forMs)}: ${describe(rule)}`, rule.name);
    this.#changed();
    return { ok: true, started: { rule, endsInMs: forMs } };
  }

  /** Switches the fault of this name off, all of them without one; how many it were. */
  stop(name: string | undefined): number {
    const names = [...this.#running.keys()].filter((one) => name === undefined || one === name);
    for (const one of names) this.#end(one, 'it was stopped');
    return names.length;
  }

  /** What runs now. */
  running(): RunningFault[] {
    const now = this.#clock.now();
    return [...this.#running.values()].map(({ rule, endsAt }) => ({ rule, endsInMs: Math.max(0, endsAt - now) }));
  }

  #end(name: string, why: string): void {
    this.#running.get(name)?.timer.cancel();
    this.#running.delete(name);
    this.#say('info', `chaos: fault ${name} is off: ${why}`, name);
    this.#changed();
  }

  #say(level: NoticeEvent['level'], message: string, fault: string): void {
    this.#notice({ level, message, attributes: { fault } });
  }
}

/** A worker's side: the configuration's faults and those of the board, each until its end. */
export class ChaosRun {
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #apply: (chaos: Chaos | undefined) => void;
  #config: ChaosConfig | undefined = undefined;
  #running: { rule: FaultRule; endsAt: number }[] = [];
  #timer: Timer | undefined = undefined;

  /** `apply` gets what is in force, and undefined when nothing is. */
  constructor(clock: Clock, events: Events, apply: (chaos: Chaos | undefined) => void) {
    this.#clock = clock;
    this.#events = events;
    this.#apply = apply;
  }

  /** A configuration is in force. */
  configure(config: ChaosConfig | undefined): void {
    this.#config = config;
    this.#make();
  }

  /** These run now, instead of whatever ran. */
  run(running: readonly RunningFault[]): void {
    const now = this.#clock.now();
    this.#running = running.map(({ rule, endsInMs }) => ({ rule, endsAt: now + endsInMs }));
    this.#make();
  }

  #make(): void {
    const now = this.#clock.now();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#running = this.#running.filter(({ endsAt }) => endsAt > now);
    if (this.#running.length > 0) {
      const next = Math.min(...this.#running.map(({ endsAt }) => endsAt));
      this.#timer = this.#clock.after(next - now, () => this.#make());
    }
    const rules = [...this.#running.map(({ rule }) => rule), ...(this.#config?.rules ?? [])];
    const byHeader = this.#config?.byHeader ?? false;
    const on = rules.length > 0 || byHeader;
    this.#apply(on ? new Chaos(rules, byHeader, this.#clock, this.#events) : undefined);
  }
}

/** A fault in words, for logs. */
export function describe(rule: FaultRule): string {
  const { delay, abort, throughput, reset, malformed, percent, route, headers } = rule;
  const effects = [
    delay === undefined ? '' : `delay ${formatDuration(delay)}`,
    abort === undefined ? '' : `abort with ${abort}`,
    throughput === undefined ? '' : `${throughput} bytes/s`,
    reset === undefined ? '' : `cut after ${reset} bytes`,
    malformed === true ? 'malformed answers' : '',
  ].filter(Boolean);
  const where = route === undefined ? 'every route' : `route ${[route].flat().join(', ')}`;
  const who = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`);
  return `${effects.join(', ')} for ${Number((percent * 100).toPrecision(12))}% of ${[where, ...who].join(', ')}`;
}
