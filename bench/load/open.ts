/**
 * An open-loop run: requests arrive as people do (a Poisson process), whatever has become of those before them. A slow or
 * silent proxy therefore meets more and more requests instead of fewer, and every one of them is counted.
 */
import { requestBody } from './body.ts';
import type { Call, LoadOrder } from './channel.ts';
import { Connection, type Watcher } from './client.ts';
import { type Outcome, outcomeOfFailure, outcomeOfStatus } from './outcome.ts';

/** The order for such a run. */
export type OpenOrder = Extract<LoadOrder, { do: 'open' }>;

/** Where a run writes what it has seen. */
export interface Book {
  /** One request has ended; `us` is the time since it was due, in microseconds. `call`: where callers are told apart. */
  ended(outcome: Outcome, us: number, call?: Call): void;
  /** Something of the load generator's own went wrong. */
  blame(what: string): void;
}

interface Pending {
  number: string;
  caller: number;
  stream: boolean;
  dueAt: number;
  deadline: NodeJS.Timeout;
}

/** The run: `halt` ends the arrivals, `pending` says how many requests have not ended yet. */
export interface OpenRun extends Watcher {
  start(): void;
  halt(): void;
  pending(): number;
  stop(): void;
}

/** Digits of a request's number, in the query of the request and in the id of its answer. */
export const NUMBER_DIGITS = 10;

/** The same numbers from 0 to 1 for the same seed (xorshift32), so that all peers meet the same arrivals. */
export function dice(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 4_294_967_296;
  };
}

/** Makes the run; see {@link LoadOrder} for what is ordered. */
export function openRun(order: OpenOrder, book: Book): OpenRun {
  const open = new Set<Connection>();
  const idle: Connection[] = [];
  const pending = new Map<Connection, Pending>();
  const random = dice(order.seed);
  const { callers, impatientEvery = 0, impatientMs = 0 } = order;
  // Of their own, so that the arrivals are the same whoever calls.
  const lots = dice(order.seed + 1);
  const shares = callers?.reduce((sum, { share }) => sum + share, 0) ?? 0;
  const bodies = [requestBody(order.target.bodyBytes), requestBody(order.target.bodyBytes, true)] as const;
  let sent = 0;
  let nextAt = 0;
  let timer: NodeJS.Timeout | undefined;

  const draw = (): number => {
    if (callers === undefined) return -1;
    let at = lots() * shares;
    return callers.findIndex(({ share }) => {
      at -= share;
      return at < 0;
    });
  };
  const request = (number: string, stream: boolean, once: boolean, caller: number): Buffer => {
    const body = bodies[stream ? 1 : 0];
    const path = stream ? '/v1/stream' : '/v1/chat/completions';
    return Buffer.from(
      `POST ${path}?n=${number} HTTP/1.1\r\nHost: gateway.bench\r\nContent-Type: application/json\r\n${
        once ? 'Connection: close\r\n' : ''
      }${callers?.[caller]?.fields ?? ''}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  };
  const drop = (connection: Connection) => {
    open.delete(connection);
    connection.close();
  };
  const end = (connection: Connection, outcome: Outcome | undefined, why = ''): boolean => {
    const one = pending.get(connection);
    if (!one) return false;
    pending.delete(connection);
    clearTimeout(one.deadline);
    if (outcome === undefined) book.blame(`load generator: ${why}`);
    else {
      const now = performance.now();
      book.ended(outcome, (now - one.dueAt) * 1000, noted(one, now, outcome));
    }
    return true;
  };
  const noted = ({ number, caller, dueAt }: Pending, now: number, outcome: Outcome): Call | undefined => {
    if (callers === undefined) return undefined;
    const { timeOrigin } = performance;
    return { number, caller, dueAt: timeOrigin + dueAt, endedAt: timeOrigin + now, outcome };
  };
  const arrive = (dueAt: number) => {
    sent++;
    const number = String(sent).padStart(NUMBER_DIGITS, '0');
    const stream = order.streamEvery > 0 && sent % order.streamEvery === 0;
    const fresh = order.freshEvery > 0 && sent % order.freshEvery === 0;
    const caller = draw();
    const bytes = request(number, stream, fresh, caller);
    const kept = fresh ? undefined : idle.pop();
    const connection = kept ?? new Connection(order.target, self, stream, (ready) => ready.send(bytes));
    open.add(connection);
    connection.reader.keepBody = true;
    connection.reader.countEvents = stream;
    const giveUp = () => {
      if (pending.get(connection) !== one) return;
      end(connection, 'timeout');
      drop(connection); // as a client does that has given up
    };
    // What has arrived while this process was kept waiting is read first: that delay is its own.
    const late = () => setImmediate(() => setImmediate(giveUp));
    const patience = impatientEvery > 0 && sent % impatientEvery === 0 ? impatientMs : order.deadlineMs;
    const deadline = setTimeout(late, patience + (stream ? order.streamMs : 0));
    const one: Pending = { number, caller, stream, dueAt, deadline };
    pending.set(connection, one);
    kept?.send(bytes);
  };
  const tick = () => {
    const now = performance.now();
    while (nextAt <= now) {
      arrive(nextAt);
      nextAt += (-Math.log(random()) / order.perSecond) * 1000;
    }
  };
  const isRight = ({ reader }: Connection, { number, stream }: Pending): boolean => {
    if (stream) return reader.events === order.events;
    return Buffer.concat(reader.body).includes(number);
  };
  const free = (connection: Connection) => {
    if (connection.lastAnswer) drop(connection);
    else idle.push(connection);
  };
  const self: OpenRun = {
    start() {
      nextAt = performance.now();
      timer = setInterval(tick, 1);
    },
    halt: () => clearInterval(timer),
    pending: () => pending.size,
    stop() {
      clearInterval(timer);
      for (const { deadline } of pending.values()) clearTimeout(deadline);
      pending.clear();
      for (const connection of open) connection.close();
    },
    answered(connection) {
      const one = pending.get(connection);
      end(connection, one && isRight(connection, one) ? 'right' : 'wrong');
      free(connection);
    },
    declined(connection) {
      end(connection, outcomeOfStatus(connection.reader.status));
      free(connection);
    },
    progressed() {},
    failed(connection, what) {
      open.delete(connection);
      const at = idle.indexOf(connection);
      if (at >= 0) idle.splice(at, 1);
      end(connection, outcomeOfFailure(what), what);
    },
  };
  return self;
}
