/**
 * Faults on purpose: delay, abort, throughput, reset and malformed answers for a share of the requests, after Envoy's
 * fault filter (delay first, then abort; by header only where that is switched on). Who has no faults has no `Chaos`,
 * and pays one comparison per request.
 */
import type { Clock } from '../../kernel/clock.ts';
import { GatehouseError } from '../../kernel/error.ts';
import type { Events } from '../../kernel/event.ts';
import type { Exchange, RequestHead } from '../../kernel/exchange.ts';
import type { Verdict } from '../../kernel/gate.ts';
import { parseDuration, parseSize } from '../../kernel/limit.ts';
import type { FaultRule } from './config.ts';
import type { Fault } from './fault.ts';
import { FaultyInbound } from './inbound.ts';

/** Longest delay that a request may ask for, as in the settings. */
const MAX_DELAY_MS = 300_000;
const PREFIX = 'x-gatehouse-fault-';

interface Compiled {
  readonly fault: Fault;
  readonly routes: ReadonlySet<string> | undefined;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly percent: number;
}

/** The faults in force. */
export class Chaos {
  readonly #rules: readonly Compiled[];
  readonly #byHeader: boolean;
  readonly #clock: Clock;
  readonly #events: Events;

  /** `byHeader`: requests may ask for faults themselves. */
  constructor(rules: readonly FaultRule[], byHeader: boolean, clock: Clock, events: Events) {
    this.#byHeader = byHeader;
    this.#clock = clock;
    this.#events = events;
    this.#rules = rules.map((rule) => ({
      fault: { ...rule, rule: rule.name },
      routes: rule.route === undefined ? undefined : new Set([rule.route].flat()),
      headers: Object.entries(rule.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
      percent: rule.percent,
    }));
  }

  /** The fault that hits this request; undefined: none. Throws dice only for rules that match. */
  draw(route: string, head: RequestHead): Fault | undefined {
    if (this.#byHeader) {
      const asked = askedFor(head);
      if (asked !== undefined) return asked;
    }
    for (const { fault, routes, headers, percent } of this.#rules) {
      if (routes !== undefined && !routes.has(route)) continue;
      if (!headers.every(([name, value]) => matches(head.get(name), value))) continue;
      if (percent >= 1 || this.#clock.random() < percent) return fault;
    }
    return undefined;
  }

  /** Makes it happen: the verdict is there at once, or after the delay; what concerns the answer waits for it. */
  inject(fault: Fault, exchange: Exchange): Verdict | Promise<Verdict> {
    const { rule, delay, abort, throughput, reset, malformed } = fault;
    if (throughput !== undefined || reset !== undefined || malformed === true) {
      if (throughput !== undefined) this.#count('chaos_throughput', rule);
      if (reset !== undefined) this.#count('chaos_reset', rule);
      if (malformed === true) this.#count('chaos_malformed', rule);
      exchange.inbound = new FaultyInbound(exchange.inbound, fault, this.#clock);
    }
    let verdict: Verdict;
    if (abort !== undefined) {
      this.#count('chaos_abort', rule);
      verdict = new GatehouseError('fault_injected', 'this fault was injected on purpose; it is a test', {
        rule: `chaos.${rule}`,
        status: abort,
      });
    }
    if (delay === undefined) return verdict;
    this.#count('chaos_delay', rule);
    return new Promise((resolve) => this.#clock.after(delay, () => resolve(verdict)));
  }

  #count(kind: string, where: string): void {
    this.#events.emit('fault', { kind, where });
  }
}

const matches = (value: string | undefined, wanted: string) =>
  value !== undefined && (wanted === '*' || value === wanted);

/** The fault that the request's own fields ask for. A field that cannot be understood asks for nothing, as in Envoy. */
function askedFor(head: RequestHead): Fault | undefined {
  const get = (name: string) => head.get(PREFIX + name);
  const delay = parseDuration(get('delay') ?? '');
  const status = Number(get('abort') ?? 0);
  const throughput = parseSize(get('throughput') ?? '');
  const reset = parseSize(get('reset') ?? '');
  const malformed = get('malformed') === 'true';
  const abort = Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined;
  const waits = delay !== undefined && delay > 0;
  const slow = throughput !== undefined && throughput > 0;
  if (!waits && abort === undefined && !slow && reset === undefined && !malformed) return undefined;
  return {
    rule: 'header',
    delay: waits ? Math.min(delay, MAX_DELAY_MS) : undefined,
    abort,
    throughput: slow ? throughput : undefined,
    reset,
    malformed,
  };
}
