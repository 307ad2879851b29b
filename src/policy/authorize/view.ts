/** What conditions see of caller, request and time. Nothing is made before an expression asks for it. */
import type { Exchange } from '../../kernel/exchange.ts';
import type { Identity } from '../../kernel/identity.ts';

/** What the body tells of a request; without a body, nothing is there. */
export interface BodyFacts {
  readonly stream: boolean;
  /** Bound on what is generated; undefined when it sets none. */
  readonly maxTokens: number | undefined;
  /** Names of the tools that it offers to the model. */
  readonly tools: readonly string[];
}

/** Fields of `identity` with their types in CEL. */
export const IDENTITY_FIELDS = {
  known: 'bool',
  method: 'string',
  principal: 'string',
  credential: 'string',
  tenant: 'string',
  plan: 'string',
  scopes: 'list<string>',
  roles: 'list<string>',
  models: 'list<string>',
  claims: 'map<string, dyn>',
  labels: 'map<string, string>',
};

const NO_TEXTS: readonly string[] = [];
const NOTHING: Readonly<Record<string, never>> = {};

/** `identity`: who calls. Of a caller that nobody knows everything is empty. */
export class IdentityView {
  identity: Identity | undefined = undefined;
  /** Of the tenant. */
  labels: Readonly<Record<string, string>> = NOTHING;

  get known(): boolean {
    return this.identity !== undefined;
  }
  get method(): string {
    return this.identity?.method ?? '';
  }
  get principal(): string {
    return this.identity?.principal ?? '';
  }
  get credential(): string {
    return this.identity?.credential ?? '';
  }
  get tenant(): string {
    return this.identity?.tenant ?? '';
  }
  get plan(): string {
    return this.identity?.plan ?? '';
  }
  get scopes(): readonly string[] {
    return this.identity === undefined ? NO_TEXTS : [...this.identity.scopes];
  }
  get roles(): readonly string[] {
    return this.identity === undefined ? NO_TEXTS : [...this.identity.roles];
  }
  get models(): readonly string[] {
    return this.identity?.models ?? NO_TEXTS;
  }
  get claims(): Readonly<Record<string, unknown>> {
    return this.identity?.claims ?? NOTHING;
  }
}

/** Fields of `request` with their types in CEL. */
export const REQUEST_FIELDS = {
  method: 'string',
  path: 'string',
  host: 'string',
  scheme: 'string',
  ip: 'string',
  route: 'string',
  headers: 'map<string, string>',
  query: 'map<string, string>',
  size: 'int',
  model: 'string',
  stream: 'bool',
  maxTokens: 'int',
  tools: 'list<string>',
};

/** `request`: what is asked. */
export class RequestView {
  exchange: Exchange | undefined = undefined;
  body: BodyFacts | undefined = undefined;
  readPath = (path: string): string => path;

  get method(): string {
    return this.exchange?.head.method ?? '';
  }
  /** As the most lenient server reads it: decoded, slashes merged. No other spelling slips past a rule. */
  get path(): string {
    return this.exchange === undefined ? '' : this.readPath(this.exchange.head.path);
  }
  get host(): string {
    return this.exchange?.head.host ?? '';
  }
  get scheme(): string {
    return this.exchange?.inbound.scheme ?? '';
  }
  get ip(): string {
    return this.exchange?.inbound.clientAddress ?? '';
  }
  get route(): string {
    return this.exchange?.route ?? '';
  }
  /** Names in lower case; what comes twice is joined as RFC 9110 §5.3 has it. */
  get headers(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    this.exchange?.head.each((name, value) => {
      const key = name.toLowerCase();
      const before = found.get(key);
      found.set(key, before === undefined ? value : `${before}, ${value}`);
    });
    return found;
  }
  /** Throws where a name comes twice, for servers read that in different ways. */
  get query(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [name, value] of new URLSearchParams(this.exchange?.head.query ?? '')) {
      if (found.has(name)) throw new Error('a parameter of the query comes twice');
      found.set(name, value);
    }
    return found;
  }
  /** Bytes of the body; -1 where it is not known yet. */
  get size(): bigint {
    const length = this.exchange?.requestLength ?? 0;
    return length === -1 ? 0n : BigInt(Math.max(-1, length));
  }
  get model(): string {
    return this.exchange?.model ?? '';
  }
  get stream(): boolean {
    return this.body?.stream ?? false;
  }
  /** 0 where the request sets no bound. */
  get maxTokens(): bigint {
    return BigInt(Math.floor(this.body?.maxTokens ?? 0));
  }
  get tools(): readonly string[] {
    return this.body?.tools ?? NO_TEXTS;
  }
}

/** Fields of `time` with their types in CEL. */
export const TIME_FIELDS = {
  now: 'google.protobuf.Timestamp',
  hour: 'int',
  minute: 'int',
  weekday: 'int',
  date: 'string',
};

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MINUTE_MS = 60_000;

/** `time`: now, and what the clocks show in a time zone. */
export class TimeView {
  /** Tells the wall clock, milliseconds since 1970; read when an expression asks. */
  clock: { wall(): number } = { wall: () => 0 };
  readonly #format: Intl.DateTimeFormat;
  #minute = -1;
  #parts = { hour: 0n, minute: 0n, weekday: 0n, date: '' };

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      weekday: 'short',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
    });
  }

  get now(): Date {
    return new Date(this.clock.wall());
  }
  get hour(): bigint {
    return this.#read().hour;
  }
  get minute(): bigint {
    return this.#read().minute;
  }
  /** 0 is Sunday, as everywhere in CEL. */
  get weekday(): bigint {
    return this.#read().weekday;
  }
  /** Such as 2027-01-31. */
  get date(): string {
    return this.#read().date;
  }

  /** Read once a minute: no zone has changed within one for a century. */
  #read() {
    const wall = this.clock.wall();
    const minute = Math.floor(wall / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      const found: Record<string, string> = {};
      for (const { type, value } of this.#format.formatToParts(wall)) found[type] = value;
      this.#parts = {
        hour: BigInt(found.hour ?? 0),
        minute: BigInt(found.minute ?? 0),
        weekday: BigInt(WEEKDAYS.indexOf(found.weekday ?? '')),
        date: `${found.year}-${found.month}-${found.day}`,
      };
    }
    return this.#parts;
  }
}
